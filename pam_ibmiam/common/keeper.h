/*
 * The process between a host and its one-shot broker, and the only place where the broker
 * is started.  Used by spawn.c.
 *
 * Why there is one: execve(2) resets a child's exit signal to SIGCHLD ("the termination
 * signal is reset to SIGCHLD"), so a child that execs always shows up in the host's SIGCHLD
 * handler and waitpid(-1), whatever clone was told.  The keeper is a copy of the host,
 * cloned without an exit signal, that never execs.  It starts the broker, waits for it, and
 * kills it when the host's end of the socket closes, be it at the deadline or because the
 * host died, or when its own time is up.
 */
#ifndef IBMIAM_KEEPER_H
#define IBMIAM_KEEPER_H

struct keeper_job {
	const char *program;
	const char *config;
	int fd;      /* the broker's end */
	int host_fd; /* the host's: the keeper must not hold it, or it would never hang up */
	int life_ms; /* after which the broker is ended, even if the host, which somebody may have
		      * stopped, has not hung up */
};

enum {
	KEEPER_GRACE_MS = 300,    /* from the hang-up to the kill of the broker */
	KEEPER_LAST_MS = 2000,    /* from the hang-up to the kill of a keeper that is held up */
	KEEPER_EXEC_FAILED = 127, /* exit status */
	KEEPER_FIRST_FD = 3,      /* a host may run with 0 to 2 closed: stay clear of them */
};

/* Runs in the copy; ends with the broker's exit status, or 128 + the signal that ended it.
 * The copy may be that of one thread of many: this calls nothing but async-signal-safe
 * functions, and never allocates. */
_Noreturn void keeper_run(struct keeper_job job);

#endif
