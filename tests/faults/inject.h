/*
 * Failures on demand: the functions that can fail, as they are called by the objects of
 * this tree, are wrapped by the linker (faults.mk), and the n-th call of a process fails.
 * What libraries call among themselves is theirs and left alone; but libcurl and cJSON
 * allocate through broker/memory.c, and so here.
 */
#ifndef IBMIAM_INJECT_H
#define IBMIAM_INJECT_H

#include <stdbool.h>
#include <stddef.h>

enum inject_kind {
	INJECT_ERROR,     /* no memory, no descriptor, an error of the device */
	INJECT_INTERRUPT, /* EINTR, where that may happen */
};

struct inject_plan {
	enum inject_kind kind;
	int generation; /* 0: this process, 1: what it forks, 2: what that forks */
	unsigned int n; /* the call that fails, from 1; 0 for none */
};

/* The plan holds between inject_on() and inject_off(). */
void inject_on(struct inject_plan plan);
void inject_off(void);

/* In between, for what the test itself does: nothing fails, nothing is counted. */
void inject_pause(void);
void inject_resume(void);

/* The name of the function that failed, in whichever process, since inject_on(); or NULL. */
const char *inject_fired(void);

/* For the wraps: the errno with which this call is to fail, or 0.  The name is static. */
int inject_error(const char *name, int error, bool interruptible);

/* For the wraps of mmap and munmap: every mapping is one of secret.c's, to be wiped before
 * it goes. */
void inject_mapped(void);
void inject_unmapped(const void *data, size_t len);

/* Mappings there are now, and mappings that were not wiped, ever. */
int inject_maps(void);
int inject_unwiped(void);

#endif
