/*
 * What clients ask for: to authenticate, and about the sessions that a resident broker holds.
 * Here it is decided who may ask what; whether a key opens a login is decision.c's matter.
 */
#ifndef IBMIAM_REQUEST_H
#define IBMIAM_REQUEST_H

#include "server.h"

#define REQUEST_LOGIN_SERVICE "ibmiam" /* the service of `ibmiam login` */

/* Serves the request in client->message.  The client may be gone afterwards. */
void request_serve(struct client *client);

/* Answers with no more than a result and its reason, and ends the client. */
void request_refuse(struct client *client, enum ibmiam_result result, const char *reason);

/* The client is about to end: what it waits for is no longer done for it. */
void request_cancel(struct client *client);

/* The client's time is up.  It is gone afterwards. */
void request_late(struct client *client);

#endif
