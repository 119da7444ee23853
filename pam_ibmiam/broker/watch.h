/*
 * The descriptors that the broker waits for, in one epoll set: sockets, signals, the hosts of
 * its sessions.  Whoever watches embeds a struct watch and gets it back when it is ready.
 */
#ifndef IBMIAM_WATCH_H
#define IBMIAM_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct watch {
	int fd; /* -1: none */
	int set; /* private to watch.c */
	void (*ready)(struct watch *watch, uint32_t events); /* epoll(7)'s events */
};

/* A set, as a descriptor that is readable when one of its descriptors is; or -1. */
int watch_set(void);

/* Adds watch->fd, level-triggered.  The struct must stay where it is until watch_close(). */
bool watch_add(int set, struct watch *watch, uint32_t events);

/* What to wait for from now on; 0: nothing, but for errors. */
bool watch_want(struct watch *watch, uint32_t events);

/* Takes it out of the set and closes it; nothing when there is none. */
void watch_close(struct watch *watch);

/* Closes a descriptor that is not watched, perhaps a socket on which a stranger has sent
 * descriptors, which the kernel then closes with it: with SO_LINGER, or behind a slow file system,
 * that takes as long as their owner likes.  As far as a signal ends such a wait, this returns soon;
 * so does watch_close(). */
void watch_close_fd(int fd);

/* From now on nobody can send descriptors to this socket, or to those that it accepts.  False before
 * Linux 6.16. */
bool watch_refuse_descriptors(int fd);

/* Calls ready() of those that are, one after the other, as each may end others. */
void watch_dispatch(int set);

/* The struct that the watch is a member of. */
#define WATCH_OWNER(watch, type, member) \
	((type *)(void *)((char *)(watch) - offsetof(type, member)))

#endif
