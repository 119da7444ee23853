/*
 * The broker at work: one thread, one loop, which waits for its clients and for IAM at once.
 * A one-shot broker has one client and ends with it; a resident one has many, and sessions.
 */
#ifndef IBMIAM_SERVER_H
#define IBMIAM_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "config_live.h"
#include "iam.h"
#include "limit.h"
#include "session.h"
#include "watch.h"
#include "wire.h"

struct job; /* job.h: a decision under way */

struct client {
	LIST_ENTRY(client) link;
	struct watch watch;      /* its socket */
	struct server *server;
	uid_t uid;               /* SO_PEERCRED */
	pid_t pid;
	int64_t deadline_ms;     /* by when its request must be here, then its reply be sent */
	struct secret message;   /* its request, as received */
	struct job *job;         /* the decision that it waits for, or NULL */
	struct session *session; /* the session for whose token it waits, or NULL */
};

struct server {
	struct iam *iam;
	struct config_live *config;
	const char *note;         /* for the log, in each reply; NULL: none */
	int set;                  /* what is watched */
	LIST_HEAD(, client) clients;
	size_t client_count;
	unsigned int requests; /* that could be read, */
	unsigned int replies;  /* and that were answered */
	struct secret reply;   /* room for one, empty in between */

	/* only in a resident broker: */
	struct limit *limit;
	struct sessions *sessions; /* NULL: one-shot */
	size_t clients_max;
	int watch_fd_max;          /* descriptors from here on are not for the hosts of sessions */
	uid_t privileged;          /* who may ask for anybody, besides root */
	void (*refresh)(struct client *client); /* before its request: is the configuration current? */
	bool stop;
};

/* With server->limit, where there is one.  Makes the epoll set, the IAM client and room for a reply.  False when there is no memory.
 * Release with server_close(), which also ends all clients; it takes an all-zero struct too. */
bool server_open(struct server *server);
void server_close(struct server *server);

/* May this uid ask for anybody?  Root, and whoever runs a broker for himself; in a one-shot broker
 * whoever has made it. */
bool server_is_privileged(const struct server *server, uid_t uid);

/* A client on this socket, which becomes the server's.  NULL, the socket closed, when there is no
 * memory. */
struct client *server_add_client(struct server *server, int fd, uid_t uid, pid_t pid,
				 int64_t deadline_ms);

/* Answers and ends the client.  False when the reply could not be sent. */
bool client_reply(struct client *client, const struct wire_reply *reply);

/* Ends the client without an answer. */
void client_end(struct client *client);

/* A client that waits for this session's token, or NULL. */
struct client *server_find_waiting(const struct server *server, const struct session *session);

/* One round: waits, at most until until_ms (monotonic), and serves what is ready. */
void server_round(struct server *server, int64_t until_ms);

#endif
