/*
 * Hosts from hell: what sshd, sudo, daemons with threads and careless programs do to a
 * module, and what it must not do to them.  How it is called: see login.h.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "login.h"
#include "snapshot.h"

enum { REPEATS = 50 };

/* The module's calls of these come here first: the program's functions go before libc's. */

static int send_stall_ms, send_error, sends;
static bool send_to_nobody; /* waits until the other side is gone */

#pragma GCC visibility push(default)
ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
	struct timespec left = { send_stall_ms / 1000, send_stall_ms % 1000 * 1000000 };
	struct pollfd other = { .fd = fd };

	sends++;
	if (send_to_nobody)
		(void)poll(&other, 1, -1);
	while (nanosleep(&left, &left) != 0)
		;
	errno = send_error;
	return send_error ? -1 : sendto(fd, bytes, len, flags, NULL, 0);
}

static pid_t *stop_keeper; /* in memory shared with the keeper: its pid once it has stopped */

/* The keeper's first step. */
pid_t setsid(void)
{
	if (stop_keeper) {
		*stop_keeper = getpid();
		(void)kill(*stop_keeper, SIGSTOP);
	}
	return (pid_t)syscall(SYS_setsid);
}
#pragma GCC visibility pop

/* Signals */

static void nothing(int sig)
{
	(void)sig;
}

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	if (sigaction(sig, &action, NULL) != 0)
		die("sigaction");
}

static void sigchld_ignored(char **args)
{
	(void)args;
	handle(SIGCHLD, SIG_IGN, 0);
	log_in_once();
	fact("children", has_children());
}

static volatile sig_atomic_t chld_calls, own_reaped, strangers_reaped;
static pid_t own_child;
static const char *release_fifo;

static void reap_all(int sig)
{
	int saved = errno, status, fd;
	pid_t pid;

	(void)sig;
	chld_calls++;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != own_child) {
			strangers_reaped++;
			continue;
		}
		own_reaped++;
		fd = open(release_fifo, O_WRONLY | O_CLOEXEC); /* the broker goes on now */
		if (fd >= 0)
			(void)close(fd);
	}
	errno = saved;
}

/* The host's own child ends while the broker is at work; the host's handler reaps whatever
 * it finds, and only then does the broker reply. */
static void sigchld_reaped(char **args)
{
	char c;

	release_fifo = args[1];
	own_child = fork();
	if (own_child == 0) {
		int fd;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = open(args[0], O_RDONLY | O_CLOEXEC); /* until the broker is there */
		(void)!read(fd, &c, 1);
		_exit(0);
	}
	handle(SIGCHLD, reap_all, 0);
	log_in_once();
	fact("SIGCHLD", chld_calls);
	fact("own children reaped", own_reaped);
	fact("others reaped", strangers_reaped);
	fact("children", has_children());
}

static void sigpipe(char **args)
{
	(void)args;
	handle(SIGPIPE, SIG_DFL, 0);
	send_to_nobody = true;
	log_in_once();
	fact("sends", sends);
	fact("children", has_children());
}

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static void timer(char **args)
{
	const struct itimerval each_ms = { { 0, 1000 }, { 0, 1000 } }, off = { { 0, 0 }, { 0, 0 } };

	(void)args;
	handle(SIGALRM, tick, 0);
	(void)setitimer(ITIMER_REAL, &each_ms, NULL);
	log_in_once();
	(void)setitimer(ITIMER_REAL, &off, NULL);
	fact("ticks", ticks);
	fact("children", has_children());
}

static void blocked(char **args)
{
	sigset_t all;

	(void)args;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	log_in_once();
	fact("children", has_children());
}

/* Threads */

static atomic_bool stop;
static atomic_int forks, allocations, lost;

static void *fork_always(void *unused)
{
	(void)unused;
	while (!atomic_load(&stop)) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			atomic_fetch_add(&lost, 1);
		atomic_fetch_add(&forks, 1);
	}
	return NULL;
}

static void *allocate_always(void *unused)
{
	(void)unused;
	for (size_t n = 1; !atomic_load(&stop); n = n * 7 % 100003) {
		void *p = malloc(n);

		if (p)
			memset(p, 0xa5, n);
		free(p);
		atomic_fetch_add(&allocations, 1);
	}
	return NULL;
}

static void threads(char **args)
{
	void *(*const work[])(void *) = { fork_always, fork_always, allocate_always, allocate_always };
	enum { N = sizeof work / sizeof work[0] };
	pthread_t thread[N];
	pam_handle_t *pamh = start();

	(void)args;
	for (size_t i = 0; i < N; i++)
		if (pthread_create(&thread[i], NULL, work[i], NULL) != 0)
			die("pthread_create");
	for (int i = 0; i < REPEATS; i++)
		(void)authenticate(pamh);
	atomic_store(&stop, true);
	for (size_t i = 0; i < N; i++)
		(void)pthread_join(thread[i], NULL);
	end(pamh);
	fact("forked", atomic_load(&forks) > 0);
	fact("allocated", atomic_load(&allocations) > 0);
	fact("own children lost", atomic_load(&lost));
	fact("children", has_children());
}

static int host_lives[2]; /* a pipe that ends with the host */

static void *fork_when_told(void *fifo)
{
	int fd = open(fifo, O_RDONLY | O_CLOEXEC); /* until the broker is there */
	char c;

	(void)!read(fd, &c, 1);
	own_child = fork();
	if (own_child == 0) {
		(void)close(host_lives[1]);
		(void)!read(host_lives[0], &c, 1);
		_exit(0);
	}
	(void)close(fd);
	return NULL;
}

/* Another thread forks while the broker is at work, and that child, which has a copy of the
 * module's socket, lives on. */
static void forked_copy(char **args)
{
	pthread_t thread;

	if (pipe2(host_lives, O_CLOEXEC) != 0 ||
	    pthread_create(&thread, NULL, fork_when_told, args[0]) != 0)
		die("pthread_create");
	log_in_once();
	(void)pthread_join(thread, NULL);
	(void)close(host_lives[1]);
	(void)waitpid(own_child, NULL, 0);
	fact("children", has_children());
}

/* Descriptors */

static void closed_stdio(char **args)
{
	(void)args;
	for (int set = 1; set < 8; set++) {
		int saved[3], opened = 0;

		for (int fd = 0; fd < 3; fd++) {
			saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, EVENT_FD_MIN);
			if (set >> fd & 1)
				(void)close(fd);
		}
		log_in_once();
		for (int fd = 0; fd < 3; fd++) {
			opened += (set >> fd & 1) && fcntl(fd, F_GETFD) >= 0;
			(void)dup2(saved[fd], fd);
			(void)close(saved[fd]);
		}
		fact("opened", opened);
	}
}

/* The way of the request */

/* As if its user had stopped the host (^Z) for longer than the timeout, before it asks. */
static void stopped(char **args)
{
	send_stall_ms = (int)strtol(args[0], NULL, 10);
	log_in_once();
	fact("sends", sends);
	fact("children", has_children());
}

static void send_fails(char **args)
{
	(void)args;
	send_error = ENOBUFS;
	log_in_once();
	fact("sends", sends);
	fact("children", has_children());
}

static void wake_keeper(int sig)
{
	(void)sig;
	(void)kill(*stop_keeper, SIGCONT);
}

/* As if the user of su had stopped the keeper before it became root's alone. */
static void stopped_keeper(char **args)
{
	enum { PATIENCE_S = 15 };

	(void)args;
	stop_keeper = mmap(NULL, sizeof *stop_keeper, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stop_keeper == MAP_FAILED)
		die("mmap");
	handle(SIGALRM, wake_keeper, 0); /* only so that a test that fails ends */
	(void)alarm(PATIENCE_S);
	log_in_once();
	(void)alarm(0);
	fact("stopped", *stop_keeper > 0);
	fact("children", has_children());
}

/* As in everything that glibc's posix_spawn has started: ignored, where sigaction(2) of glibc
 * does not reach.  All but the handler may be zero, so the order of the rest is no matter. */
static void ignore_internal_signals(void)
{
	const struct {
		void (*handler)(int);
		unsigned long rest[7];
	} ignore = { .handler = SIG_IGN };

	for (int sig = 32; sig < SIGRTMIN; sig++)
		if (syscall(SYS_rt_sigaction, sig, &ignore, NULL, (size_t)8) != 0)
			die("rt_sigaction");
}

/* Everything that a host can leave lying about, and the look whether it lies there still. */
static void untidy(char **args)
{
	sigset_t some;
	pam_handle_t *pamh;
	char *before, *after;

	(void)args;
	(void)setlocale(LC_ALL, "C.UTF-8");
	(void)umask(0);
	(void)!chdir("/tmp");
	(void)!open("/dev/null", O_RDONLY); /* no close-on-exec */
	(void)!dup2(STDIN_FILENO, 50);
	handle(SIGUSR1, nothing, SA_RESTART);
	handle(SIGUSR2, nothing, SA_NODEFER);
	handle(SIGPIPE, SIG_IGN, 0);
	handle(SIGHUP, SIG_IGN, 0);
	handle(SIGRTMIN + 3, nothing, 0);
	ignore_internal_signals();
	(void)sigemptyset(&some);
	(void)sigaddset(&some, SIGTERM);
	(void)sigaddset(&some, SIGCHLD);
	(void)sigaddset(&some, SIGRTMIN);
	(void)sigprocmask(SIG_SETMASK, &some, NULL);
	(void)raise(SIGRTMIN); /* pending from now on */
	(void)setpriority(PRIO_PROCESS, 0, 1);
	(void)alarm(3000);
	(void)pthread_atfork(NULL, NULL, abort); /* the keeper is no fork of the host's */

	before = snapshot();
	pamh = start();
	(void)authenticate(pamh);
	event("call", "session", code_name(session(pamh)), "0", NULL);
	end(pamh);
	after = snapshot();
	event("fact", "changed", snapshot_difference(before, after), NULL);
	fact("pid", getpid());
	fact("session", getsid(0));
	free(before);
	free(after);
}

int main(int argc, char **argv)
{
	static const struct scenario scenarios[] = {
		{ "sigchld-ignored", sigchld_ignored },
		{ "sigchld-reaped", sigchld_reaped }, /* two FIFOs */
		{ "sigpipe", sigpipe },
		{ "timer", timer },
		{ "blocked", blocked },
		{ "threads", threads },
		{ "forked-copy", forked_copy }, /* a FIFO */
		{ "closed-stdio", closed_stdio },
		{ "stopped", stopped }, /* milliseconds */
		{ "stopped-keeper", stopped_keeper },
		{ "send-fails", send_fails },
		{ "untidy", untidy },
		{ NULL, NULL },
	};

	return play(scenarios, argc, argv);
}
