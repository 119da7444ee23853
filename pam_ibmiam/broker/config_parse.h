/*
 * The text of one configuration file, read with libconfuse under rules of our own: the table
 * of keys, and what each value and block must fulfil.
 */
#ifndef IBMIAM_CONFIG_PARSE_H
#define IBMIAM_CONFIG_PARSE_H

#include "config_show.h"
#include "config_store.h"

/* One loading, over all its files. */
struct config_parse {
	struct cfg_t *cfg;          /* the keys outside of blocks */
	struct config_store *store; /* gets the blocks */
	char *why;                  /* of the first fault; as for config_load() */
	size_t why_len;
	struct config_show *show; /* who wants to know where the values come from; NULL: nobody */
	char groups_at[512]; /* where access_groups are first named, for a message; or empty */
	/* of the file at hand */
	char *text;
	size_t len;
	size_t block; /* how many of its blocks have been read */
	unsigned int *block_lines; /* with a show: where they begin */
};

/* Writes the reason, unless there is one.  Always false, so that a caller can return it. */
bool config_parse_fail(struct config_parse *parse, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Makes parse->cfg, or returns false when there is no memory. */
bool config_parse_begin(struct config_parse *parse);

/* Reads the text of the file.  Sets the keys outside of blocks in parse->cfg and adds the
 * blocks to parse->store; or returns false with a reason. */
bool config_parse_text(struct config_parse *parse, const char *path, char *text, size_t len);

/* Did the file that was read last set this key, outside of blocks? */
bool config_parse_has_set(const struct config_parse *parse, const char *key);

/* Wipes the secrets and frees parse->cfg; NULL is fine. */
void config_parse_end(struct config_parse *parse);

#endif
