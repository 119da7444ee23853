/*
 * What every unit test needs: each row of a table becomes a test of its own, so that a
 * failure names its row and hides no other, and the results come out as TAP.
 * Used by tests/unit/test_*.c only.
 */
#ifndef IBMIAM_UNIT_H
#define IBMIAM_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UNIT_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* The bytes of a literal and their number, without its terminator. */
#define UNIT_BYTES(literal) (literal), sizeof(literal) - 1

struct unit_suite {
	CMFixtureFunction setup, teardown; /* around each test; may be NULL */
	struct CMUnitTest test[400];
	size_t count;
};

static inline void unit_add(struct unit_suite *s, const char *table, const char *row,
			    CMUnitTestFunction function, const void *state)
{
	char *name = NULL; /* unit_run() frees it */

	if (s->count == UNIT_LEN(s->test) ||
	    asprintf(&name, "%s%s%s", table, row[0] ? ": " : "", row) < 0)
		abort();
	s->test[s->count++] = (struct CMUnitTest){ name, function, s->setup, s->teardown,
						   (void *)(uintptr_t)state };
}

/* Adds function once, or once for each row: it finds the row in *state.  Rows have a name. */
#define UNIT_TEST(suite, function) unit_add((suite), #function, "", (function), NULL)
#define UNIT_ROWS(suite, function, rows)                                                \
	do {                                                                            \
		for (size_t unit_i = 0; unit_i < UNIT_LEN(rows); unit_i++)              \
			unit_add((suite), #function, (rows)[unit_i].name, (function),   \
				 &(rows)[unit_i]);                                      \
	} while (0)

/* Runs the suite; the result is main's. */
static inline int unit_run(struct unit_suite *s, const char *name)
{
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = _cmocka_run_group_tests(name, s->test, s->count, NULL, NULL);
	for (size_t i = 0; i < s->count; i++)
		free((void *)(uintptr_t)s->test[i].name);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A '*' at the end of want stands for anything; either may be NULL. */
static inline bool unit_match(const char *got, const char *want)
{
	size_t len = want ? strlen(want) : 0;

	if (!got || !want)
		return got == want;
	if (len > 0 && want[len - 1] == '*')
		return strncmp(got, want, len - 1) == 0;
	return strcmp(got, want) == 0;
}

static inline void unit_check_text(const char *what, const char *got, const char *want)
{
	if (!unit_match(got, want))
		fail_msg("%s is \"%s\", expected \"%s\"", what, got ? got : "(null)",
			 want ? want : "(null)");
}

/* A row that cannot be tried here: cmocka's own skip() is a failure in its TAP. */
#define UNIT_SKIP(why)                                        \
	do {                                                  \
		print_message("# skipped: %s\n", (why));      \
		return;                                       \
	} while (0)

#endif
