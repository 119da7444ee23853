/*
 * A PAM host that logs in again and again, each time in a child of its own, as sshd, su and
 * sudo do, and says what each login cost: CPU over all processes (the child, and all that it
 * or its keeper has waited for; with -p also a process that serves it from outside), wall
 * time from pam_start to pam_end, and with -m, instead of exact times, what the login added to
 * the host's memory.  Run by tests/bench/bench inside its sandbox.
 *
 *   host [-m] [-n COUNT] [-w WARM_UPS] [-s SECONDS] [-p PID] SERVICE USER < KEY
 *   host [-n COUNT] [-w WARM_UPS] [-s SECONDS] -x PROGRAM ARGUMENT...  < KEY
 *
 * A line a login: CPU and wall in seconds, growth and peak in KiB, libraries added.  With -s
 * as many as end in that time, and one line: their number.
 */
#include <fcntl.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, LIBRARIES_MAX = 256 };

struct cost {
	double cpu_s, wall_s;
	long growth_kib, peak_kib;
	int libraries;
};

static char key[600];
static clockid_t server; /* the CPU clock of the process of -p */
static bool has_server;
static bool with_memory; /* -m */

static int converse(int n, const struct pam_message **msg, struct pam_response **ret, void *data)
{
	struct pam_response *r = calloc((size_t)n, sizeof *r);

	(void)data;
	for (int i = 0; r && i < n; i++)
		if (msg[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			r[i].resp = strdup(key);
	*ret = r;
	return r ? PAM_SUCCESS : PAM_BUF_ERR;
}

static double clock_s(clockid_t id)
{
	struct timespec t = { 0 };

	(void)clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* A line of a file in /proc, in KiB. */
static long proc_kib(const char *file, const char *name)
{
	char line[256];
	long value = -1;
	FILE *f = fopen(file, "re");

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtol(line + strlen(name), NULL, 10);
	if (f)
		(void)fclose(f);
	return value;
}

/* What is the process's alone: how much of a library's file is mapped at the moment is the page
 * cache's whim, and shared by all. */
static long own_kib(void)
{
	return proc_kib("/proc/self/smaps_rollup", "Anonymous:");
}

/* How many different shared objects are mapped. */
static int libraries(void)
{
	char line[4352], last[4096] = "";
	FILE *f = fopen("/proc/self/maps", "re");
	int n = 0;

	while (f && fgets(line, sizeof line, f)) {
		const char *path = strchr(line, '/');

		if (!path || !strstr(path, ".so") || strncmp(path, last, sizeof last) == 0)
			continue;
		(void)snprintf(last, sizeof last, "%.4095s", path);
		n++;
	}
	if (f)
		(void)fclose(f);
	return n;
}

static bool login(const char *service, const char *user, struct cost *ret)
{
	const struct pam_conv conv = { .conv = converse };
	pam_handle_t *pamh = NULL;
	struct cost before = { 0 };
	double start;
	int rc;

	/* As every host does before PAM; what these load is not the module's. */
	(void)getpwnam(user);
	syslog(LOG_AUTHPRIV | LOG_DEBUG, "%s logs in", user);
	if (with_memory)
		before = (struct cost){ .libraries = libraries(), .growth_kib = own_kib() };
	start = clock_s(CLOCK_MONOTONIC);
	rc = pam_start(service, user, &conv, &pamh);
	if (rc == PAM_SUCCESS)
		rc = pam_authenticate(pamh, 0);
	if (rc == PAM_SUCCESS)
		rc = pam_setcred(pamh, PAM_ESTABLISH_CRED);
	if (with_memory) {
		ret->libraries = libraries() - before.libraries;
		ret->growth_kib = own_kib() - before.growth_kib;
		ret->peak_kib = proc_kib("/proc/self/status", "VmHWM:");
	}
	(void)pam_end(pamh, rc);
	ret->wall_s = clock_s(CLOCK_MONOTONIC) - start;
	if (rc != PAM_SUCCESS)
		(void)fprintf(stderr, "host: %s: %s\n", service, pam_strerror(NULL, rc));
	return rc == PAM_SUCCESS;
}

static _Noreturn void become(char **program)
{
	int in[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	/* The key fits into the pipe. */
	if (null < 0 || pipe2(in, O_CLOEXEC) != 0 ||
	    write(in[1], key, strlen(key)) != (ssize_t)strlen(key) || dup2(in[0], STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0)
		_exit(EXIT_USAGE);
	(void)execv(program[0], program);
	_exit(EXIT_USAGE);
}

/* One login in a child, or one run of a program. */
static bool measure(char **argv, bool program, struct cost *ret)
{
	struct rusage used;
	double start = clock_s(CLOCK_MONOTONIC), served = has_server ? clock_s(server) : 0;
	int report[2], status;
	pid_t pid;
	bool ok;

	if (pipe2(report, O_CLOEXEC) != 0)
		return false;
	pid = fork();
	if (pid == 0) {
		if (program)
			become(argv);
		ok = login(argv[0], argv[1], ret) && write(report[1], ret, sizeof *ret) == sizeof *ret;
		_exit(ok ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	ok = pid > 0 && wait4(pid, &status, 0, &used) == pid && status == 0;
	if (ok && program)
		*ret = (struct cost){ .wall_s = clock_s(CLOCK_MONOTONIC) - start };
	else if (ok)
		ok = read(report[0], ret, sizeof *ret) == sizeof *ret;
	if (ok)
		ret->cpu_s = seconds(used.ru_utime) + seconds(used.ru_stime);
	if (has_server)
		ret->cpu_s += clock_s(server) - served;
	(void)close(report[0]);
	(void)close(report[1]);
	return ok;
}

struct job {
	int count, warm_ups;
	double for_s;
	bool program;
};

static bool options(int argc, char **argv, struct job *ret)
{
	int c;

	*ret = (struct job){ .count = 1 };
	while ((c = getopt(argc, argv, "+mn:w:s:p:x")) != -1) {
		if (c == 'm')
			with_memory = true;
		else if (c == 'n')
			ret->count = atoi(optarg);
		else if (c == 'w')
			ret->warm_ups = atoi(optarg);
		else if (c == 's')
			ret->for_s = strtod(optarg, NULL);
		else if (c == 'p')
			has_server = clock_getcpuclockid(atoi(optarg), &server) == 0;
		else if (c == 'x')
			ret->program = true;
		else
			return false;
	}
	return argc - optind >= (ret->program ? 1 : 2) && fgets(key, sizeof key, stdin) != NULL;
}

int main(int argc, char **argv)
{
	struct cost cost = { 0 };
	struct job job;
	double end;
	int done = 0;

	if (!options(argc, argv, &job))
		return EXIT_USAGE;
	if (!job.program)
		key[strcspn(key, "\n")] = '\0';
	argv += optind;
	for (int i = 0; i < job.warm_ups; i++)
		if (!measure(argv, job.program, &cost))
			return EXIT_FAILURE;
	end = clock_s(CLOCK_MONOTONIC) + job.for_s;
	while (job.for_s > 0 ? clock_s(CLOCK_MONOTONIC) < end : done < job.count) {
		if (!measure(argv, job.program, &cost))
			return EXIT_FAILURE;
		done += job.for_s > 0 ? clock_s(CLOCK_MONOTONIC) < end : 1;
		if (!(job.for_s > 0))
			(void)printf("%.6f %.6f %ld %ld %d\n", cost.cpu_s, cost.wall_s, cost.growth_kib,
				     cost.peak_kib, cost.libraries);
	}
	if (job.for_s > 0)
		(void)printf("%d\n", done);
	return EXIT_SUCCESS;
}
