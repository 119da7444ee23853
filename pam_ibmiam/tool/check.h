/*
 * ibmiam check: one try of a login, step by step.  check.c makes it, check_words.c and
 * check_json.c print it, check_hint.c says what to do about it.
 */
#ifndef IBMIAM_CHECK_H
#define IBMIAM_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output.h"
#include "result.h"
#include "wire.h"

enum { CHECK_STEPS_MAX = 96, CHECK_NAME_MAX = 16, CHECK_HINT_MAX = 1024 };

enum check_outcome { CHECK_PASSED, CHECK_FAILED, CHECK_HINT };

struct check_step {
	char name[CHECK_NAME_MAX];
	enum check_outcome outcome;
	long ms;
	const char *detail; /* what was found, or what to do; may be "" */
};

struct check {
	const struct tool *tool;
	const char *user, *service;
	char account[64];   /* the local one, in words */
	char no_file[256];  /* what a service without a file means */
	struct wire_reply reply; /* its result and reason are there in every case */
	struct check_step step[CHECK_STEPS_MAX];
	size_t steps;
};

/* Adds a step; what does not fit is left out.  detail must live as long. */
void check_add(struct check *c, const char *name, enum check_outcome outcome, long ms,
	       const char *detail);

/* Adds the lines of the reply (PROTOCOL.md, steps). */
void check_add_lines(struct check *c);

/* What to do about this result, for what the broker cannot know; "" for nothing.  May have
 * several lines: the last ones, indented, are to be pasted. */
void check_hint(const struct check *c, char to[CHECK_HINT_MAX]);

/* The code that PAM's host gets, by name. */
const char *check_pam_code(uint32_t result);

/* The value of a variable, cut off so that it is no secret any more. */
void check_put_masked(struct output *out, const char *value,
		      void (*put)(struct output *, const char *));

void check_print_words(const struct check *c, struct output *out);
void check_print_json(const struct check *c, struct output *out);

/* ibmiam check --pam: pam_check.c. */
enum tool_exit check_pam_run(const struct tool *tool);

#endif
