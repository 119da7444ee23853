/*
 * What a file looked like when it was read, to tell later whether it still is that file.
 * Taken from the descriptor that was read, so nothing can slip in between.
 */
#ifndef IBMIAM_CONFIG_STAMP_H
#define IBMIAM_CONFIG_STAMP_H

#include <sys/stat.h>
#include <time.h>

#include "config_store.h"

/* Remembers in the store that the path was this, seen just after `looked` on the wall clock; with
 * st NULL, that there was nothing. */
void config_stamp_add(struct config_store *store, const char *path, const struct stat *st,
		      const struct timespec *looked);

/* Tells of each path of the store. */
void config_stamp_each(struct config_store *store, void (*tell)(const char *path));

/* Are all paths of the store what they were? */
bool config_stamp_same(struct config_store *store);

#endif
