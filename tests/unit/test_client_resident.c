/*
 * The asking end and a resident broker: it hears of a key only after it has greeted, of what holds
 * none at once; its whole reply is the verdict, and where there is none a one-shot broker gives
 * one, within the time.
 */
#include "unit_broker.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "client.h"
#include "deadline.h"

/* Messages as they stand on the wire. */
#define HEAD "\1\2"
#define ALLOWED "\1\0\4\0\0\0\0\2\0\3ok\0"
#define IDENTITY "\3\0\2i\0" "\4\0\2a\0"
#define REST "\10\0\4\0\0\0\xc8\11\0\4\0\0\0\0"
#define REFUSAL HEAD "\1\0\4\0\0\0\2\2\0\3no\0" REST
#define HANDLE "0123456789abcdef0123456789abcdef"
#define WELCOME HEAD ALLOWED IDENTITY REST "\12\0\4R=1\0" "\14\0\41" HANDLE "\0"
#define ONE_SHOT_WELCOME HEAD ALLOWED IDENTITY REST "\12\0\4A=1\0"
#define HELLO "\1\4\1\0\0021\0"
#define PROTOCOL "the broker breaks the protocol: "

static char *program; /* the copy of this one, which is the one-shot broker */

static int be_broker(void)
{
	char request[8192];

	if (recv(STDIN_FILENO, request, sizeof request, 0) <= 0)
		return EXIT_FAILURE;
	(void)send(STDIN_FILENO, UNIT_BYTES(ONE_SHOT_WELCOME), MSG_NOSIGNAL);
	return EXIT_SUCCESS;
}

enum { LATE_MS = 50 };

enum manners {
	SERVES,    /* greets, takes a request, answers with the row's reply, closes */
	LATE,      /* likewise, but greets after LATE_MS */
	ENDS,      /* with the request there, unread: greets and closes, while who asks stands still */
	HANGS,     /* says what it has to say, then nothing, with the connection open */
	NO_ACCEPT, /* does not even take the connection */
	STOPS,     /* who asks stands still for STOPPED_MS, then it closes */
};

enum { STOPPED_MS = 2000 };

enum end { RESIDENT, ONE_SHOT };

static const struct resident {
	const char *name;
	const char *hello;
	size_t hello_len;
	const char *reply;
	size_t reply_len;
	enum manners manners;
	bool greets;   /* so that it gets the key: all of the request, or not a byte */
	enum end end;
	int result;    /* of RESIDENT */
	const char *fault; /* of client_ask_resident, NULL for none; * at its end: anything */
	int kind;      /* likewise, of one that does not greet */
} residents[] = {
#define ROW(name, hello, reply) name, UNIT_BYTES(hello), UNIT_BYTES(reply)
	{ ROW("allows", HELLO, WELCOME), SERVES, true, RESIDENT, IBMIAM_ALLOWED, NULL, 0 },
	{ ROW("refuses", HELLO, REFUSAL), SERVES, true, RESIDENT, IBMIAM_DENIED, NULL, 0 },
	{ ROW("has no session", HELLO, HEAD "\1\0\4\0\0\0\10\2\0\3no\0" REST), SERVES, true, RESIDENT,
	  IBMIAM_NO_SESSION, NULL, 0 },
	{ ROW("does not greet", "", WELCOME), SERVES, false, ONE_SHOT, 0, "the broker at *", CLIENT_NOBODY },
	{ ROW("turns away", "", ""), SERVES, false, ONE_SHOT, 0, "the broker at *", CLIENT_BUSY },
	{ ROW("hangs at once", "", ""), HANGS, false, ONE_SHOT, 0, "the broker at *", CLIENT_BUSY },
	{ ROW("greets in another version", "\2\4\1\0\0021\0", WELCOME), SERVES, false, ONE_SHOT, 0,
	  "the broker at *", CLIENT_NOBODY },
	{ ROW("greets with a verdict", WELCOME, WELCOME), SERVES, false, ONE_SHOT, 0, "the broker at *", CLIENT_NOBODY },
	{ ROW("greets with too much", HELLO "\0", WELCOME), SERVES, false, ONE_SHOT, 0,
	  "the broker at *", CLIENT_NOBODY },
	{ ROW("greets and ends", HELLO, ""), SERVES, true, ONE_SHOT, 0, "the broker ended without a reply", 0 },
	{ ROW("greets and hangs", HELLO, ""), HANGS, true, ONE_SHOT, 0,
	  "the broker did not answer in time", 0 },
	{ ROW("breaks off in its reply", HELLO, HEAD ALLOWED), SERVES, true, ONE_SHOT, 0, PROTOCOL "*", 0 },
	{ ROW("allows nobody", HELLO, HEAD ALLOWED REST), SERVES, true, ONE_SHOT, 0, PROTOCOL "*", 0 },
	{ ROW("has a handle that is none", HELLO, HEAD ALLOWED IDENTITY REST "\14\0\2=\0"), SERVES, true, ONE_SHOT, 0,
	  PROTOCOL "a handle that is none", 0 },
	{ ROW("takes no connections", "", ""), NO_ACCEPT, false, ONE_SHOT, 0, "the broker at *", CLIENT_BUSY },
#undef ROW
};

static struct {
	pid_t pid;
	int told;  /* our end of a pipe: a byte for each request that it got */
	int queue; /* a connection that fills its queue, -1 */
	char *path;
} resident;

static bool send_fails;

/* In place of glibc's. */
ssize_t send(int fd, const void *data, size_t len, int flags)
{
	if (!send_fails)
		return syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
	errno = ENOBUFS;
	return -1;
}

static int polled_ms; /* how long the last one would have waited */

/* In place of glibc's. */
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	const struct timespec ts = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };

	polled_ms = timeout_ms;
	return (int)syscall(SYS_ppoll, fds, count, timeout_ms < 0 ? NULL : &ts, NULL, 0);
}

/* What it is called where _FORTIFY_SOURCE cannot tell the size, as under the sanitizers. */
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size)
{
	(void)size;
	return poll(fds, count, timeout_ms);
}

static int listen_at(const char *path, int backlog)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static int connect_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

/* Never returns.  It lives until its parent ends it, or has gone. */
static void serve(const struct resident *r, int listening, int tell)
{
	char request[8192];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (r->manners == NO_ACCEPT)
		(void)pause();
	for (;;) {
		int fd = accept(listening, NULL, NULL);

		if (r->manners == ENDS) {
			(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
			(void)kill(getppid(), SIGSTOP);
		}
		if (r->manners == LATE)
			(void)poll(NULL, 0, LATE_MS);
		if (r->manners == STOPS) {
			(void)kill(getppid(), SIGSTOP);
			(void)poll(NULL, 0, STOPPED_MS);
			(void)close(fd);
			(void)kill(getppid(), SIGCONT);
			continue;
		}
		if (r->hello_len > 0)
			(void)send(fd, r->hello, r->hello_len, MSG_NOSIGNAL);
		if (r->manners != ENDS && recv(fd, request, sizeof request, 0) > 0)
			(void)!write(tell, "x", 1);
		if (r->manners == HANGS)
			continue; /* fd stays open */
		if (r->reply_len > 0)
			(void)send(fd, r->reply, r->reply_len, MSG_NOSIGNAL);
		(void)close(fd);
		if (r->manners == ENDS)
			(void)kill(getppid(), SIGCONT);
	}
}

/* `uid` becomes that of the process before it listens. */
static void begin_resident(const struct resident *r, uid_t uid)
{
	int pipes[2], fd;

	resident.path = unit_path("socket");
	assert_int_equal(pipe(pipes), 0);
	if (uid != geteuid())
		assert_int_equal(seteuid(uid), 0);
	fd = listen_at(resident.path, r->manners == NO_ACCEPT ? 0 : 8);
	if (uid != geteuid() || uid != getuid())
		assert_int_equal(seteuid(getuid()), 0);
	resident.queue = r->manners == NO_ACCEPT ? connect_at(resident.path) : -1;
	resident.pid = fork();
	assert_true(resident.pid >= 0);
	if (resident.pid == 0)
		serve(r, fd, pipes[1]);
	(void)close(fd);
	(void)close(pipes[1]);
	resident.told = pipes[0];
}

/* It must have got so many requests.  It is given the time to take them. */
static void end_resident(ssize_t requests)
{
	struct pollfd told = { .fd = resident.told, .events = POLLIN };
	char heard[16];
	ssize_t n;

	if (requests > 0)
		(void)poll(&told, 1, 10000);
	(void)kill(resident.pid, SIGKILL);
	assert_int_equal(waitpid(resident.pid, NULL, 0), resident.pid);
	n = read(resident.told, heard, sizeof heard);
	(void)close(resident.told);
	if (resident.queue >= 0)
		(void)close(resident.queue);
	(void)unlink(resident.path);
	free(resident.path);
	assert_int_equal(n, requests);
}

/* Asks the resident broker at path, and behind it one that exports A=1. */
static bool ask_both(const char *path, int timeout_ms, struct secret *buf, struct wire_reply *reply,
		     struct client_fault *fault)
{
	const struct client_broker broker = { program, "allows", path };
	struct wire_request request = { .user = "alice", .service = "sshd", .key = "key", .uid = 1000 };
	unsigned int before = unit_open_descriptors();
	bool ok = client_ask(&broker, &request, timeout_ms, buf, reply, fault);

	assert_int_equal(unit_open_descriptors(), before);
	return ok;
}

static void resident_is_asked_first(void **state)
{
	const struct resident *r = *state;
	const int timeout_ms = r->manners == HANGS && r->greets ? 6000 : 8000;
	int64_t begin = deadline_now_ms();
	struct client_fault fault = { .text = "" };
	struct wire_reply reply = { 0 };
	SECRET_AUTO(buf);
	bool ok;

	begin_resident(r, geteuid());
	ok = ask_both(resident.path, timeout_ms, &buf, &reply, &fault);
	end_resident(r->greets ? 1 : 0);
	if (!ok)
		fail_msg("fault is \"%s\"", fault.text);
	assert_in_range(deadline_now_ms() - begin, 0, timeout_ms + 5000); /* a machine may be busy */
	if (r->end == RESIDENT)
		assert_int_equal(reply.result, r->result);
	if (r->end == ONE_SHOT)
		assert_string_equal(reply.environment, "A=1");
	else if (reply.environment)
		assert_string_equal(reply.environment, "R=1");
	unit_check_no_child();
}

/* ^Z, in a host that its user has started: what is left would be too little to ask IAM, and look like
 * an outage. */
static void stopped_host_is_no_outage(void **state)
{
	static const struct resident stops = { .manners = STOPS };
	struct client_fault fault = { .text = "" };
	struct wire_reply reply = { 0 };
	SECRET_AUTO(buf);

	(void)state;
	begin_resident(&stops, geteuid());
	assert_false(ask_both(resident.path, STOPPED_MS + 60, &buf, &reply, &fault));
	end_resident(0);
	assert_int_equal(fault.kind, CLIENT_BUSY);
	assert_null(buf.data);
}

static void resident_alone(void **state)
{
	const struct resident *r = *state;
	const struct wire_session drop = { .session = HANDLE };
	struct client_fault fault = { .text = "" };
	struct wire_reply reply = { 0 };
	const int timeout_ms = r->manners == SERVES ? 8000 : 400;
	int64_t begin = deadline_now_ms();
	unsigned int before;
	SECRET_AUTO(buf);
	bool ok;

	begin_resident(r, geteuid());
	before = unit_open_descriptors();
	ok = client_ask_resident(resident.path, &wire_drop_message, &drop, timeout_ms, &buf, &reply, &fault);
	assert_int_equal(unit_open_descriptors(), before);
	end_resident(r->manners == NO_ACCEPT ? 0 : 1);
	assert_int_equal(ok, !r->fault);
	assert_int_equal(fault.sent, r->manners != NO_ACCEPT);
	assert_in_range(deadline_now_ms() - begin, 0, timeout_ms + 5000);
	if (ok) {
		assert_int_equal(reply.result, r->result);
		return;
	}
	unit_check_text("fault", fault.text, r->fault);
	assert_int_equal(fault.kind, r->greets ? CLIENT_BROKE_OFF : r->kind);
	assert_null(buf.data); /* room for the next one who is asked */
}

/* What it has said comes after the reset. */
static void ends_with_the_request_unread(void **state)
{
	static const struct resident ends = { .hello = HELLO, .hello_len = sizeof HELLO - 1, .manners = ENDS };
	const struct wire_session drop = { .session = HANDLE };
	struct client_fault fault = { .text = "" };
	struct wire_reply reply;
	SECRET_AUTO(buf);

	(void)state;
	begin_resident(&ends, geteuid());
	assert_false(client_ask_resident(resident.path, &wire_drop_message, &drop, 8000, &buf, &reply, &fault));
	end_resident(0);
	assert_string_equal(fault.text, "the broker ended without a reply");
	assert_int_equal(fault.kind, CLIENT_BROKE_OFF);
	assert_true(fault.sent);
}

/* For ibmiam login one deadline holds for both; a login of the host's has its whole time from when
 * the key was sent, in case its user had stopped the host. */
static void greets_late(void **state)
{
	static const struct resident late = { .hello = HELLO, .hello_len = sizeof HELLO - 1, .reply = WELCOME,
					      .reply_len = sizeof WELCOME - 1, .manners = LATE };
	const struct wire_request request = { .user = "alice", .service = "ibmiam", .key = "key", .uid = 1000 };
	struct client_fault fault = { .text = "" };
	struct wire_reply reply;
	SECRET_AUTO(buf);
	SECRET_AUTO(again);

	(void)state;
	begin_resident(&late, geteuid());
	assert_true(client_ask_resident(resident.path, &wire_request_message, &request, 8000, &buf, &reply, &fault));
	assert_in_range(polled_ms, 0, 8000 - LATE_MS);
	assert_true(ask_both(resident.path, 8000, &again, &reply, &fault));
	assert_string_equal(reply.environment, "R=1");
	assert_in_range(polled_ms, 6000 - LATE_MS + 1, 6000); /* the clock goes on */
	end_resident(2);
}

static void cannot_be_sent(void **state)
{
	const struct wire_session drop = { .session = HANDLE };
	struct client_fault fault = { .sent = true };
	struct wire_reply reply;
	SECRET_AUTO(buf);

	(void)state;
	begin_resident(&residents[0], geteuid());
	send_fails = true;
	assert_false(client_ask_resident(resident.path, &wire_drop_message, &drop, 8000, &buf, &reply, &fault));
	send_fails = false;
	end_resident(0);
	assert_string_equal(fault.text, "the request cannot be sent: No buffer space available");
	assert_false(fault.sent);
}

static const struct nowhere {
	const char *name;
	const char *file; /* in the folder; NULL: the path is too long */
	int type;         /* of a socket that nobody listens at; 0: a plain file; -1: nothing */
	const char *why;
} nowheres[] = {
	{ "nothing there", "socket", -1, "No such file or directory" },
	{ "a file", "socket", 0, "Connection refused" },
	{ "left over", "socket", SOCK_SEQPACKET, "Connection refused" },
	{ "a stream", "socket", SOCK_STREAM, "Protocol wrong type for socket" },
	{ "too long", NULL, -1, "File name too long" },
};

static void nobody_listens(void **state)
{
	const struct nowhere *n = *state;
	char longer[CLIENT_SOCKET_MAX + 1] = "";
	const struct wire_session drop = { .session = HANDLE };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char *path = n->file ? unit_path(n->file) : strdup(memset(longer, '/', sizeof longer - 1));
	struct client_fault fault = { .text = "" };
	struct wire_reply reply;
	int fd = -1;
	SECRET_AUTO(buf);
	SECRET_AUTO(again);

	if (n->type == 0)
		unit_write(n->file, 0600, "", 0);
	if (n->type > 0) {
		fd = socket(AF_UNIX, n->type | SOCK_CLOEXEC, 0);
		(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
		assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
		if (n->type == SOCK_STREAM)
			assert_int_equal(listen(fd, 1), 0);
	}
	assert_false(client_ask_resident(path, &wire_drop_message, &drop, 5000, &buf, &reply, &fault));
	assert_int_equal(fault.kind, CLIENT_NOBODY);
	assert_false(fault.sent);
	assert_non_null(strstr(fault.text, "no broker listens at /"));
	assert_non_null(strstr(fault.text, n->why));
	assert_true(ask_both(path, 8000, &again, &reply, &fault));
	assert_string_equal(reply.environment, "A=1");
	if (fd >= 0)
		(void)close(fd);
	(void)unlink(path);
	free(path);
}

/* Whoever else could make a socket there would be told keys, and handles. */
static void strangers_are_told_nothing(void **state)
{
	const struct wire_session drop = { .session = HANDLE };
	struct client_fault fault = { .text = "" };
	struct wire_reply reply;
	SECRET_AUTO(buf);

	(void)state;
	if (geteuid() != 0)
		UNIT_SKIP("only root can become another");
	assert_int_equal(chmod(unit_folder, 0777), 0);
	begin_resident(&residents[0], 4712);
	assert_int_equal(chmod(unit_folder, 0700), 0);
	assert_true(ask_both(resident.path, 8000, &buf, &reply, &fault));
	assert_string_equal(reply.environment, "A=1");
	secret_free(&buf);
	assert_false(client_ask_resident(resident.path, &wire_drop_message, &drop, 5000, &buf, &reply, &fault));
	assert_int_equal(fault.kind, CLIENT_NOBODY);
	assert_false(fault.sent);
	end_resident(0);
}

int main(int argc, char **argv)
{
	struct unit_suite s = { 0 };
	int result;

	if (unit_broker_name(argc, argv))
		return be_broker();
	if (unit_folder_make(NULL) != 0)
		return EXIT_FAILURE;
	program = unit_broker_make(0700);
	(void)alarm(300); /* a fault in client.c may hang */
	UNIT_ROWS(&s, resident_is_asked_first, residents);
	UNIT_ROWS(&s, resident_alone, residents);
	UNIT_TEST(&s, stopped_host_is_no_outage);
	UNIT_TEST(&s, ends_with_the_request_unread);
	UNIT_TEST(&s, greets_late);
	UNIT_TEST(&s, cannot_be_sent);
	UNIT_ROWS(&s, nobody_listens, nowheres);
	UNIT_TEST(&s, strangers_are_told_nothing);
	result = unit_run(&s, "client, resident");
	(void)unit_folder_remove(NULL);
	free(program);
	return result;
}
