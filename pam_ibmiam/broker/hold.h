/*
 * A credential is held for as long as a process: the one that asked for it, which closes the
 * session; or, for `ibmiam login`, which ends at once, the leader of that command's session.
 */
#ifndef IBMIAM_HOLD_H
#define IBMIAM_HOLD_H

#include "decision.h"
#include "server.h"

/* Keeps key and token of a login that was allowed, for a session that is to adopt them; under this
 * handle, or a random one (NULL).  NULL where that is not possible. */
struct session *hold_pending(struct client *client, const struct decision *decision,
			     const char *handle);

/* The same for `ibmiam login`, whose session is there already, and adopts them at once.  A handle
 * that the request names and that is this user's goes on, for as long as the process that it was
 * held for; one that is somebody else's, as after su, is left to him.  NULL where that is not
 * possible. */
struct session *hold_own(struct client *client, const struct decision *decision);

/* Has this user room for the credential of such a login? */
bool hold_has_room(const struct server *server, const struct wire_request *request);

/* Makes the session that of this owner, from now until the process that asks for it has ended.
 * False, nothing changed, when there is no memory. */
bool hold_adopt(struct client *client, struct session *session, const char *owner, uid_t owner_uid);

/* Drops it with all that goes on about it; `why` is for the log. */
void hold_drop(struct server *server, struct session *session, const char *why);

#endif
