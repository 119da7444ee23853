/* This process.  See process.h. */
#include "process.h"

#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static struct rlimit core_before;
static bool core_changed;

void process_protect(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (getrlimit(RLIMIT_CORE, &core_before) == 0) {
		const struct rlimit none = { .rlim_cur = 0, .rlim_max = core_before.rlim_max };

		core_changed = setrlimit(RLIMIT_CORE, &none) == 0;
	}
}

void process_restore(void)
{
	if (core_changed)
		(void)setrlimit(RLIMIT_CORE, &core_before);
}
