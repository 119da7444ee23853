/*
 * A first look at a configuration file, before libconfuse: its grammar without what
 * libconfuse 3.3 lets through although it is almost certainly a mistake (a key set twice
 * or in quotes, a section that is never closed, "${VARIABLE}" taken from the environment,
 * escapes such as "\0" that cut a value off, characters that it silently skips), and
 * without what makes it count lines wrong (comments, strings over several lines).
 */
#ifndef IBMIAM_CONFIG_SYNTAX_H
#define IBMIAM_CONFIG_SYNTAX_H

#include <stddef.h>

struct config_syntax_fault {
	const char *text;  /* what is wrong; static */
	unsigned int line; /* counted from 1 */
	const char *key;   /* the key or block at fault, in the text that was checked; may be */
	size_t key_len;    /* empty.  Unless it is a known one it may be a stray secret */
};

/* Blanks out the comments of a text that may go to libconfuse and returns 0; or returns
 * -1 and fills *ret. */
int config_syntax_check(char *text, size_t len, struct config_syntax_fault *ret);

/* The line where the block number n begins, counted from 0, in a text that passed the check;
 * 0 when there are fewer. */
unsigned int config_syntax_block_line(char *text, size_t len, size_t n);

/* The lines of all of them, in an array to be freed; NULL when there is no memory. */
unsigned int *config_syntax_block_lines(char *text, size_t len);

#endif
