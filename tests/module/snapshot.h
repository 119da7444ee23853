/*
 * All of a process's state that a module could change and must not, as text, one line a
 * thing, so that two moments can be compared.
 */
#ifndef TESTS_MODULE_SNAPSHOT_H
#define TESTS_MODULE_SNAPSHOT_H

#include <dirent.h>
#include <locale.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "host.h"

/* Not byte by byte: glibc leaves what the kernel does not know uninitialised. */
static inline void put_set(FILE *to, const sigset_t *set)
{
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(set, sig) == 1)
			(void)fprintf(to, " %d", sig);
	(void)fputc('\n', to);
}

static inline void put_signals(FILE *to)
{
	sigset_t set;

	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction action;

		if (sigaction(sig, NULL, &action) != 0)
			continue;
		(void)fprintf(to, "signal %d: %p %x", sig, (void *)(uintptr_t)action.sa_handler,
			      (unsigned int)action.sa_flags);
		put_set(to, &action.sa_mask);
	}
	(void)sigemptyset(&set);
	(void)sigprocmask(SIG_SETMASK, NULL, &set);
	(void)fputs("mask:", to);
	put_set(to, &set);
	(void)sigpending(&set);
	(void)fputs("pending:", to);
	put_set(to, &set);
}

static inline void put_limits(FILE *to)
{
	for (int what = 0; what < RLIMIT_NLIMITS; what++) {
		struct rlimit limit = { 0, 0 };

		(void)getrlimit((__rlimit_resource_t)what, &limit);
		(void)fprintf(to, "limit %d: %llu %llu\n", what, (unsigned long long)limit.rlim_cur,
			      (unsigned long long)limit.rlim_max);
	}
}

static inline void put_descriptors(FILE *to)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] != '.' && fd != dirfd(dir))
			(void)fprintf(to, "descriptor %d: %x %x\n", fd, (unsigned int)fcntl(fd, F_GETFD),
				      (unsigned int)fcntl(fd, F_GETFL));
	}
	if (dir)
		(void)closedir(dir);
}

static inline void put_ids(FILE *to)
{
	uid_t u[3] = { 0 };
	gid_t g[3] = { 0 };

	(void)getresuid(&u[0], &u[1], &u[2]);
	(void)getresgid(&g[0], &g[1], &g[2]);
	(void)fprintf(to, "ids: %u %u %u %u %u %u\n", u[0], u[1], u[2], g[0], g[1], g[2]);
	(void)fprintf(to, "session: %d group: %d parent: %d\n", (int)getsid(0), (int)getpgrp(),
		      (int)getppid());
}

static inline void put_attributes(FILE *to)
{
	char cwd[512] = "", name[32] = "";
	struct itimerval timer = { 0 };
	int death = 0, subreaper = 0;
	mode_t mask = umask(0);

	(void)umask(mask);
	(void)getitimer(ITIMER_REAL, &timer);
	(void)prctl(PR_GET_NAME, name);
	(void)prctl(PR_GET_PDEATHSIG, &death);
	(void)prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
	(void)fprintf(to, "umask: %03o\ncwd: %s\nlocale: %s\nname: %s\n", mask,
		      getcwd(cwd, sizeof cwd) ? cwd : "?", setlocale(LC_ALL, NULL), name);
	(void)fprintf(to, "nice: %d\ntimer: %d\n", getpriority(PRIO_PROCESS, 0),
		      timer.it_value.tv_sec > 0 || timer.it_value.tv_usec > 0);
	(void)fprintf(to, "prctl: %d %d %d %d\n", prctl(PR_GET_DUMPABLE),
		      prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), death, subreaper);
	for (char **entry = environ; *entry; entry++)
		(void)fprintf(to, "environment: %s\n", *entry);
}

/* To be freed. */
static inline char *snapshot(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		abort();
	put_signals(to);
	put_limits(to);
	put_descriptors(to);
	put_ids(to);
	put_attributes(to);
	if (fclose(to) != 0)
		abort();
	return text;
}

/* The first line that differs, "" when none does.  Both texts are cut up. */
static inline const char *snapshot_difference(char *before, char *after)
{
	for (;;) {
		char *a = strsep(&before, "\n"), *b = strsep(&after, "\n");

		if (!a || !b)
			return a ? a : b ? b : "";
		if (strcmp(a, b) != 0)
			return b[0] ? b : a;
	}
}

#endif
