/* This process.  See process.h. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static struct rlimit core_before;
static bool core_changed;

/* A closed one stays an error to use: each is opened for what it is not used for.  A program
 * that is executed finds it closed. */
static void hold_standard_descriptors(void)
{
	static const int mode[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)open("/dev/null", mode[fd] | O_CLOEXEC);
}

void process_protect(void)
{
	hold_standard_descriptors();
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
