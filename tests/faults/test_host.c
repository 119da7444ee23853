/*
 * The host's side while memory, descriptors and system calls fail, one at a time: the client
 * with its keeper and broker, and the module under a real libpam.  A login fails with a
 * reason or is as good as any; a session has the whole environment or none of it.
 */
#include "sweep.h"

#include <poll.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <sys/un.h>

#include "client.h"
#include "wire.h"

#define KEY "0123456789-0123456789-0123456789-0123456789a"

/* The broker's reply as it stands on the wire. */
static const char welcome[] = "\1\2"
	"\1\0\4\0\0\0\0\2\0\3ok\0" "\3\0\2i\0" "\4\0\2a\0" "\10\0\4\0\0\0\xc8\11\0\4\0\0\0\0"
	"\12\0\26FAULT1=token\0" "FAULT2=b\0";

/* The resident broker's, who calls himself r and holds the credential. */
#define REST "\10\0\4\0\0\0\xc8\11\0\4\0\0\0\0"
static const char greeting[] = "\1\4" "\1\0\0021\0";
static const char resident_welcome[] = "\1\2"
	"\1\0\4\0\0\0\0\2\0\3ok\0" "\3\0\2r\0" "\4\0\2a\0" REST
	"\12\0\26FAULT1=token\0" "FAULT2=b\0" "\14\0\0410123456789abcdef0123456789abcdef\0";
static const char done[] = "\1\2" "\1\0\4\0\0\0\0\2\0\3ok\0" "\3\0\2r\0" "\4\0\2a\0" REST;

static char *program;       /* the copy of this one */
static const char *service; /* the name of a file of pam.d */
static char *listens_at;    /* the resident broker's socket */
static int resident = -1;   /* it lives until this is shut down */
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

static void serve_one(int fd)
{
	char request[8192];

	(void)send(fd, greeting, sizeof greeting - 1, MSG_NOSIGNAL);
	if (recv(fd, request, sizeof request, 0) < 2)
		return;
	if (request[1] == 1)
		(void)send(fd, resident_welcome, sizeof resident_welcome - 1, MSG_NOSIGNAL);
	else
		(void)send(fd, done, sizeof done - 1, MSG_NOSIGNAL);
}

static _Noreturn void be_resident(int listening, int host)
{
	struct pollfd p[] = { { .fd = listening, .events = POLLIN }, { .fd = host, .events = POLLIN } };

	while (poll(p, 2, -1) >= 0 && !p[1].revents) {
		int fd = accept(listening, NULL, NULL);

		serve_one(fd);
		(void)close(fd);
	}
	_exit(0);
}

/* Nobody's child, because a sweep looks for children that are left. */
static void begin_resident(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), pair[2];
	pid_t pid;

	listens_at = unit_path("socket");
	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", listens_at);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(pair[0]);
		if (fork() == 0)
			be_resident(fd, pair[1]);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)close(fd);
	(void)close(pair[1]);
	resident = pair[0];
}

static void end_resident(void)
{
	char c;

	(void)shutdown(resident, SHUT_WR);
	(void)!read(resident, &c, 1); /* until it has gone */
	(void)close(resident);
	free(listens_at);
}

static enum sweep_outcome wrong(char why[2048], const char *text)
{
	(void)snprintf(why, 2048, "%s", text);
	return SWEEP_WRONG;
}

/* A one-shot broker's yes is as good, but it is not that of the resident one. */
static enum sweep_outcome judge_reply(const char *socket, const struct wire_reply *reply, char why[2048])
{
	bool is_resident = reply->iam_id && strcmp(reply->iam_id, "r") == 0;

	if (reply->result != IBMIAM_ALLOWED || reply->environment_len != 22 || (is_resident && !socket))
		return wrong(why, "another reply");
	if (is_resident == (socket != NULL))
		return SWEEP_RIGHT;
	(void)snprintf(why, 2048, "one-shot instead");
	return SWEEP_REFUSED;
}

static enum sweep_outcome ask_first(const char *socket, struct inject_plan plan, char why[2048])
{
	const struct client_broker broker = { program, "/welcome", socket };
	struct wire_request request = { .user = "alice", .service = "sshd", .key = KEY };
	struct client_fault fault = { .text = "" };
	struct wire_reply reply;
	SECRET_AUTO(buf);
	bool ok;

	inject_on(plan);
	ok = client_ask(&broker, &request, 20000, &buf, &reply, &fault);
	inject_off();
	(void)snprintf(why, 2048, "%s", fault.text);
	return ok ? judge_reply(socket, &reply, why) : SWEEP_REFUSED;
}

static enum sweep_outcome ask(struct inject_plan plan, char why[2048])
{
	return ask_first(NULL, plan, why);
}

static enum sweep_outcome ask_resident(struct inject_plan plan, char why[2048])
{
	return ask_first(listens_at, plan, why);
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

	if (pam_getenv(pamh, "PAM_IBMIAM_STASH") || (!first && pam_getenv(pamh, "IBMIAM_SESSION")))
		return 3;
	return (first && strcmp(first, "token") == 0 ? 1U : 0U) +
	       (second && strcmp(second, "b") == 0 ? 1U : 0U);
}

struct session {
	int authenticate, setcred, account, open, close, again;
	unsigned int after_setcred, after_open, after_close;
	bool held; /* there is an IBMIAM_SESSION */
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
		s->held = pam_getenv(pamh, "IBMIAM_SESSION") != NULL;
		s->close = pam_close_session(pamh, 0);
	}
	s->after_close = exported(pamh);
}

/* The whole environment, and what of the session there is beside it. */
static enum sweep_outcome judge_held(const struct session *s, char why[2048])
{
	bool is_resident = strstr(lines, "iam_id=r ") != NULL;
	bool wanted = strcmp(service, "faults") != 0;

	if (s->held && !is_resident)
		return wrong(why, "a session that no broker holds");
	if (is_resident && !s->held && !strstr(lines, "without IBMIAM_SESSION"))
		return wrong(why, "no session, and no word about it");
	if (s->held == wanted)
		return SWEEP_RIGHT;
	(void)snprintf(why, 2048, "allowed, but without the resident broker");
	return SWEEP_REFUSED;
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
		return judge_held(s, why);
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
		s.held = pam_getenv(pamh, "IBMIAM_SESSION") != NULL;
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
	const char *service;
	sweep_run run;
	enum inject_kind kind;
	int generation;
	unsigned int at_least;
} scenarios[] = {
	{ "client_ask", "faults", ask, INJECT_ERROR, 0, 9 },
	{ "client_ask, interrupted", "faults", ask, INJECT_INTERRUPT, 0, 4 },
	{ "client_ask, the keeper's calls", "faults", ask, INJECT_ERROR, 1, 10 },
	{ "client_ask, the keeper interrupted", "faults", ask, INJECT_INTERRUPT, 1, 3 },
	{ "client_ask, the calls before the broker", "faults", ask, INJECT_ERROR, 2, 20 },
	{ "module", "faults", log_in, INJECT_ERROR, 0, 26 },
	{ "module, interrupted", "faults", log_in, INJECT_INTERRUPT, 0, 4 },
	{ "module, the keeper's calls", "faults", log_in, INJECT_ERROR, 1, 10 },
	{ "module, a second login on the handle", "faults", log_in_twice, INJECT_ERROR, 0, 24 },
	{ "client_ask, resident", "faults", ask_resident, INJECT_ERROR, 0, 9 },
	{ "client_ask, resident, interrupted", "faults", ask_resident, INJECT_INTERRUPT, 0, 4 },
	{ "module, resident", "faults-resident", log_in, INJECT_ERROR, 0, 40 },
	{ "module, resident, interrupted", "faults-resident", log_in, INJECT_INTERRUPT, 0, 8 },
	{ "module, resident, a second login", "faults-resident", log_in_twice, INJECT_ERROR, 0, 40 },
};

static void fails_well(void **state)
{
	const struct scenario *s = *state;

	service = s->service;
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
	begin_resident();
	len = snprintf(text, sizeof text,
		       "auth required %s/pam_ibmiam.so config=/welcome broker=%s timeout=20\n"
		       "account required %s/pam_ibmiam.so\nsession required %s/pam_ibmiam.so\n",
		       self, program, self, self);
	unit_write("faults", 0644, text, (size_t)len);
	len = snprintf(text, sizeof text,
		       "auth required %s/pam_ibmiam.so config=/welcome broker=%s timeout=20 socket=%s\n"
		       "account required %s/pam_ibmiam.so\nsession required %s/pam_ibmiam.so\n",
		       self, program, listens_at, self, self);
	unit_write("faults-resident", 0644, text, (size_t)len);
	return 0;
}

static int remove_service(void **state)
{
	end_resident();
	free(program);
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
