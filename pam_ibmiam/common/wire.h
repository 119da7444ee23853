/*
 * The messages between the module (or the ibmiam command) and the broker, byte by
 * byte in ../PROTOCOL.md.  A message is described once, as a table of its fields;
 * one encoder and one decoder serve every message in both directions.  Nothing here
 * blocks, allocates or logs.
 */
#ifndef IBMIAM_WIRE_H
#define IBMIAM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "secret.h"

enum {
	WIRE_VERSION = 1,
	WIRE_MESSAGE_MAX = 64 * 1024, /* bytes of a whole message, */
	WIRE_HELLO_MAX = 1024,        /* but of a greeting */
	WIRE_USER_MAX = 256,          /* bytes of each string, the terminator included */
	WIRE_SERVICE_MAX = 256,
	WIRE_KEY_MAX = 4096,          /* above any key: the gate says what is too long */
	WIRE_RHOST_MAX = 256,
	WIRE_ID_MAX = 256,
	WIRE_SESSION_MAX = 33,        /* a handle: 128 random bits in hex */
	WIRE_TOKEN_MAX = 16 * 1024 + 1,
	WIRE_BUDGET_MAX_MS = 60000,
	WIRE_REASON_MAX = 512,
};

/* Module to broker: may this user log in to this service with this key? */
struct wire_request {
	const char *user;
	const char *service;
	const char *key;    /* secret; NULL when the user's answer was empty */
	uint32_t uid;       /* of the local account `user` */
	uint32_t budget_ms; /* time for everything; the answer must come before it ends */
	const char *session; /* the handle that the new credential shall have; NULL: a random one */
	uint32_t explain;    /* 1: list the checks in the reply */
	const char *rhost;   /* where the user comes from, as the host says; NULL: not known */
};

/* To a resident broker, about a credential that it holds: adopt, drop, token.  Not every
 * message has all of these; see PROTOCOL.md. */
struct wire_session {
	const char *session; /* the handle, WIRE_SESSION_MAX - 1 hex digits */
	const char *user;    /* adopt: whose session it is now part of */
	uint32_t uid;        /* adopt: of the local account `user` */
	uint32_t budget_ms;  /* as above */
};

/* What a resident broker says first to each connection, so that no key is given to one that
 * hangs. */
struct wire_hello {
	const char *version; /* of the program; for the log */
};

/* How far an environment may be exported (struct wire_reply.export_to). */
enum wire_export {
	WIRE_EXPORT_OWN = 0,    /* only into a session of the user it was issued to */
	WIRE_EXPORT_TARGET = 1, /* also into a session of the user the host switches to */
	WIRE_EXPORT_COUNT
};

/* Broker to module: the verdict.  Strings are NULL where they are not known. */
struct wire_reply {
	uint32_t result;            /* enum ibmiam_result */
	const char *reason;         /* one line for the log, no secrets */
	const char *iam_id;         /* who the key belongs to; always there when allowed */
	const char *account;        /* the account the token was issued for; likewise */
	const char *api_code;       /* IAM's errorCode */
	const char *transaction_id; /* IAM's name for the exchange */
	const char *correlation_id; /* our name for it */
	uint32_t http_status;       /* of IAM's last answer, 0 without one */
	uint32_t export_to;         /* enum wire_export */
	const char *environment;    /* secret; see wire_list_next(); only when allowed */
	size_t environment_len;     /* bytes, terminators included */
	const char *note;           /* something else for the log, such as a weaker sandbox */
	const char *session;        /* the handle of the credential, where one is held */
	const char *name;           /* who the token is for, for people to read; never to decide on */
	const char *token;          /* secret; only in the answer to `token` */
	uint32_t expiration;        /* of that token (explained: of the session's), seconds since 1970; 0 */
	uint32_t renewal;           /* after which the broker gets a new token if asked for one, likewise */
	const char *profile;        /* the trusted profile that it is a token of */
	const char *check;          /* the check that decided, when that was not a yes */
	const char *steps;          /* if asked for: all checks, "NAME OUTCOME MS DETAIL" each */
	size_t steps_len;           /* bytes, terminators included */
};

/* What authenticate leaves for setcred, inside one PAM environment variable. */
struct wire_stash {
	const char *user;
	uint32_t export_to;
	const char *environment; /* secret */
	size_t environment_len;
	const char *session;     /* the handle to adopt, NULL without one */
};

struct wire_message; /* the table of one message */
extern const struct wire_message wire_request_message;
extern const struct wire_message wire_reply_message;
extern const struct wire_message wire_stash_message;
extern const struct wire_message wire_hello_message;
extern const struct wire_message wire_adopt_message; /* these three: struct wire_session */
extern const struct wire_message wire_drop_message;
extern const struct wire_message wire_token_message;

/* Is this a handle of a credential: WIRE_SESSION_MAX - 1 lower-case hex digits? */
bool wire_is_handle(const char *text);

/* Is this message of that type, as far as its first two bytes say? */
bool wire_is(const struct wire_message *message, const char *buf, size_t len);

/* Writes the struct that the message describes into out, replacing its contents.
 * Returns NULL, or why it cannot be sent (static text); out is then empty. */
const char *wire_encode(const struct wire_message *message, const void *from, struct secret *out);

/* Reads a whole message into the struct that it describes.  Strings point into buf,
 * are terminated, and live as long as it does.  Returns NULL, or what is wrong with
 * the message (static text); *to is then all zero. */
const char *wire_decode(const struct wire_message *message, const char *buf, size_t len, void *to);

/* Walks a list of terminated strings: pass NULL first, then the previous entry.
 * Returns the next entry or NULL at the end. */
const char *wire_list_next(const char *list, size_t list_len, const char *previous);

#endif
