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

/* Where the resident broker listens, the program and the configuration are, unless somebody says
 * otherwise; the last two are the Makefile's to say (LIBEXEC, SYSCONF). */
#define CLIENT_SOCKET "/run/ibmiam/broker.sock"
#ifndef IBMIAM_BROKER_PATH
#define IBMIAM_BROKER_PATH "/usr/libexec/ibmiam-broker"
#endif
#ifndef IBMIAM_CONFIG_PATH
#define IBMIAM_CONFIG_PATH "/etc/security/ibmiam.conf"
#endif

enum { CLIENT_SOCKET_MAX = 108 }; /* bytes of such a path, the terminator included: unix(7) */

/* Which broker to ask: absolute paths. */
struct client_broker {
	const char *program;
	const char *config;
	const char *socket; /* of a resident broker that is asked first; NULL: none is */
};

/* Why there is no reply. */
struct client_fault {
	enum {
		CLIENT_BROKE_OFF, /* the broker does not say what it should, or something here fails */
		CLIENT_NOBODY,    /* none listens, or none that may be trusted or speaks our version */
		CLIENT_BUSY,      /* a resident one turns us away, or does not greet in time */
	} kind;
	bool sent;      /* the request was, perhaps to one who had hung up: it may still be served */
	char text[256]; /* one line for the log: what failed and what to do */
};

/*
 * May this user log in?  Asks the resident broker and, where that does not say yes or no (nobody
 * listens, it does not greet us within a second or 3/16 of the time, it ends before its reply, it
 * does not answer in three quarters of the time), a one-shot broker of its own.  Sends *request
 * (its budget_ms is not looked at: the broker gets what there is) and waits for the reply, at most
 * for timeout_ms; a one-shot broker alone has them from when it is sent.  Ending a hung one-shot
 * broker may add KEEPER_GRACE_MS, and a keeper that somebody holds up KEEPER_LAST_MS (keeper.h).
 * On true *reply is filled and points into *buf, which the caller frees, its note perhaps into
 * *fault; buf must be empty on entry.  On false *fault is filled, and buf is empty; the result is
 * IBMIAM_BROKER_ERROR.  Either way no process and no descriptor is left.
 */
bool client_ask(const struct client_broker *broker, const struct wire_request *request,
		int timeout_ms, struct secret *buf, struct wire_reply *reply,
		struct client_fault *fault);

/* Sends a request of whatever kind (wire.h) to the resident broker that listens at socket, with
 * all else as above: greeting and reply together have timeout_ms.  A request that holds no key is
 * sent before the broker has greeted us. */
bool client_ask_resident(const char *socket, const struct wire_message *message,
			 const void *request, int timeout_ms, struct secret *buf,
			 struct wire_reply *reply, struct client_fault *fault);

#endif
