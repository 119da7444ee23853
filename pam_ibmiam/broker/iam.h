/*
 * The client of IBM Cloud IAM: HTTPS requests over connections that are kept, each with at
 * most one retry, within one deadline.  It knows HTTP, not what an answer means.  Nothing here
 * blocks but iam_wait(); a one-shot broker asks one question, a resident one many at a time.
 */
#ifndef IBMIAM_IAM_H
#define IBMIAM_IAM_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "iam_message.h"
#include "iam_trace.h"
#include "limit.h"
#include "result.h"
#include "secret.h"

enum {
	IAM_BODY_MAX = 64 * 1024, /* bytes */
	IAM_HEADER_ID_MAX = 64,
	IAM_CONNECTIONS_MAX = 64,
	IAM_FDS_MAX = 4 * IAM_CONNECTIONS_MAX, /* with what their name look-ups open */
};

struct iam_answer {
	long http_status;   /* of the last complete answer, 0 without one */
	struct secret body; /* of that answer */
	char transaction_id[IAM_HEADER_ID_MAX + 1]; /* IAM's, "" without one */
	char correlation_id[IAM_UUID_LEN + 1];      /* ours: a UUID, fresh each request */
	char fault[448];    /* without an answer: what failed, for the log; else "" */
	enum ibmiam_result fault_result; /* IBMIAM_UNAVAILABLE, _CONFIG_ERROR, _BROKER_ERROR, _THROTTLED */
	struct iam_trace trace; /* of the last try, if the question wants to be explained */
};

struct iam;          /* the client: connections, and what holds for all requests of this host */
struct iam_exchange; /* one question on its way */

/* Each request, a repeated one too, is counted in limit (limit.h), which must live as long; NULL: in
 * none.  NULL when there is no memory. */
struct iam *iam_new(struct limit *limit);

/* Every exchange must have ended or been cancelled.  Takes NULL. */
void iam_free(struct iam *iam);

/*
 * Asks.  When the answer is there, or it is clear that there will be none (answer->fault says
 * why), at the deadline (deadline.h) at the latest, iam_wait() calls done(arg) once; the
 * exchange is then gone.  config, answer and the question's strings must live until then.
 * *answer is initialised here and released by the caller with iam_answer_free(), always.
 * Returns NULL, with answer->fault set and done not called, when it cannot even begin.
 */
struct iam_exchange *iam_begin(struct iam *iam, const struct config *config,
			       const struct iam_question *question, int64_t deadline_ms,
			       struct iam_answer *answer, void (*done)(void *arg), void *arg);

/* Gives up: done will not be called.  Takes NULL. */
void iam_cancel(struct iam_exchange *exchange);

/* Moves all exchanges on, and waits until one can move, fd (-1: none) is readable, or
 * timeout_ms has passed. */
void iam_wait(struct iam *iam, int fd, int timeout_ms);

void iam_answer_free(struct iam_answer *answer);

#endif
