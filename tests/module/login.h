/*
 * Logging in, for hosts that do it under circumstances: the key comes from standard input,
 * and what the host finds afterwards is said as facts, which the test judges.
 *   PROGRAM CONFDIR SERVICE USER SCENARIO [ARGUMENT...]
 */
#ifndef TESTS_MODULE_LOGIN_H
#define TESTS_MODULE_LOGIN_H

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "host.h"

struct scenario {
	const char *name;
	void (*play)(char **args);
};

static const char *confdir, *service, *user;
static char key[4096];

static inline _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(2);
}

static inline void fact(const char *name, int64_t value)
{
	event_number("fact", name, value);
}

static inline int converse(int n, const struct pam_message **m, struct pam_response **ret, void *data)
{
	struct pam_response *answers = calloc((size_t)n, sizeof *answers);

	(void)data;
	for (int i = 0; answers && i < n; i++)
		if (m[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			answers[i].resp = strdup(key);
	*ret = answers;
	return answers ? PAM_SUCCESS : PAM_BUF_ERR;
}

static inline pam_handle_t *start(void)
{
	static const struct pam_conv conversation = { converse, NULL };
	pam_handle_t *pamh = NULL;

	if (pam_start_confdir(service, user, &conversation, confdir, &pamh) != PAM_SUCCESS)
		die("pam_start");
	return pamh;
}

static inline void end(pam_handle_t *pamh)
{
	if (pam_end(pamh, PAM_SUCCESS) != PAM_SUCCESS)
		die("pam_end");
}

static inline int authenticate(pam_handle_t *pamh)
{
	int64_t begin = now_ms();
	int code = pam_authenticate(pamh, 0);
	char elapsed[24];

	(void)snprintf(elapsed, sizeof elapsed, "%lld", (long long)(now_ms() - begin));
	event("call", "authenticate", code_name(code), elapsed, NULL);
	return code;
}

/* All calls of a session's life; the code of the first that fails. */
static inline int session(pam_handle_t *pamh)
{
	int code = pam_authenticate(pamh, 0);

	if (code == PAM_SUCCESS)
		code = pam_acct_mgmt(pamh, 0);
	if (code == PAM_SUCCESS)
		code = pam_setcred(pamh, PAM_ESTABLISH_CRED);
	if (code == PAM_SUCCESS)
		code = pam_open_session(pamh, 0);
	if (code == PAM_SUCCESS)
		code = pam_close_session(pamh, 0);
	if (code == PAM_SUCCESS)
		code = pam_setcred(pamh, PAM_DELETE_CRED);
	return code;
}

static inline void log_in_once(void)
{
	pam_handle_t *pamh = start();

	(void)authenticate(pamh);
	end(pamh);
}

/* A child of any kind, the keeper's too, would be found. */
static inline bool has_children(void)
{
	return waitid(P_ALL, 0, &(siginfo_t){ 0 }, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 ||
	       errno != ECHILD;
}

/* Plays the scenario that the command line names; the table ends with an empty name. */
static inline int play(const struct scenario *scenarios, int argc, char **argv)
{
	if (argc < 5) {
		(void)fprintf(stderr, "usage: %s CONFDIR SERVICE USER SCENARIO [ARGUMENT...]\n", argv[0]);
		return 2;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing of a test outlives it */
	event_open();
	confdir = argv[1];
	service = argv[2];
	user = argv[3];
	for (size_t n = 0; n < sizeof key - 1 && read(STDIN_FILENO, key + n, 1) == 1 && key[n]; n++)
		;
	for (; scenarios->name; scenarios++) {
		if (strcmp(scenarios->name, argv[4]) == 0) {
			scenarios->play(argv + 5);
			return 0;
		}
	}
	errno = EINVAL;
	die(argv[4]);
}

#endif
