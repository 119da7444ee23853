/*
 * A credential is held for as long as a process: the one that asked for it, which closes the
 * session; or, for `ibmiam login`, which ends at once, the leader of that command's session.
 */
#ifndef IBMIAM_HOLD_H
#define IBMIAM_HOLD_H

#include "server.h"

/* Makes the session that of this owner, from now until host ends; 0: it has no pid here, and
 * cannot be watched.  False, nothing changed, when there is no memory. */
bool hold_adopt(struct client *client, struct session *session, const char *owner, uid_t owner_uid,
		pid_t host);

/* Drops it with all that goes on about it; `why` is for the log. */
void hold_drop(struct server *server, struct session *session, const char *why);

#endif
