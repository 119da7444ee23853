/*
 * What to do about an exchange with IAM that failed, for the mistakes that admins make.
 */
#ifndef IBMIAM_EXPLAIN_HINT_H
#define IBMIAM_EXPLAIN_HINT_H

#include "explain.h"

/* Appends a line with the outcome `hint` where there is one to give.  False when there is no
 * room. */
bool explain_hint_put(struct secret *out, const struct explain_exchange *x,
		      const struct decision *d);

#endif
