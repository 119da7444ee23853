/*
 * Starts the one-shot broker from inside a host process without disturbing it: no
 * SIGCHLD, nothing for the host's own wait() to find, no inherited environment,
 * descriptor, signal or working directory.
 */
#ifndef IBMIAM_SPAWN_H
#define IBMIAM_SPAWN_H

#include <sys/types.h>

struct spawn {
	int fd;       /* our end of a SOCK_SEQPACKET pair; the broker's is its descriptor 0 */
	pid_t keeper; /* the process between us and the broker (keeper.h) */
};

/* Runs `program --config config` (both absolute paths), for life_ms at most.  Returns 0 and fills *ret, or an
 * errno with *ret untouched.  Does not wait for the program; that it could not be
 * executed shows as an end of file on fd and KEEPER_EXEC_FAILED from spawn_end(). */
int spawn_begin(const char *program, const char *config, int life_ms, struct spawn *ret);

/* Shuts fd down, which ends the broker (it is killed after KEEPER_GRACE_MS), and waits for
 * that (a keeper that is held up is killed after KEEPER_LAST_MS, and its broker with it), so that
 * no process is left.  Returns its exit status, 128 + the signal that ended it, or -1 where that
 * is unknown. */
int spawn_end(struct spawn *s);

#endif
