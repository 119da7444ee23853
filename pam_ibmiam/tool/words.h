/*
 * Times in words, for people.
 */
#ifndef IBMIAM_WORDS_H
#define IBMIAM_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "output.h"

/* A span of time in its largest unit: "41 minutes".  Rounded down: no promise is broken. */
void words_span(struct output *out, int64_t seconds);

/* A moment (seconds since 1970) in the time zone of whoever reads it. */
void words_moment(struct output *out, int64_t seconds, bool with_date);

#endif
