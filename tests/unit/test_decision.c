/*
 * What is decided before IAM is asked, in its order, and that nothing leaves the host
 * then: the endpoint is a socket of this test's, which would see a connection.
 */
#include "unit_config.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "deadline.h"
#include "decision.h"
#include "memory.h"
#include "unit_decide.h"

#define ACCOUNTS "accounts = { \"" UNIT_ACCOUNT "\" }\n"
#define ALICE ACCOUNTS "user alice { iam_ids = { \"IBMid-1\" } }\n"
#define ROOT ACCOUNTS "user root { iam_ids = { \"IBMid-1\" } }\n"
#define ONLY_SSHD \
	ACCOUNTS "user alice { iam_ids = { \"IBMid-1\" } services = { \"sshd\", \"su\" } }\n"

#define KEY "0123456789-0123456789-0123456789-0123456789a"
#define SHORT "correct horse battery"

static struct iam *iam;

static const char no_accounts[] = "the configuration lists no accounts, so nobody may log in";
static const char no_root[] = "uid 0 may not log in (allow_root is off)";
static const char no_rule[] = "the configuration has no rule for this user";
static const char not_service[] = "the user's rule does not list this service";
static const char too_short[] = "the answer is under 32 characters, so it is no API key";

/* A short password shows that all checks before the last were passed. */
static const struct local {
	const char *name;
	const char *config;
	const char *user;
	uint32_t uid;
	const char *service;
	const char *key;
	enum ibmiam_result result;
	const char *reason;
} locals[] = {
	{ "empty configuration", "", "alice", 1000, "sshd", KEY, IBMIAM_CONFIG_ERROR, no_accounts },
	{ "no accounts", "accounts = { }\nuser alice { iam_ids = { \"IBMid-1\" } }", "alice", 1000,
	  "sshd", KEY, IBMIAM_CONFIG_ERROR, no_accounts },
	{ "root", ROOT, "root", 0, "sshd", KEY, IBMIAM_USER_UNKNOWN, no_root },
	{ "root by another name", ALICE, "alice", 0, "sshd", KEY, IBMIAM_USER_UNKNOWN, no_root },
	{ "root, no minimum_uid", ROOT "minimum_uid = 0", "root", 0, "sshd", KEY,
	  IBMIAM_USER_UNKNOWN, no_root },
	{ "root is allowed", ROOT "allow_root = true", "root", 0, "sshd", SHORT,
	  IBMIAM_KEY_REJECTED, too_short },
	{ "root is allowed, whatever minimum_uid", ROOT "allow_root = true\nminimum_uid = 5000",
	  "root", 0, "sshd", SHORT, IBMIAM_KEY_REJECTED, too_short },
	{ "root is allowed, but has no rule", ALICE "allow_root = true", "root", 0, "sshd", KEY,
	  IBMIAM_USER_UNKNOWN, no_rule },
	{ "system user", ALICE, "alice", 1, "sshd", KEY, IBMIAM_USER_UNKNOWN,
	  "uid 1 is under minimum_uid 1000" },
	{ "last uid under the default", ALICE, "alice", 999, "sshd", KEY, IBMIAM_USER_UNKNOWN,
	  "uid 999 is under minimum_uid 1000" },
	{ "first uid of the default", ALICE, "alice", 1000, "sshd", SHORT, IBMIAM_KEY_REJECTED,
	  too_short },
	{ "allow_root is for root only", ALICE "allow_root = true", "alice", 999, "sshd", KEY,
	  IBMIAM_USER_UNKNOWN, "uid 999 is under minimum_uid 1000" },
	{ "last uid under minimum_uid", ALICE "minimum_uid = 5000", "alice", 4999, "sshd", KEY,
	  IBMIAM_USER_UNKNOWN, "uid 4999 is under minimum_uid 5000" },
	{ "uid is minimum_uid", ALICE "minimum_uid = 5000", "alice", 5000, "sshd", SHORT,
	  IBMIAM_KEY_REJECTED, too_short },
	{ "minimum_uid 0", ALICE "minimum_uid = 0", "alice", 1, "sshd", SHORT, IBMIAM_KEY_REJECTED,
	  too_short },
	{ "uid with its highest bit", ALICE "minimum_uid = 4294967294", "alice", 0x80000000U,
	  "sshd", KEY, IBMIAM_USER_UNKNOWN, "uid 2147483648 is under minimum_uid 4294967294" },
	{ "nobody has a rule", ACCOUNTS, "alice", 1000, "sshd", KEY, IBMIAM_USER_UNKNOWN, no_rule },
	{ "others have a rule", ALICE, "bob", 1000, "sshd", KEY, IBMIAM_USER_UNKNOWN, no_rule },
	{ "rule of another case", ALICE, "Alice", 1000, "sshd", KEY, IBMIAM_USER_UNKNOWN, no_rule },
	{ "rule of a longer name", ALICE, "alic", 1000, "sshd", KEY, IBMIAM_USER_UNKNOWN, no_rule },
	{ "rule of a shorter name", ALICE, "alice2", 1000, "sshd", KEY, IBMIAM_USER_UNKNOWN,
	  no_rule },
	{ "path into the configuration", ALICE, "alice|iam_ids", 1000, "sshd", KEY,
	  IBMIAM_USER_UNKNOWN, no_rule },
	{ "first service of the rule", ONLY_SSHD, "alice", 1000, "sshd", SHORT, IBMIAM_KEY_REJECTED,
	  too_short },
	{ "last service of the rule", ONLY_SSHD, "alice", 1000, "su", SHORT, IBMIAM_KEY_REJECTED,
	  too_short },
	{ "another service", ONLY_SSHD, "alice", 1000, "sudo", KEY, IBMIAM_DENIED, not_service },
	{ "login form of a service of the rule", ONLY_SSHD, "alice", 1000, "su-l", SHORT,
	  IBMIAM_KEY_REJECTED, too_short },
	{ "longer service", ONLY_SSHD, "alice", 1000, "sux", KEY, IBMIAM_DENIED, not_service },
	{ "login form of another service", ONLY_SSHD, "alice", 1000, "sudo-i", KEY, IBMIAM_DENIED,
	  not_service },
	{ "service with a block, but not in the rule", ONLY_SSHD "service sudo { }", "alice", 1000,
	  "sudo", KEY, IBMIAM_DENIED, not_service },
	{ "rule without services", ALICE, "alice", 1000, "anything", SHORT, IBMIAM_KEY_REJECTED,
	  too_short },
	{ "no password", ALICE, "alice", 1000, "sshd", NULL, IBMIAM_KEY_REJECTED,
	  "the answer is empty" },
	{ "a password", ALICE, "alice", 1000, "sshd", SHORT, IBMIAM_KEY_REJECTED, too_short },
	{ "sshd's junk", ALICE, "alice", 1000, "sshd",
	  "\b\n\r\177INCORRECT\b\n\r\177INCORRECT\b\n\r\177INCORRECT", IBMIAM_KEY_REJECTED,
	  "the answer holds control characters or is not UTF-8, so it is no API key" },
	{ "a line after the key", ALICE, "alice", 1000, "sshd", KEY "\n", IBMIAM_KEY_REJECTED,
	  "the answer holds control characters or is not UTF-8, so it is no API key" },
	/* each is wrong in all that comes later too: the first decides */
	{ "accounts before all", "", "root", 0, "sudo", SHORT, IBMIAM_CONFIG_ERROR, no_accounts },
	{ "uid before rule", ONLY_SSHD, "root", 0, "sudo", SHORT, IBMIAM_USER_UNKNOWN, no_root },
	{ "rule before service", ONLY_SSHD, "bob", 1000, "sudo", SHORT, IBMIAM_USER_UNKNOWN,
	  no_rule },
	{ "service before shape", ONLY_SSHD, "alice", 1000, "sudo", SHORT, IBMIAM_DENIED,
	  not_service },
};

/* A socket on a port of its own; when it does not listen, connections are refused. */
static int make_socket(bool listening, int *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	if (listening)
		assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static bool was_connected(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void load(struct config *c, int port, const char *text)
{
	char *whole = NULL;

	assert_true(asprintf(&whole, "endpoint = \"https://127.0.0.1:%d\"\n%s", port, text) > 0);
	unit_write("ibmiam.conf", 0600, whole, strlen(whole));
	free(whole);
	unit_config_loaded(c);
}

/* The reply is one that can be sent, and says nothing of the key. */
static void check_reply(const struct decision *d, enum ibmiam_result result, const char *reason)
{
	SECRET_AUTO(message);

	assert_int_equal(d->reply.result, result);
	unit_check_text("reason", d->reply.reason, reason);
	if (d->request->key)
		assert_null(strstr(d->reply.reason, d->request->key));
	assert_null(d->reply.environment);
	assert_null(d->reply.iam_id);
	assert_null(d->reply.account);
	assert_int_equal(d->reply.export_to, WIRE_EXPORT_OWN);
	assert_true(secret_init(&message, WIRE_MESSAGE_MAX));
	assert_null(wire_encode(&wire_reply_message, &d->reply, &message));
}

static void check_iam_was_not_asked(const struct decision *d, int fd)
{
	assert_int_equal(d->reply.http_status, 0);
	assert_null(d->reply.correlation_id); /* each request has one */
	assert_null(d->reply.transaction_id);
	assert_null(d->reply.api_code);
	assert_null(d->answer.body.data);
	assert_false(was_connected(fd));
}

static void is_decided_on_this_host(void **state)
{
	const struct local *l = *state;
	const struct wire_request request = { .user = l->user, .service = l->service,
					      .key = l->key, .uid = l->uid };
	struct config config = { 0 };
	struct decision d;
	int port, fd = make_socket(true, &port);

	load(&config, port, l->config);
	unit_decide(&d, iam, &config, &request, deadline_now_ms() + 5000);
	check_reply(&d, l->result, l->reason);
	check_iam_was_not_asked(&d, fd);
	decision_free(&d);
	assert_int_equal(d.reply.result, 0);
	decision_free(&d); /* once more is harmless */
	config_free(&config);
	(void)close(fd);
}

/* The same with a good key does ask: were it not so, the test above would prove nothing. */
static const struct asking {
	const char *name;
	bool listening;
	int left_ms;
	const char *reason;
} askings[] = {
	{ "nobody listens", false, 5000, "no answer from https://127.0.0.1:*" },
	{ "nobody answers", true, 200, "no answer from https://127.0.0.1:*" },
};

static void good_key_is_sent(void **state)
{
	static const struct wire_request request = { .user = "alice", .service = "sshd",
						     .key = KEY, .uid = 1000 };
	const struct asking *a = *state;
	struct config config = { 0 };
	struct decision d;
	int port, fd = make_socket(a->listening, &port);

	load(&config, port, ALICE);
	unit_decide(&d, iam, &config, &request, deadline_now_ms() + a->left_ms);
	check_reply(&d, IBMIAM_UNAVAILABLE, a->reason);
	assert_int_equal(d.reply.http_status, 0);
	assert_non_null(d.reply.correlation_id);
	assert_int_equal(strlen(d.reply.correlation_id), 36);
	if (a->listening)
		assert_true(was_connected(fd));
	decision_free(&d);
	config_free(&config);
	(void)close(fd);
}

/* Nothing that needs no time fails for want of it. */
static void late_refusal_keeps_its_reason(void **state)
{
	static const struct wire_request request = { .user = "bob", .service = "sshd",
						     .key = KEY, .uid = 1000 };
	struct config config = { 0 };
	struct decision d;

	(void)state;
	load(&config, 1, ALICE);
	unit_decide(&d, iam, &config, &request, deadline_now_ms() - 1);
	check_reply(&d, IBMIAM_USER_UNKNOWN, no_rule);
	decision_free(&d);
	config_free(&config);
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	if (!memory_init_libraries() || !(iam = iam_new(NULL)))
		return EXIT_FAILURE;
	UNIT_ROWS(&s, is_decided_on_this_host, locals);
	UNIT_ROWS(&s, good_key_is_sent, askings);
	UNIT_TEST(&s, late_refusal_keeps_its_reason);
	return unit_run(&s, "decision");
}
