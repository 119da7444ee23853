/*
 * One try to have an exchange answered: what libcurl is told to do, what comes of it, and whether
 * there may be another.  iam.c's: it has the exchanges, and moves them on.
 */
#ifndef IBMIAM_IAM_TRY_H
#define IBMIAM_IAM_TRY_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "iam.h"

enum { IAM_TRY_NEEDS_MS = 300 /* one more try with less time than this is not begun */ };

struct iam_exchange {
	LIST_ENTRY(iam_exchange) link;
	struct iam *iam;
	const struct config *config;
	const struct iam_question *question;
	struct iam_answer *answer;
	void (*done)(void *arg);
	void *arg;
	CURL *easy;
	struct curl_slist *headers;
	struct secret form;
	int64_t deadline_ms;
	int64_t begun_ms;  /* this try */
	int64_t resume_ms; /* when paused: when to go on; else 0 */
	bool forsaken;     /* nobody else gets its connection: forsake_silent(), or alone */
	bool alone;        /* its next try shares none: iam_try_lost_connection() */
	bool opened;       /* this try has opened a connection, or has begun to */
	bool tried;        /* once: the next try is the last */
	size_t header_len; /* bytes of all headers so far */
	bool too_long;
	char error[CURL_ERROR_SIZE];
	char url[2048];
};

struct iam {
	CURLM *multi;
	struct limit *limit; /* or NULL */
	LIST_HEAD(, iam_exchange) exchanges;
	int64_t not_before_ms; /* until then IAM has asked this host to keep away (429) */
	int64_t ended_ms;      /* when an exchange last ended; 0: there is no connection since */
	const char *system_ca_path; /* or NULL: iam_transport.h */
};

/* What is the same for all tries: once, before the first. */
CURLcode iam_try_configure(struct iam_exchange *x);

/* Begins a try; CURLE_OPERATION_TIMEDOUT when there is no time for one. */
CURLcode iam_try_begin(struct iam_exchange *x);

/* After a try that has ended with rc: how long to pause before one more, in milliseconds, or -1 for
 * none.  A 429 keeps all exchanges of x->iam waiting. */
int64_t iam_try_pause_ms(struct iam_exchange *x, CURLcode rc);

/* Has the try ended with its connection, not by itself?  In HTTP/2 that may be another's doing,
 * whose key IAM's edge cannot bear: it must not take the second try along, too. */
bool iam_try_lost_connection(CURLcode rc);

/* A random pause, in milliseconds, so that many hosts do not come back in step. */
int64_t iam_try_spread_ms(void);

/* Says for the log why there is no answer: x->answer->fault and fault_result. */
void iam_try_explain(struct iam_exchange *x, CURLcode rc);

#endif
