/*
 * What the command says to people: one line on stderr, "ibmiam: " before it.  Whatever comes from
 * the command line, the broker or the network is data here: cut to a length, and nothing in it
 * reaches the terminal as a control sequence.
 */
#ifndef IBMIAM_MESSAGE_H
#define IBMIAM_MESSAGE_H

#include <stddef.h>

#include "tool.h"

/* Says one line. */
void message_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says one line and returns status. */
enum tool_exit message_fail(enum tool_exit status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Copies text so that it is safe to show, at most cap - 1 bytes of it: what is not UTF-8, controls,
 * and the invisible characters that reorder a line become question marks. */
void message_clean(char *to, size_t cap, const char *text);

#endif
