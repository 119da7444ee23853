/*
 * The module's main job: get an authtok, ask the broker, remember what it allows.
 */
#ifndef IBMIAM_LOGIN_H
#define IBMIAM_LOGIN_H

#include <security/pam_modules.h>

#include "options.h"

/* pam_sm_authenticate.  Blocks for the conversation, and after it for at most the
 * timeout and what client_ask() adds to it.  Returns a PAM code, by the table in the README. */
int login_authenticate(pam_handle_t *pamh, int flags, const struct options *opt);

#endif
