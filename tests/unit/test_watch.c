/*
 * What is watched is called when it is ready, and never after it was closed: its owner has been
 * freed by then.  Closing takes a timer where a stranger's descriptors may be closed along
 * (tests/resident/life.t has such), and only there.
 */
#include "unit.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "watch.h"

struct end {
	struct watch watch;
	struct end *closes; /* when it is ready */
	unsigned int called;
};

static int set;
static int peers[2];
static struct end ends[2];

static void on_ready(struct watch *w, uint32_t events)
{
	struct end *end = WATCH_OWNER(w, struct end, watch);

	assert_true(events & EPOLLHUP);
	end->called++;
	if (end->closes)
		watch_close(&end->closes->watch);
}

static unsigned int timers; /* set, or set back */

static bool old_kernel;

/* Both in place of glibc's. */
int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict len)
{
	if (!old_kernel)
		return (int)syscall(SYS_getsockopt, fd, level, option, value, len);
	errno = ENOPROTOOPT;
	return -1;
}

int setitimer(__itimer_which_t which, const struct itimerval *next, struct itimerval *before)
{
	timers++;
	return (int)syscall(SYS_setitimer, which, next, before);
}

static int begin(void **state)
{
	(void)state;
	set = watch_set();
	assert_true(set >= 0);
	for (size_t i = 0; i < UNIT_LEN(ends); i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
		ends[i] = (struct end){ .watch = { .fd = pair[0], .ready = on_ready } };
		peers[i] = pair[1];
		assert_true(watch_add(set, &ends[i].watch, EPOLLIN));
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_LEN(ends); i++) {
		watch_close(&ends[i].watch);
		(void)close(peers[i]);
	}
	return close(set);
}

static void ready(void **state)
{
	(void)state;
	watch_dispatch(set);
	assert_int_equal(ends[0].called, 0);
	(void)shutdown(peers[0], SHUT_RDWR);
	watch_dispatch(set);
	assert_true(ends[0].called > 0);
	assert_int_equal(ends[1].called, 0);
}

/* A one-shot broker's socket: its keeper has it, too, and the host hangs up. */
static void closed_but_for_a_copy(void **state)
{
	int copy = dup(ends[0].watch.fd);

	(void)state;
	assert_true(copy >= 0);
	watch_close(&ends[0].watch);
	(void)shutdown(peers[0], SHUT_RDWR);
	watch_dispatch(set);
	assert_int_equal(ends[0].called, 0);
	(void)close(copy);
}

static void closed_by_another(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_LEN(ends); i++) {
		ends[i].closes = &ends[1 - i];
		(void)shutdown(peers[i], SHUT_RDWR);
	}
	watch_dispatch(set);
	assert_true((ends[0].called == 0) != (ends[1].called == 0));
}

static void never_watched(void **state)
{
	struct watch none = { .fd = -1 }, alone = { .fd = dup(set) };

	(void)state;
	watch_close(&none);
	watch_close(&alone);
	watch_close(&alone);
	assert_int_equal(alone.fd, -1);
	(void)shutdown(peers[0], SHUT_RDWR);
	watch_dispatch(set); /* the others are watched as before */
	assert_true(ends[0].called > 0);
}

static void timed_where_descriptors_may_come(void **state)
{
	bool refusable;

	(void)state;
	timers = 0;
	old_kernel = true;
	watch_close_fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	old_kernel = false;
	assert_int_equal(timers, 2);
	timers = 0;
	watch_close_fd(dup(set));
	assert_int_equal(timers, 0);
	watch_close(&ends[0].watch);
	assert_int_equal(timers, 2);
	refusable = watch_refuse_descriptors(ends[1].watch.fd); /* from Linux 6.16 on */
	timers = 0;
	watch_close(&ends[1].watch);
	assert_int_equal(timers, refusable ? 0 : 2);
}

int main(void)
{
	static struct unit_suite s = { .setup = begin, .teardown = end };

	UNIT_TEST(&s, ready);
	UNIT_TEST(&s, closed_but_for_a_copy);
	UNIT_TEST(&s, closed_by_another);
	UNIT_TEST(&s, never_watched);
	UNIT_TEST(&s, timed_where_descriptors_may_come);
	return unit_run(&s, "watch");
}
