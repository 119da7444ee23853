/*
 * The throttle, on a clock that the test sets (the linker sends clock_gettime() here): who is
 * refused and for how long, and that nobody can lock out somebody else.
 */
#include "unit.h"

#include <time.h>

#include "limit.h"

#define KEY "made-up-key-of-a-unit-test-0123456789"
#define KEY2 "made-up-key-of-a-unit-test-0123456780"

static struct limit *limit;
static int64_t now_ms;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	assert_int_equal(clock, CLOCK_MONOTONIC); /* steps of the wall clock must not matter */
	*ret = (struct timespec){ now_ms / 1000, now_ms % 1000 * 1000000 };
	return 0;
}

static int make(void **state)
{
	(void)state;
	now_ms = 1000;
	limit = limit_new();
	return limit ? 0 : -1;
}

static int release(void **state)
{
	(void)state;
	limit_free(limit);
	limit_free(NULL);
	return 0;
}

static void fail_tries(const char *user, int n)
{
	while (n-- > 0)
		limit_note_denied(limit, user);
}

static void rejected_key_is_remembered_for_a_minute(void **state)
{
	(void)state;
	assert_false(limit_key_is_rejected(limit, KEY));
	limit_note_rejected(limit, "alice", KEY);
	assert_true(limit_key_is_rejected(limit, KEY));
	now_ms += 59999;
	assert_true(limit_key_is_rejected(limit, KEY));
	now_ms += 1;
	assert_false(limit_key_is_rejected(limit, KEY));
	limit_note_rejected(limit, "alice", KEY); /* and once more */
	now_ms += 59999;
	assert_true(limit_key_is_rejected(limit, KEY));
	now_ms += 1;
	assert_false(limit_key_is_rejected(limit, KEY));
}

static void only_that_key_is_remembered(void **state)
{
	static const char *const others[] = { KEY2, "", "m", KEY "0", " " KEY, "alice", "alice" KEY };
	char part[] = KEY;

	(void)state;
	limit_note_rejected(limit, "alice", KEY);
	limit_note_accepted(limit, "alice", KEY2);
	part[sizeof part - 2] = '\0';
	assert_false(limit_key_is_rejected(limit, part));
	for (size_t i = 0; i < UNIT_LEN(others); i++)
		if (limit_key_is_rejected(limit, others[i]))
			fail_msg("rejected, too: \"%s\"", others[i]);
}

static void longest_key_and_user_are_remembered(void **state)
{
	static char key[4096], user[256];

	(void)state;
	memset(key, 'k', sizeof key - 1);
	memset(user, 'u', sizeof user - 1);
	limit_note_rejected(limit, user, key);
	assert_true(limit_key_is_rejected(limit, key));
	fail_tries(user, LIMIT_USER_TRIES);
	assert_false(limit_user_may_try(limit, user, KEY));
	limit_note_accepted(limit, user, key);
	assert_true(limit_user_may_try(limit, user, key));
}

static void tries_of_a_user_are_counted(void **state)
{
	(void)state;
	fail_tries("alice", LIMIT_USER_TRIES - 1);
	assert_true(limit_user_may_try(limit, "alice", KEY));
	limit_note_rejected(limit, "alice", KEY2); /* a rejected key is a wrong try as well */
	assert_false(limit_user_may_try(limit, "alice", KEY));
	assert_true(limit_user_may_try(limit, "bob", KEY));
	assert_true(limit_user_may_try(limit, "alic", KEY));
	assert_true(limit_user_may_try(limit, "alicex", KEY));
}

static void asking_costs_no_try(void **state)
{
	(void)state;
	fail_tries("alice", LIMIT_USER_TRIES - 1);
	for (int i = 0; i < 100; i++)
		assert_true(limit_user_may_try(limit, "alice", KEY));
}

static void tries_come_back_with_time(void **state)
{
	(void)state;
	fail_tries("alice", LIMIT_USER_TRIES + 5); /* more than there are: no debts */
	assert_false(limit_user_may_try(limit, "alice", KEY));
	now_ms += LIMIT_USER_REFILL_S * 1000 - 1;
	assert_false(limit_user_may_try(limit, "alice", KEY));
	now_ms += 1;
	assert_true(limit_user_may_try(limit, "alice", KEY));
	fail_tries("alice", 1);
	assert_false(limit_user_may_try(limit, "alice", KEY));
	now_ms += INT64_C(1000) * 3600 * 24 * 365; /* never more than at the beginning */
	fail_tries("alice", LIMIT_USER_TRIES - 1);
	assert_true(limit_user_may_try(limit, "alice", KEY));
	fail_tries("alice", 1);
	assert_false(limit_user_may_try(limit, "alice", KEY));
}

/* Whoever guesses in alice's name does not lock her out. */
static void accepted_key_passes(void **state)
{
	(void)state;
	limit_note_accepted(limit, "alice", KEY);
	fail_tries("alice", LIMIT_USER_TRIES);
	assert_true(limit_user_may_try(limit, "alice", KEY));
	assert_false(limit_user_may_try(limit, "alice", KEY2));
	fail_tries("bob", LIMIT_USER_TRIES); /* not a way round another's throttle */
	assert_false(limit_user_may_try(limit, "bob", KEY));
}

/* "ab" + "c" is not "a" + "bc". */
static void user_and_key_do_not_run_together(void **state)
{
	(void)state;
	limit_note_accepted(limit, "alice", "x" KEY);
	fail_tries("alicex", LIMIT_USER_TRIES);
	assert_false(limit_user_may_try(limit, "alicex", KEY));
}

/* Far more than fit: the newest are known, and the table has taken no more room.  Which set of
 * four a key falls into is random; of 39 a set in the mean, one that gets fewer than four is a
 * matter of 1e-10. */
static void table_keeps_the_newest(void **state)
{
	const int tried = 40000, old = 1000;
	unsigned int known = 0;
	char key[64];

	(void)state;
	for (int i = 0; i < tried; i++) {
		(void)snprintf(key, sizeof key, "key-%d-" KEY, i);
		limit_note_rejected(limit, "alice", key);
		assert_true(limit_key_is_rejected(limit, key));
		now_ms++;
	}
	for (int i = 0; i < tried; i++) {
		(void)snprintf(key, sizeof key, "key-%d-" KEY, i);
		known += limit_key_is_rejected(limit, key);
		if (i < old)
			assert_int_equal(known, 0);
	}
	assert_int_equal(known, 4096 - 1); /* and alice's own count */
	assert_false(limit_user_may_try(limit, "alice", KEY2)); /* written last, so it has stayed */
}

static void rate_is_counted_a_minute(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++)
		assert_true(limit_take_request(limit, 60));
	assert_false(limit_take_request(limit, 60));
	now_ms += 999;
	assert_false(limit_take_request(limit, 60));
	now_ms += 1;
	assert_true(limit_take_request(limit, 60));
	assert_false(limit_take_request(limit, 60));
	now_ms += 3600 * 1000;
	for (int i = 0; i < 60; i++)
		assert_true(limit_take_request(limit, 60));
	assert_false(limit_take_request(limit, 60));
}

static void no_rate_is_no_limit(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_true(limit_take_request(limit, 0));
}

/* A reload may change it. */
static void rate_changes_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(limit_take_request(limit, 1000));
	assert_true(limit_take_request(limit, 1)); /* what was saved up is cut */
	assert_false(limit_take_request(limit, 1));
	assert_true(limit_take_request(limit, 0));
	now_ms += 1000;
	assert_true(limit_take_request(limit, 600));
}

int main(void)
{
	struct unit_suite s = { .setup = make, .teardown = release };

	UNIT_TEST(&s, rejected_key_is_remembered_for_a_minute);
	UNIT_TEST(&s, only_that_key_is_remembered);
	UNIT_TEST(&s, longest_key_and_user_are_remembered);
	UNIT_TEST(&s, tries_of_a_user_are_counted);
	UNIT_TEST(&s, asking_costs_no_try);
	UNIT_TEST(&s, tries_come_back_with_time);
	UNIT_TEST(&s, accepted_key_passes);
	UNIT_TEST(&s, user_and_key_do_not_run_together);
	UNIT_TEST(&s, table_keeps_the_newest);
	UNIT_TEST(&s, rate_is_counted_a_minute);
	UNIT_TEST(&s, no_rate_is_no_limit);
	UNIT_TEST(&s, rate_changes_at_once);
	return unit_run(&s, "limit");
}
