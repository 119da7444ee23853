/* See wrap.h.  A linker's --wrap=f makes f mean __wrap_f, and __real_f the f of libc. */
#include "wrap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static unsigned int fail_in;
static bool failed_once;
static size_t mapped;

void wrap_fail(unsigned int n)
{
	fail_in = n;
	failed_once = false;
}

bool wrap_failed(void)
{
	fail_in = 0;
	return failed_once;
}

size_t wrap_mapped(void)
{
	return mapped;
}

static bool fails(int error)
{
	if (fail_in == 0 || --fail_in > 0)
		return false;
	failed_once = true;
	errno = error;
	return true;
}

/* Declares both forms and defines the one that comes first. */
#define WRAP(type, name, failed, error, parameters, arguments) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type __wrap_##name parameters \
	{ \
		return fails(error) ? (failed) : __real_##name arguments; \
	}

WRAP(void *, malloc, NULL, ENOMEM, (size_t size), (size))
WRAP(char *, strdup, NULL, ENOMEM, (const char *text), (text))
WRAP(FILE *, fmemopen, NULL, ENOMEM, (void *buf, size_t len, const char *mode), (buf, len, mode))
WRAP(ssize_t, read, -1, EIO, (int fd, void *buf, size_t len), (fd, buf, len))
WRAP(int, fstat, -1, EIO, (int fd, struct stat *st), (fd, st))
WRAP(int, scandirat, -1, EIO,
     (int fd, const char *folder, struct dirent ***ret, int (*filter)(const struct dirent *),
      int (*compare)(const struct dirent **, const struct dirent **)),
     (fd, folder, ret, filter, compare))
WRAP(int, openat, -1, EACCES, (int folder, const char *path, int flags), (folder, path, flags))
WRAP(int, open, -1, EACCES, (const char *path, int flags), (path, flags))

/* asprintf(), as it is called with and without _FORTIFY_SOURCE. */
int __wrap_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

int __wrap_asprintf(char **ret, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = fails(ENOMEM) ? -1 : vasprintf(ret, format, ap);
	va_end(ap);
	return n;
}

int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...)
{
	va_list ap;
	int n;

	(void)flag;
	va_start(ap, format);
	n = fails(ENOMEM) ? -1 : vasprintf(ret, format, ap);
	va_end(ap);
	return n;
}

void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t len);
int __wrap_munmap(void *at, size_t len);

void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	void *p = fails(ENOMEM) ? MAP_FAILED : __real_mmap(at, len, protection, flags, fd, offset);

	if (p != MAP_FAILED)
		mapped += len;
	return p;
}

int __wrap_munmap(void *at, size_t len)
{
	mapped -= len;
	return __real_munmap(at, len);
}
