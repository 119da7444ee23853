/*
 * A decision explained: its checks as lines of the reply, and before each that asked IAM what the
 * way there was like (name, connection, proxy, TLS, answer), so that the first line that failed
 * names the cause.  Only for requests that want it; it never changes a decision.
 */
#ifndef IBMIAM_EXPLAIN_H
#define IBMIAM_EXPLAIN_H

#include "config_live.h"
#include "decision.h"
#include "iam_error.h"

enum { EXPLAIN_EXCHANGES_MAX = 12 }; /* what comes after that is left out */

struct explain_exchange {
	size_t step;     /* which one asked */
	enum iam_kind kind;
	long http_status;
	char code[IAM_ERROR_CODE_MAX + 1];
	char transaction_id[IAM_HEADER_ID_MAX + 1];
	struct iam_trace trace;
};

struct explain {
	struct explain_exchange exchange[EXPLAIN_EXCHANGES_MAX];
	size_t count;
};

/* Notes the exchange that has just ended; d->answer is still there.  Takes NULL. */
void explain_note(struct explain *explain, const struct decision *d);

/* Writes the lines, "NAME OUTCOME MS DETAIL" each (PROTOCOL.md), into *out, which this
 * initialises.  False when there is no memory or no room. */
bool explain_put(const struct explain *explain, const struct decision *d,
		 const struct config_live *config, struct secret *out);

#endif
