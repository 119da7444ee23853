/*
 * Hosts at their limits, and hosts that log in again and again: nothing wears out and nothing
 * is left.  How it is called: see login.h.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <sys/resource.h>

#include "login.h"

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		(void)closedir(dir);
	return n;
}

static int64_t count_lines(const char *path, const char *word)
{
	FILE *from = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int64_t n = 0;

	while (from && getline(&line, &size, from) > 0)
		n += strstr(line, word) != NULL;
	if (from)
		(void)fclose(from);
	free(line);
	return n;
}

static int64_t status_kib(const char *name)
{
	FILE *from = fopen("/proc/self/status", "re");
	char line[256];
	int64_t kib = 0;

	while (from && fgets(line, sizeof line, from))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtol(line + strlen(name), NULL, 10);
	if (from)
		(void)fclose(from);
	return kib;
}

struct usage {
	int64_t descriptors, heap, maps, kib;
};

static struct usage measure(void)
{
	return (struct usage){
		.descriptors = count_descriptors(),
		.heap = (int64_t)mallinfo2().uordblks,
		.maps = count_lines("/proc/self/maps", ""),
		.kib = status_kib("RssAnon:"),
	};
}

static void report_growth(struct usage from)
{
	struct usage now = measure();

	fact("descriptors", now.descriptors - from.descriptors);
	fact("children", has_children());
	fact("heap bytes", now.heap - from.heap);
	fact("maps", now.maps - from.maps);
	fact("resident KiB", now.kib - from.kib);
}

/* Limits */

/* args[0] descriptors are to be had. */
static void few_descriptors(char **args)
{
	pam_handle_t *pamh = start();
	const struct rlimit limit = { 64, 64 };
	int fd, last = -1;

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		last = fd;
	for (long n = strtol(args[0], NULL, 10); n > 0; n--)
		(void)close(last--);
	(void)authenticate(pamh);
	fact("children", has_children());
	end(pamh);
}

static void no_processes(char **args)
{
	const struct rlimit none = { 0, 0 };
	pam_handle_t *pamh = start();

	(void)args;
	(void)setrlimit(RLIMIT_NPROC, &none);
	(void)authenticate(pamh);
	fact("children", has_children());
	end(pamh);
}

/* With a little more memory each time, until it is enough: each allocation fails once. */
static void little_memory(char **args)
{
	enum { STEP = 16 * 1024, STEPS = 64 };
	pam_handle_t *pamh = start();
	struct rlimit limit = { 0, RLIM_INFINITY };
	int code = PAM_AUTH_ERR;

	(void)args;
	limit.rlim_cur = (rlim_t)status_kib("VmSize:") * 1024;
	for (int i = 0; i < STEPS && code != PAM_SUCCESS; i++) {
		(void)setrlimit(RLIMIT_AS, &limit);
		code = authenticate(pamh);
		limit.rlim_cur += STEP;
		if (code != PAM_SUCCESS && pam_getenv(pamh, "PAM_IBMIAM_STASH"))
			fact("stash after a refusal", i);
	}
	fact("children", has_children());
	end(pamh);
}

/* Repetition */

/* args: how many handles, how many sessions on each.  What libpam keeps until pam_end does
 * not count: it is measured between handles. */
static void many(char **args)
{
	long handles = strtol(args[0], NULL, 10), each = strtol(args[1], NULL, 10), failed = 0;
	struct usage warm = { 0 };

	for (long i = 0; i < handles; i++) {
		pam_handle_t *pamh = start();

		for (long k = 0; k < each; k++)
			failed += session(pamh) != PAM_SUCCESS;
		(void)pam_authenticate(pamh, 0); /* and leaves it to pam_end to clean up */
		if (i % 2 == 0)
			(void)pam_setcred(pamh, PAM_ESTABLISH_CRED);
		end(pamh);
		if (i == handles / 5)
			warm = measure();
	}
	fact("failed", failed);
	report_growth(warm);
}

/* args: how often, the module's path. */
static void reload(char **args)
{
	long n = strtol(args[0], NULL, 10), failed = 0, resident = 0;

	for (long i = 0; i < n; i++) {
		void *module = dlopen(args[1], RTLD_NOW);

		if (!module || !dlsym(module, "pam_sm_authenticate"))
			die("dlopen");
		if (i % 20 == 0) {
			pam_handle_t *pamh = start();

			failed += session(pamh) != PAM_SUCCESS;
			end(pamh);
		}
		(void)dlclose(module);
		resident += dlopen(args[1], RTLD_NOW | RTLD_NOLOAD) != NULL;
	}
	fact("failed", failed);
	fact("still loaded", resident);
	fact("mapped", count_lines("/proc/self/maps", "pam_ibmiam.so"));
	fact("children", has_children());
}

int main(int argc, char **argv)
{
	static const struct scenario scenarios[] = {
		{ "few-descriptors", few_descriptors }, /* how many */
		{ "no-processes", no_processes },
		{ "little-memory", little_memory },
		{ "many", many },     /* handles, sessions on each */
		{ "reload", reload }, /* how often, the module's path */
		{ NULL, NULL },
	};

	return play(scenarios, argc, argv);
}
