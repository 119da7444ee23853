/*
 * What the module says: one log line a decision, at LOG_AUTHPRIV, and now and then a
 * sentence to the user.  Whatever comes from outside is data here: cut to a length, its
 * control characters replaced, quoted where needed, never a format.
 */
#ifndef IBMIAM_REPORT_H
#define IBMIAM_REPORT_H

#include <security/pam_modules.h>
#include <stdint.h>

#include "wire.h"

/* Logs the decision that the reply holds; its reason and names may be NULL. */
void report_decision(pam_handle_t *pamh, const char *user, const struct wire_reply *reply,
		     int64_t elapsed_ms);

/* Logs what has become of a session's credential, and why. */
void report_session(pam_handle_t *pamh, const char *what, const char *reason);

/* Tells the user what helps him and tells an attacker nothing; often that is nothing.
 * Silent when flags hold PAM_SILENT. */
void report_to_user(pam_handle_t *pamh, int flags, uint32_t result);

#endif
