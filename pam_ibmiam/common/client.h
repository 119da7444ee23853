/*
 * The asking side of the protocol: one request to a broker, one reply, within one
 * deadline.  Used by the module and by the ibmiam command.  Never logs.
 */
#ifndef IBMIAM_CLIENT_H
#define IBMIAM_CLIENT_H

#include <stdbool.h>

#include "result.h"
#include "secret.h"
#include "wire.h"

/* Which broker to ask: absolute paths. */
struct client_broker {
	const char *program;
	const char *config;
};

/* Why there is no reply; the result is always IBMIAM_BROKER_ERROR. */
struct client_fault {
	char text[256];            /* one line for the log: what failed and what to do */
};

/*
 * Sends *request (its budget_ms is overwritten) and waits for the reply, at most for
 * timeout_ms after it is sent; ending a hung broker may add KEEPER_GRACE_MS, and a keeper that
 * somebody holds up KEEPER_LAST_MS (keeper.h).  On true *reply is filled and points into *buf, which the caller frees; buf must be empty on entry.  On
 * false *fault is filled.  Either way no process and no descriptor is left.
 */
bool client_ask(const struct client_broker *broker, struct wire_request *request,
		int timeout_ms, struct secret *buf, struct wire_reply *reply,
		struct client_fault *fault);

#endif
