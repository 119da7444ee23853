/*
 * What each key of the configuration may hold: one check a key, in one table.
 */
#ifndef IBMIAM_CONFIG_VALUE_H
#define IBMIAM_CONFIG_VALUE_H

#include <stdint.h>

/* What is wrong with this value of this key, or with this title of a block (the end of a
 * sentence, good until the next call), or NULL.  Values without a check of their own must still be
 * printable and not empty. */
const char *config_value_fault(const char *key, const char *value);

/* A number from 0 to max in decimal.  Returns 0, or -1 when it is none. */
int config_value_number(const char *text, uint32_t max, uint32_t *ret);

/* The base URL in canonical form, without a /identity/token and slashes at its end; to
 * be freed.  NULL when there is no memory. */
char *config_value_endpoint(const char *value);

#endif
