/*
 * ibmiam-broker --show-config: the configuration in force in its own syntax, each value with where
 * it comes from as a comment, so that it can be read and read back.  Secrets are masked.
 */
#ifndef IBMIAM_CONFIG_SHOW_H
#define IBMIAM_CONFIG_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cfg_t;
struct cfg_opt_t;
struct config_show; /* what is to be shown, and what is known of it so far */

/* Prints the configuration of this path on `to`.  False, with the reason as of config_load(),
 * when that cannot be loaded: nothing has been printed then, unless the files were changed
 * meanwhile. */
bool config_show(const char *path, FILE *to, char *why, size_t why_len);

/* What a loading tells on its way; each takes a show of NULL, as for a login. */

/* From now on it reads this file; the path must live as long as the loading. */
void config_show_file(struct config_show *show, const char *path);

/* This option's last value has been read, in the line where cfg is. */
void config_show_value(struct config_show *show, const struct cfg_t *cfg, struct cfg_opt_t *opt);

/* This block has been read whole; it began in that line. */
void config_show_block(struct config_show *show, struct cfg_t *block, unsigned int line);

/* The file has been read: some of its lists may have been emptied, which is no value. */
void config_show_file_end(struct config_show *show, struct cfg_t *cfg);

/* All has been read and is in order. */
void config_show_top(struct config_show *show, struct cfg_t *cfg);

#endif
