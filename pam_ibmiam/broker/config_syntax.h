/*
 * A first, lexical look at a configuration file, for what libconfuse 3.3 lets through
 * although it is almost certainly a mistake: a key set twice, a section or string that
 * is never closed, "${VARIABLE}" taken from the environment, escapes such as "\0" that
 * cut a value off, characters that it silently skips.  Also what would make its line
 * numbers wrong (block comments, strings over several lines).
 */
#ifndef IBMIAM_CONFIG_SYNTAX_H
#define IBMIAM_CONFIG_SYNTAX_H

#include <stddef.h>

/* Returns NULL for a text that may go to libconfuse, else what is wrong with it (static
 * text), with the line, counted from 1, in *line and the word in question in *word (may
 * be empty; points into text, *word_len bytes). */
const char *config_syntax_fault(const char *text, size_t len, unsigned int *line,
				const char **word, size_t *word_len);

#endif
