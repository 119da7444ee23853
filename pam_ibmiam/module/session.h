/*
 * A session's credential at the resident broker: adopted when its environment is exported,
 * dropped when that is withdrawn.  Both are requests to the broker, short and bounded; neither
 * fails a login or a logout, and what goes wrong is one line in the log.  Called by state.c.
 */
#ifndef IBMIAM_SESSION_H
#define IBMIAM_SESSION_H

#include <security/pam_modules.h>
#include <stdbool.h>

#include "client.h"

/* What is held for this PAM handle, so that it can be dropped where it was adopted, whatever
 * the options of the line that ends the session.  All zero: nothing. */
struct session {
	char handle[WIRE_SESSION_MAX];
	char socket[CLIENT_SOCKET_MAX];
	bool unsure; /* the broker was asked to adopt it, and has not said that it has */
};

/* The credential that authenticate left under this handle becomes that of a session of `user`,
 * for whom there must be a local account; socket may be NULL.  Blocks for at most 2 s.  On true
 * *ret is filled.  On false it was logged why; *ret is then filled only if the broker may have
 * adopted it without saying so. */
bool session_adopt(pam_handle_t *pamh, const char *socket, const char *handle, const char *user,
		   struct session *ret);

/* Has the broker wipe the credential, and forgets it: at most once.  Nothing to do without
 * one.  Blocks for at most 1 s.  What goes wrong is logged, but for one that was never sure to be
 * there. */
void session_drop(pam_handle_t *pamh, struct session *session);

/* The same for a credential that nobody has adopted; socket may be NULL. */
void session_discard(pam_handle_t *pamh, const char *socket, const char *handle);

#endif
