/*
 * The asking end: whatever a broker does, there is one verdict or one fault within the
 * deadline, and no process, descriptor or signal is left for the host.
 */
#include "unit_broker.h"

#include <sys/prctl.h>

#include "client.h"
#include "keeper.h"
#include "deadline.h"
#include "spawn.h"

/* Replies as they stand on the wire. */
#define HEAD "\1\2"
#define ALLOWED "\1\0\4\0\0\0\0\2\0\3ok\0"
#define DENIED "\1\0\4\0\0\0\2\2\0\3no\0"
#define IAM_ID "\3\0\2i\0"
#define ACCOUNT "\4\0\2a\0"
#define REST "\10\0\4\0\0\0\xc8\11\0\4\0\0\0\0"
#define ENVIRONMENT "\12\0\4A=1\0"
#define WELCOME HEAD ALLOWED IAM_ID ACCOUNT REST ENVIRONMENT
#define REFUSAL HEAD DENIED REST

#define PROTOCOL "the broker breaks the protocol: "
#define WITHOUT_REPLY "the broker ended without a reply"

enum action {
	EXIT,       /* with the number */
	DIE,        /* of the signal */
	WAIT,       /* until the host is gone */
	STAY,       /* even then */
	PASS,       /* a descriptor along with the reply */
	SEND_NULLS, /* so many, as one message */
};

static const struct broker {
	const char *name;
	const char *reply;
	size_t len;
	enum action action;
	int number;
	int result;        /* what the reply says, or -1 for a fault */
	const char *fault;
} brokers[] = {
	{ "allows", UNIT_BYTES(WELCOME), EXIT, 0, IBMIAM_ALLOWED, NULL },
	{ "refuses", UNIT_BYTES(REFUSAL), EXIT, 0, IBMIAM_DENIED, NULL },
	{ "allows without environment", UNIT_BYTES(HEAD ALLOWED IAM_ID ACCOUNT REST), EXIT, 0,
	  IBMIAM_ALLOWED, NULL },
	/* the complete reply is the verdict, the end only a hint */
	{ "refuses and exits with 0", UNIT_BYTES(REFUSAL), EXIT, 0, IBMIAM_DENIED, NULL },
	{ "allows and exits with 1", UNIT_BYTES(WELCOME), EXIT, 1, IBMIAM_ALLOWED, NULL },
	{ "allows and dies", UNIT_BYTES(WELCOME), DIE, SIGKILL, IBMIAM_ALLOWED, NULL },
	{ "allows and waits", UNIT_BYTES(WELCOME), WAIT, 0, IBMIAM_ALLOWED, NULL },
	{ "allows and stays", UNIT_BYTES(WELCOME), STAY, 0, IBMIAM_ALLOWED, NULL },
	{ "exits with 0", UNIT_BYTES(""), EXIT, 0, -1, WITHOUT_REPLY },
	{ "exits with 3", UNIT_BYTES(""), EXIT, 3, -1, WITHOUT_REPLY " (exit status 3)" },
	{ "dies", UNIT_BYTES(""), DIE, SIGKILL, -1, WITHOUT_REPLY " (ended by signal 9)" },
	{ "dies of SIGTERM", UNIT_BYTES(""), DIE, SIGTERM, -1,
	  WITHOUT_REPLY " (ended by signal 15)" },
	{ "sends one byte", UNIT_BYTES("\1"), EXIT, 0, -1,
	  PROTOCOL "the message is too short or too long" },
	{ "sends text", UNIT_BYTES("Segmentation fault\n"), EXIT, 0, -1,
	  PROTOCOL "another version of the protocol" },
	{ "sends another version", UNIT_BYTES("\2\2" DENIED REST), EXIT, 0, -1,
	  PROTOCOL "another version of the protocol" },
	{ "sends another type", UNIT_BYTES("\1\1" DENIED REST), EXIT, 0, -1,
	  PROTOCOL "another type of message" },
	{ "sends a part", UNIT_BYTES(HEAD ALLOWED IAM_ID ACCOUNT), EXIT, 0, -1,
	  PROTOCOL "a required field is missing" },
	{ "sends too much", UNIT_BYTES(REFUSAL "\0"), EXIT, 0, -1,
	  PROTOCOL "the message ends inside a field" },
	{ "sends a part and fails", UNIT_BYTES(HEAD), EXIT, 4, -1,
	  PROTOCOL "a required field is missing (exit status 4)" },
	{ "allows nobody", UNIT_BYTES(HEAD ALLOWED ACCOUNT REST), EXIT, 0, -1,
	  PROTOCOL "allowed, but without an identity" },
	{ "allows of no account", UNIT_BYTES(HEAD ALLOWED IAM_ID REST), EXIT, 0, -1,
	  PROTOCOL "allowed, but without an identity" },
	{ "refuses with an environment", UNIT_BYTES(HEAD DENIED REST ENVIRONMENT), EXIT, 0, -1,
	  PROTOCOL "refused, but with an environment" },
	{ "sends 64 KiB and one", "", 0, SEND_NULLS, WIRE_MESSAGE_MAX + 1, -1,
	  PROTOCOL "the message is too short or too long" },
	{ "sends 100 KB", "", 0, SEND_NULLS, 100000, -1,
	  "the broker's reply cannot be read: Message too long" },
	{ "passes a descriptor", UNIT_BYTES(WELCOME), PASS, 0, -1,
	  "the broker's reply cannot be read: Message too long" },
};

static void pass_descriptor(const char *reply, size_t len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = "" };
	struct iovec iov = { (void *)(uintptr_t)reply, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof control };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			       .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(c), &(int){ STDOUT_FILENO }, sizeof(int));
	(void)sendmsg(STDIN_FILENO, &msg, MSG_NOSIGNAL);
}

static void send_nulls(int len)
{
	char *nulls = calloc(1, (size_t)len);

	if (nulls)
		(void)send(STDIN_FILENO, nulls, (size_t)len, MSG_NOSIGNAL);
	free(nulls);
}

/* The request as it arrived, as the reason. */
static int tell_request(const char *bytes, size_t len)
{
	struct wire_request q;
	char reason[256];
	const struct wire_reply reply = { .result = IBMIAM_DENIED, .reason = reason };
	SECRET_AUTO(out);

	if (wire_decode(&wire_request_message, bytes, len, &q) ||
	    !secret_init(&out, WIRE_MESSAGE_MAX))
		return EXIT_FAILURE;
	(void)snprintf(reason, sizeof reason, "%s %s %s %u %u", q.user, q.service,
		       q.key ? q.key : "-", q.uid, q.budget_ms);
	if (wire_encode(&wire_reply_message, &reply, &out))
		return EXIT_FAILURE;
	return send(STDIN_FILENO, out.data, out.len, MSG_NOSIGNAL) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int act(const struct broker *b)
{
	if (b->action == PASS)
		pass_descriptor(b->reply, b->len);
	else if (b->action == SEND_NULLS)
		send_nulls(b->number);
	else if (b->len > 0)
		(void)send(STDIN_FILENO, b->reply, b->len, MSG_NOSIGNAL);
	switch (b->action) {
	case DIE:
		return raise(b->number);
	case STAY:
		for (;;)
			(void)pause();
	case WAIT:
		unit_broker_wait();
		return EXIT_SUCCESS;
	case EXIT:
		return b->number;
	case PASS:
	case SEND_NULLS:
		break;
	}
	return EXIT_SUCCESS;
}

static int be_broker(const char *name)
{
	char request[8192];
	ssize_t n = recv(STDIN_FILENO, request, sizeof request, 0);

	if (n > 0 && strcmp(name, "tells") == 0)
		return tell_request(request, (size_t)n);
	if (strcmp(name, "waits") == 0)
		unit_broker_wait();
	for (size_t i = 0; i < UNIT_LEN(brokers); i++)
		if (strcmp(brokers[i].name, name) == 0)
			return act(&brokers[i]);
	return EXIT_FAILURE;
}

static char *program; /* the copy of this one */

static volatile sig_atomic_t sigchlds;

static void on_sigchld(int sig)
{
	(void)sig;
	sigchlds++;
}

/* Asks, and checks that nothing is left.  The request is alice's at sshd. */
static bool ask(const char *path, const char *name, const char *key, int left_ms,
		struct secret *buf, struct wire_reply *reply, struct client_fault *fault)
{
	const struct client_broker broker = { path, name, NULL };
	struct wire_request request = { .user = "alice", .service = "sshd", .key = key, .uid = 1000 };
	unsigned int before = unit_open_descriptors();
	bool ok = client_ask(&broker, &request, left_ms, buf, reply, fault);

	assert_int_equal(unit_open_descriptors(), before);
	assert_int_equal(sigchlds, 0);
	unit_check_no_child();
	return ok;
}

static void broker_is_understood(void **state)
{
	const struct broker *b = *state;
	struct client_fault fault = { .text = "" };
	struct wire_reply reply = { 0 };
	SECRET_AUTO(buf);
	bool ok = ask(program, b->name, "key", 20000, &buf, &reply, &fault);

	if (b->fault) {
		assert_false(ok);
		unit_check_text("fault", fault.text, b->fault);
		assert_null(buf.data);
		return;
	}
	if (!ok)
		fail_msg("%s", fault.text);
	assert_int_equal(reply.result, b->result);
	if (reply.environment) /* it points into the buffer */
		assert_true(reply.environment > buf.data && reply.environment < buf.data + buf.len);
}

static void silence_ends_at_the_deadline(void **state)
{
	struct client_fault fault;
	struct wire_reply reply;
	SECRET_AUTO(buf);
	int64_t begin = deadline_now_ms(), took;

	(void)state;
	assert_false(ask(program, "waits", "key", 200, &buf, &reply, &fault));
	took = deadline_now_ms() - begin;
	unit_check_text("fault", fault.text, "the broker did not answer in time");
	assert_in_range(took, 190, 200 + KEEPER_GRACE_MS + 5000); /* a machine may be busy */
}

static void passed_deadline_is_no_answer(void **state)
{
	struct client_fault fault;
	struct wire_reply reply;
	SECRET_AUTO(buf);

	(void)state;
	assert_false(ask(program, "waits", "key", -1000, &buf, &reply, &fault));
	unit_check_text("fault", fault.text, "the broker did not answer in time");
}

static const struct budget {
	const char *name;
	const char *key;
	int left_ms;
	const char *told; /* and behind it the budget */
	unsigned int from, to;
} budgets[] = {
	/* a fifth or 1 s less than there is, so that the broker's own answer comes first */
	{ "ten seconds", "key", 10000, "alice sshd key 1000 ", 5000, 9000 },
	{ "one second", "key", 1000, "alice sshd key 1000 ", 500, 800 },
	{ "five minutes", "key", 300000, "alice sshd key 1000 ", 60000, 60000 },
	{ "no key", NULL, 10000, "alice sshd - 1000 ", 5000, 9000 },
};

static void request_arrives(void **state)
{
	const struct budget *b = *state;
	struct client_fault fault = { .text = "" };
	struct wire_reply reply = { 0 };
	SECRET_AUTO(buf);
	unsigned long budget;

	if (!ask(program, "tells", b->key, b->left_ms, &buf, &reply, &fault))
		fail_msg("%s", fault.text);
	if (strncmp(reply.reason, b->told, strlen(b->told)) != 0)
		fail_msg("told \"%s\"", reply.reason);
	budget = strtoul(reply.reason + strlen(b->told), NULL, 10);
	assert_in_range(budget, b->from, b->to);
}

static const struct file {
	const char *name;
	mode_t mode;
	bool stranger; /* it belongs to another user */
	const char *fault; /* %s is its path */
} files[] = {
	{ "not there", 0, false, "cannot find the broker %s: No such file or directory" },
	{ "not executable", 0600, false, "the broker %s is not executable" },
	{ "written by its group", 0770, false,
	  "the broker %s may be written by its group; expected mode 0644 or stricter" },
	{ "written by everybody", 0707, false,
	  "the broker %s may be written by everybody; expected mode 0644 or stricter" },
	{ "a stranger's", 0755, true, "the broker %s is not owned by root" },
	{ "no program", 0700, false, "the broker %s could not be executed" },
};

static void bad_program_is_not_run(void **state)
{
	const struct file *f = *state;
	struct client_fault fault;
	struct wire_reply reply;
	char *path, *want = NULL;
	SECRET_AUTO(buf);

	if (f->stranger && geteuid() != 0)
		UNIT_SKIP("only root can give files away");
	path = unit_path("program");
	if (f->mode)
		unit_write("program", f->mode, "\1\2\3", 3);
	if (f->stranger)
		assert_int_equal(chown(path, 4712, (gid_t)-1), 0);
	assert_false(ask(path, "x", "key", 5000, &buf, &reply, &fault));
	want = strdup(f->fault);
	assert_non_null(want);
	*strstr(want, "%s") = '\0';
	if (strncmp(fault.text, want, strlen(want)) != 0 || !strstr(fault.text, path))
		fail_msg("fault is \"%s\"", fault.text);
	unit_check_text("end", strstr(fault.text, path) + strlen(path), strstr(f->fault, "%s") + 2);
	(void)unlink(path);
	free(want);
	free(path);
}

static void folder_is_no_program(void **state)
{
	struct client_fault fault;
	struct wire_reply reply;
	SECRET_AUTO(buf);

	(void)state;
	assert_false(ask(unit_folder, "x", "key", 5000, &buf, &reply, &fault));
	assert_non_null(strstr(fault.text, "is not a regular file"));
	assert_null(buf.data); /* there was a key in it */
}

static void bad_request_is_not_sent(void **state)
{
	const struct client_broker broker = { program, "allows", NULL };
	struct wire_request request = { .user = "", .service = "sshd", .uid = 1000 };
	struct client_fault fault;
	struct wire_reply reply;
	SECRET_AUTO(buf);

	(void)state;
	assert_false(client_ask(&broker, &request, 5000, &buf, &reply, &fault));
	unit_check_text("fault", fault.text,
			"the request cannot be sent: a string is empty or not terminated");
}

static void deadline_counts_down(void **state)
{
	int64_t now = deadline_now_ms();

	(void)state;
	assert_int_equal(deadline_left_ms(now - 1), 0);
	assert_int_equal(deadline_left_ms(INT64_MIN / 2), 0);
	assert_in_range(deadline_left_ms(now + 100000), 1, 100000);
	assert_int_equal(deadline_left_ms(INT64_MAX / 2), INT_MAX);
}

int main(int argc, char **argv)
{
	const char *name = unit_broker_name(argc, argv);
	struct unit_suite s = { 0 };
	int result;

	if (name)
		return be_broker(name);
	if (unit_folder_make(NULL) != 0)
		return EXIT_FAILURE;
	program = unit_broker_make(0700);
	(void)alarm(60); /* a fault in client.c may hang */
	(void)signal(SIGCHLD, on_sigchld);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* a broker left behind becomes our child */
	UNIT_ROWS(&s, broker_is_understood, brokers);
	UNIT_TEST(&s, silence_ends_at_the_deadline);
	UNIT_TEST(&s, passed_deadline_is_no_answer);
	UNIT_ROWS(&s, request_arrives, budgets);
	UNIT_ROWS(&s, bad_program_is_not_run, files);
	UNIT_TEST(&s, folder_is_no_program);
	UNIT_TEST(&s, bad_request_is_not_sent);
	UNIT_TEST(&s, deadline_counts_down);
	result = unit_run(&s, "client");
	(void)unit_folder_remove(NULL);
	free(program);
	return result;
}
