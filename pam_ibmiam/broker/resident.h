/*
 * The broker as a service: keeps the connection to IAM warm, throttles, and holds the
 * credentials of sessions.  Nothing that it holds survives it; logins never need it.
 */
#ifndef IBMIAM_RESIDENT_H
#define IBMIAM_RESIDENT_H

struct resident_options {
	const char *config; /* absolute path */
	const char *listen; /* where to listen; NULL: at the socket that systemd passed */
	int idle_exit_s;    /* end after so long without sessions and clients; 0: never */
};

enum { RESIDENT_IDLE_EXIT_S = 300 }; /* with a passed socket, unless told otherwise */

/* Serves until SIGTERM or idle.  Returns the exit status. */
int resident_run(const struct resident_options *options);

#endif
