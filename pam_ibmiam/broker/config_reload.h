/*
 * Reading the configuration anew while the broker serves.  A new one takes effect whole, or not
 * at all: then the old one stays, and the log says why, once.
 */
#ifndef IBMIAM_CONFIG_RELOAD_H
#define IBMIAM_CONFIG_RELOAD_H

#include "config_live.h"
#include "wire.h"

struct config_reload {
	const char *path;
	char refused[WIRE_REASON_MAX]; /* why the last new one was, "" when it was not */
	char note[WIRE_REASON_MAX];    /* the same, for the log of each login meanwhile */
	bool needs_restart;            /* a broker that starts now can have it */
	int64_t after_ms;              /* no look at the files before that (monotonic) */
};

/* Reads it, as somebody asks for (SIGHUP). */
void config_reload_now(struct config_reload *reload, struct config_live **live);

/* Reads it if its files have changed; after a refusal not more often than every two seconds.  Where
 * they are those in force again, nothing is refused any more. */
void config_reload_if_changed(struct config_reload *reload, struct config_live **live);

/* Warns of each file of it that this process, which has read them all as root and outside the
 * sandbox, cannot read again. */
void config_reload_warn(const struct config *config);

#endif
