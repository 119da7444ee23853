/*
 * Whole seconds as options give them: digits, and no more than what is allowed.
 */
#include "unit.h"

#include <limits.h>

#include "seconds.h"

static const struct row {
	const char *name; /* the text */
	int max, is;
} rows[] = {
	{ "0", 60, 0 }, { "1", 60, 1 }, { "60", 60, 60 }, { "007", 60, 7 }, { "61", 60, -1 }, { "600", 60, -1 },
	{ "2147483647", INT_MAX, INT_MAX }, { "2147483648", INT_MAX, -1 }, { "99999999999999999999", INT_MAX, -1 },
	{ "", 60, -1 }, { " 1", 60, -1 }, { "+1", 60, -1 }, { "-1", 60, -1 }, { "1 ", 60, -1 }, { "1.5", 60, -1 },
	{ "1s", 60, -1 }, { "0x1", 60, -1 }, { "1", 0, -1 }, { "5", 4, -1 },
};

static void parses(void **state)
{
	const struct row *r = *state;

	assert_int_equal(seconds_parse(r->name, r->max), r->is);
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, parses, rows);
	return unit_run(&s, "seconds");
}
