/* What a test says in IAM's place. */
#ifndef IBMIAM_SWEEP_IAM_H
#define IBMIAM_SWEEP_IAM_H

#include "iam.h"

/* False: none, ret->fault says why. */
bool sweep_iam_answer(const struct iam_question *question, struct iam_answer *ret);

/* The client itself. */
struct iam_exchange *__real_iam_begin(struct iam *iam, const struct config *config,
				      const struct iam_question *question, int64_t deadline_ms,
				      struct iam_answer *answer, void (*done)(void *arg), void *arg);
void __real_iam_wait(struct iam *iam, int fd, int timeout_ms);
void __real_iam_cancel(struct iam_exchange *exchange);

/* The line that was logged last by this process or one that it forked. */
const char *sweep_logged(void);
void sweep_forget_log(void);

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
