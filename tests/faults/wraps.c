/*
 * The wraps of libc's functions (inject.h), linked into each test program and into the
 * module under test.  Each fails in the way that its manual page names.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject.h"

/* NAME(...) fails with `error` by returning `failure`; INTR: it may also be interrupted;
 * error 0: only that. */
#define INTR true
#define WRAP(type, name, failure, error, interruptible, parameters, arguments) \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		int injected = inject_error(#name, error, interruptible);      \
									       \
		if (injected) {                                                \
			errno = injected;                                      \
			return failure;                                        \
		}                                                              \
		return __real_##name arguments;                                \
	}

WRAP(void *, malloc, NULL, ENOMEM, false, (size_t size), (size))
WRAP(void *, calloc, NULL, ENOMEM, false, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, NULL, ENOMEM, false, (void *p, size_t size), (p, size))
WRAP(char *, strdup, NULL, ENOMEM, false, (const char *s), (s))
WRAP(FILE *, fmemopen, NULL, ENOMEM, false, (void *buf, size_t len, const char *mode),
     (buf, len, mode))
WRAP(int, openat, -1, EMFILE, false, (int dir, const char *path, int flags, mode_t mode),
     (dir, path, flags, mode))
WRAP(int, open, -1, EMFILE, false, (const char *path, int flags, mode_t mode), (path, flags, mode))
WRAP(DIR *, opendir, NULL, EMFILE, false, (const char *path), (path))
WRAP(int, scandirat, -1, ENOMEM, false,
     (int dir, const char *path, struct dirent ***ret, int (*pick)(const struct dirent *),
      int (*order)(const struct dirent **, const struct dirent **)),
     (dir, path, ret, pick, order))
WRAP(int, fstat, -1, EIO, false, (int fd, struct stat *st), (fd, st))
WRAP(int, stat, -1, EIO, false, (const char *path, struct stat *st), (path, st))
WRAP(ssize_t, read, -1, EIO, INTR, (int fd, void *buf, size_t len), (fd, buf, len))
WRAP(ssize_t, getrandom, -1, ENOSYS, false, (void *buf, size_t len, unsigned int flags),
     (buf, len, flags))
WRAP(int, mlock, -1, ENOMEM, false, (const void *p, size_t len), (p, len))
WRAP(int, madvise, -1, EINVAL, false, (void *p, size_t len, int advice), (p, len, advice))
WRAP(int, socketpair, -1, EMFILE, false, (int domain, int type, int protocol, int fd[2]),
     (domain, type, protocol, fd))
WRAP(int, socket, -1, EMFILE, false, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, connect, -1, EAGAIN, false, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len))
WRAP(int, getsockopt, -1, ENOBUFS, false, (int fd, int level, int name, void *value, socklen_t *len),
     (fd, level, name, value, len))
WRAP(ssize_t, send, -1, ENOBUFS, INTR, (int fd, const void *buf, size_t len, int flags),
     (fd, buf, len, flags))
WRAP(ssize_t, recvmsg, -1, ENOMEM, INTR, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))
WRAP(int, poll, -1, ENOMEM, INTR, (struct pollfd *p, nfds_t n, int timeout), (p, n, timeout))
/* As a fortified build calls it where the compiler does not know the array. */
WRAP(int, __poll_chk, -1, ENOMEM, INTR, (struct pollfd *p, nfds_t n, int timeout, size_t size),
     (p, n, timeout, size))
WRAP(ssize_t, __read_chk, -1, EIO, INTR, (int fd, void *buf, size_t len, size_t size),
     (fd, buf, len, size))
WRAP(int, signalfd, -1, EMFILE, false, (int fd, const sigset_t *set, int flags), (fd, set, flags))
WRAP(pid_t, waitpid, -1, 0, INTR, (pid_t pid, int *status, int options), (pid, status, options))
WRAP(pid_t, _Fork, -1, EAGAIN, false, (void), ())
WRAP(int, execve, -1, ENOMEM, false, (const char *path, char *const argv[], char *const envp[]),
     (path, argv, envp))
WRAP(int, dup2, -1, EBUSY, false, (int from, int to), (from, to))
WRAP(int, chdir, -1, EACCES, false, (const char *path), (path))
WRAP(int, setrlimit, -1, EPERM, false, (__rlimit_resource_t which, const struct rlimit *l), (which, l))
WRAP(int, getrlimit, -1, EPERM, false, (__rlimit_resource_t which, struct rlimit *l), (which, l))
WRAP(int, prctl, -1, EINVAL, false, (int what, long a, long b, long c, long d), (what, a, b, c, d))
/* clone, setresuid, setresgid and close_range as the host's side calls them; none has more
 * than six arguments, and a register that is not read does no harm. */
WRAP(long, syscall, -1, EAGAIN, false, (long number, long a, long b, long c, long d, long e, long f),
     (number, a, b, c, d, e, f))

void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	int injected = inject_error("mmap", ENOMEM, false);
	void *p = MAP_FAILED;

	if (injected)
		errno = injected;
	else
		p = __real_mmap(at, len, protection, flags, fd, offset);
	if (p != MAP_FAILED)
		inject_mapped();
	return p;
}

int __real_munmap(void *p, size_t len);
int __wrap_munmap(void *p, size_t len);
int __wrap_munmap(void *p, size_t len)
{
	inject_unmapped(p, len);
	return __real_munmap(p, len);
}

/* Both spellings: a fortified build calls the second. */
int __wrap_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **ret, const char *format, ...)
{
	va_list ap;
	int n;

	if (inject_error("asprintf", ENOMEM, false)) {
		*ret = (char *)0x5a5a; /* not defined: nobody may look at it */
		return -1;
	}
	va_start(ap, format);
	n = vasprintf(ret, format, ap);
	va_end(ap);
	return n;
}

int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...)
{
	va_list ap;
	int n;

	(void)flag;
	if (inject_error("asprintf", ENOMEM, false)) {
		*ret = (char *)0x5a5a;
		return -1;
	}
	va_start(ap, format);
	n = vasprintf(ret, format, ap);
	va_end(ap);
	return n;
}
