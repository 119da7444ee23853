/*
 * The door of a resident broker: accepts connections, greets those that there is room for, and
 * turns the others away.
 */
#ifndef IBMIAM_ACCEPTOR_H
#define IBMIAM_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "server.h"

struct acceptor {
	struct watch listener;
	struct server *server;
	struct secret hello;     /* the same for everybody */
	int64_t closed_until_ms; /* 0: it is open */
	int64_t warned_ms;       /* when it was in want of descriptors or memory last; 0: never */
};

/* Serves the listening socket fd, which is the acceptor's now, for an open server.  The struct must
 * stay where it is.  False when there is no memory; release with acceptor_close() in any case. */
bool acceptor_open(struct acceptor *acceptor, struct server *server, int fd);

/* Does what is due; returns when to be called again (monotonic), INT64_MAX when there is no need. */
int64_t acceptor_time(struct acceptor *acceptor, int64_t now_ms);

/* Takes an all-zero struct whose listener.fd is -1 too. */
void acceptor_close(struct acceptor *acceptor);

#endif
