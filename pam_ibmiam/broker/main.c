/*
 * ibmiam-broker: everything that is large, parses foreign bytes or talks to the network,
 * in a process of its own.  One-shot form: pam_ibmiam.so starts it with one end of a
 * SOCK_SEQPACKET pair as descriptor 0; it reads one request, sends one reply, exits.
 * The reply is the verdict; the exit status is a hint for the log.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "deadline.h"
#include "decision.h"
#include "memory.h"
#include "sandbox.h"
#include "wire.h"

enum { REQUEST_WAIT_MS = 5000, EXIT_NO_REQUEST = 3, EXIT_NO_REPLY = 4 };

static int usage(FILE *to, int status)
{
	(void)fprintf(to, "ibmiam-broker " IBMIAM_VERSION "\n"
		"usage: ibmiam-broker --config PATH\n"
		"Started by pam_ibmiam.so, which speaks to it over a socket on descriptor 0;\n"
		"there is nothing to do with it in a terminal.  See README.md.\n");
	return status;
}

static bool stdin_is_our_socket(void)
{
	int type = 0;
	socklen_t len = sizeof type;

	return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

/* Takes the request off the socket, unread. */
static bool receive_request(struct secret *buf)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	struct iovec iov = { .iov_base = buf->data, .iov_len = buf->cap };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int64_t deadline_ms = deadline_now_ms() + REQUEST_WAIT_MS;
	ssize_t n;

	do
		n = poll(&p, 1, deadline_left_ms(deadline_ms));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	n = recvmsg(STDIN_FILENO, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n <= 0 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return false;
	buf->len = (size_t)n;
	return true;
}

static bool send_reply(const struct wire_reply *reply)
{
	SECRET_AUTO(message);

	return secret_init(&message, WIRE_MESSAGE_MAX) &&
	       !wire_encode(&wire_reply_message, reply, &message) &&
	       send(STDIN_FILENO, message.data, message.len, MSG_NOSIGNAL) == (ssize_t)message.len;
}

static bool answer(const struct config *config, const struct wire_request *request, const char *note)
{
	struct decision d = { 0 };
	bool sent;

	decision_make(&d, config, request, STDIN_FILENO, deadline_now_ms() + request->budget_ms);
	d.reply.note = note[0] ? note : NULL;
	sent = send_reply(&d.reply);
	/* An environment that does not fit into the reply must not look like a crash. */
	if (!sent && d.reply.environment) {
		const struct wire_reply too_large = { .result = IBMIAM_CONFIG_ERROR,
			.reason = "the environment does not fit into 64 KiB" };
		sent = send_reply(&too_large);
	}
	decision_free(&d);
	return sent;
}

static int one_shot(const char *config_path)
{
	SECRET_AUTO(buf);
	__attribute__((cleanup(config_free))) struct config config = { 0 };
	struct sandbox_needs needs = { 0 };
	struct wire_request request;
	struct wire_reply fault = { .result = IBMIAM_ALLOWED };
	char note[SANDBOX_NOTE_MAX], why[WIRE_REASON_MAX] = "";

	/* Root reads the configuration; nobody of importance reads the request. */
	if (config_load(config_path, &config, why, sizeof why))
		needs = iam_needs(&config);
	else
		fault.result = IBMIAM_CONFIG_ERROR;
	if (!sandbox_enter(&needs, note, why, sizeof why))
		fault.result = IBMIAM_BROKER_ERROR;
	else if (fault.result == IBMIAM_ALLOWED && !memory_init_libraries())
		fault.result = IBMIAM_BROKER_ERROR;
	fault.reason = why[0] ? why : "cannot start libcurl";

	if (!secret_init(&buf, WIRE_MESSAGE_MAX + 1) || !receive_request(&buf))
		return EXIT_NO_REQUEST;
	/* Only in the sandbox is a byte of it looked at. */
	if (fault.result != IBMIAM_ALLOWED)
		return send_reply(&fault) ? EXIT_SUCCESS : EXIT_NO_REPLY;
	if (wire_decode(&wire_request_message, buf.data, buf.len, &request))
		return EXIT_NO_REQUEST;
	return answer(&config, &request, note) ? EXIT_SUCCESS : EXIT_NO_REPLY;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	const char *config_path = NULL;
	int c;

	closefrom(STDERR_FILENO + 1); /* for kernels on which the module could not */
	(void)umask(077);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			config_path = optarg;
			break;
		case 'h':
		case 'V':
			return usage(stdout, EXIT_SUCCESS);
		default:
			return usage(stderr, EXIT_FAILURE);
		}
	}
	if (!config_path || config_path[0] != '/' || optind != argc || !stdin_is_our_socket())
		return usage(stderr, EXIT_FAILURE);
	return one_shot(config_path);
}
