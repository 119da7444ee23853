/*
 * The host's side while memory, descriptors and system calls fail, one at a time: the client
 * with its keeper and broker, and the module under a real libpam.  A login fails with a
 * reason or is as good as any; a session has the whole environment or none of it.
 */
#include "sweep.h"

#include <pwd.h>
#include <security/pam_appl.h>

#include "client.h"
#include "wire.h"

#define KEY "0123456789-0123456789-0123456789-0123456789a"

/* The broker's reply as it stands on the wire. */
static const char welcome[] = "\1\2"
	"\1\0\4\0\0\0\0\2\0\3ok\0" "\3\0\2i\0" "\4\0\2a\0" "\10\0\4\0\0\0\xc8\11\0\4\0\0\0\0"
	"\12\0\26FAULT1=token\0" "FAULT2=b\0";

static char *program, *service; /* the copy of this one; the name of a file of pam.d */
static char lines[8192];        /* of the module's log */

__attribute__((visibility("default"))) void sweep_log(const char *line);
void sweep_log(const char *line)
{
	size_t len = strlen(lines);

	(void)snprintf(lines + len, sizeof lines - len, "%s\n", line);
}

static int be_broker(void)
{
	char request[8192];

	if (recv(STDIN_FILENO, request, sizeof request, 0) <= 0)
		return EXIT_FAILURE;
	return send(STDIN_FILENO, welcome, sizeof welcome - 1, MSG_NOSIGNAL) > 0 ? EXIT_SUCCESS
									       : EXIT_FAILURE;
}

static enum sweep_outcome wrong(char why[2048], const char *text)
{
	(void)snprintf(why, 2048, "%s", text);
	return SWEEP_WRONG;
}

static enum sweep_outcome ask(struct inject_plan plan, char why[2048])
{
	const struct client_broker broker = { program, "/welcome", NULL };
	struct wire_request request = { .user = "alice", .service = "sshd", .key = KEY };
	struct client_fault fault = { .text = "" };
	struct wire_reply reply;
	SECRET_AUTO(buf);
	bool ok;

	inject_on(plan);
	ok = client_ask(&broker, &request, 20000, &buf, &reply, &fault);
	inject_off();
	(void)snprintf(why, 2048, "%s", fault.text);
	if (!ok)
		return SWEEP_REFUSED;
	return reply.result == IBMIAM_ALLOWED && reply.environment_len == 22 &&
			       strcmp(reply.iam_id, "i") == 0
		       ? SWEEP_RIGHT
		       : wrong(why, "another reply");
}

static int converse(int count, const struct pam_message **messages, struct pam_response **ret,
		    void *data)
{
	(void)messages;
	(void)data;
	*ret = calloc((size_t)count, sizeof **ret);
	if (!*ret)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++) {
		(*ret)[i].resp = strdup(KEY);
		if (!(*ret)[i].resp) {
			while (i-- > 0)
				free((*ret)[i].resp);
			free(*ret);
			*ret = NULL;
			return PAM_BUF_ERR;
		}
	}
	return PAM_SUCCESS;
}

/* How many of the two variables there are; more than two for anything else of ours. */
static unsigned int exported(pam_handle_t *pamh)
{
	const char *first = pam_getenv(pamh, "FAULT1"), *second = pam_getenv(pamh, "FAULT2");

	if (pam_getenv(pamh, "PAM_IBMIAM_STASH"))
		return 3;
	return (first && strcmp(first, "token") == 0 ? 1U : 0U) +
	       (second && strcmp(second, "b") == 0 ? 1U : 0U);
}

struct session {
	int authenticate, setcred, account, open, close, again;
	unsigned int after_setcred, after_open, after_close;
};

static void log_in_and_out(pam_handle_t *pamh, struct session *s)
{
	s->authenticate = pam_authenticate(pamh, 0);
	if (s->authenticate == PAM_SUCCESS) {
		s->account = pam_acct_mgmt(pamh, 0);
		s->setcred = pam_setcred(pamh, PAM_ESTABLISH_CRED);
		s->after_setcred = exported(pamh);
		s->open = pam_open_session(pamh, 0);
		s->after_open = exported(pamh);
		s->close = pam_close_session(pamh, 0);
	}
	s->after_close = exported(pamh);
}

static enum sweep_outcome judge(const struct session *s, char why[2048])
{
	const char *reason = strstr(lines, "reason=");

	if (s->after_close != 0)
		return wrong(why, "something is left after the session");
	if (s->authenticate != PAM_SUCCESS) {
		(void)snprintf(why, 2048, "%.2000s", reason ? reason : strstr(lines, "failed") ? lines : "");
		return strstr(lines, "allowed user=") ? wrong(why, "the log says yes") : SWEEP_REFUSED;
	}
	if (s->account != PAM_SUCCESS || s->setcred != PAM_SUCCESS || s->open != PAM_SUCCESS ||
	    s->close != PAM_SUCCESS || !reason || !strstr(lines, "allowed user="))
		return wrong(why, "allowed, but the session fails");
	if (s->after_setcred == 2 && s->after_open == 2)
		return SWEEP_RIGHT;
	if (s->after_setcred == 0 && s->after_open == 0 && strstr(lines, "could not be exported")) {
		(void)snprintf(why, 2048, "allowed without a token, and logged");
		return SWEEP_REFUSED;
	}
	return wrong(why, "half an environment, or none without a word");
}

static enum sweep_outcome log_in(struct inject_plan plan, char why[2048])
{
	const struct pam_conv conversation = { .conv = converse };
	const struct passwd *pw = getpwuid(geteuid());
	struct session s = { 0 };
	pam_handle_t *pamh = NULL;

	lines[0] = '\0';
	if (!pw || pam_start_confdir(service, pw->pw_name, &conversation, unit_folder, &pamh) !=
			   PAM_SUCCESS)
		return wrong(why, "no PAM");
	inject_on(plan);
	log_in_and_out(pamh, &s);
	inject_off();
	(void)pam_end(pamh, s.authenticate);
	if (strstr(lines, KEY) || strstr(lines, "token\n"))
		return wrong(why, "the log holds a secret");
	return judge(&s, why);
}

/* The host asks for a name at first, and the module knows no key yet. */
static enum sweep_outcome log_in_twice(struct inject_plan plan, char why[2048])
{
	const struct pam_conv conversation = { .conv = converse };
	const struct passwd *pw = getpwuid(geteuid());
	struct session s = { 0 };
	pam_handle_t *pamh = NULL;

	lines[0] = '\0';
	if (!pw || pam_start_confdir(service, pw->pw_name, &conversation, unit_folder, &pamh) !=
			   PAM_SUCCESS)
		return wrong(why, "no PAM");
	if (pam_authenticate(pamh, 0) != PAM_SUCCESS ||
	    pam_setcred(pamh, PAM_ESTABLISH_CRED) != PAM_SUCCESS) {
		(void)pam_end(pamh, 0);
		return wrong(why, "the first login fails");
	}
	lines[0] = '\0';
	inject_on(plan);
	s.authenticate = pam_authenticate(pamh, 0);
	if (s.authenticate == PAM_SUCCESS) {
		s.account = pam_acct_mgmt(pamh, 0);
		s.setcred = pam_setcred(pamh, PAM_REINITIALIZE_CRED);
		s.after_setcred = s.after_open = exported(pamh);
		s.close = pam_setcred(pamh, PAM_DELETE_CRED);
		s.after_close = exported(pamh);
	} else if (pam_acct_mgmt(pamh, 0) == PAM_SUCCESS) {
		s.after_close = 4; /* the first yes has outlived the second no */
	}
	inject_off();
	(void)pam_end(pamh, s.authenticate);
	return judge(&s, why);
}

static const struct scenario {
	const char *name;
	sweep_run run;
	enum inject_kind kind;
	int generation;
	unsigned int at_least;
} scenarios[] = {
	{ "client_ask", ask, INJECT_ERROR, 0, 12 },
	{ "client_ask, interrupted", ask, INJECT_INTERRUPT, 0, 4 },
	{ "client_ask, the keeper's calls", ask, INJECT_ERROR, 1, 10 },
	{ "client_ask, the keeper interrupted", ask, INJECT_INTERRUPT, 1, 3 },
	{ "client_ask, the calls before the broker", ask, INJECT_ERROR, 2, 20 },
	{ "module", log_in, INJECT_ERROR, 0, 30 },
	{ "module, interrupted", log_in, INJECT_INTERRUPT, 0, 4 },
	{ "module, the keeper's calls", log_in, INJECT_ERROR, 1, 10 },
	{ "module, a second login on the handle", log_in_twice, INJECT_ERROR, 0, 30 },
};

static void fails_well(void **state)
{
	const struct scenario *s = *state;

	(void)sweep(s->name, s->run, s->kind, s->generation, s->at_least);
}

/* The module lies beside this program. */
static int make_service(void **state)
{
	char self[512], text[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int len;

	if (n < 0 || unit_folder_make(state) != 0)
		return -1;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	program = unit_broker_make(0700);
	service = strdup("faults");
	len = snprintf(text, sizeof text,
		       "auth required %s/pam_ibmiam.so config=/welcome broker=%s timeout=20\n"
		       "account required %s/pam_ibmiam.so\nsession required %s/pam_ibmiam.so\n",
		       self, program, self, self);
	unit_write("faults", 0644, text, (size_t)len);
	return 0;
}

static int remove_service(void **state)
{
	free(program);
	free(service);
	return unit_folder_remove(state);
}

int main(int argc, char **argv)
{
	struct unit_suite s = { .setup = make_service, .teardown = remove_service };

	if (unit_broker_name(argc, argv))
		return be_broker();
	sweep_begin(argv);
	UNIT_ROWS(&s, fails_well, scenarios);
	return unit_run(&s, "faults in a host");
}
