/*
 * Tokens that stay fresh: a session's token is served from memory while at least a fifth of its
 * life is left, and fetched anew from its key after that, once for all who ask meanwhile.
 * While IAM cannot be asked a token that is still valid is served; when IAM no longer
 * lets the key's owner in, the credential ends; while the configuration does not, nothing is
 * given out.
 */
#ifndef IBMIAM_RENEWAL_H
#define IBMIAM_RENEWAL_H

#include "server.h"

enum {
	RENEWAL_TIMEOUT_MS = 30000,
	RENEWAL_RETRY_MS = 60000, /* after a renewal that failed; as IBM's SDKs do */
};

/* Answers with the session's token, now or when it has been renewed. */
void renewal_serve(struct client *client, struct session *session);

/* The client's time is up while it waits for a renewal. */
void renewal_late(struct client *client);

#endif
