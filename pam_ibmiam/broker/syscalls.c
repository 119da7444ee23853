/* The seccomp filter, by libseccomp.  See syscalls.h. */
#include "syscalls.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALL(name) SCMP_SYS(name)

static const int allowed[] = {
	/* files and descriptors; what may be opened is Landlock's and the user's matter */
	CALL(read), CALL(readv), CALL(pread64), CALL(write), CALL(writev), CALL(close),
	CALL(openat), CALL(open), CALL(fstat), CALL(stat), CALL(lstat), CALL(newfstatat),
	CALL(fstatat64), CALL(statx), CALL(lseek), CALL(_llseek), CALL(access), CALL(faccessat),
	CALL(faccessat2), CALL(readlink), CALL(readlinkat), CALL(getdents64), CALL(fcntl),
	CALL(fcntl64), CALL(ioctl), CALL(dup), CALL(dup2), CALL(dup3), CALL(pipe2),
	CALL(eventfd2), CALL(close_range), CALL(fstatfs), CALL(statfs),
	/* waiting */
	CALL(poll), CALL(ppoll), CALL(select), CALL(_newselect), CALL(pselect6),
	CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait),
	CALL(nanosleep), CALL(clock_nanosleep), CALL(restart_syscall),
	/* sockets; socket() itself is limited by family below */
	CALL(connect), CALL(bind), CALL(socketpair), CALL(getsockname), CALL(getpeername),
	CALL(getsockopt), CALL(setsockopt), CALL(recvfrom), CALL(recvmsg), CALL(recvmmsg), CALL(shutdown),
	/* memory */
	CALL(mmap), CALL(mmap2), CALL(munmap), CALL(mprotect), CALL(mremap), CALL(madvise),
	CALL(brk), CALL(mlock), CALL(mlock2), CALL(munlock), CALL(mincore),
	/* threads (the resolver's); clone() itself is limited by its flags below */
	CALL(futex), CALL(set_robust_list), CALL(rseq), CALL(sched_yield),
	CALL(sched_getaffinity), CALL(membarrier), CALL(gettid), CALL(getpid), CALL(getppid),
	CALL(exit), CALL(exit_group),
	/* signals */
	CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigreturn),
	CALL(sigaltstack),
	/* facts */
	CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getrandom), CALL(uname),
	CALL(sysinfo), CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time),
	CALL(getrlimit), CALL(getrusage), CALL(getcpu),
};

static const int allowed_resident[] = {
	CALL(accept4), CALL(pidfd_open), CALL(getsid), CALL(signalfd4), CALL(setitimer),
};

/* No MPTCP, which Landlock does not know, and no netlink but for routes. */
static const struct {
	int family, protocol;
} sockets[] = {
	{ AF_INET, 0 }, { AF_INET, IPPROTO_TCP }, { AF_INET, IPPROTO_UDP },
	{ AF_INET6, 0 }, { AF_INET6, IPPROTO_TCP }, { AF_INET6, IPPROTO_UDP },
	{ AF_UNIX, 0 }, { AF_NETLINK, 0 /* NETLINK_ROUTE */ },
};

/* Calls whose flags may not hold MSG_FASTOPEN, which connects past Landlock. */
static const struct {
	int call;
	unsigned int flags_arg;
} sends[] = { { CALL(sendto), 3 }, { CALL(sendmsg), 2 }, { CALL(sendmmsg), 3 } };

static int allow(scmp_filter_ctx filter, int call)
{
	int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);

	return error == -EDOM ? 0 : error; /* not on this architecture */
}

static int allow_all(scmp_filter_ctx filter, const int *calls, size_t n)
{
	int error = 0;

	for (size_t i = 0; i < n && !error; i++)
		error = allow(filter, calls[i]);
	return error;
}

static int add_rules(scmp_filter_ctx filter, bool resident)
{
	int error = allow_all(filter, allowed, sizeof allowed / sizeof allowed[0]);

	if (!error && resident)
		error = allow_all(filter, allowed_resident,
				  sizeof allowed_resident / sizeof allowed_resident[0]);
	for (size_t i = 0; i < sizeof sockets / sizeof sockets[0] && !error; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socket), 2,
					 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)sockets[i].family, 0),
					 SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)sockets[i].protocol, 0));
	for (size_t i = 0; i < sizeof sends / sizeof sends[0] && !error; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, sends[i].call, 1,
					 SCMP_CMP(sends[i].flags_arg, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
	if (!error) /* abort(3), and only itself */
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(tgkill), 1,
					 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	/* Threads only.  clone3 hides its flags in memory, where a filter cannot look: glibc
	 * falls back to clone when it is not there. */
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(clone), 1,
#ifdef __s390x__
					 SCMP_A1(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)); /* (stack, flags) there */
#else
					 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
#endif
	/* Reading a limit, never setting one, and only of this process. */
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(prlimit64), 2,
					 SCMP_A0(SCMP_CMP_EQ, 0, 0), SCMP_A2(SCMP_CMP_EQ, 0, 0));
	return error;
}

int syscalls_limit(bool resident)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int error;

	if (!filter)
		return -ENOMEM;
	error = add_rules(filter, resident);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}
