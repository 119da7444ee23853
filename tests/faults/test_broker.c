/*
 * The broker's parts while memory, files and libraries fail, one call at a time: whoever is
 * let in is let in rightly, every refusal has a reason, and nothing is left behind.
 */
#include "sweep_world.h"

#include <curl/curl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "deadline.h"
#include "decision.h"
#include "iam_message.h"
#include "memory.h"
#include "sandbox.h"
#include "token.h"
#include "unit_decide.h"

static enum sweep_outcome load(struct inject_plan plan, char why[2048])
{
	struct config c = { 0 };
	char *path = unit_path("ibmiam.conf");
	bool ok, same;
	char *text;

	inject_on(plan);
	ok = config_load(path, &c, why, 2048);
	inject_off();
	free(path);
	if (!ok) {
		if (strstr(why, UNIT_SECRET) || strstr(why, DIRECTORY_KEY) || strchr(why, '\n'))
			return wrong(why, "the message holds a secret or a second line");
		return c.store ? wrong(why, "refused, but the struct is filled") : SWEEP_REFUSED;
	}
	text = unit_config_text(&c);
	same = strcmp(text, good_text) == 0;
	free(text);
	config_free(&c);
	return same ? SWEEP_RIGHT : wrong(why, "half a configuration is taken for a whole one");
}

/* A wrong file: a failure must not make it a right one. */
static enum sweep_outcome load_bad(struct inject_plan plan, char why[2048])
{
	struct config c = { 0 };
	char *path = unit_path("ibmiam.conf");
	bool ok;

	unit_write("ibmiam.conf.d/30.conf", 0600, UNIT_BYTES("user carol { iam_ids = { \"x\" "));
	inject_on(plan);
	ok = config_load(path, &c, why, 2048);
	inject_off();
	free(path);
	path = unit_path("ibmiam.conf.d/30.conf");
	(void)unlink(path);
	free(path);
	if (ok)
		return wrong(why, "a broken file was accepted");
	return strstr(why, "30.conf:1: ") ? SWEEP_RIGHT : SWEEP_REFUSED;
}

static enum sweep_outcome decide(struct inject_plan plan, char why[2048])
{
	static const struct wire_request request = { .user = "alice", .service = "sshd",
						     .key = KEY, .uid = 1000 };
	struct iam *iam = iam_new(NULL);
	struct decision d;
	enum sweep_outcome outcome;

	inject_on(plan);
	unit_decide(&d, iam, &good, &request, deadline_now_ms() + 5000);
	inject_off();
	outcome = judge(&d.reply, why);
	decision_free(&d);
	iam_free(iam);
	return outcome;
}

/* Not this user's key: no failure may let it in. */
static enum sweep_outcome decide_no(struct inject_plan plan, char why[2048])
{
	static const struct wire_request request = { .user = "bob", .service = "sshd",
						     .key = KEY, .uid = 1000 };
	struct iam *iam = iam_new(NULL);
	struct decision d;
	enum sweep_outcome outcome;

	inject_on(plan);
	unit_decide(&d, iam, &good, &request, deadline_now_ms() + 5000);
	inject_off();
	outcome = judge(&d.reply, why);
	if (d.reply.result == IBMIAM_DENIED && outcome == SWEEP_REFUSED)
		outcome = SWEEP_RIGHT;
	else if (d.reply.result == IBMIAM_ALLOWED)
		outcome = wrong(why, "allowed with another's key");
	decision_free(&d);
	iam_free(iam);
	return outcome;
}

static enum sweep_outcome read_token(struct inject_plan plan, char why[2048])
{
	struct token t = { 0 };
	const char *fault;
	bool right;

	inject_on(plan);
	fault = token_read(body, strlen(body), &t);
	inject_off();
	if (fault) {
		(void)snprintf(why, 2048, "%s", fault);
		return t.access_token.data || t.iam_id[0] ? wrong(why, "refused, but filled")
							  : SWEEP_REFUSED;
	}
	right = strcmp(t.access_token.data, good_token) == 0 && strcmp(t.iam_id, IAM_ID) == 0 &&
		strcmp(t.account, UNIT_ACCOUNT) == 0 && t.expiration == 4102444800;
	token_free(&t);
	return right ? SWEEP_RIGHT : wrong(why, "half a token");
}

static bool same_lines(const struct curl_slist *list)
{
	static const char *const lines[] = {
		"Accept: application/json", "X-Correlation-ID: id",
		"Content-Type: application/x-www-form-urlencoded", "Expect:",
		"ibm-cloud-tenant: " UNIT_ACCOUNT "," UNIT_ACCOUNT2,
	};
	size_t n = 0;

	for (; list; list = list->next)
		if (n == UNIT_LEN(lines) || strcmp(list->data, lines[n++]) != 0)
			return false;
	return n == UNIT_LEN(lines);
}

static enum sweep_outcome make_message(struct inject_plan plan, char why[2048])
{
	const struct iam_question question = { .kind = IAM_TOKEN, .api_key = "k \xc3\xbc" };
	static const char want[] = "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant%2Dtype%3Aapikey"
		"&apikey=k%20%C3%BC&response_type=cloud%5Fiam&scope=a%20b";
	struct curl_slist *headers;
	char uuid[IAM_UUID_LEN + 1] = "";
	bool has_form, has_uuid, right;
	SECRET_AUTO(form);

	inject_on(plan);
	has_uuid = iam_message_uuid(uuid);
	has_form = iam_message_form(&good, &question, &form);
	headers = iam_message_headers(&good, &question, "id");
	inject_off();
	right = (!has_uuid || strlen(uuid) == IAM_UUID_LEN) && (!headers || same_lines(headers)) &&
		(!has_form || (form.len == sizeof want - 1 && memcmp(form.data, want, form.len) == 0));
	(void)snprintf(why, 2048, "no memory");
	if (right && has_uuid && has_form && headers) {
		curl_slist_free_all(headers);
		return SWEEP_RIGHT;
	}
	curl_slist_free_all(headers);
	return right ? SWEEP_REFUSED : wrong(why, "half a message");
}

/* The real client and the real libcurl; nobody listens. */
static bool ask_nobody(const struct iam_question *question, struct iam_answer *answer)
{
	struct iam *iam = iam_new(NULL);
	bool answered = false;

	if (!iam)
		return false;
	if (__real_iam_begin(iam, &good, question, deadline_now_ms() + 5000, answer, unit_answered, &answered))
		while (!answered)
			__real_iam_wait(iam, -1, 1000);
	iam_free(iam);
	return true;
}

static enum sweep_outcome ask_iam(struct inject_plan plan, char why[2048])
{
	const struct iam_question question = { .kind = IAM_TOKEN, .api_key = KEY };
	struct iam_answer answer = { 0 };
	enum sweep_outcome outcome = SWEEP_REFUSED;
	bool asked;

	inject_on(plan);
	asked = ask_nobody(&question, &answer);
	inject_off();
	(void)snprintf(why, 2048, "%s", asked ? answer.fault : "no client");
	if (answer.http_status != 0 || answer.body.len != 0)
		outcome = wrong(why, "an answer of nobody's");
	else if (asked && answer.fault_result != IBMIAM_UNAVAILABLE &&
		 answer.fault_result != IBMIAM_BROKER_ERROR)
		outcome = wrong(why, "neither an outage nor this host's trouble");
	else if (strstr(why, KEY) || strstr(why, UNIT_SECRET))
		outcome = wrong(why, "the reason holds a secret");
	else if (strstr(why, "(curl 7)"))
		outcome = SWEEP_RIGHT; /* refused connection */
	iam_answer_free(&answer);
	return outcome;
}

/* Each message there and back, in memory that may not be had. */
static enum sweep_outcome send_around(struct inject_plan plan, char why[2048])
{
	const struct wire_reply sent = { .reason = "ok", .iam_id = "i", .account = "a",
					 .environment = "A=1\0B=2", .environment_len = 8 };
	struct wire_reply got;
	enum sweep_outcome outcome = SWEEP_REFUSED;
	SECRET_AUTO(message);
	SECRET_AUTO(copy);

	inject_on(plan);
	(void)snprintf(why, 2048, "no memory");
	if (secret_init(&message, WIRE_MESSAGE_MAX) && secret_init(&copy, WIRE_MESSAGE_MAX)) {
		outcome = wire_encode(&wire_reply_message, &sent, &message) ||
				  !secret_append(&copy, message.data, message.len) ||
				  wire_decode(&wire_reply_message, copy.data, copy.len, &got) ||
				  got.environment_len != 8 || strcmp(got.account, "a") != 0
			? wrong(why, "not the same")
			: SWEEP_RIGHT;
		for (size_t len = 0; len < message.len && outcome == SWEEP_RIGHT; len++)
			if (!wire_decode(&wire_reply_message, copy.data, len, &got) &&
			    len < message.len - 11) /* its last field, the environment, is optional */
				outcome = wrong(why, "a part is taken for the whole");
	}
	inject_off();
	return outcome;
}

/* What a process has really given up. */
struct confined {
	bool ok, landlock, seccomp, cores;
	char note[SANDBOX_NOTE_MAX], why[512];
};

static void confine(struct confined *c)
{
	const struct sandbox_needs needs = { .port = 443 };
	struct rlimit core = { 1, 1 };

	c->ok = sandbox_enter(&needs, c->note, c->why, sizeof c->why);
	inject_off();
	(void)getrlimit(RLIMIT_CORE, &core);
	c->cores = core.rlim_max != 0;
	c->landlock = open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES;
	/* Last, as the filter forbids to ask. */
	c->seccomp = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) < 0 && errno == ENOSYS;
}

/* May this process be root in any way, or gain anything by a program? */
static bool is_privileged(pid_t pid)
{
	unsigned int uid[4] = { 0 }, no_new = 0;
	char path[64], line[256];
	FILE *status;

	(void)snprintf(path, sizeof path, "/proc/%d/status", pid);
	status = fopen(path, "re");
	assert_non_null(status);
	while (fgets(line, sizeof line, status)) {
		(void)sscanf(line, "Uid: %u %u %u %u", &uid[0], &uid[1], &uid[2], &uid[3]);
		(void)sscanf(line, "NoNewPrivs: %u", &no_new);
	}
	(void)fclose(status);
	return no_new != 1 ||
	       (geteuid() == 0 && (!uid[0] || !uid[1] || !uid[2] || !uid[3]));
}

/* In a child, whose calls fail. */
static enum sweep_outcome enter_sandbox(struct inject_plan plan, char why[2048])
{
	static char usual[SANDBOX_NOTE_MAX]; /* what this kernel does not offer anyway */
	static bool known;
	struct confined c = { 0 };
	bool privileged;
	char end;
	int fd[2], status = 0;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	inject_on(plan);
	pid = fork();
	if (pid == 0) {
		(void)close(fd[0]);
		confine(&c);
		_exit(write(fd[1], &c, sizeof c) == (ssize_t)sizeof c && read(fd[1], &end, 1) == 0 ? 0 : 1);
	}
	inject_off();
	(void)close(fd[1]);
	if (recv(fd[0], &c, sizeof c, MSG_WAITALL) != (ssize_t)sizeof c)
		c.ok = false;
	privileged = is_privileged(pid);
	(void)close(fd[0]);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return wrong(why, "it died");
	(void)snprintf(why, 2048, "%s", c.ok ? c.note : c.why);
	if (!c.ok)
		return SWEEP_REFUSED;
	if (privileged)
		return wrong(why, "root, or a way back to it, is kept");
	if (c.cores)
		return wrong(why, "it may leave a core");
	if ((!c.landlock && !strstr(c.note, "Landlock")) || (!c.seccomp && !strstr(c.note, "seccomp")))
		return wrong(why, "a layer is missing without a word");
	if (!known)
		(void)snprintf(usual, sizeof usual, "%s", c.note);
	known = true;
	return strcmp(c.note, usual) == 0 ? SWEEP_RIGHT : SWEEP_REFUSED;
}

/* What memory.c gives to libcurl and cJSON, kept by the wraps of their initialisation. */
static void gives_back_wiped_blocks(void **state)
{
	const struct sweep_allocators *a = &sweep_allocators;
	char *p = a->malloc(100), *q;

	(void)state;
	assert_non_null(p);
	memset(p, 'k', 100);
	a->free(p);
	assert_int_equal(sweep_freed_unwiped(), 0);
	p = a->malloc(100);
	assert_non_null(p);
	memset(p, 'k', 100);
	q = a->realloc(p, 5000);
	assert_non_null(q);
	assert_int_equal(sweep_freed_unwiped(), 0);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(q[i], 'k');
	assert_ptr_equal(a->realloc(q, 50), q);
	memset(q, 'k', 5000);
	a->json_free(q);
	assert_int_equal(sweep_freed_unwiped(), 0);
	a->free(NULL);
	p = a->malloc(100); /* the wrap itself is there */
	assert_non_null(p);
	*(volatile char *)p = 'k';
	free(p);
	assert_true(sweep_freed_unwiped() > 0);
}

static const struct scenario {
	const char *name;
	sweep_run run;
	enum inject_kind kind;
	int generation;
	unsigned int at_least;
} scenarios[] = {
	{ "config_load", load, INJECT_ERROR, 0, 15 },
	{ "config_load, interrupted", load, INJECT_INTERRUPT, 0, 2 },
	{ "config_load of a broken file", load_bad, INJECT_ERROR, 0, 15 },
	{ "decision", decide, INJECT_ERROR, 0, 35 },
	{ "decision about another's key", decide_no, INJECT_ERROR, 0, 35 },
	{ "token_read", read_token, INJECT_ERROR, 0, 30 },
	{ "iam_message", make_message, INJECT_ERROR, 0, 7 },
	{ "iam_begin", ask_iam, INJECT_ERROR, 0, 50 },
	{ "sandbox_enter", enter_sandbox, INJECT_ERROR, 1, 100 },
	{ "wire", send_around, INJECT_ERROR, 0, 4 },
};

static void fails_well(void **state)
{
	const struct scenario *s = *state;

	(void)sweep(s->name, s->run, s->kind, s->generation, s->at_least);
}

int main(int argc, char **argv)
{
	struct unit_suite s = { .setup = make_files, .teardown = remove_files };

	(void)argc;
	sweep_begin(argv);
	if (!memory_init_libraries())
		return EXIT_FAILURE;
	UNIT_TEST(&s, gives_back_wiped_blocks);
	UNIT_ROWS(&s, fails_well, scenarios);
	return unit_run(&s, "faults in the broker");
}
