/*
 * The host's own token, of the service ID in directory_key_file, with which it asks IAM for
 * memberships: fetched when it is needed, used for four fifths of its life.
 */
#ifndef IBMIAM_DIRECTORY_H
#define IBMIAM_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "token.h"

struct directory {
	struct token token;
	int64_t obtained; /* seconds since 1970 */
};

/* Is there a token that may still be used? */
bool directory_is_fresh(const struct directory *directory);

/* Takes this token over (*token is then empty). */
void directory_keep(struct directory *directory, struct token *token);

/* Wipes it. */
void directory_forget(struct directory *directory);

#endif
