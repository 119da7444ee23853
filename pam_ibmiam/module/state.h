/*
 * What the module remembers on one PAM handle: whom it has authenticated, and the
 * environment that his session may get (the stash).
 *
 * The stash lives twice: as PAM data, and in one private PAM environment variable,
 * because sshd's keyboard-interactive mode runs authenticate in a forked child from
 * which only the PAM environment comes back.  The variable is written and read only
 * where PAM_RUSER is not set, that is where a user enters the host.  Hosts that set it
 * (sudo, su) stay in one process and have the PAM data; and a stash that they never
 * collect (sudo with pam_setcred and pam_session off) must not reach a command.
 *
 * Where a resident broker holds the credential, the stash has its handle, and the session that
 * gets the environment gets the credential too (session.h).
 */
#ifndef IBMIAM_STATE_H
#define IBMIAM_STATE_H

#include <security/pam_modules.h>
#include <stdbool.h>

#include "wire.h"

/* Forgets everything that an earlier authenticate left on this handle, and withdraws what was
 * exported of it, as state_withdraw(). */
void state_reset(pam_handle_t *pamh);

/* Remembers that `user` was allowed, with the reply's environment and handle to be published
 * later; without an environment a handle is left to expire.  Returns false, nothing remembered, when there is no memory. */
bool state_remember(pam_handle_t *pamh, const char *user, const struct wire_reply *reply);

/* Did this module authenticate the user that PAM_USER names now? */
bool state_authenticated(pam_handle_t *pamh);

/* Exports the stash into the PAM environment if PAM_USER is still the user it was
 * issued to (or the reply allowed any), and removes it in every case.  All or nothing.
 * What an earlier call exported is withdrawn when PAM_USER has become another.
 * A credential in a resident broker, at `socket`, is adopted for PAM_USER along with it and
 * IBMIAM_SESSION names it; that may fail alone, which is logged.  It is dropped where nothing
 * is exported.  Blocks for the broker only, for at most 2 s to adopt and 1 s to drop.
 * Returns how many variables were exported, 0 when there was nothing to do or PAM_USER
 * has changed, -1 when it failed. */
int state_publish(pam_handle_t *pamh, const char *socket);

/* Removes the variables that state_publish() exported, drops the credential that it adopted
 * (once, at most 1 s), and removes the stash. */
void state_withdraw(pam_handle_t *pamh);

#endif
