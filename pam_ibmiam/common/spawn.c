/*
 * The broker is not the host's child but its grandchild.  execve(2) resets a child's
 * exit signal to SIGCHLD ("the termination signal is reset to SIGCHLD"), so a child
 * that execs always shows up in the host's SIGCHLD handler and waitpid(-1), whatever
 * clone was told.  Therefore a keeper stands between them: a copy of the host, cloned
 * without an exit signal, that never execs.  It starts the broker, waits for it, and
 * kills it when the host's end of the socket closes, be it at the deadline or because
 * the host died.  See spawn.h.
 *
 * The keeper may be the copy of one thread of many: until _exit it calls nothing but
 * async-signal-safe functions, and never allocates.
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"

enum { FIRST_SAFE_FD = 3 }; /* a host may run with 0 to 2 closed: stay clear of them */

struct job {
	const char *program;
	const char *config;
	int fd;      /* the broker's end */
	int host_fd; /* ours: the keeper must not hold it, or it would never hang up */
};

static void close_from(unsigned int first)
{
	/* Where the kernel is older than 5.9 the broker does this itself, first thing. */
	(void)syscall(SYS_close_range, first, UINT32_MAX, 0U);
}

/* In the keeper's child: becomes the broker, or ends. */
static _Noreturn void become_broker(const struct job *job)
{
	char name[] = "ibmiam-broker", option[] = "--config";
	char *const argv[] = { name, option, (char *)(uintptr_t)job->config, NULL };
	char *const envp[] = { NULL };
	sigset_t none;
	int null;

	/* A group of its own: whatever it may start ends with it. */
	if (setpgid(0, 0) != 0)
		_exit(SPAWN_EXEC_FAILED);
	if (dup2(job->fd, STDIN_FILENO) < 0 || chdir("/") != 0)
		_exit(SPAWN_EXEC_FAILED);
	null = open("/dev/null", O_RDWR); /* may be 1 itself, which must then stay */
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(SPAWN_EXEC_FAILED);
	close_from(FIRST_SAFE_FD);
	(void)umask(077);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(job->program, argv, envp);
	_exit(SPAWN_EXEC_FAILED);
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

/* Leaves only the broker's end open, as FIRST_SAFE_FD. */
static bool keep_only(int fd, int host_fd)
{
	(void)close(host_fd); /* close_from() may not exist */
	if (fd != FIRST_SAFE_FD && dup2(fd, FIRST_SAFE_FD) < 0)
		return false;
	(void)close(STDIN_FILENO);
	(void)close(STDOUT_FILENO);
	(void)close(STDERR_FILENO);
	close_from(FIRST_SAFE_FD + 1);
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

static _Noreturn void keeper(struct job job)
{
	sigset_t sigchld;
	pid_t broker;
	int chld, status;

	default_signals(); /* the host's handlers are not ours; all signals stay blocked */
	(void)setsid();    /* the terminal's ^C and ^Z reach the host, not the broker */
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* orphans of the broker become ours to reap */

	if (!settle_ids() || !keep_only(job.fd, job.host_fd))
		_exit(SPAWN_EXEC_FAILED);
	job.fd = FIRST_SAFE_FD;

	(void)sigemptyset(&sigchld);
	(void)sigaddset(&sigchld, SIGCHLD);
	chld = signalfd(-1, &sigchld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (chld < 0)
		_exit(SPAWN_EXEC_FAILED);

	/* Not vfork: the keeper must keep the deadline even while execve hangs. */
	broker = _Fork();
	if (broker == 0)
		become_broker(&job);
	if (broker < 0)
		_exit(SPAWN_EXEC_FAILED);
	status = await(broker, chld, job.fd, true, -1);
	if (status < 0)
		status = await(broker, chld, job.fd, false, deadline_now_ms() + SPAWN_GRACE_MS);
	if (status < 0) {
		(void)kill(broker, SIGKILL);
		status = await(broker, chld, job.fd, false, -1);
	}
	/* End of file for the host, even if a fork of it still holds a copy of this end. */
	(void)shutdown(job.fd, SHUT_RDWR);
	_exit(status < 0 ? 255 : status);
}

static int above_stdio(int fd)
{
	int moved;

	if (fd >= FIRST_SAFE_FD)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_SAFE_FD);
	(void)close(fd);
	return moved;
}

int spawn_begin(const char *program, const char *config, struct spawn *ret)
{
	struct job job = { .program = program, .config = config };
	sigset_t all, before;
	int fd[2], error = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) != 0)
		return errno;
	fd[0] = above_stdio(fd[0]);
	fd[1] = above_stdio(fd[1]);
	if (fd[0] < 0 || fd[1] < 0) {
		error = EMFILE;
		goto fail;
	}
	job.fd = fd[1];
	job.host_fd = fd[0];

	/* Blocked across the clone, so that no handler of the host runs in the copy. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	/* fork(2) but for the exit signal; all zero, so the order of the arguments, which
	 * differs between architectures, does not matter. */
	pid = (pid_t)syscall(SYS_clone, 0UL, 0UL, 0UL, 0UL, 0UL);
	if (pid == 0)
		keeper(job);
	if (pid < 0)
		error = errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		goto fail;
	(void)close(fd[1]);
	*ret = (struct spawn){ .fd = fd[0], .keeper = pid };
	return 0;
fail:
	if (fd[0] >= 0)
		(void)close(fd[0]);
	if (fd[1] >= 0)
		(void)close(fd[1]);
	return error;
}

int spawn_end(struct spawn *s)
{
	int status = 0;
	pid_t pid;

	/* A fork of the host in another thread may hold a copy: closing would not do. */
	(void)shutdown(s->fd, SHUT_RDWR);
	(void)close(s->fd);
	s->fd = -1;
	do
		pid = waitpid(s->keeper, &status, __WALL);
	while (pid < 0 && errno == EINTR);
	if (pid < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
