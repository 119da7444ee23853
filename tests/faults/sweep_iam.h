/* What a test says in IAM's place. */
#ifndef IBMIAM_SWEEP_IAM_H
#define IBMIAM_SWEEP_IAM_H

#include "iam.h"

bool sweep_iam_answer(const char *key, struct iam_answer *ret);

bool __real_iam_request_token(const struct config *config, const char *key, int host_fd,
			      int64_t deadline_ms, struct iam_answer *ret);

/* The functions that memory.c has given to libcurl and cJSON. */
extern struct sweep_allocators {
	void *(*malloc)(size_t size);
	void (*free)(void *p);
	void *(*realloc)(void *p, size_t size);
	void (*json_free)(void *p);
} sweep_allocators;

/* How many bytes of the block that was freed last were not zero. */
size_t sweep_freed_unwiped(void);

#endif
