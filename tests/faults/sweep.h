/*
 * A sweep runs one scenario again and again, each time with the next call failing, until a
 * run comes to its end without a failure.  After each, nothing may be left of it.
 */
#ifndef IBMIAM_SWEEP_H
#define IBMIAM_SWEEP_H

#include <malloc.h>
#include <stdlib.h>

#include "unit_broker.h"

#include "inject.h"

enum { SWEEP_MAX = 5000 };

enum sweep_outcome {
	SWEEP_RIGHT,   /* all as if nothing had failed */
	SWEEP_REFUSED, /* why is not empty */
	SWEEP_WRONG,   /* why says what */
};

/* Does it all once; only between inject_on() and inject_off() does anything fail. */
typedef enum sweep_outcome (*sweep_run)(struct inject_plan plan, char why[2048]);

/* Of the sanitizer, where that is linked. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* What the run has left in the heap.  A library may keep what it makes at its first error, so
 * only what the same failure leaves a second time counts. */
static inline size_t sweep_leaked(sweep_run run, struct inject_plan plan)
{
	size_t before = 0;
	char why[2048];

	for (int i = 0; i < 2; i++) {
		before = mallinfo2().uordblks;
		(void)run(plan, why);
		if (mallinfo2().uordblks <= before)
			return 0;
	}
	return mallinfo2().uordblks - before;
}

static inline void sweep_once(sweep_run run, struct inject_plan plan, const char *what,
			      enum sweep_outcome *ret)
{
	unsigned int descriptors = unit_open_descriptors();
	int maps = inject_maps();
	size_t heap = mallinfo2().uordblks, leaked;
	char why[2048] = "";
	const char *fired;

	*ret = run(plan, why);
	fired = inject_fired() ? inject_fired() : "nothing";
	if (*ret == SWEEP_WRONG)
		fail_msg("%s, call %u (%s) failed: %s", what, plan.n, fired, why);
	if (*ret == SWEEP_REFUSED && !why[0])
		fail_msg("%s, call %u (%s) failed: refused without a reason", what, plan.n, fired);
	leaked = mallinfo2().uordblks > heap ? sweep_leaked(run, plan) : 0;
	if (leaked || (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check()))
		fail_msg("%s, call %u (%s) failed: %zu bytes of memory are left", what, plan.n, fired,
			 leaked);
	if (inject_maps() != maps)
		fail_msg("%s, call %u (%s) failed: a secret is not released", what, plan.n, fired);
	if (inject_unwiped())
		fail_msg("%s, call %u (%s) failed: a secret is not wiped", what, plan.n, fired);
	if (unit_open_descriptors() != descriptors)
		fail_msg("%s, call %u (%s) failed: a descriptor is left", what, plan.n, fired);
	if (waitpid(-1, NULL, WNOHANG | __WALL) != -1)
		fail_msg("%s, call %u (%s) failed: a child is left", what, plan.n, fired);
}

/* Returns how many calls were made to fail.  `at_least` shows that the wraps are there.  An
 * interruption must not change the outcome. */
static inline unsigned int sweep(const char *what, sweep_run run, enum inject_kind kind,
				 int generation, unsigned int at_least)
{
	struct inject_plan plan = { .kind = kind, .generation = generation };
	enum sweep_outcome outcome;
	unsigned int refused = 0;
	char why[2048];

	for (int i = 0; i < 3; i++) /* what is made once and kept is made here */
		if (run(plan, why) != SWEEP_RIGHT)
			fail_msg("%s, and nothing failed: %s", what, why);
	while (plan.n++ < SWEEP_MAX) {
		sweep_once(run, plan, what, &outcome);
		refused += outcome == SWEEP_REFUSED;
		if (!inject_fired())
			break;
		if (kind == INJECT_INTERRUPT && outcome != SWEEP_RIGHT)
			fail_msg("%s: the interruption %u of %s made a difference", what, plan.n,
				 inject_fired());
	}
	assert_int_equal(outcome, SWEEP_RIGHT); /* nothing failed in the last one */
	assert_in_range(plan.n - 1, at_least, SWEEP_MAX);
	print_message("# %s: %u failures, %u refusals\n", what, plan.n - 1, refused);
	return plan.n - 1;
}

/* Makes malloc's own numbers exact, by starting the program again without its caches. */
static inline void sweep_begin(char **argv)
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	(void)setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0", 1);
	(void)execv("/proc/self/exe", argv);
}

#endif
