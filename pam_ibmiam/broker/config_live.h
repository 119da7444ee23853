/*
 * The configuration in force.  Decisions under way keep the one they began with, so a new one
 * may take its place at any time.
 */
#ifndef IBMIAM_CONFIG_LIVE_H
#define IBMIAM_CONFIG_LIVE_H

#include <stdint.h>

#include "config.h"
#include "directory.h"

struct config_live {
	struct config config;
	struct directory directory; /* the host's own token, from this configuration's key */
	uint64_t number;   /* of this process: no two configurations have the same */
	unsigned int holders;
	const char *path;  /* the file; the caller's of config_live_load() */
	int64_t load_ms;   /* how long reading it took */
};

/* Loads a configuration, held once; NULL and why, as config_load(). */
struct config_live *config_live_load(const char *path, char *why, size_t why_len);

struct config_live *config_live_hold(struct config_live *live);
void config_live_release(struct config_live *live); /* takes NULL */

#endif
