/*
 * Where a resident broker listens: a socket that systemd has made and passed on (LISTEN_FDS,
 * sd_listen_fds(3)), or one of its own.
 */
#ifndef IBMIAM_LISTENER_H
#define IBMIAM_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

enum { LISTENER_PASSED_FD = 3 };

/* Has systemd, or a program like it, passed a socket to this very process? */
bool listener_is_passed(void);

/*
 * The listening SOCK_SEQPACKET socket: the passed one when path is NULL, else a new one at path,
 * which everybody may connect to.  A lock on PATH.lock keeps a second broker away and lets the
 * next one replace the socket of one that has died; it is held by a descriptor that stays open.
 * Returns the socket, non-blocking, or -1 and says why.
 */
int listener_open(const char *path, char *why, size_t why_len);

#endif
