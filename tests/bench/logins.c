/*
 * A PAM host that logs in many times in one process and says what a login costs: CPU
 * over all processes (itself, the keeper, the broker), wall time, and what the module
 * adds to the host's memory.  Run by tests/bench/bench inside its sandbox.
 *
 *   logins SERVICE USER COUNT < KEY
 */
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static char key[600];

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

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double cpu_s(void)
{
	struct rusage self, children;

	(void)getrusage(RUSAGE_SELF, &self);
	(void)getrusage(RUSAGE_CHILDREN, &children);
	return seconds(self.ru_utime) + seconds(self.ru_stime) + seconds(children.ru_utime) +
	       seconds(children.ru_stime);
}

static double wall_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A line of /proc/self/status, in KiB. */
static long status_kib(const char *name)
{
	char line[256];
	long value = -1;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtol(line + strlen(name) + 1, NULL, 10);
	if (f)
		(void)fclose(f);
	return value;
}

static int login(const char *service, const char *user)
{
	const struct pam_conv conv = { .conv = converse };
	pam_handle_t *pamh = NULL;
	int rc = pam_start(service, user, &conv, &pamh);

	if (rc == PAM_SUCCESS)
		rc = pam_authenticate(pamh, 0);
	if (rc == PAM_SUCCESS)
		rc = pam_setcred(pamh, PAM_ESTABLISH_CRED);
	(void)pam_end(pamh, rc);
	return rc;
}

int main(int argc, char **argv)
{
	int count = argc == 4 ? atoi(argv[3]) : 0;
	long before_kib;

	if (count <= 0 || !fgets(key, sizeof key, stdin))
		return 2;
	key[strcspn(key, "\n")] = '\0';
	before_kib = status_kib("VmRSS");
	for (int i = 0; i < 3; i++)
		if (login(argv[1], argv[2]) != PAM_SUCCESS)
			return 1;
	for (int i = 0; i < count; i++) {
		double cpu = cpu_s(), wall = wall_s();

		if (login(argv[1], argv[2]) != PAM_SUCCESS)
			return 1;
		printf("%.6f %.6f\n", cpu_s() - cpu, wall_s() - wall);
	}
	printf("rss_growth_kib %ld\n", status_kib("VmRSS") - before_kib);
	return 0;
}
