/* The host's side of the keeper.  See spawn.h and keeper.h. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"
#include "keeper.h"

static int above_stdio(int fd)
{
	int moved;

	if (fd >= KEEPER_FIRST_FD)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, KEEPER_FIRST_FD);
	(void)close(fd);
	return moved;
}

int spawn_begin(const char *program, const char *config, int life_ms, struct spawn *ret)
{
	struct keeper_job job = { .program = program, .config = config, .life_ms = life_ms };
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
		keeper_run(job);
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

/* The keeper ends by itself, unless somebody keeps stopping it: then without its leave.  The
 * broker dies with it. */
static void end_keeper(pid_t keeper)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, keeper, 0), .events = POLLIN };
	int64_t deadline_ms = deadline_now_ms() + KEEPER_LAST_MS;
	int n;

	(void)kill(keeper, SIGCONT);
	if (p.fd < 0)
		return; /* an old kernel, or no descriptor left */
	do
		n = poll(&p, 1, deadline_left_ms(deadline_ms));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		(void)kill(keeper, SIGKILL);
	(void)close(p.fd);
}

int spawn_end(struct spawn *s)
{
	int status = 0;
	pid_t pid;

	/* A fork of the host in another thread may hold a copy: closing would not do. */
	(void)shutdown(s->fd, SHUT_RDWR);
	(void)close(s->fd);
	s->fd = -1;
	end_keeper(s->keeper);
	do
		pid = waitpid(s->keeper, &status, __WALL);
	while (pid < 0 && errno == EINTR);
	if (pid < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
