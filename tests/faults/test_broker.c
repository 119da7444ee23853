/*
 * The broker's parts while memory, files and libraries fail, one call at a time: whoever is
 * let in is let in rightly, every refusal has a reason, and nothing is left behind.
 */
#include "unit_config.h"

#include "sweep.h"

#include <curl/curl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base64url.h"
#include "deadline.h"
#include "decision.h"
#include "iam_message.h"
#include "memory.h"
#include "sandbox.h"
#include "sweep_iam.h"
#include "token.h"

#define KEY "0123456789-0123456789-0123456789-0123456789a"
#define IAM_ID "IBMid-550000ABCD"
#define MAIN_FILE                                                                                   \
	"endpoint = \"https://127.0.0.1:1/identity/token/\"\naccounts = { \"" UNIT_ACCOUNT "\" }\n" \
	"client_id = \"me\"\nclient_secret = \"" UNIT_SECRET "\"\nscope = \"a b\"\n"                \
	"user alice { iam_ids = { \"" IAM_ID "\" } }\n"
#define SECOND_FILE                                                                  \
	"accounts += { \"" UNIT_ACCOUNT2 "\" }\nissuer = { \"https://iss.example\" }\n" \
	"user bob { iam_ids = { \"IBMid-2\" } services = { \"sshd\" } }\n"
#define CLAIMS                                                                           \
	"{\"iam_id\":\"" IAM_ID "\",\"iss\":\"https://iss.example\",\"exp\":4102444800," \
	"\"account\":{\"valid\":true,\"bss\":\"" UNIT_ACCOUNT "\"},\"amr\":[\"pwd\"]}"

static struct config good;       /* loaded while nothing failed */
static char *good_text;          /* what it holds */
static char body[4096];          /* IAM's answer */
static char good_token[2048];    /* in it */

static int make_files(void **state)
{
	struct secret jwt = { 0 };
	char why[2048];

	if (unit_folder_make(state) != 0)
		return -1;
	unit_write("ibmiam.conf", 0600, UNIT_BYTES(MAIN_FILE));
	unit_mkdir("ibmiam.conf.d", 0700);
	unit_write("ibmiam.conf.d/10.conf", 0600, UNIT_BYTES(SECOND_FILE));
	unit_write("ibmiam.conf.d/20.conf", 0600, "", 0);
	if (!unit_config_load(&good, why))
		return -1;
	good_text = unit_config_text(&good);
	if (!secret_init(&jwt, 2048) || !secret_append(&jwt, UNIT_BYTES("e30.")) ||
	    !base64url_encode(UNIT_BYTES(CLAIMS), &jwt) ||
	    !secret_append(&jwt, ".c2lnbmF0dXJl", sizeof ".c2lnbmF0dXJl"))
		return -1;
	(void)snprintf(good_token, sizeof good_token, "%s", jwt.data);
	secret_free(&jwt);
	(void)snprintf(body, sizeof body, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\","
		       "\"expiration\":4102444800}", good_token);
	return 0;
}

static int remove_files(void **state)
{
	config_free(&good);
	free(good_text);
	return unit_folder_remove(state);
}

bool sweep_iam_answer(const char *key, struct iam_answer *ret)
{
	*ret = (struct iam_answer){ .fault_result = IBMIAM_UNAVAILABLE, .fault = "no answer" };
	if (strcmp(key, KEY) != 0 || !secret_init(&ret->body, IAM_BODY_MAX) ||
	    !secret_append(&ret->body, body, strlen(body)))
		return false;
	ret->http_status = 200;
	return true;
}

static enum sweep_outcome wrong(char why[2048], const char *text)
{
	(void)snprintf(why, 2048, "%s", text);
	return SWEEP_WRONG;
}

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
		if (strstr(why, UNIT_SECRET) || strchr(why, '\n'))
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

static bool has(const struct wire_reply *r, const char *entry)
{
	for (const char *e = NULL;
	     (e = wire_list_next(r->environment, r->environment_len, e)) != NULL;)
		if (strcmp(e, entry) == 0)
			return true;
	return false;
}

/* Everything that a host would act on. */
static enum sweep_outcome judge(const struct wire_reply *r, char why[2048])
{
	char bearer[2100], token[2100];
	SECRET_AUTO(message);
	unsigned int entries = 0;

	(void)snprintf(why, 2048, "%s", r->reason ? r->reason : "");
	if (!secret_init(&message, WIRE_MESSAGE_MAX) ||
	    wire_encode(&wire_reply_message, r, &message))
		return wrong(why, "the reply cannot be sent");
	if (strstr(why, KEY) || strstr(why, good_token))
		return wrong(why, "the reason holds a secret");
	if (r->result != IBMIAM_ALLOWED)
		return r->environment ? wrong(why, "refused, but with an environment") : SWEEP_REFUSED;
	for (const char *e = NULL; (e = wire_list_next(r->environment, r->environment_len, e));)
		entries++;
	(void)snprintf(bearer, sizeof bearer, "IC_IAM_TOKEN=Bearer %s", good_token);
	(void)snprintf(token, sizeof token, "IBMIAM_TOKEN=%s", good_token);
	if (!has(r, bearer) || !has(r, token) || !has(r, "IBMIAM_IAM_ID=" IAM_ID) ||
	    !has(r, "IBMIAM_ACCOUNT_ID=" UNIT_ACCOUNT) ||
	    !has(r, "IBMIAM_TOKEN_EXPIRATION=4102444800") || entries != 5 ||
	    strcmp(r->iam_id, IAM_ID) != 0 || strcmp(r->account, UNIT_ACCOUNT) != 0 ||
	    r->http_status != 200 || r->export_to != WIRE_EXPORT_OWN)
		return wrong(why, "allowed, but not rightly");
	return SWEEP_RIGHT;
}

static enum sweep_outcome decide(struct inject_plan plan, char why[2048])
{
	static const struct wire_request request = { .user = "alice", .service = "sshd",
						     .key = KEY, .uid = 1000 };
	struct decision d;
	enum sweep_outcome outcome;

	inject_on(plan);
	decision_make(&d, &good, &request, -1, deadline_now_ms() + 5000);
	inject_off();
	outcome = judge(&d.reply, why);
	decision_free(&d);
	return outcome;
}

/* Not this user's key: no failure may let it in. */
static enum sweep_outcome decide_no(struct inject_plan plan, char why[2048])
{
	static const struct wire_request request = { .user = "bob", .service = "sshd",
						     .key = KEY, .uid = 1000 };
	struct decision d;
	enum sweep_outcome outcome;

	inject_on(plan);
	decision_make(&d, &good, &request, -1, deadline_now_ms() + 5000);
	inject_off();
	outcome = judge(&d.reply, why);
	if (d.reply.result == IBMIAM_DENIED && outcome == SWEEP_REFUSED)
		outcome = SWEEP_RIGHT;
	else if (d.reply.result == IBMIAM_ALLOWED)
		outcome = wrong(why, "allowed with another's key");
	decision_free(&d);
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
		"Content-Type: application/x-www-form-urlencoded", "Accept: application/json",
		"Expect:", "X-Correlation-ID: id",
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
	static const char want[] = "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant%2Dtype%3Aapikey"
		"&apikey=k%20%C3%BC&response_type=cloud%5Fiam&scope=a%20b";
	struct curl_slist *headers;
	char uuid[IAM_UUID_LEN + 1] = "";
	bool has_form, has_uuid, right;
	SECRET_AUTO(form);

	inject_on(plan);
	has_uuid = iam_message_uuid(uuid);
	has_form = iam_message_form(&good, "k \xc3\xbc", &form);
	headers = iam_message_headers(&good, "id");
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
static enum sweep_outcome ask_iam(struct inject_plan plan, char why[2048])
{
	struct iam_answer answer;
	enum sweep_outcome outcome = SWEEP_REFUSED;
	int host[2];
	bool ok;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, host), 0);
	inject_on(plan);
	ok = __real_iam_request_token(&good, KEY, host[0], deadline_now_ms() + 5000, &answer);
	inject_off();
	(void)close(host[0]);
	(void)close(host[1]);
	(void)snprintf(why, 2048, "%s", answer.fault);
	if (ok || answer.http_status != 0 || answer.body.len != 0)
		outcome = wrong(why, "an answer of nobody's");
	else if (answer.fault_result != IBMIAM_UNAVAILABLE && answer.fault_result != IBMIAM_BROKER_ERROR)
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
	const struct sandbox_needs needs = { .port = { 443 } };
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
	{ "iam_request_token", ask_iam, INJECT_ERROR, 0, 50 },
	{ "iam_request_token, interrupted", ask_iam, INJECT_INTERRUPT, 0, 1 },
	{ "sandbox_enter", enter_sandbox, INJECT_ERROR, 1, 100 },
	{ "wire", send_around, INJECT_ERROR, 0, 6 },
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
