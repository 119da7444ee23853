/* Which call fails.  See inject.h.  Exported, because the module under test is loaded by
 * libpam and shares this state with the program. */
#include "inject.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);

/* Of this process, copied into its forks. */
static struct inject_plan plan;
static bool on;
static pid_t process;
static int generation;
static unsigned int calls;
static int maps, unwiped;

/* Shared with the forks. */
static const char *volatile *fired;

static void share(void)
{
	void *page = __real_mmap(NULL, sizeof *fired, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		abort();
	fired = page;
}

void inject_on(struct inject_plan p)
{
	if (!fired)
		share();
	plan = p;
	process = getpid();
	generation = 0;
	calls = 0;
	*fired = NULL;
	on = true;
}

void inject_off(void)
{
	on = false;
}

void inject_pause(void)
{
	on = false;
}

void inject_resume(void)
{
	on = true;
}

const char *inject_fired(void)
{
	return *fired;
}

EXPORT int inject_error(const char *name, int error, bool interruptible)
{
	if (!on || plan.n == 0)
		return 0;
	if (process != getpid()) { /* a fork: it counts for itself */
		process = getpid();
		generation++;
		calls = 0;
	}
	if (generation != plan.generation || (plan.kind == INJECT_INTERRUPT && !interruptible) ||
	    (plan.kind == INJECT_ERROR && error == 0) || ++calls != plan.n)
		return 0;
	*fired = name;
	return plan.kind == INJECT_INTERRUPT ? EINTR : error;
}

EXPORT void inject_mapped(void)
{
	maps++;
}

EXPORT void inject_unmapped(const void *data, size_t len)
{
	const char *p = data;

	maps--;
	for (size_t i = 0; i < len; i++) {
		if (p[i]) {
			unwiped++;
			return;
		}
	}
}

int inject_maps(void)
{
	return maps;
}

int inject_unwiped(void)
{
	return unwiped;
}
