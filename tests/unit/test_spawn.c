/*
 * Starting the broker out of a host that nobody controls: what the host has open, set,
 * blocked or ignored must not reach the broker, and the broker's life must not reach the
 * host.
 */
#include "unit_broker.h"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "deadline.h"
#include "keeper.h"
#include "spawn.h"

enum { LIFE_MS = 60000 };

extern char **environ;

static char *program; /* the copy of this one */

/* ---- in the broker */

/* What exec does not reset by itself. */
static unsigned int ignored_signals(void)
{
	unsigned int n = 0;
	struct sigaction sa;

	for (int sig = 1; sig < NSIG; sig++)
		if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			n++;
	return n;
}

static unsigned int blocked_signals(void)
{
	unsigned int n = 0;
	sigset_t set;

	(void)sigprocmask(SIG_SETMASK, NULL, &set);
	for (int sig = 1; sig < NSIG; sig++)
		n += sigismember(&set, sig) == 1;
	return n;
}

static bool is_null_device(int fd)
{
	struct stat st, null;

	return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 && st.st_rdev == null.st_rdev &&
	       S_ISCHR(st.st_mode);
}

static int socket_type(void)
{
	int type = 0;
	socklen_t len = sizeof type;

	(void)getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &len);
	return type;
}

/* Each writes what it sees of its surroundings. */
static void see_environment(char *text, size_t size)
{
	size_t n = 0;

	while (environ && environ[n])
		n++;
	(void)snprintf(text, size, "%zu variables", n);
}

static void see_descriptors(char *text, size_t size)
{
	(void)snprintf(text, size, "%u open", unit_open_descriptors());
}

static void see_output(char *text, size_t size)
{
	(void)snprintf(text, size, is_null_device(1) && is_null_device(2) ? "null" : "other");
}

static void see_input(char *text, size_t size)
{
	(void)snprintf(text, size, socket_type() == SOCK_SEQPACKET ? "seqpacket" : "other");
}

static void see_directory(char *text, size_t size)
{
	if (!getcwd(text, size))
		(void)snprintf(text, size, "none");
}

static void see_blocked(char *text, size_t size)
{
	(void)snprintf(text, size, "%u", blocked_signals());
}

static void see_ignored(char *text, size_t size)
{
	(void)snprintf(text, size, "%u", ignored_signals());
}

static void see_umask(char *text, size_t size)
{
	(void)snprintf(text, size, "%03o", umask(0));
}

static void see_name(char *text, size_t size)
{
	(void)snprintf(text, size, "%s", program_invocation_name);
}

static void see_session(char *text, size_t size)
{
	(void)snprintf(text, size, getsid(0) == getppid() ? "of the keeper" : "of the host");
}

static void see_user(char *text, size_t size)
{
	(void)snprintf(text, size, "%u %u", getuid(), geteuid());
}

static void see_slack(char *text, size_t size)
{
	(void)snprintf(text, size, "%d ns", prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL));
}

static int count_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
}

static void see_processors(char *text, size_t size)
{
	(void)snprintf(text, size, "%d", count_processors());
}

static const struct seen {
	const char *name;
	void (*see)(char *text, size_t size);
	const char *text;
} seens[] = {
	{ "environment", see_environment, "0 variables" },
	{ "descriptors", see_descriptors, "3 open" },
	{ "standard output", see_output, "null" },
	{ "standard input", see_input, "seqpacket" },
	{ "working directory", see_directory, "/" },
	{ "signals blocked", see_blocked, "0" },
	{ "signals ignored", see_ignored, "0" },
	{ "umask", see_umask, "077" },
	{ "name", see_name, "ibmiam-broker" },
	{ "session", see_session, "of the keeper" },
	{ "timer slack", see_slack, "50000 ns" },
};

static int be_broker(const char *name)
{
	char text[512] = "";

	if (strcmp(name, "exits") == 0)
		return 42;
	if (strcmp(name, "forks and exits") == 0 && fork() != 0)
		return 7;
	if (strcmp(name, "dies") == 0)
		return raise(SIGKILL);
	if (strcmp(name, "stays") == 0 || strcmp(name, "forks and exits") == 0) {
		(void)signal(SIGTERM, SIG_IGN);
		for (;;)
			(void)pause();
	}
	if (strcmp(name, "user") == 0)
		see_user(text, sizeof text);
	if (strcmp(name, "processors") == 0)
		see_processors(text, sizeof text);
	for (size_t i = 0; i < UNIT_LEN(seens); i++)
		if (strcmp(seens[i].name, name) == 0)
			seens[i].see(text, sizeof text);
	(void)send(STDIN_FILENO, text, strlen(text), MSG_NOSIGNAL);
	unit_broker_wait();
	return EXIT_SUCCESS;
}

/* ---- in the host */

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

/* One datagram as text, "" at end of file. */
static void receive(int fd, char text[512])
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	assert_int_equal(poll(&p, 1, 20000), 1);
	n = recv(fd, text, 511, 0);
	assert_true(n >= 0);
	text[n] = '\0';
}

/* A host in an odd state, as some are. */
static void broker_sees_nothing_of_the_host(void **state)
{
	const struct seen *w = *state;
	int fd = open("/dev/null", O_RDWR); /* without O_CLOEXEC, as hosts do */
	mode_t mask = umask(0);
	int slack = prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL);
	sigset_t all, before;
	char text[512];
	struct spawn s;
	int status;

	assert_true(fd >= 0);
	assert_int_equal(prctl(PR_SET_TIMERSLACK, 3600000000000UL, 0UL, 0UL, 0UL), 0);
	assert_int_equal(setenv("SSLKEYLOGFILE", "/tmp/x", 1), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGUSR1, on_signal);
	(void)sigfillset(&all);
	(void)sigdelset(&all, SIGALRM); /* main's */
	assert_int_equal(sigprocmask(SIG_SETMASK, &all, &before), 0);
	assert_int_equal(spawn_begin(program, w->name, LIFE_MS, &s), 0);
	receive(s.fd, text);
	status = spawn_end(&s);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)prctl(PR_SET_TIMERSLACK, (unsigned long)slack, 0UL, 0UL, 0UL);
	(void)umask(mask);
	(void)close(fd);
	unit_check_text(w->name, text, w->text);
	assert_int_equal(status, 0);
}

/* Who types may keep one busy, and have su run on that one alone. */
static void broker_has_all_processors(void **state)
{
	int before = count_processors();
	cpu_set_t processors, one;
	char text[512];
	struct spawn s;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof processors, &processors), 0);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
	assert_int_equal(spawn_begin(program, "processors", LIFE_MS, &s), 0);
	receive(s.fd, text);
	assert_int_equal(spawn_end(&s), 0);
	assert_int_equal(sched_setaffinity(0, sizeof processors, &processors), 0);
	assert_true(atoi(text) >= before);
}

/* Under su the real user is the one who typed: he must not be able to signal it. */
static void broker_has_one_user(void **state)
{
	char text[512], want[64];
	struct spawn s;

	(void)state;
	if (geteuid() != 0)
		UNIT_SKIP("only root can have two users");
	assert_int_equal(setresuid(4712, 0, 0), 0);
	(void)snprintf(want, sizeof want, "0 0");
	assert_int_equal(spawn_begin(program, "user", LIFE_MS, &s), 0);
	receive(s.fd, text);
	(void)spawn_end(&s);
	assert_int_equal(setresuid(0, 0, 0), 0);
	assert_string_equal(text, want);
}

static const struct end {
	const char *name;
	int status;
} ends[] = {
	{ "exits", 42 },
	{ "dies", 128 + SIGKILL },
	{ "stays", 128 + SIGKILL }, /* it is killed */
	{ "waits", 0 },
	{ "forks and exits", 7 }, /* what it started ends too */
};

static void host_sees_nothing_of_the_broker(void **state)
{
	const struct end *e = *state;
	unsigned int before = unit_open_descriptors();
	struct sigaction sa = { .sa_handler = on_signal }, old;
	char text[512];
	struct spawn s;

	signals = 0;
	assert_int_equal(sigaction(SIGCHLD, &sa, &old), 0);
	assert_int_equal(spawn_begin(program, e->name, LIFE_MS, &s), 0);
	assert_true(fcntl(s.fd, F_GETFD) & FD_CLOEXEC);
	if (strcmp(e->name, "stays") != 0)
		receive(s.fd, text); /* or the end of file */
	/* What a host's own wait finds: nothing, at any time. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(spawn_end(&s), e->status);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(s.fd, -1);
	assert_int_equal(signals, 0);
	unit_check_no_child();
	assert_int_equal(unit_open_descriptors(), before);
	(void)sigaction(SIGCHLD, &old, NULL);
}

/* A thread of the host forks while the broker runs: that copy of the socket stays open. */
static void copy_of_the_socket_keeps_nothing_alive(void **state)
{
	char text[512];
	struct spawn s;
	int copy;

	(void)state;
	assert_int_equal(spawn_begin(program, "waits", LIFE_MS, &s), 0);
	receive(s.fd, text);
	copy = fcntl(s.fd, F_DUPFD_CLOEXEC, 3);
	assert_true(copy >= 0);
	assert_int_equal(spawn_end(&s), 0);
	(void)close(copy);
	unit_check_no_child();
}

static const struct host {
	const char *name;
	void (*handler)(int);
} hosts[] = {
	{ "SIGCHLD ignored", SIG_IGN }, /* the kernel reaps children itself */
	{ "SIGCHLD at its default", SIG_DFL },
	{ "SIGCHLD handled", on_signal },
};

static void status_is_known_to_any_host(void **state)
{
	const struct host *h = *state;
	void (*before)(int) = signal(SIGCHLD, h->handler);
	struct spawn s;
	int status;

	assert_int_equal(spawn_begin(program, "exits", LIFE_MS, &s), 0);
	status = spawn_end(&s);
	(void)signal(SIGCHLD, before);
	assert_int_equal(status, 42);
}

/* A host that starts a broker and is killed.  Returns the keeper. */
static pid_t start_and_die(void)
{
	pid_t host, keeper = -1;
	struct spawn s;
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	host = fork();
	assert_true(host >= 0);
	if (host == 0) {
		if (spawn_begin(program, "stays", LIFE_MS, &s) == 0)
			(void)!write(fd[1], &s.keeper, sizeof s.keeper);
		(void)kill(getpid(), SIGKILL);
	}
	assert_int_equal(read(fd[0], &keeper, sizeof keeper), sizeof keeper);
	(void)close(fd[0]);
	(void)close(fd[1]);
	assert_int_equal(waitpid(host, NULL, 0), host);
	return keeper;
}

static void dead_host_leaves_no_broker(void **state)
{
	pid_t keeper = start_and_die();
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, keeper, 0), .events = POLLIN };

	(void)state;
	assert_true(p.fd >= 0); /* it is our child now, so its number is still its own */
	assert_int_equal(poll(&p, 1, 20000), 1);
	(void)close(p.fd);
	assert_int_equal(waitpid(keeper, NULL, __WALL), keeper);
	unit_check_no_child();
}

/* Somebody has stopped it, and holds on to the broker. */
static void stopped_host_keeps_no_broker(void **state)
{
	char text[512];
	struct spawn s;

	(void)state;
	assert_int_equal(spawn_begin(program, "stays", 200, &s), 0);
	receive(s.fd, text);
	assert_string_equal(text, "");
	assert_int_equal(spawn_end(&s), 128 + SIGKILL);
	unit_check_no_child();
}

static void missing_program_is_told(void **state)
{
	char text[512];
	struct spawn s;

	(void)state;
	assert_int_equal(spawn_begin("/no/such/program", "x", LIFE_MS, &s), 0);
	receive(s.fd, text);
	assert_string_equal(text, "");
	assert_int_equal(spawn_end(&s), KEEPER_EXEC_FAILED);
	unit_check_no_child();
}

/* sshd's children and cron jobs may run with 0 to 2 closed. */
static void works_without_standard_descriptors(void **state)
{
	int saved[3], status;
	struct spawn s;
	char text[512];

	(void)state;
	for (int i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		(void)close(i);
	}
	if (spawn_begin(program, "descriptors", LIFE_MS, &s) != 0)
		s.fd = -1;
	for (int i = 0; i < 3; i++) {
		if (saved[i] >= 0)
			(void)dup2(saved[i], i);
		(void)close(saved[i]);
	}
	assert_true(s.fd > 2); /* never in the place of one of them */
	receive(s.fd, text);
	status = spawn_end(&s);
	assert_string_equal(text, "3 open");
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	const char *name = unit_broker_name(argc, argv);
	struct unit_suite s = { 0 };
	int result;

	if (name)
		return be_broker(name);
	if (unit_folder_make(NULL) != 0)
		return EXIT_FAILURE;
	program = unit_broker_make(0755);
	(void)alarm(60); /* a fault in spawn.c may hang */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* a broker left behind becomes our child */
	UNIT_ROWS(&s, broker_sees_nothing_of_the_host, seens);
	UNIT_TEST(&s, broker_has_all_processors);
	UNIT_TEST(&s, broker_has_one_user);
	UNIT_ROWS(&s, host_sees_nothing_of_the_broker, ends);
	UNIT_TEST(&s, copy_of_the_socket_keeps_nothing_alive);
	UNIT_ROWS(&s, status_is_known_to_any_host, hosts);
	UNIT_TEST(&s, dead_host_leaves_no_broker);
	UNIT_TEST(&s, stopped_host_keeps_no_broker);
	UNIT_TEST(&s, missing_program_is_told);
	UNIT_TEST(&s, works_without_standard_descriptors);
	result = unit_run(&s, "spawn");
	(void)unit_folder_remove(NULL);
	free(program);
	return result;
}
