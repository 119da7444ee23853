/*
 * The configuration while allocations inside libconfuse fail, which no wrap reaches: malloc
 * itself is replaced here.  libconfuse 3.3 ends the process in many places then, and leaks in
 * others, so each run is a process of its own, as the broker is.  It may end, or refuse with
 * a reason, but never take a part of the configuration for the whole.
 */
#include "unit_config.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define FILE_TEXT                                                                               \
	"endpoint = \"https://127.0.0.1:1\"\naccounts = { \"" UNIT_ACCOUNT "\" }\n"             \
	"client_id = \"me\"\nclient_secret = \"" UNIT_SECRET "\"\nissuer = { \"https://i\" }\n" \
	"user alice { iam_ids = { \"IBMid-1\" } services = { \"sshd\" } export = false }\n"     \
	"service sudo { export = false }\n"

enum { RUNS_MAX = 5000 };
/* What a run says by its exit status; whatever else is an end within libconfuse, whose scanner
 * exits with 2. */
enum ending { RIGHT = 100, REFUSED, MUTE, HALF, OVER };

static unsigned int calls, failing; /* the call that fails, 0 for none */

#if !defined(__SANITIZE_ADDRESS__)
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static bool fails(void)
{
	if (failing == 0 || ++calls != failing)
		return false;
	errno = ENOMEM;
	return true;
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}
#endif

static enum ending load(const char *path, const char *want, unsigned int n)
{
	struct config c = { 0 };
	char why[2048];
	bool ok;

	calls = 0;
	failing = n;
	ok = config_load(path, &c, why, sizeof why);
	failing = 0;
	if (calls < n)
		return OVER;
	if (!ok)
		return why[0] ? REFUSED : MUTE;
	return strcmp(unit_config_text(&c), want) == 0 ? RIGHT : HALF;
}

/* In a process of its own, quietly. */
static int try(const char *path, const char *want, unsigned int n)
{
	const struct rlimit none = { 0, 0 };
	int status = 0, null;
	pid_t pid = fork();

	if (pid == 0) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		(void)setrlimit(RLIMIT_CORE, &none);
		(void)signal(SIGABRT, SIG_DFL); /* cmocka catches them */
		(void)signal(SIGSEGV, SIG_DFL);
		_exit((int)load(path, want, n));
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void is_whole_or_refused(void **state)
{
	struct config c = { 0 };
	unsigned int n = 0, killed = 0, refused = 0, bad = 0;
	char *path = unit_path("ibmiam.conf"), *want;
	int ending = RIGHT;

	(void)state;
	unit_write("ibmiam.conf", 0600, UNIT_BYTES(FILE_TEXT));
	unit_config_loaded(&c);
	want = unit_config_text(&c);
	config_free(&c);
	while (ending != OVER && n < RUNS_MAX) {
		ending = try(path, want, ++n);
		killed += ending < RIGHT || ending > OVER;
		refused += ending == REFUSED;
		bad += ending == MUTE || ending == HALF;
		if (ending == MUTE || ending == HALF)
			print_message("# allocation %u failed: %s\n", n,
				      ending == HALF ? "half a configuration is loaded" : "refused without a reason");
	}
	print_message("# %u failures, %u refusals, %u ends of the process\n", n - 1, refused, killed);
	free(want);
	free(path);
	assert_int_equal(ending, OVER);
	assert_in_range(n, 100, RUNS_MAX);
	assert_int_equal(bad, 0);
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

#if defined(__SANITIZE_ADDRESS__)
	(void)printf("1..0 # SKIP the sanitizer has a malloc of its own\n");
	return EXIT_SUCCESS;
#endif
	UNIT_TEST(&s, is_whole_or_refused);
	return unit_run(&s, "libconfuse without memory");
}
