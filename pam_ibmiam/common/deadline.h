/*
 * A deadline is a point on the monotonic clock in milliseconds.  Every wait of a
 * login is bounded by one, so that steps of the wall clock cannot stretch it.
 */
#ifndef IBMIAM_DEADLINE_H
#define IBMIAM_DEADLINE_H

#include <limits.h>
#include <stdint.h>
#include <time.h>

static inline int64_t deadline_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Milliseconds left, 0 when it has passed; fits the timeout of poll(2). */
static inline int deadline_left_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - deadline_now_ms();

	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

#endif
