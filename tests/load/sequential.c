/*
 * A PAM host that lives long: it logs in over and over in one process, and says after the
 * warm-up and at the end what it holds: resident memory, descriptors, children.  Run by
 * tests/load/load inside its sandbox.
 *
 *   sequential SERVICE USER WARM_UP COUNT < KEY
 */
#include <dirent.h>
#include <errno.h>
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
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

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long resident_kib(void)
{
	char line[256];
	long value = -1;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "VmRSS:", 6) == 0)
			value = strtol(line + 6, NULL, 10);
	if (f)
		(void)fclose(f);
	return value;
}

static int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -1; /* the folder's own */

	while (dir && readdir(dir))
		n++;
	if (dir)
		(void)closedir(dir);
	return n;
}

/* Also those without an exit signal. */
static bool has_children(void)
{
	return waitpid(-1, NULL, WNOHANG | __WALL) >= 0 || errno != ECHILD;
}

static void tell(const char *when)
{
	printf("%s %ld %d %d\n", when, resident_kib(), descriptors(), has_children());
	(void)fflush(stdout);
}

static int login(const char *service, const char *user)
{
	const struct pam_conv conv = { .conv = converse };
	pam_handle_t *pamh = NULL;
	int code = pam_start(service, user, &conv, &pamh);

	if (code == PAM_SUCCESS)
		code = pam_authenticate(pamh, 0);
	if (code == PAM_SUCCESS)
		code = pam_setcred(pamh, PAM_ESTABLISH_CRED);
	if (code == PAM_SUCCESS && !pam_getenv(pamh, "IBMIAM_TOKEN"))
		code = PAM_CRED_UNAVAIL;
	(void)pam_end(pamh, code);
	return code;
}

static bool logins(const char *service, const char *user, int count)
{
	for (int i = 0; i < count; i++) {
		double begun = now_s();
		int code = login(service, user);

		if (code != PAM_SUCCESS) {
			(void)fprintf(stderr, "login %d: PAM code %d\n", i, code);
			return false;
		}
		printf("login %.6f\n", now_s() - begun);
	}
	return true;
}

int main(int argc, char **argv)
{
	int warm_up = argc == 5 ? atoi(argv[3]) : 0, count = argc == 5 ? atoi(argv[4]) : 0;

	if (count <= 0 || warm_up <= 0 || !fgets(key, sizeof key, stdin))
		return 2;
	key[strcspn(key, "\n")] = '\0';
	if (!logins(argv[1], argv[2], warm_up))
		return 1;
	tell("warm");
	if (!logins(argv[1], argv[2], count))
		return 1;
	tell("end");
	return 0;
}
