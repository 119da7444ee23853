/*
 * What every fuzz target shares.  A target is one function that feeds one input to a
 * reader of foreign bytes and asserts what the rest of the program relies on, not just
 * that nothing crashes.  It runs under libFuzzer (make fuzz) and, over the files in
 * corpus/, in the ordinary test run (replay.c); so it must not depend on the time, on
 * chance, or on inputs that came before.
 */
#ifndef IBMIAM_FUZZ_H
#define IBMIAM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secret.h"

/* Called once for each input, which lies in memory of exactly its size.  Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A property.  Unlike assert() it stays in a build with NDEBUG. */
#define MUST(property) \
	((property) ? (void)0 : fuzz_violated(__FILE__, __LINE__, #property))

static inline void __attribute__((noreturn))
fuzz_violated(const char *file, int line, const char *property)
{
	(void)fprintf(stderr, "%s:%d: violated: %s\n", file, line, property);
	abort();
}

/* The input as a string, to be freed: it ends at a NUL in the input, if there is one. */
static inline char *fuzz_string(const uint8_t *data, size_t len)
{
	char *text = strndup(len > 0 ? (const char *)data : "", len);

	MUST(text);
	return text;
}

/* Is this a word of at most max bytes that can be logged and compared as it is? */
static inline bool fuzz_is_plain_word(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len > 0 && len <= max;
}

/* A secret with room for exactly cap bytes and a guard behind them, so that one byte too
 * many is noticed without a sanitizer too.  Release with fuzz_tight_free(). */
static inline struct secret fuzz_tight(size_t cap)
{
	struct secret s = { .data = malloc(cap + 16), .cap = cap };

	MUST(s.data);
	memset(s.data, 0x55, cap + 16);
	return s;
}

static inline void fuzz_tight_free(struct secret *s)
{
	MUST(s->len <= s->cap);
	for (size_t i = 0; i < 16; i++)
		MUST(s->data[s->cap + i] == 0x55);
	free(s->data);
}

#endif
