/*
 * Tokens that stay fresh, on clocks and with an IAM that the test sets (the linker sends their
 * calls here): IAM is asked when it is due and once for all who ask; while it cannot be asked
 * nobody loses a token that is still good; and when it says no, nobody gets one any more.
 */
#include "unit_config.h"

#include <sys/socket.h>
#include <time.h>

#include "base64url.h"
#include "iam.h"
#include "log.h"
#include "decision.h"
#include "renewal.h"
#include "server.h"

#define KEY "made-up-key-of-a-unit-test-0123456789"
#define HANDLE "00000000000000000000000000000001"
#define ISSUER "https://iam.cloud.ibm.com/identity"
#define CONFIG "accounts = { \"" UNIT_ACCOUNT "\" }\nuser alice { iam_ids = { \"IBMid-1\" } }\n"

enum { LIFE_S = 3600, START_S = 1700000000, BUDGET_MS = 5000 };

static struct server server;
static struct session *session;
static int64_t now_s, now_ms; /* the wall clock, and the monotonic one */
static int64_t behind_s; /* how late the wall clock is */
static char logged[2048]; /* the last line */
static char told[WIRE_REASON_MAX]; /* the last reason */

/* IAM. */
static struct {
	unsigned int asked;
	long http_status; /* 0: no answer */
	const char *body;
	struct iam_answer *answer;
	void (*done)(void *arg);
	void *arg;
} iam;

time_t __wrap_time(time_t *ret);
time_t __wrap_time(time_t *ret)
{
	if (ret)
		*ret = (time_t)now_s;
	return (time_t)now_s;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	*ret = clock == CLOCK_MONOTONIC
		? (struct timespec){ now_ms / 1000, now_ms % 1000 * 1000000 }
		: (struct timespec){ now_s, 0 };
	return 0;
}

struct iam_exchange *__wrap_iam_begin(struct iam *client, const struct config *config,
				      const struct iam_question *question, int64_t deadline_ms,
				      struct iam_answer *answer, void (*done)(void *arg), void *arg);
struct iam_exchange *__wrap_iam_begin(struct iam *client, const struct config *config,
				      const struct iam_question *question, int64_t deadline_ms,
				      struct iam_answer *answer, void (*done)(void *arg), void *arg)
{
	(void)client;
	(void)config;
	assert_null(iam.done); /* one exchange at a time */
	assert_int_equal(question->kind, IAM_TOKEN);
	assert_string_equal(question->api_key, KEY);
	assert_int_equal(deadline_ms, now_ms + RENEWAL_TIMEOUT_MS);
	*answer = (struct iam_answer){ .fault_result = IBMIAM_UNAVAILABLE };
	iam.asked++;
	iam.answer = answer;
	iam.done = done;
	iam.arg = arg;
	return (struct iam_exchange *)(void *)&iam;
}

void __wrap_iam_cancel(struct iam_exchange *exchange);
void __wrap_iam_cancel(struct iam_exchange *exchange)
{
	if (exchange)
		iam.done = NULL;
}

/* Only a look at the clients: nothing here waits. */
void __wrap_iam_wait(struct iam *client, int fd, int timeout_ms);
void __wrap_iam_wait(struct iam *client, int fd, int timeout_ms)
{
	(void)client;
	(void)fd;
	(void)timeout_ms;
}

void __wrap_log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
void __wrap_log_line(int priority, const char *format, ...)
{
	va_list ap;

	(void)priority;
	va_start(ap, format);
	(void)vsnprintf(logged, sizeof logged, format, ap);
	va_end(ap);
	assert_null(strstr(logged, KEY));
	assert_null(strstr(logged, "e30."));
	assert_null(strstr(logged, HANDLE)); /* a part of it may be shown */
}

static void answer_now(void)
{
	void (*done)(void *) = iam.done;

	assert_non_null(done);
	iam.done = NULL;
	iam.answer->http_status = iam.http_status;
	if (iam.http_status == 0)
		(void)snprintf(iam.answer->fault, sizeof iam.answer->fault, "no answer");
	else
		assert_true(secret_init(&iam.answer->body, IAM_BODY_MAX) &&
			    secret_append(&iam.answer->body, iam.body, strlen(iam.body)));
	done(iam.arg);
}

/* A token for another hour, as IAM's answer; good until the next call. */
static const char *make_body(void)
{
	static char body[4096];
	char claims[512];
	int64_t true_s = now_s + behind_s;
	SECRET_AUTO(jwt);

	(void)snprintf(claims, sizeof claims, "{\"iam_id\":\"IBMid-1\",\"iss\":\"" ISSUER "\",\"iat\":%lld,"
		       "\"exp\":%lld,\"account\":{\"valid\":true,\"bss\":\"" UNIT_ACCOUNT "\"}}",
		       (long long)true_s, (long long)true_s + LIFE_S);
	assert_true(secret_init(&jwt, 2048) && secret_append(&jwt, UNIT_BYTES("e30.")) &&
		    base64url_encode(claims, strlen(claims), &jwt) &&
		    secret_append(&jwt, ".c2lnbmF0dXJl", sizeof ".c2lnbmF0dXJl"));
	(void)snprintf(body, sizeof body, "{\"access_token\":\"%s\",\"expiration\":%lld}", jwt.data,
		       (long long)true_s + LIFE_S);
	return body;
}

static void load(const char *text)
{
	char *path = unit_path("ibmiam.conf"), why[512];

	unit_write("ibmiam.conf", 0600, text, strlen(text));
	config_live_release(server.config);
	server.config = config_live_load(path, why, sizeof why);
	free(path);
	assert_non_null(server.config);
}

/* What the configuration asks of such a login now. */
static uint64_t requirements(const struct wire_request *r, const struct token *t)
{
	const struct decision_basis basis = { .config = &server.config->config };
	struct decision d;
	uint64_t number;

	decision_begin_held(&d, &basis, r, t, t);
	assert_true(decision_go_on(&d));
	number = decision_requirements(&d);
	decision_free(&d);
	return number;
}

static int make(void **state)
{
	static char jwt[] = "e30.e30.b2xk";
	const struct wire_request r = { .user = "alice", .service = "sshd", .key = KEY, .uid = 1000 };
	struct token t = { .iam_id = "IBMid-1", .account = UNIT_ACCOUNT, .account_valid = true,
			   .issuer = ISSUER, .expiration = START_S + LIFE_S, .access_token = { .data = jwt } };

	now_s = START_S;
	now_ms = 1000000;
	behind_s = 0;
	memset(&iam, 0, sizeof iam);
	server = (struct server){ .set = -1 };
	if (unit_folder_make(state) != 0 || !server_open(&server))
		return -1;
	load(CONFIG);
	server.sessions = sessions_new();
	session = session_add(server.sessions, HANDLE, &r, &t, &t);
	if (!session)
		return -1;
	session->config_number = server.config->number;
	session->requirements = requirements(&r, &t);
	return 0;
}

static int release(void **state)
{
	server_close(&server);
	return unit_folder_remove(state);
}

static void pass(int64_t seconds)
{
	now_s += seconds;
	now_ms += seconds * 1000;
}

/* Returns the client's end. */
static int ask(void)
{
	const struct wire_session about = { .session = HANDLE, .budget_ms = BUDGET_MS };
	SECRET_AUTO(text);
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
	assert_true(secret_init(&text, WIRE_MESSAGE_MAX));
	assert_null(wire_encode(&wire_token_message, &about, &text));
	assert_int_equal(send(fd[0], text.data, text.len, MSG_NOSIGNAL), text.len);
	assert_non_null(server_add_client(&server, fd[1], 0, 1, now_ms + BUDGET_MS));
	server_round(&server, 0);
	return fd[0];
}

static bool is_answered(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static int64_t renewal_s; /* as the last client was told */

/* What the client is told; token NULL: none. */
static void check_reply(int fd, enum ibmiam_result result, const char *token)
{
	struct wire_reply r;
	SECRET_AUTO(text);
	ssize_t n;

	assert_true(secret_init(&text, WIRE_MESSAGE_MAX));
	n = recv(fd, text.data, text.cap, MSG_DONTWAIT);
	assert_true(n > 0);
	assert_null(wire_decode(&wire_reply_message, text.data, (size_t)n, &r));
	unit_check_text("result", result_name(r.result), result_name(result));
	unit_check_text("token", r.token, token);
	assert_int_equal(r.environment != NULL, token != NULL);
	assert_null(strstr(r.reason, KEY));
	(void)snprintf(told, sizeof told, "%s", r.reason);
	renewal_s = r.renewal;
	(void)close(fd);
}

#define OLD "e30.e30.b2xk"
#define NEW "e30.eyJ*"

static void fresh_token_is_served_from_memory(void **state)
{
	(void)state;
	check_reply(ask(), IBMIAM_ALLOWED, OLD);
	assert_int_equal(renewal_s, START_S + LIFE_S - LIFE_S / 5);
	pass(LIFE_S - LIFE_S / 5); /* a fifth is left */
	check_reply(ask(), IBMIAM_ALLOWED, OLD);
	assert_int_equal(iam.asked, 0);
}

static void old_token_is_renewed_once_for_all(void **state)
{
	int fd[5];

	(void)state;
	pass(LIFE_S - LIFE_S / 5 + 1);
	for (size_t i = 0; i < UNIT_LEN(fd); i++) {
		fd[i] = ask();
		assert_false(is_answered(fd[i]));
	}
	assert_int_equal(iam.asked, 1);
	iam.http_status = 200;
	iam.body = make_body();
	answer_now();
	for (size_t i = 0; i < UNIT_LEN(fd); i++)
		check_reply(fd[i], IBMIAM_ALLOWED, NEW);
	pass(LIFE_S / 2);
	check_reply(ask(), IBMIAM_ALLOWED, NEW);
	assert_int_equal(iam.asked, 1);
}

static void outage_takes_no_good_token(void **state)
{
	int fd;

	(void)state;
	pass(LIFE_S - 300);
	fd = ask();
	answer_now(); /* none */
	check_reply(fd, IBMIAM_ALLOWED, OLD);
	pass(RENEWAL_RETRY_MS / 1000 - 1);
	check_reply(ask(), IBMIAM_ALLOWED, OLD); /* IAM is left alone for a minute */
	assert_int_equal(iam.asked, 1);
	pass(1);
	fd = ask();
	assert_int_equal(iam.asked, 2);
	iam.http_status = 200;
	iam.body = make_body();
	answer_now();
	check_reply(fd, IBMIAM_ALLOWED, NEW);
}

static void outage_is_no_rejection(void **state)
{
	int fd;

	(void)state;
	pass(LIFE_S - 9); /* within the margin: no token to give away */
	fd = ask();
	answer_now();
	check_reply(fd, IBMIAM_UNAVAILABLE, NULL);
	check_reply(ask(), IBMIAM_UNAVAILABLE, NULL);
	assert_int_equal(iam.asked, 1);
	pass(RENEWAL_RETRY_MS / 1000);
	fd = ask();
	iam.http_status = 200;
	iam.body = make_body();
	answer_now();
	check_reply(fd, IBMIAM_ALLOWED, NEW);
}

static void rejected_key_ends_the_session(void **state)
{
	int a, b;

	(void)state;
	pass(LIFE_S - 300); /* the old token would be good still */
	a = ask();
	b = ask();
	iam.http_status = 400;
	iam.body = "{\"errorCode\":\"BXNIM0415E\",\"errorMessage\":\"Provided API key could not be found.\"}";
	answer_now();
	check_reply(a, IBMIAM_KEY_REJECTED, NULL);
	check_reply(b, IBMIAM_KEY_REJECTED, NULL);
	check_reply(ask(), IBMIAM_KEY_REJECTED, NULL);
	pass(LIFE_S);
	check_reply(ask(), IBMIAM_KEY_REJECTED, NULL);
	assert_int_equal(iam.asked, 1);
	assert_null(session_key(session));
}

/* What an admin may have half written, with what IAM says when it is asked meanwhile. */
static const struct mistake {
	const char *name, *config;
	enum ibmiam_result held, renewed;
	long http_status;
	const char *body; /* NULL: a new token */
} mistakes[] = {
	{ "iam_ids", "accounts = { \"" UNIT_ACCOUNT "\" }\nuser alice { iam_ids = { \"IBMid-2\" } }\n",
	  IBMIAM_DENIED, IBMIAM_DENIED, 200, NULL },
	{ "accounts", "accounts = { \"" UNIT_ACCOUNT2 "\" }\nuser alice { iam_ids = { \"IBMid-1\" } }\n",
	  IBMIAM_DENIED, IBMIAM_DENIED, 400, "{\"errorCode\":\"BXNIM0141E\"}" },
	{ "issuer", CONFIG "issuer = { \"https://iam.example.com/identity\" }\n",
	  IBMIAM_DENIED, IBMIAM_DENIED, 200, NULL },
	{ "trusted_profile", CONFIG "trusted_profile = \"Profile-11111111-2222-3333-4444-555555555555\"\n",
	  IBMIAM_UNAVAILABLE, IBMIAM_DENIED, 400, "{\"errorCode\":\"BXNIM0141E\"}" },
};

/* Not even if the configuration has changed, too. */
static void rejected_key_ends_the_session_at_once(void **state)
{
	int fd;

	(void)state;
	load(CONFIG "trusted_profile = \"Profile-11111111-2222-3333-4444-555555555555\"\n");
	fd = ask();
	iam.http_status = 400;
	iam.body = "{\"errorCode\":\"BXNIM0415E\"}";
	answer_now();
	check_reply(fd, IBMIAM_KEY_REJECTED, NULL);
	load(CONFIG);
	check_reply(ask(), IBMIAM_KEY_REJECTED, NULL);
	assert_null(session_key(session));
}

/* One value in quotes, whatever is in it. */
static void check_quotes(const char *line)
{
	unsigned int quotes = 0;

	for (const char *p = line; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quotes++;
	}
	assert_int_equal(quotes, 2);
}

static void configuration_that_says_no_is_no_end(void **state)
{
	const struct mistake *m = *state;
	int fd;

	load(m->config);
	if (m->held != IBMIAM_UNAVAILABLE) { /* else IAM is asked at once */
		check_reply(ask(), m->held, NULL);
		load(CONFIG);
		check_reply(ask(), IBMIAM_ALLOWED, OLD);
		assert_int_equal(iam.asked, 0);
		load(m->config);
		pass(LIFE_S - 300);
	}
	fd = ask();
	assert_int_equal(iam.asked, 1);
	iam.http_status = m->http_status;
	iam.body = m->body ? m->body : make_body();
	answer_now();
	check_reply(fd, m->renewed, NULL);
	check_quotes(logged);
	load(CONFIG);
	check_reply(ask(), IBMIAM_ALLOWED, OLD);
	pass(LIFE_S);
	fd = ask();
	iam.http_status = 200;
	iam.body = make_body();
	answer_now();
	check_reply(fd, IBMIAM_ALLOWED, NEW);
}

static void rule_that_is_gone_is_no_end(void **state)
{
	(void)state;
	load("accounts = { \"" UNIT_ACCOUNT "\" }\n");
	check_reply(ask(), IBMIAM_USER_UNKNOWN, NULL);
	load(CONFIG);
	check_reply(ask(), IBMIAM_ALLOWED, OLD);
	assert_int_equal(iam.asked, 0);
}

/* Expired before it came. */
static void useless_token_is_no_renewal(void **state)
{
	int fd;

	(void)state;
	pass(LIFE_S - 9);
	fd = ask();
	iam.http_status = 200;
	iam.body = make_body();
	pass(LIFE_S + 30);
	answer_now();
	check_reply(fd, IBMIAM_UNAVAILABLE, NULL);
	assert_non_null(strstr(told, "has expired already"));
	assert_ptr_equal(strstr(logged, "not renewed "), logged);
	assert_non_null(strstr(logged, " result=unavailable "));
	check_reply(ask(), IBMIAM_UNAVAILABLE, NULL);
	assert_int_equal(iam.asked, 1);
}

/* The token at hand was not given under it. */
static void new_requirement_is_asked_for_at_once(void **state)
{
	int fd;

	(void)state;
	load(CONFIG "trusted_profile = \"Profile-11111111-2222-3333-4444-555555555555\"\n");
	fd = ask();
	assert_false(is_answered(fd));
	assert_int_equal(iam.asked, 1);
	answer_now(); /* none */
	check_reply(fd, IBMIAM_UNAVAILABLE, NULL);
	check_reply(ask(), IBMIAM_UNAVAILABLE, NULL);
	load(CONFIG "# otherwise the same\n");
	check_reply(ask(), IBMIAM_ALLOWED, OLD);
}

/* The session's user is not who has the key: sudo, with export = target. */
static void target_that_may_no_longer_have_it_gets_none(void **state)
{
	(void)state;
	load(CONFIG "service sshd { export = target }\n");
	assert_true(session_adopt(session, "bob", 1001));
	check_reply(ask(), IBMIAM_ALLOWED, OLD);
	load(CONFIG);
	check_reply(ask(), IBMIAM_DENIED, NULL);
	assert_int_equal(iam.asked, 0);
}

/* A profile of another account, which is then taken off the list. */
static void profile_of_an_account_no_longer_listed_is_not_served(void **state)
{
	static char account[] = UNIT_ACCOUNT2;

	(void)state;
	(void)snprintf(session->token.iam_id, sizeof session->token.iam_id, "iam-Profile-1");
	memcpy(session->token.account, account, sizeof account);
	load(CONFIG "accounts += { \"" UNIT_ACCOUNT2 "\" }\n");
	check_reply(ask(), IBMIAM_ALLOWED, OLD);
	load(CONFIG);
	check_reply(ask(), IBMIAM_DENIED, NULL);
	assert_int_equal(iam.asked, 0);
}

/* As time passes, not as the clock says. */
static void clock_that_is_set_back_keeps_no_token(void **state)
{
	int fd;

	(void)state;
	behind_s = 2 * LIFE_S;
	now_s -= behind_s;
	for (unsigned int round = 1; round <= 2; round++) {
		check_reply(ask(), IBMIAM_ALLOWED, round == 1 ? OLD : NEW);
		assert_int_equal(renewal_s, now_s + LIFE_S - LIFE_S / 5);
		pass(LIFE_S - LIFE_S / 5 + 1);
		fd = ask();
		assert_int_equal(iam.asked, round);
		iam.http_status = 200;
		iam.body = make_body();
		answer_now();
		check_reply(fd, IBMIAM_ALLOWED, NEW);
	}
}

static void client_waits_no_longer_than_its_budget(void **state)
{
	int fd;

	(void)state;
	pass(LIFE_S - 300);
	fd = ask();
	pass(BUDGET_MS / 1000);
	server_round(&server, 0);
	check_reply(fd, IBMIAM_ALLOWED, OLD);
	assert_non_null(iam.done); /* the renewal goes on, for others */
	iam.http_status = 200;
	iam.body = make_body();
	answer_now();
	check_reply(ask(), IBMIAM_ALLOWED, NEW);
	assert_int_equal(iam.asked, 1);
}

static void expired_token_is_not_served_late(void **state)
{
	int fd;

	(void)state;
	pass(LIFE_S + 1);
	fd = ask();
	pass(BUDGET_MS / 1000);
	server_round(&server, 0);
	check_reply(fd, IBMIAM_UNAVAILABLE, NULL);
	assert_string_equal(told, "the token has expired, and IAM does not answer in time");
}

static void outdated_token_is_not_served_late(void **state)
{
	int fd;

	(void)state;
	load(CONFIG "trusted_profile = \"Profile-11111111-2222-3333-4444-555555555555\"\n");
	fd = ask();
	pass(BUDGET_MS / 1000);
	server_round(&server, 0);
	check_reply(fd, IBMIAM_UNAVAILABLE, NULL);
	assert_string_equal(told, "the configuration asks for more than this token was given for, "
			    "and IAM does not answer in time");
}

static void client_that_goes_stops_nothing(void **state)
{
	int a, b;

	(void)state;
	pass(LIFE_S - 300);
	a = ask();
	b = ask();
	(void)close(a);
	server_round(&server, 0);
	iam.http_status = 200;
	iam.body = make_body();
	answer_now();
	check_reply(b, IBMIAM_ALLOWED, NEW);
}

int main(void)
{
	struct unit_suite s = { .setup = make, .teardown = release };

	UNIT_TEST(&s, fresh_token_is_served_from_memory);
	UNIT_TEST(&s, old_token_is_renewed_once_for_all);
	UNIT_TEST(&s, outage_takes_no_good_token);
	UNIT_TEST(&s, outage_is_no_rejection);
	UNIT_TEST(&s, rejected_key_ends_the_session);
	UNIT_TEST(&s, rejected_key_ends_the_session_at_once);
	UNIT_ROWS(&s, configuration_that_says_no_is_no_end, mistakes);
	UNIT_TEST(&s, rule_that_is_gone_is_no_end);
	UNIT_TEST(&s, useless_token_is_no_renewal);
	UNIT_TEST(&s, new_requirement_is_asked_for_at_once);
	UNIT_TEST(&s, target_that_may_no_longer_have_it_gets_none);
	UNIT_TEST(&s, profile_of_an_account_no_longer_listed_is_not_served);
	UNIT_TEST(&s, clock_that_is_set_back_keeps_no_token);
	UNIT_TEST(&s, client_waits_no_longer_than_its_budget);
	UNIT_TEST(&s, expired_token_is_not_served_late);
	UNIT_TEST(&s, outdated_token_is_not_served_late);
	UNIT_TEST(&s, client_that_goes_stops_nothing);
	return unit_run(&s, "renewal");
}
