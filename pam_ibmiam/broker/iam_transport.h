/*
 * How IAM is spoken to, as options of a libcurl handle: TLS and whom it trusts, no redirects,
 * nothing from the environment, and no longer than needed.
 */
#ifndef IBMIAM_IAM_TRANSPORT_H
#define IBMIAM_IAM_TRANSPORT_H

#include <curl/curl.h>

#include "config.h"
#include "sandbox.h"

/* The system's folder of hashed CA certificates, which are read one by one as needed; NULL where
 * there is none.  The bundle, which stands in for it then, is parsed whole at each handshake, and
 * that costs more than all the rest of a login. */
const char *iam_transport_system_ca_path(void);

/* Sets all that is the same for each request.  Strings of the configuration are copied; where it
 * names no CAs those of system_ca_path hold, or of the bundle if that is NULL: for IAM, and for a
 * proxy that is spoken to in TLS. */
CURLcode iam_transport_set(CURL *easy, const struct config *config, const char *system_ca_path);

/* What that needs in the sandbox: CA files beyond the system's, and the TCP port. */
struct sandbox_needs iam_transport_needs(const struct config *config);

#endif
