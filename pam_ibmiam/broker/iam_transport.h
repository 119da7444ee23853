/*
 * How IAM is spoken to, as options of a libcurl handle: TLS and whom it trusts, no redirects,
 * nothing from the environment, and no longer than needed.
 */
#ifndef IBMIAM_IAM_TRANSPORT_H
#define IBMIAM_IAM_TRANSPORT_H

#include <curl/curl.h>

#include "config.h"
#include "sandbox.h"

/* Sets all that is the same for each request.  Strings of the configuration are copied. */
CURLcode iam_transport_set(CURL *easy, const struct config *config);

/* What that needs in the sandbox: CA files beyond the system's, and TCP ports. */
struct sandbox_needs iam_transport_needs(const struct config *config);

#endif
