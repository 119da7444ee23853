/*
 * The client of IBM Cloud IAM: one POST to {endpoint}/identity/token over verified TLS,
 * with at most one retry, within one deadline.  It knows HTTP, not what an answer means.
 */
#ifndef IBMIAM_IAM_H
#define IBMIAM_IAM_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "iam_message.h"
#include "result.h"
#include "sandbox.h"
#include "secret.h"

enum { IAM_BODY_MAX = 64 * 1024, IAM_HEADER_ID_MAX = 64 };

struct iam_answer {
	long http_status;   /* of the last complete answer, 0 without one */
	struct secret body; /* of that answer */
	char transaction_id[IAM_HEADER_ID_MAX + 1]; /* IAM's, "" without one */
	char correlation_id[IAM_UUID_LEN + 1];      /* ours: a UUID, fresh each request */
	char fault[448];    /* without an answer: what failed, for the log */
	enum ibmiam_result fault_result; /* IBMIAM_UNAVAILABLE, or IBMIAM_CONFIG_ERROR */
};

/*
 * Exchanges the API key for a token.  Blocks until the deadline (deadline.h) at most, and
 * less when host_fd, the socket of the asking host, is hung up (-1: no host).  Returns
 * true when there is an answer of whatever status, false when `fault` says why not.
 * Either way *ret is to be released with iam_answer_free().
 */
bool iam_request_token(const struct config *config, const char *api_key, int host_fd,
		       int64_t deadline_ms, struct iam_answer *ret);

/* What that will need in the sandbox: CA files beyond the system's, and TCP ports. */
struct sandbox_needs iam_needs(const struct config *config);

void iam_answer_free(struct iam_answer *answer);

#endif
