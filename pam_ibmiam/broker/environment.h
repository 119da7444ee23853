/*
 * Templates for the session's environment, "NAME=text %{placeholder} text", as they
 * stand in the configuration.  %% is a percent sign.
 */
#ifndef IBMIAM_ENVIRONMENT_H
#define IBMIAM_ENVIRONMENT_H

#include <stdint.h>

#include "secret.h"

struct environment_values {
	const char *token; /* secret */
	const char *iam_id;
	const char *account;
	const char *profile; /* id of the trusted profile, or NULL */
	int64_t expiration; /* seconds since 1970 */
};

/* Why the template is wrong, or NULL.  Static text. */
const char *environment_fault(const char *template);

/* Do both templates set the same variable? */
bool environment_same_name(const char *a, const char *b);

/* Appends the rendered template and its terminator.  The template must be free of
 * faults.  False when it does not fit; out is then half written. */
bool environment_render(const char *template, const struct environment_values *values,
			struct secret *out);

#endif
