/*
 * What a subcommand prints on stdout: collected whole, then written, so that a failure half-way
 * leaves nothing for `eval` or a pipe.  It may hold a token, so it is kept in a secret buffer.
 */
#ifndef IBMIAM_OUTPUT_H
#define IBMIAM_OUTPUT_H

#include "secret.h"
#include "tool.h"

struct output {
	struct secret text;
	bool full; /* there was no memory, or no room */
};

/* Declares an empty output that is wiped at the end of its scope. */
#define OUTPUT_AUTO(name) \
	__attribute__((cleanup(output_free))) struct output name = { .full = false }

void output_free(struct output *out);

/* Each appends; what cannot be appended is noticed by output_write(). */
void output_bytes(struct output *out, const char *bytes, size_t len);
void output_text(struct output *out, const char *text);

/* Not for secrets: it formats on the stack, at most 1023 bytes. */
void output_format(struct output *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* As message_clean(): a text of others, to be shown. */
void output_clean(struct output *out, const char *text);

/* In quotes.  What is not UTF-8 becomes U+FFFD. */
void output_json(struct output *out, const char *text);

/* As one word of a POSIX shell, whatever is in it. */
void output_shell(struct output *out, const char *text);

/* Writes it all to stdout.  TOOL_OK, or it has said what failed. */
enum tool_exit output_write(const struct output *out);

#endif
