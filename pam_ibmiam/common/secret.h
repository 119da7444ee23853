/*
 * A buffer for API keys, tokens and whatever may contain them.  It has a fixed
 * capacity, so it never leaves copies behind by growing; its pages are of their
 * own, kept out of core dumps and, where RLIMIT_MEMLOCK allows, out of swap; it
 * is wiped when it is released.  Used by both sides of the socket.
 */
#ifndef IBMIAM_SECRET_H
#define IBMIAM_SECRET_H

#include <stdbool.h>
#include <stddef.h>

struct secret {
	char *data; /* NULL until secret_init() succeeded */
	size_t len; /* bytes in use */
	size_t cap; /* bytes that fit; at least what was asked for */
	bool sparse; /* private to secret.c: pages that were not touched are not there */
};

/* Declares an empty secret that is wiped and released at the end of its scope. */
#define SECRET_AUTO(name) \
	__attribute__((cleanup(secret_free))) struct secret name = { 0 }

/*
 * From now on secret_free() keeps a few mappings, wiped, for secret_init(): to map, lock and touch
 * pages anew for each login is a quarter of a resident broker's work.  For a process of one thread
 * that handles many; never in somebody else's, which would be left with them.
 */
void secret_keep_pages(void);

/* Gives *s room for cap bytes.  Returns false, *s untouched, when there is no memory. */
bool secret_init(struct secret *s, size_t cap);

/* Appends len bytes.  Returns false, nothing appended, when they do not fit. */
bool secret_append(struct secret *s, const void *bytes, size_t len);

/* Wipes what was stored; the capacity stays. */
void secret_clear(struct secret *s);

/* Wipes and releases.  Takes NULL and a secret that was never initialised. */
void secret_free(struct secret *s);

#endif
