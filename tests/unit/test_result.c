/*
 * The outcomes of a login: their numbers go over the wire between versions of module and
 * broker, their words into logs that admins search.  Both may only be added to.
 */
#include "unit.h"

#include "result.h"

static const struct row {
	const char *word; /* in the log */
	const char *name;
	uint32_t result;
	uint32_t number;
} rows[] = {
	{ "allowed", "IBMIAM_ALLOWED", IBMIAM_ALLOWED, 0 },
	{ "key-rejected", "IBMIAM_KEY_REJECTED", IBMIAM_KEY_REJECTED, 1 },
	{ "denied", "IBMIAM_DENIED", IBMIAM_DENIED, 2 },
	{ "user-unknown", "IBMIAM_USER_UNKNOWN", IBMIAM_USER_UNKNOWN, 3 },
	{ "throttled", "IBMIAM_THROTTLED", IBMIAM_THROTTLED, 4 },
	{ "unavailable", "IBMIAM_UNAVAILABLE", IBMIAM_UNAVAILABLE, 5 },
	{ "config-error", "IBMIAM_CONFIG_ERROR", IBMIAM_CONFIG_ERROR, 6 },
	{ "broker-error", "IBMIAM_BROKER_ERROR", IBMIAM_BROKER_ERROR, 7 },
};

static void number_and_word_stay(void **state)
{
	const struct row *r = *state;

	assert_int_equal(r->result, r->number);
	assert_string_equal(result_name(r->number), r->word);
}

static void every_result_has_a_word(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < IBMIAM_RESULT_COUNT; i++) {
		assert_non_null(result_name(i));
		assert_string_not_equal(result_name(i), "invalid");
		for (uint32_t k = 0; k < i; k++)
			assert_string_not_equal(result_name(i), result_name(k));
	}
}

static const struct out_of_range {
	const char *name;
	uint32_t number;
} out_of_range[] = {
	{ "one too many", IBMIAM_RESULT_COUNT },
	{ "highest bit", 0x80000000U },
	{ "minus one", UINT32_MAX },
};

static void any_number_may_be_asked_for(void **state)
{
	const struct out_of_range *r = *state;

	assert_string_equal(result_name(r->number), "invalid");
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, number_and_word_stay, rows);
	UNIT_TEST(&s, every_result_has_a_word);
	UNIT_ROWS(&s, any_number_may_be_asked_for, out_of_range);
	return unit_run(&s, "result");
}
