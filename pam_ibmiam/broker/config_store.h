/*
 * Where a loaded configuration lives: strings and lists in a few large pieces of memory that
 * are wiped and freed together, and the blocks in a search tree for each kind, so that
 * 100,000 users cost neither a login nor the loading more than they must.
 */
#ifndef IBMIAM_CONFIG_STORE_H
#define IBMIAM_CONFIG_STORE_H

#include "config.h"

struct cfg_t;

enum config_kind { CONFIG_USER, CONFIG_SERVICE, CONFIG_DOMAIN, CONFIG_KINDS };

struct config_block {
	const char *title;
	const struct config_block *next; /* of its kind, in no order that means anything */
	union {
		struct config_user user;
		struct config_service service;
		struct config_domain domain;
	};
};

/* An empty store, or NULL when there is no memory. */
struct config_store *config_store_make(void);

/* Takes NULL too. */
void config_store_free(struct config_store *store);

/* Zeroed memory that lives as long as the store.  NULL when there is none; that is
 * remembered, so a caller may make many copies and ask once at the end. */
void *config_store_alloc(struct config_store *store, size_t size);
bool config_store_failed(const struct config_store *store);

/* Copies of what libconfuse holds under a key.  Empty when it holds nothing. */
const char *config_store_text(struct config_store *store, const char *text);
const char *config_store_string(struct config_store *store, struct cfg_t *cfg, const char *key);
struct config_list config_store_list(struct config_store *store, struct cfg_t *cfg,
				     const char *key);
struct config_profile config_store_profile(struct config_store *store, struct cfg_t *cfg);

/* Adds libconfuse's block.  Returns false when there is one with its title already. */
bool config_store_add(struct config_store *store, enum config_kind kind, struct cfg_t *cfg);

/* The block with this title, or NULL. */
const struct config_block *config_store_find(const struct config_store *store,
					     enum config_kind kind, const char *title);

/* The first block of a kind, or NULL. */
const struct config_block *config_store_first(const struct config_store *store,
					      enum config_kind kind);

/* What config_is_current() compares; see config_stamp.h. */
struct config_stamp **config_store_stamps(struct config_store *store);

#endif
