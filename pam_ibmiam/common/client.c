/* One request, one reply.  See client.h. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "deadline.h"
#include "keeper.h"
#include "spawn.h"
#include "trust.h"

enum {
	MARGIN_MAX_MS = 1000,
	HELLO_MAX_MS = 1000, /* a resident broker has nothing to do but to say it */
	REQUEST_MAX_MS = 10000, /* from its start until a one-shot broker, which waits 5 s, has the request */
	RESERVE_PART = 4,    /* of a login's time, for a one-shot broker after a resident one */
	LEAST_PART = 20,     /* it always has; after the longest greeting it is a sixteenth */
};

/* What a broker gets of the time that we have (wire.h, budget_ms): less, so that even on a busy
 * machine its answer ("IAM is slow") comes before our verdict on it. */
static uint32_t budget_of(int timeout_ms)
{
	int margin = timeout_ms / 5 < MARGIN_MAX_MS ? timeout_ms / 5 : MARGIN_MAX_MS;
	int budget = timeout_ms - margin;

	return budget < 0 ? 0 : budget > WIRE_BUDGET_MAX_MS ? WIRE_BUDGET_MAX_MS : (uint32_t)budget;
}

static bool __attribute__((format(printf, 2, 3)))
fail(struct client_fault *fault, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(fault->text, sizeof fault->text, format, ap);
	va_end(ap);
	return false;
}

static bool check_program(const char *path, struct client_fault *fault)
{
	struct stat st;
	const char *why;

	if (stat(path, &st) != 0)
		return fail(fault, "cannot find the broker %s: %s", path, strerrordesc_np(errno));
	why = trust_fault(&st);
	if (why)
		return fail(fault, "the broker %s %s", path, why);
	if (!(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return fail(fault, "the broker %s is not executable", path);
	return true;
}

/* Returns 0 or an errno.  A broker that is already gone is no error here: it shows as an end
 * of file, with its exit status. */
static int transmit(int fd, struct secret *message)
{
	ssize_t n;

	do
		n = send(fd, message->data, message->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	secret_clear(message);
	return n < 0 && errno != EPIPE && errno != ECONNRESET ? errno : 0;
}

/* One datagram in at most size bytes: its length, 0 at end of file, or an errno negated
 * (-ETIMEDOUT at the deadline, -EMSGSIZE when it was longer). */
static ssize_t receive(int fd, char *buf, size_t size, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do
		n = poll(&p, 1, deadline_left_ms(deadline_ms));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return -ETIMEDOUT;
	/* A reset comes once, and before what the broker has said: it ended with our request unread. */
	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;
	/* No descriptors are expected; the kernel has dropped any for want of room. */
	return (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ? -EMSGSIZE : n;
}

static bool check_reply(ssize_t n, const struct secret *buf, struct wire_reply *reply,
			struct client_fault *fault)
{
	const char *why;

	/* Not an outage: a slow IAM makes the broker answer in time that it is slow.  Who can hold
	 * up the broker (the user of su, for the moment before it has ids of its own) must not
	 * reach what the stack does in an outage. */
	if (n == -ETIMEDOUT)
		return fail(fault, "the broker did not answer in time");
	if (n < 0)
		return fail(fault, "the broker's reply cannot be read: %s", strerrordesc_np((int)-n));
	if (n == 0)
		return fail(fault, "the broker ended without a reply");
	why = wire_decode(&wire_reply_message, buf->data, (size_t)n, reply);
	if (why)
		return fail(fault, "the broker breaks the protocol: %s", why);
	if (reply->result == IBMIAM_ALLOWED && (!reply->iam_id || !reply->account))
		return fail(fault, "the broker breaks the protocol: allowed, but without an identity");
	if (reply->result != IBMIAM_ALLOWED && reply->environment)
		return fail(fault, "the broker breaks the protocol: refused, but with an environment");
	/* A handle becomes part of an environment: it must not hold "=" or a newline. */
	if (reply->session && !wire_is_handle(reply->session))
		return fail(fault, "the broker breaks the protocol: a handle that is none");
	return true;
}

/* Adds what is known of the broker's end to a fault: a hint only, never the verdict. */
static void explain(int status, const char *program, struct client_fault *fault)
{
	size_t len = strlen(fault->text);

	if (status == 0)
		return;
	if (status == KEEPER_EXEC_FAILED)
		(void)snprintf(fault->text, sizeof fault->text, "the broker %s could not be executed",
			       program);
	else if (status > 128)
		(void)snprintf(fault->text + len, sizeof fault->text - len, " (ended by signal %d)",
			       status - 128);
	else if (status > 0)
		(void)snprintf(fault->text + len, sizeof fault->text - len, " (exit status %d)",
			       status);
}

/* Puts the request into buf, with the budget of a client that waits so long for the reply, which
 * has room for one byte more than a message may have: so that a longer one is noticed. */
static bool prepare(const struct wire_message *message, const void *request, int timeout_ms,
		    struct secret *buf, struct client_fault *fault)
{
	uint32_t budget_ms = budget_of(timeout_ms);
	struct wire_session session;
	struct wire_request login;
	const char *why;

	if (!secret_init(buf, WIRE_MESSAGE_MAX + 1))
		return fail(fault, "out of memory");
	if (message == &wire_request_message) {
		login = *(const struct wire_request *)request;
		login.budget_ms = budget_ms;
		why = wire_encode(message, &login, buf);
	} else {
		session = *(const struct wire_session *)request;
		session.budget_ms = budget_ms;
		why = wire_encode(message, &session, buf);
	}
	return why ? fail(fault, "the request cannot be sent: %s", why) : true;
}

static bool send_request(int fd, struct secret *buf, struct client_fault *fault)
{
	int error = transmit(fd, buf);

	fault->sent = !error;
	return !error || fail(fault, "the request cannot be sent: %s", strerrordesc_np(error));
}

/* The reply has its place where the request was.  *ret_n is what receive() returned. */
static bool await_reply(int fd, int timeout_ms, struct secret *buf, struct wire_reply *reply,
			struct client_fault *fault, ssize_t *ret_n)
{
	*ret_n = receive(fd, buf->data, buf->cap, deadline_now_ms() + timeout_ms);
	if (*ret_n > 0)
		buf->len = (size_t)*ret_n;
	return check_reply(*ret_n, buf, reply, fault);
}

/* The time counts from when the request is sent, on both sides, for a login by a resident broker
 * as well: a host that its user had stopped before (^Z in su) must not look like an outage of IAM. */
static bool ask_one_shot(const struct client_broker *broker, const struct wire_request *request,
			 int timeout_ms, struct secret *buf, struct wire_reply *reply,
			 struct client_fault *fault)
{
	struct spawn child;
	int error, status;
	ssize_t n = 0;
	bool ok;

	if (!prepare(&wire_request_message, request, timeout_ms, buf, fault) ||
	    !check_program(broker->program, fault))
		return false;
	error = spawn_begin(broker->program, broker->config, timeout_ms + REQUEST_MAX_MS, &child);
	if (error)
		return fail(fault, "cannot start the broker %s: %s", broker->program,
			    strerrordesc_np(error));
	ok = send_request(child.fd, buf, fault) &&
	     await_reply(child.fd, timeout_ms, buf, reply, fault, &n);
	status = spawn_end(&child);
	if (!ok && n != -ETIMEDOUT)
		explain(status, broker->program, fault);
	/* The verdict stands, but a crash must not go unseen.  SIGKILL is the keeper's, for one that
	 * takes its time. */
	if (ok && status > 0 && status != 128 + SIGKILL) {
		(void)fail(fault, "the broker %s failed after its reply", broker->program);
		explain(status, broker->program, fault);
		reply->note = fault->text;
	}
	return ok;
}

/* A connection to whoever listens at the path, or an errno negated. */
static int connect_to(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, error;

	_Static_assert(sizeof to.sun_path == CLIENT_SOCKET_MAX, "client.h says so");
	if (strlen(path) >= sizeof to.sun_path)
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path) + 1);
	/* Not blocking: a queue that is full must not hold up a login. */
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	error = errno;
	(void)close(fd);
	return -error;
}

/* Nobody but root, or we ourselves, may have made the socket (unix(7): SO_PEERCRED is who
 * called listen). */
static bool is_trusted(int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static bool turned_away(const char *path, struct client_fault *fault)
{
	fault->kind = CLIENT_BUSY;
	return fail(fault, "the broker at %s has no room for another request just now, or ends", path);
}

static bool await_greeting(int fd, const char *path, int64_t deadline_ms, struct client_fault *fault)
{
	char buf[WIRE_HELLO_MAX];
	struct wire_hello hello;
	ssize_t n = receive(fd, buf, sizeof buf, deadline_ms);

	if (n == 0)
		return turned_away(path, fault);
	if (n == -ETIMEDOUT) {
		fault->kind = CLIENT_BUSY;
		return fail(fault, "the broker at %s does not greet in time", path);
	}
	if (n > 0 && !wire_decode(&wire_hello_message, buf, (size_t)n, &hello))
		return true;
	fault->kind = CLIENT_NOBODY;
	return fail(fault, "the broker at %s speaks another version", path);
}

/* How long a resident broker may take. */
struct patience {
	int64_t deadline_ms; /* for its greeting, and where reply_ms is 0 for its reply */
	int reply_ms;        /* for that, from when it has the request */
};

static int patience_left_ms(const struct patience *p)
{
	return p->reply_ms ? p->reply_ms : deadline_left_ms(p->deadline_ms);
}

static bool prepare_and_send(int fd, const struct wire_message *message, const void *request,
			     const struct patience *p, struct secret *buf, struct client_fault *fault)
{
	return prepare(message, request, patience_left_ms(p), buf, fault) && send_request(fd, buf, fault);
}

/* A key only goes to a broker that has greeted: until then it may hang, or be of another version.
 * What holds none goes at once, and the greeting, which comes before the reply, is looked at then:
 * that spares the host one wait. */
static bool greet_and_send(int fd, const char *path, const struct wire_message *message,
			   const void *request, const struct patience *p, struct secret *buf,
			   struct client_fault *fault)
{
	bool has_key = message == &wire_request_message;

	if (!is_trusted(fd)) {
		fault->kind = CLIENT_NOBODY;
		return fail(fault, "whoever listens at %s is not root", path);
	}
	return (has_key || prepare_and_send(fd, message, request, p, buf, fault)) &&
	       await_greeting(fd, path, p->deadline_ms, fault) &&
	       (!has_key || prepare_and_send(fd, message, request, p, buf, fault));
}

static bool ask_resident(const char *path, const struct wire_message *message, const void *request,
			 const struct patience *p, struct secret *buf, struct wire_reply *reply,
			 struct client_fault *fault)
{
	int fd = connect_to(path);
	ssize_t n;
	bool ok;

	*fault = (struct client_fault){ .kind = CLIENT_BROKE_OFF };
	if (fd == -EAGAIN) /* a full queue: unix(7) */
		return turned_away(path, fault);
	if (fd < 0) {
		fault->kind = CLIENT_NOBODY;
		return fail(fault, "no broker listens at %s: %s", path, strerrordesc_np(-fd));
	}
	ok = greet_and_send(fd, path, message, request, p, buf, fault) &&
	     await_reply(fd, patience_left_ms(p), buf, reply, fault, &n);
	(void)close(fd);
	if (!ok)
		secret_free(buf);
	return ok;
}

bool client_ask_resident(const char *socket, const struct wire_message *message,
			 const void *request, int timeout_ms, struct secret *buf,
			 struct wire_reply *reply, struct client_fault *fault)
{
	const struct patience p = { .deadline_ms = deadline_now_ms() + timeout_ms };
	int before;
	bool ok;

	/* A host that cancels the thread of a login must not leave key, socket and keeper. */
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	ok = ask_resident(socket, message, request, &p, buf, reply, fault);
	(void)pthread_setcancelstate(before, NULL);
	return ok;
}

bool client_ask(const struct client_broker *broker, const struct wire_request *request,
		int timeout_ms, struct secret *buf, struct wire_reply *reply,
		struct client_fault *fault)
{
	int64_t deadline_ms = deadline_now_ms() + timeout_ms;
	int before, least_ms = timeout_ms;
	bool ok = false;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	*fault = (struct client_fault){ .kind = CLIENT_BROKE_OFF };
	if (broker->socket) {
		/* One that hangs must leave time for a broker of our own. */
		int most_ms = timeout_ms - timeout_ms / RESERVE_PART;
		int greet_ms = most_ms / 4 < HELLO_MAX_MS ? most_ms / 4 : HELLO_MAX_MS;
		const struct patience p = { deadline_now_ms() + greet_ms, most_ms };

		ok = ask_resident(broker->socket, &wire_request_message, request, &p, buf, reply, fault);
		/* Less is left only where somebody has stopped us meanwhile (^Z in su).  A broker
		 * without the time to ask IAM would call that an outage. */
		least_ms = timeout_ms / LEAST_PART;
		timeout_ms = deadline_left_ms(deadline_ms);
	}
	if (!ok && timeout_ms >= least_ms)
		ok = ask_one_shot(broker, request, timeout_ms, buf, reply, fault);
	if (!ok)
		secret_free(buf); /* a request that was not sent: the key */
	(void)pthread_setcancelstate(before, NULL);
	return ok;
}
