/* epoll(7).  See watch.h. */
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* newer than Debian 12's headers */
#endif

enum {
	AT_ONCE = 64, /* then libcurl has its turn */
	CLOSE_MAX_US = 1000,
};

int watch_set(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

bool watch_add(int set, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data = { .ptr = watch } };

	watch->set = set;
	return epoll_ctl(set, EPOLL_CTL_ADD, watch->fd, &event) == 0;
}

bool watch_want(struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data = { .ptr = watch } };

	return epoll_ctl(watch->set, EPOLL_CTL_MOD, watch->fd, &event) == 0;
}

static void interrupt(int sig)
{
	(void)sig;
}

bool watch_refuse_descriptors(int fd)
{
	const int off = 0;

	return setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off) == 0;
}

static bool may_hold_descriptors(int fd)
{
	int on = 0;
	socklen_t len = sizeof on;

	if (getsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &on, &len) == 0)
		return on != 0;
	return errno != ENOTSOCK;
}

static void close_soon(int fd)
{
	/* Again and again, lest the first come before the wait. */
	const struct itimerval soon = { { .tv_usec = CLOSE_MAX_US }, { .tv_usec = CLOSE_MAX_US } };
	const struct itimerval never = { 0 };
	const struct sigaction action = { .sa_handler = interrupt };

	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &soon, NULL);
	(void)close(fd);
	(void)setitimer(ITIMER_REAL, &never, NULL);
}

/* The timer is a fifth of what a request for a token costs: only where it is needed. */
void watch_close_fd(int fd)
{
	if (may_hold_descriptors(fd))
		close_soon(fd);
	else
		(void)close(fd);
}

void watch_close(struct watch *watch)
{
	if (watch->fd < 0)
		return;
	/* close() does that only for the last copy, and the keeper has one of a one-shot broker's
	 * socket.  For one that was never added it fails, and does nothing. */
	(void)epoll_ctl(watch->set, EPOLL_CTL_DEL, watch->fd, NULL);
	watch_close_fd(watch->fd);
	watch->fd = -1;
}

void watch_dispatch(int set)
{
	struct epoll_event event;

	for (int i = 0; i < AT_ONCE && epoll_wait(set, &event, 1, 0) == 1; i++) {
		struct watch *watch = event.data.ptr;

		watch->ready(watch, event.events);
	}
}
