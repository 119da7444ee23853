/*
 * What the sandbox of a resident broker permits beyond that of a one-shot one, and what it refuses
 * all the same: tried from inside, one attempt a row (the rest is test_sandbox.c's).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "landlock.h"
#include "sandbox.h"

static char folder[] = "/tmp/ibmiam-resident-XXXXXX", config[64], draft[64], outside[64], at[64];
static int listener_fd, log_fd;

static int failed(long rc)
{
	return rc < 0 ? errno : 0;
}

static int attempt_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	int error = failed(fd);

	if (fd >= 0)
		(void)close(fd);
	return error;
}

static int read_config(void) { return attempt_open(config, O_RDONLY); }
static int read_passwd(void) { return attempt_open("/etc/passwd", O_RDONLY); }
static int read_shadow(void) { return attempt_open("/etc/shadow", O_RDONLY); }
static int read_root(void) { return attempt_open("/root", O_RDONLY | O_DIRECTORY); }
static int read_outside(void) { return attempt_open(outside, O_RDONLY); }
static int read_proc(void) { return attempt_open("/proc/self/mem", O_RDONLY); }
static int write_config(void) { return attempt_open(config, O_WRONLY); }
static int create_file(void) { return attempt_open(draft, O_WRONLY | O_CREAT); }
static int remove_socket(void) { return failed(unlink(at)); }
static int rename_config(void) { return failed(rename(config, draft)); }
static int write_log(void) { return failed(write(log_fd, "x", 1)); }

static int accept_client(void)
{
	int fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int error = failed(fd);

	if (fd >= 0)
		(void)close(fd);
	return error;
}

static int watch_pid(void) { return failed(syscall(SYS_pidfd_open, getppid(), 0)); }
static int ask_session(void) { return failed(getsid(getppid())); }

static int watch_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	return failed(signalfd(-1, &set, SFD_CLOEXEC));
}

static int signal_by_pidfd(void)
{
	return failed(syscall(SYS_pidfd_send_signal, syscall(SYS_pidfd_open, getppid(), 0), 0, NULL, 0));
}

static int take_descriptor(void)
{
	return failed(syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, getppid(), 0), 0, 0));
}

static int signal_parent(void) { return failed(kill(getppid(), 0)); }

static int execute(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	return failed(execv("/bin/true", argv));
}

static const struct {
	const char *name;
	int (*attempt)(void);
	bool landlock; /* it takes Landlock to refuse it */
	bool permitted;
} rows[] = {
	{ "read a configuration that has been replaced", read_config, false, true },
	{ "read /etc/passwd, for names", read_passwd, false, true },
	{ "accept a client", accept_client, false, true },
	{ "watch the end of a process", watch_pid, false, true },
	{ "ask for the session of a process", ask_session, false, true },
	{ "take signals from a descriptor", watch_signals, false, true },
	{ "write to its log, which may be a file", write_log, false, true },
	{ "read /etc/shadow", read_shadow, false, false },
	{ "read /root", read_root, false, false },
	{ "read a file of no concern", read_outside, true, false },
	{ "read its own memory by /proc", read_proc, true, false },
	{ "write the configuration", write_config, true, false },
	{ "create a file beside it", create_file, true, false },
	{ "remove its socket", remove_socket, true, false },
	{ "rename the configuration", rename_config, true, false },
	{ "signal the process it watches", signal_by_pidfd, false, false },
	{ "take a descriptor of it", take_descriptor, false, false },
	{ "signal its parent", signal_parent, false, false },
	{ "execute a program", execute, false, false },
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static bool write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	bool ok = fd >= 0 && fchmod(fd, 0666) == 0;

	(void)close(fd);
	return ok;
}

static void child(int *errors, int ready, int go)
{
	const struct sandbox_needs needs = { .read = { [SANDBOX_ETC] = "/etc", [SANDBOX_CONFIG] = folder },
					     .resident = true };
	char note[SANDBOX_NOTE_MAX], why[256], c = 'y';

	if (!sandbox_enter(&needs, note, why, sizeof why) || write(ready, &c, 1) != 1 || read(go, &c, 1) != 1)
		_exit(1);
	for (size_t i = 0; i < ROWS; i++)
		errors[i] = rows[i].attempt();
	_exit(0);
}

/* The configuration is replaced while the child is in its sandbox already. */
static void each_attempt(void **state)
{
	long abi = syscall(444 /* landlock_create_ruleset */, NULL, 0, 1 /* version */);
	int *errors = mmap(NULL, sizeof(int) * ROWS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ready[2], go[2], status;
	char c = 'y';
	pid_t pid;

	(void)state;
	assert_true(errors != MAP_FAILED && pipe(ready) == 0 && pipe(go) == 0);
	pid = fork();
	if (pid == 0)
		child(errors, ready[1], go[0]);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_true(write_file(draft) && rename(draft, config) == 0);
	assert_int_equal(write(go[1], &c, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].landlock && abi <= 0)
			continue;
		if ((errors[i] == 0) != rows[i].permitted)
			fail_msg("%s: %s", rows[i].name, errors[i] ? strerror(errors[i]) : "was possible");
	}
	(void)close(ready[0]);
	(void)close(go[0]);
	(void)close(go[1]);
	(void)munmap(errors, sizeof(int) * ROWS);
}

/* A listening socket with a client in its queue. */
static bool make_listener(int *ret_client)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	memcpy(to.sun_path, at, strlen(at) + 1);
	listener_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	*ret_client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	return bind(listener_fd, (struct sockaddr *)&to, sizeof to) == 0 && listen(listener_fd, 1) == 0 &&
	       connect(*ret_client, (struct sockaddr *)&to, sizeof to) == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_attempt) };
	int rc, client;

	if (!mkdtemp(folder) || chmod(folder, 0777) != 0)
		return 1;
	(void)snprintf(config, sizeof config, "%s/ibmiam.conf", folder);
	(void)snprintf(draft, sizeof draft, "%s/draft", folder);
	(void)snprintf(at, sizeof at, "%s/socket", folder);
	(void)snprintf(outside, sizeof outside, "%s.outside", folder);
	log_fd = open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (!write_file(config) || !write_file(outside) || !make_listener(&client) || log_fd < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(config);
	(void)unlink(outside);
	(void)unlink(at);
	(void)rmdir(folder);
	(void)close(log_fd);
	(void)close(client);
	(void)close(listener_fd);
	return rc;
}
