/* A shared object that leaves a trace of whoever loads it, in a folder that everybody may
 * write: TRAPS/loaded-by-PROGRAM.  The tests offer it wherever the environment can name one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void __attribute__((constructor)) leave_a_trace(void)
{
	char path[512];
	int fd;

	snprintf(path, sizeof path, TRAPS "/loaded-by-%s", program_invocation_short_name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
}

/* For LD_AUDIT. */
unsigned int la_version(unsigned int version)
{
	return version;
}
