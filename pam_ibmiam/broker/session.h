/*
 * The credentials that a resident broker holds: for each session a key, the token that it was
 * last exchanged for, and whose they are.  Only a memory: it asks nobody and decides nothing.
 */
#ifndef IBMIAM_SESSION_H
#define IBMIAM_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "result.h"
#include "secret.h"
#include "token.h"
#include "watch.h"
#include "wire.h"

enum {
	SESSION_PENDING_MS = 120000, /* from authenticate to adopt */
	SESSION_MAX = 131072,        /* of the host */
	SESSION_OWN_MAX = 64,        /* of a user, if he makes them himself (`ibmiam login`) */
	SESSION_UNWATCHED_MS = 12 * 3600 * 1000, /* when the end of its host cannot be seen */
};

struct job;    /* job.h: a renewal under way */
struct server; /* server.h */

struct session {
	LIST_ENTRY(session) all;
	TAILQ_ENTRY(session) link;     /* in the order of their ends, while pending or unwatched */
	char handle[WIRE_SESSION_MAX];
	char *user;                    /* whose rule applies: the user who authenticated */
	char *service;
	char *rhost;                   /* NULL where there was none */
	char *owner;                   /* whose session it is, by name and uid */
	uid_t owner_uid;
	uint32_t user_uid;
	uint32_t export_to;            /* enum wire_export */
	bool adopted;
	int64_t end_ms;                /* when it is dropped unless something happens; 0: never */

	struct secret secret;          /* the key, NUL, the token, NUL; empty when it has ended */
	struct token identity;         /* the key's claims, without a token */
	struct token token;            /* what the session has: the key's, or a profile's, whose text */
				       /* is in secret */
	uint64_t config_number;        /* of the configuration under which that was looked at last */
	uint64_t requirements;         /* what IAM was asked for it: decision_requirements() */
	int64_t obtained;              /* when the token was issued to us, seconds since 1970 */
	int64_t obtained_ms;           /* likewise, monotonic */
	enum ibmiam_result ended;      /* why there is no credential any more; IBMIAM_ALLOWED: there is */
	char *reason;                  /* in words, when it has ended */

	struct job *renewal;           /* under way, or NULL */
	int64_t renew_after_ms;        /* after a failed renewal: the earliest next one */
	struct watch host;             /* a pidfd of the process that it is held for (hold.h) */
	pid_t host_pid;                /* which had this number, when it was opened */
	struct server *server;         /* once it is adopted */
	struct sessions *sessions;
};

/* For printf: as much of a handle as a log may show. */
#define SESSION_SHOWN "%.8s"

struct sessions;

/* NULL when there is no memory. */
struct sessions *sessions_new(void);

/* Drops all.  Takes NULL. */
void sessions_free(struct sessions *sessions);

/* A new, pending session, under this handle or a random one (NULL); NULL when there is no
 * memory, the handle is in use, or there are too many.  Strings and token are copied. */
struct session *session_add(struct sessions *sessions, const char *handle,
			    const struct wire_request *request, const struct token *identity,
			    const struct token *token);

/* The session of this handle, or NULL. */
struct session *session_find(const struct sessions *sessions, const char *handle);

/* Makes it that of this user, until it is dropped.  False when there is no memory. */
bool session_adopt(struct session *session, const char *owner, uid_t owner_uid);

/* The key; NULL when the session has ended. */
const char *session_key(const struct session *session);

/* Replaces the token by a copy of this one, and the identity likewise.  False, nothing changed, when there is no memory. */
bool session_renew(struct session *session, const struct token *identity,
		   const struct token *token);

/* Wipes key and token and remembers why; the handle stays known. */
void session_end(struct session *session, enum ibmiam_result why, const char *reason);

/* Wipes and forgets it. */
void session_drop(struct session *session);

/* Any session, or NULL when there is none. */
struct session *sessions_any(const struct sessions *sessions);

/* The session that ends next by itself (session->end_ms), or NULL. */
struct session *sessions_next_end(const struct sessions *sessions);

/* How many there are; and how many of this owner that began with this service. */
size_t sessions_count(const struct sessions *sessions);
size_t sessions_count_of(const struct sessions *sessions, uid_t owner_uid, const char *service);

#endif
