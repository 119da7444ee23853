/* Starting, awaiting and ending the broker.  See keeper.h. */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"

#define TIMER_SLACK_NS 50000UL /* Linux's own */

static void close_from(unsigned int first)
{
	/* Where the kernel is older than 5.9 the broker does this itself, first thing. */
	(void)syscall(SYS_close_range, first, UINT32_MAX, 0U);
}

/* Under su, limits and priority are those of the user who typed: left as they are, they would
 * let him make an outage of any login, and so reach whatever the stack falls back to.  As
 * another user than root they mostly cannot be raised, and stay. */
static void reset_limits(void)
{
	static const struct {
		__rlimit_resource_t resource;
		rlim_t limit;
	} others[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_NOFILE, 1024 },
		{ RLIMIT_STACK, 8UL * 1024 * 1024 },
	};

	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit l = { RLIM_INFINITY, RLIM_INFINITY };

		for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
			if ((int)others[k].resource == i)
				l = (struct rlimit){ others[k].limit, others[k].limit };
		if (setrlimit((__rlimit_resource_t)i, &l) == 0 ||
		    getrlimit((__rlimit_resource_t)i, &l) != 0)
			continue;
		l.rlim_cur = l.rlim_max; /* all that may be had */
		(void)setrlimit((__rlimit_resource_t)i, &l);
	}
}

/* Likewise: a slack (prctl(2)) lets poll() end as late as its owner likes, and a processor that he
 * keeps busy would be the only one.  For keeper and broker.  An administrator's choice of processors is
 * undone with it, for as long as a login takes; a cpuset holds. */
static void reset_time(void)
{
	const struct sched_param none = { 0 };
	cpu_set_t all;

	memset(&all, 0xff, sizeof all);
	(void)sched_setaffinity(0, sizeof all, &all);
	(void)sched_setscheduler(0, SCHED_OTHER, &none);
	(void)setpriority(PRIO_PROCESS, 0, 0);
	(void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0UL, 0UL, 0UL);
}

/* In the keeper's child: becomes the broker, or ends. */
static _Noreturn void become_broker(const struct keeper_job *job, pid_t keeper)
{
	char name[] = "ibmiam-broker", option[] = "--config";
	char *const argv[] = { name, option, (char *)(uintptr_t)job->config, NULL };
	char *const envp[] = { NULL };
	sigset_t none;
	int null;

	/* A group of its own: whatever it may start ends with it.  The keeper does the same, so
	 * that it is so for both, whoever comes first. */
	(void)setpgid(0, 0);
	/* Nor may it outlive its keeper.  Giving up root clears this: the sandbox renews it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL) != 0 || getppid() != keeper)
		_exit(KEEPER_EXEC_FAILED);
	if (dup2(job->fd, STDIN_FILENO) < 0 || chdir("/") != 0)
		_exit(KEEPER_EXEC_FAILED);
	null = open("/dev/null", O_RDWR); /* may be 1 itself, which must then stay */
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(KEEPER_EXEC_FAILED);
	close_from(KEEPER_FIRST_FD);
	(void)umask(077);
	reset_limits();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(job->program, argv, envp);
	_exit(KEEPER_EXEC_FAILED);
}

/* The bare system call, because glibc's sigaction() refuses two signals of its own, which
 * a host may have inherited as ignored.  An all-zero kernel struct is SIG_DFL. */
static void default_signals(void)
{
	const char dfl[128] = { 0 };

	for (int sig = 1; sig < NSIG; sig++)
		(void)syscall(SYS_rt_sigaction, sig, dfl, NULL, (size_t)(NSIG / 8));
}

/* If the broker has ended: ends and reaps its group, that is the broker and all that it may
 * have started, and returns its status in the shell's form.  Else -1.  Until the broker is
 * reaped, its group cannot be another's. */
static int reap(pid_t broker)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)broker, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
		return -1;
	(void)kill(-broker, SIGKILL);
	while (waitpid(-broker, NULL, 0) > 0 || errno == EINTR)
		;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* Waits until the broker ends or, when that is asked for, the host's end closes. */
static int await(pid_t broker, int chld, int fd, bool watch_host, int64_t deadline_ms)
{
	struct pollfd p[2] = { { .fd = chld, .events = POLLIN }, { .fd = watch_host ? fd : -1 } };
	struct signalfd_siginfo info;
	int status = reap(broker);

	while (status < 0) {
		int n = poll(p, 2, deadline_ms < 0 ? -1 : deadline_left_ms(deadline_ms));

		if (n == 0 || (n > 0 && p[1].revents))
			return -1;
		if (n > 0 && read(chld, &info, sizeof info) < 0 && errno != EINTR)
			return -1;
		status = reap(broker);
	}
	return status;
}

/* Leaves only the broker's end open, as KEEPER_FIRST_FD. */
static bool keep_only(int fd, int host_fd)
{
	(void)close(host_fd); /* close_from() may not exist */
	if (fd != KEEPER_FIRST_FD && dup2(fd, KEEPER_FIRST_FD) < 0)
		return false;
	(void)close(STDIN_FILENO);
	(void)close(STDOUT_FILENO);
	(void)close(STDERR_FILENO);
	close_from(KEEPER_FIRST_FD + 1);
	return true;
}

/* Under su the real user is the one who typed: he must not be able to signal keeper or
 * broker, nor may the broker run as setuid programs do.  Raw system calls, because
 * glibc's wrappers talk to threads that do not exist in this copy. */
static bool settle_ids(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	return syscall(SYS_setresgid, gid, gid, gid) == 0 && syscall(SYS_setresuid, uid, uid, uid) == 0;
}

void keeper_run(struct keeper_job job)
{
	sigset_t sigchld;
	pid_t self, broker;
	int chld, status;

	default_signals(); /* the host's handlers are not ours; all signals stay blocked */
	reset_time();
	(void)setsid();    /* the terminal's ^C and ^Z reach the host, not the broker */
	(void)prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL); /* orphans of the broker become ours to reap */

	if (!settle_ids() || !keep_only(job.fd, job.host_fd))
		_exit(KEEPER_EXEC_FAILED);
	job.fd = KEEPER_FIRST_FD;

	(void)sigemptyset(&sigchld);
	(void)sigaddset(&sigchld, SIGCHLD);
	chld = signalfd(-1, &sigchld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (chld < 0)
		_exit(KEEPER_EXEC_FAILED);

	/* Not vfork: the keeper must keep the deadline even while execve hangs. */
	self = getpid();
	broker = _Fork();
	if (broker == 0)
		become_broker(&job, self);
	if (broker < 0)
		_exit(KEEPER_EXEC_FAILED);
	(void)setpgid(broker, broker);
	status = await(broker, chld, job.fd, true, deadline_now_ms() + job.life_ms);
	if (status < 0)
		status = await(broker, chld, job.fd, false, deadline_now_ms() + KEEPER_GRACE_MS);
	if (status < 0) {
		(void)kill(broker, SIGKILL);
		status = await(broker, chld, job.fd, false, -1);
	}
	/* End of file for the host, even if a fork of it still holds a copy of this end. */
	(void)shutdown(job.fd, SHUT_RDWR);
	_exit(status < 0 ? 255 : status);
}
