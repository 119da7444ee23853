/*
 * The broker's sandbox, proved from inside: a child enters it and then tries what a
 * broker taken over through a bug would try.  Each row is one attempt, and passes only
 * when the kernel refuses it (or, for what the job needs, permits it).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "landlock.h"
#include "sandbox.h"

/* What a child learns, in memory that it shares with its parent. */
struct report {
	bool entered;
	char note[SANDBOX_NOTE_MAX];
	char why[256];
	int errors[64]; /* by row: 0, or the errno of the attempt */
};

static int permitted_port, other_port, scratch_fd;
static char scratch[64];
static char ca[64], ca_link[80], elsewhere[80], linked[96], beside[96]; /* a CA folder and where it points */

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

static int attempt_connect(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = failed(connect(fd, (struct sockaddr *)&to, sizeof to));

	(void)close(fd);
	return error;
}

static int read_shadow(void) { return attempt_open("/etc/shadow", O_RDONLY); }
static int read_passwd(void) { return attempt_open("/etc/passwd", O_RDONLY); }
static int read_proc(void) { return attempt_open("/proc/1/environ", O_RDONLY); }
static int read_ca(void) { return attempt_open("/etc/ssl/openssl.cnf", O_RDONLY); }
static int read_linked(void) { return attempt_open(ca_link, O_RDONLY); }
static int read_beside(void) { return attempt_open(beside, O_RDONLY); }
static int create_file(void) { return attempt_open(scratch, O_WRONLY | O_CREAT); }
static int create_in_tmp(void) { return attempt_open("/tmp/ibmiam-probe", O_WRONLY | O_CREAT); }
static int connect_permitted(void) { return attempt_connect(permitted_port); }
static int connect_elsewhere(void) { return attempt_connect(other_port); }

/* The descriptor was opened before the sandbox: only RLIMIT_FSIZE is in the way. */
static int grow_file(void)
{
	(void)signal(SIGXFSZ, SIG_IGN);
	return failed(write(scratch_fd, "x", 1));
}

static int execute(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	return failed(execv("/bin/true", argv));
}

static int fork_process(void)
{
	long pid = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);

	if (pid == 0)
		_exit(0);
	return failed(pid);
}

static void *nothing(void *arg)
{
	return arg;
}

static int start_thread(void)
{
	pthread_t t;
	int error = pthread_create(&t, NULL, nothing, NULL);

	return error ? error : pthread_join(t, NULL);
}

static int resolve(void)
{
	struct addrinfo *found = NULL;
	int rc = getaddrinfo("localhost", "443", NULL, &found);

	if (rc == 0)
		freeaddrinfo(found);
	return rc;
}

static int trace(void) { return failed(ptrace(PTRACE_TRACEME, 0, NULL, NULL)); }
static int mount_it(void) { return failed(syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL)); }
static int load_bpf(void) { return failed(syscall(SYS_bpf, 0, NULL, 0)); }
static int load_module(void) { return failed(syscall(SYS_init_module, NULL, 0, "")); }
static int use_keyring(void) { return failed(syscall(SYS_keyctl, 0, -1, 0)); }
static int new_namespace(void) { return failed(syscall(SYS_unshare, CLONE_NEWUSER)); }
static int use_io_uring(void) { return failed(syscall(SYS_io_uring_setup, 1, NULL)); }
static int become_root(void) { return failed(syscall(SYS_setuid, 0)); }
static int set_ids(void) { return failed(syscall(SYS_setresuid, 0, 0, 0)); }
static int signal_parent(void) { return failed(syscall(SYS_kill, getppid(), 0)); }
static int packet_socket(void) { return failed(socket(AF_PACKET, SOCK_RAW, 0)); }

/* Both would connect past Landlock. */
static int mptcp_socket(void) { return failed(socket(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */)); }
static int connect_by_sending(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)other_port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = failed(sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to));

	(void)close(fd);
	return error;
}

static int filter_netlink(void) { return failed(socket(AF_NETLINK, SOCK_RAW, 12 /* NETFILTER */)); }
static int raise_limit(void)
{
	const struct rlimit more = { 1, 1 };

	return failed(setrlimit(RLIMIT_FSIZE, &more));
}

/* Which layer an attempt meets first; without that layer the row does not count. */
enum layer { ALWAYS, LANDLOCK, LANDLOCK_TCP, SECCOMP };

static const struct row {
	const char *name;
	int (*attempt)(void);
	enum layer layer;
	bool permitted;
} rows[] = {
	{ "read /etc/shadow", read_shadow, ALWAYS, false },
	{ "read /etc/passwd, which every user may", read_passwd, LANDLOCK, false },
	{ "read another process's environment", read_proc, ALWAYS, false },
	{ "read OpenSSL's configuration", read_ca, ALWAYS, true },
	{ "read a certificate that ca_path links to", read_linked, ALWAYS, true },
	{ "read what stands beside it, in a folder that ca_path links to", read_beside, LANDLOCK, false },
	{ "create a file in its own folder", create_file, LANDLOCK, false },
	{ "create a file in /tmp", create_in_tmp, LANDLOCK, false },
	{ "write to a file opened before", grow_file, ALWAYS, false },
	{ "raise a limit again", raise_limit, ALWAYS, false },
	{ "connect to IAM's port", connect_permitted, ALWAYS, true },
	{ "connect to another port", connect_elsewhere, LANDLOCK_TCP, false },
	{ "resolve a name", resolve, ALWAYS, true },
	{ "start a thread", start_thread, ALWAYS, true },
	{ "execute a program", execute, SECCOMP, false },
	{ "fork", fork_process, SECCOMP, false },
	{ "trace", trace, SECCOMP, false },
	{ "mount", mount_it, ALWAYS, false },
	{ "load a BPF program", load_bpf, SECCOMP, false },
	{ "load a kernel module", load_module, ALWAYS, false },
	{ "use the keyring", use_keyring, SECCOMP, false },
	{ "make a namespace", new_namespace, SECCOMP, false },
	{ "use io_uring", use_io_uring, SECCOMP, false },
	{ "setuid(0)", become_root, SECCOMP, false },
	{ "setresuid(0, 0, 0)", set_ids, SECCOMP, false },
	{ "signal its parent", signal_parent, SECCOMP, false },
	{ "open a packet socket", packet_socket, SECCOMP, false },
	{ "open an MPTCP socket", mptcp_socket, SECCOMP, false },
	{ "open a netfilter socket", filter_netlink, SECCOMP, false },
	{ "connect by sending (MSG_FASTOPEN)", connect_by_sending, SECCOMP, false },
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* Simulates an older kernel: these calls do not exist.  Before the sandbox. */
static void without(const int *calls, size_t n)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	for (size_t i = 0; i < n; i++)
		(void)seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), calls[i], 0);
	(void)seccomp_load(filter);
	seccomp_release(filter);
}

static void child(struct report *r, const int *missing, size_t n)
{
	const struct sandbox_needs needs = { .read = { [SANDBOX_CA_FILE] = ca }, .port = (uint16_t)permitted_port };

	if (n > 0)
		without(missing, n);
	r->entered = sandbox_enter(&needs, r->note, r->why, sizeof r->why);
	for (size_t i = 0; r->entered && i < ROWS; i++)
		r->errors[i] = rows[i].attempt();
	_exit(0);
}

static struct report *run(const int *missing, size_t n, int *ret_status)
{
	struct report *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	assert_true(r != MAP_FAILED);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child(r, missing, n);
	assert_int_equal(waitpid(pid, ret_status, 0), pid);
	return r;
}

static void check_rows(const struct report *r, bool landlock, bool tcp, bool seccomp)
{
	const bool present[] = { [ALWAYS] = true, [LANDLOCK] = landlock, [LANDLOCK_TCP] = tcp,
				 [SECCOMP] = seccomp };

	for (size_t i = 0; i < ROWS; i++) {
		if (!present[rows[i].layer])
			continue;
		if ((r->errors[i] == 0) != rows[i].permitted)
			fail_msg("%s: %s", rows[i].name, r->errors[i] ? strerror(r->errors[i])
								      : "was possible");
	}
}

static int kernel_abi(void)
{
	long abi = syscall(444 /* landlock_create_ruleset */, NULL, 0, 1 /* version */);

	return abi < 0 ? 0 : (int)abi;
}

static void every_attempt_is_refused(void **state)
{
	int status, abi = kernel_abi();
	struct report *r = run(NULL, 0, &status);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_string_equal(r->why, "");
	assert_true(r->entered);
	if (abi < LANDLOCK_ABI_TCP)
		print_message("# this kernel has Landlock ABI %d: not every row is tried\n", abi);
	check_rows(r, abi > 0, abi >= LANDLOCK_ABI_TCP, true);
	if (abi >= LANDLOCK_ABI_TCP && geteuid() != 0)
		assert_string_equal(r->note, "");
	(void)munmap(r, sizeof *r);
}

static void a_missing_landlock_is_named_and_the_rest_holds(void **state)
{
	const int missing[] = { 444, 445, 446 };
	int status;
	struct report *r = run(missing, 3, &status);

	(void)state;
	assert_true(r->entered);
	assert_non_null(strstr(r->note, "no Landlock here (Function not implemented)"));
	check_rows(r, false, false, true);
	(void)munmap(r, sizeof *r);
}

static void a_missing_seccomp_is_named_and_the_rest_holds(void **state)
{
	const int missing[] = { SCMP_SYS(seccomp) };
	int status, abi = kernel_abi();
	struct report *r;

	(void)state;
	r = run(missing, 1, &status);
	assert_true(r->entered);
	assert_non_null(strstr(r->note, "no seccomp here"));
	check_rows(r, abi > 0, abi >= LANDLOCK_ABI_TCP, false);
	(void)munmap(r, sizeof *r);
}

/* As seen from outside, by the kernel's own account. */
static void the_process_has_nothing_left(void **state)
{
	const struct sandbox_needs needs = { 0 };
	char note[SANDBOX_NOTE_MAX], why[256], path[64], text[4096];
	int hold[2], ready[2];
	pid_t pid;
	ssize_t n;
	FILE *f;

	(void)state;
	assert_int_equal(pipe(hold) | pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		(void)close(hold[1]);
		if (sandbox_enter(&needs, note, why, sizeof why))
			(void)!write(ready[1], "y", 1);
		(void)!read(hold[0], text, 1); /* until the parent has looked */
		_exit(0);
	}
	(void)close(hold[0]);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], text, 1), 1);
	(void)snprintf(path, sizeof path, "/proc/%d/status", pid);
	f = fopen(path, "r");
	assert_non_null(f);
	n = (ssize_t)fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
	assert_non_null(strstr(text, "Seccomp:\t2\n"));
	assert_non_null(strstr(text, "CapEff:\t0000000000000000\n"));
	if (geteuid() == 0) {
		assert_null(strstr(text, "\nUid:\t0"));
		assert_null(strstr(text, "\nGid:\t0"));
		assert_non_null(strstr(text, "\nGroups:\t \n"));
	}
	(void)close(hold[1]);
	(void)close(ready[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int listener(int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

/* FOLDER/ca/a.0 -> FOLDER/elsewhere/linked, and FOLDER/ca/tree -> FOLDER/elsewhere. */
static bool make_ca(const char *folder)
{
	char tree[80];
	int a, b;

	(void)snprintf(ca, sizeof ca, "%s/ca", folder);
	(void)snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
	(void)snprintf(ca_link, sizeof ca_link, "%s/a.0", ca);
	(void)snprintf(tree, sizeof tree, "%s/tree", ca);
	(void)snprintf(linked, sizeof linked, "%s/linked", elsewhere);
	(void)snprintf(beside, sizeof beside, "%s/beside", elsewhere);
	if (mkdir(ca, 0755) != 0 || mkdir(elsewhere, 0755) != 0)
		return false;
	a = open(linked, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	b = open(beside, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	(void)close(a);
	(void)close(b);
	return a >= 0 && b >= 0 && symlink(linked, ca_link) == 0 && symlink(elsewhere, tree) == 0;
}

static void remove_ca(void)
{
	char tree[80];

	(void)snprintf(tree, sizeof tree, "%s/tree", ca);
	(void)unlink(tree);
	(void)unlink(ca_link);
	(void)unlink(linked);
	(void)unlink(beside);
	(void)rmdir(elsewhere);
	(void)rmdir(ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_attempt_is_refused),
		cmocka_unit_test(a_missing_landlock_is_named_and_the_rest_holds),
		cmocka_unit_test(a_missing_seccomp_is_named_and_the_rest_holds),
		cmocka_unit_test(the_process_has_nothing_left),
	};
	char folder[] = "/tmp/ibmiam-sandbox-XXXXXX";
	int rc, a = listener(&permitted_port), b = listener(&other_port);

	if (!mkdtemp(folder) || chmod(folder, 0777) != 0 || !make_ca(folder))
		return 1;
	(void)snprintf(scratch, sizeof scratch, "%s/probe", folder);
	scratch_fd = open(scratch, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	(void)close(scratch_fd);
	(void)unlink(scratch);
	(void)unlink("/tmp/ibmiam-probe");
	remove_ca();
	(void)rmdir(folder);
	(void)close(a);
	(void)close(b);
	return rc;
}
