/* epoll(7).  See watch.h. */
#include "watch.h"

#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { AT_ONCE = 64 }; /* then libcurl has its turn */

int watch_set(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

bool watch_add(int set, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data = { .ptr = watch } };

	return epoll_ctl(set, EPOLL_CTL_ADD, watch->fd, &event) == 0;
}

void watch_close(struct watch *watch)
{
	if (watch->fd >= 0)
		(void)close(watch->fd); /* the only copy: this takes it out of the set */
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
