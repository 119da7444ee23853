/*
 * ibmiam-broker: everything that is large, parses foreign bytes or talks to the network,
 * in a process of its own.
 * One-shot form: pam_ibmiam.so starts it with one end of a SOCK_SEQPACKET pair as descriptor 0;
 * it reads one request, sends one reply, exits.  The exit status is a hint for the log.
 * Resident form: it listens, and serves many; see resident.h.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_show.h"
#include "deadline.h"
#include "iam_transport.h"
#include "listener.h"
#include "memory.h"
#include "resident.h"
#include "sandbox.h"
#include "seconds.h"
#include "secret.h"
#include "server.h"
#include "wire.h"

enum { REQUEST_WAIT_MS = 5000, EXIT_NO_REQUEST = 3, EXIT_NO_REPLY = 4, EXIT_CONFIG = 9 };

#ifdef __SANITIZE_ADDRESS__
/* LeakSanitizer needs what the sandbox refuses, and would end each broker with 1: leaks are
 * valgrind's to find. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}
#endif

static int usage(FILE *to, int status)
{
	(void)fprintf(to, "ibmiam-broker " IBMIAM_VERSION "\n"
		"usage: ibmiam-broker --config PATH [--listen PATH] [--idle-exit SECONDS]\n"
		"       ibmiam-broker --config PATH --show-config\n"
		"Without --listen it is started by pam_ibmiam.so, with a socket as descriptor 0, or by\n"
		"systemd, with a listening one (LISTEN_FDS).  With it, it stays and serves logins and\n"
		"sessions at that path.  See README.md.\n");
	return status;
}

static bool stdin_is_our_socket(void)
{
	int type = 0;
	socklen_t len = sizeof type;

	return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

/* Waits for the request and throws it away, unread: were it left in the socket, the host would
 * see a reset in place of the reply. */
static bool drop_request(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	int64_t deadline_ms = deadline_now_ms() + REQUEST_WAIT_MS;
	int n;

	do
		n = poll(&p, 1, deadline_left_ms(deadline_ms));
	while (n < 0 && errno == EINTR);
	return n > 0 && recv(STDIN_FILENO, NULL, 0, MSG_DONTWAIT) >= 0;
}

static bool send_reply(const struct wire_reply *reply)
{
	SECRET_AUTO(message);

	return secret_init(&message, WIRE_MESSAGE_MAX) &&
	       !wire_encode(&wire_reply_message, reply, &message) &&
	       send(STDIN_FILENO, message.data, message.len, MSG_NOSIGNAL) == (ssize_t)message.len;
}

/* Serves the one client to its end. */
static int serve(struct config_live *config, const char *note)
{
	struct server server = { .config = config_live_hold(config), .note = note[0] ? note : NULL };
	int status = EXIT_NO_REPLY;

	if (server_open(&server) &&
	    server_add_client(&server, STDIN_FILENO, getuid(), getpid(), deadline_now_ms() + REQUEST_WAIT_MS))
		while (!LIST_EMPTY(&server.clients))
			server_round(&server, INT64_MAX);
	if (server.replies > 0)
		status = EXIT_SUCCESS;
	else if (server.requests == 0)
		status = EXIT_NO_REQUEST;
	server_close(&server);
	return status;
}

static int one_shot(const char *config_path)
{
	char note[SANDBOX_NOTE_MAX], why[WIRE_REASON_MAX] = "";
	struct config_live *config = config_live_load(config_path, why, sizeof why);
	struct sandbox_needs needs = { 0 };
	struct wire_reply fault = { .result = config ? IBMIAM_ALLOWED : IBMIAM_CONFIG_ERROR };
	int status;

	/* Root reads the configuration; nobody of importance reads the request. */
	if (config)
		needs = iam_transport_needs(&config->config);
	if (!sandbox_enter(&needs, note, why, sizeof why))
		fault.result = IBMIAM_BROKER_ERROR;
	else if (config && !memory_init_libraries())
		fault.result = IBMIAM_BROKER_ERROR;
	fault.reason = why[0] ? why : "cannot start libcurl";

	/* Only in the sandbox is a byte of the request looked at. */
	if (fault.result == IBMIAM_ALLOWED)
		status = serve(config, note);
	else if (!drop_request())
		status = EXIT_NO_REQUEST;
	else
		status = send_reply(&fault) ? EXIT_SUCCESS : EXIT_NO_REPLY;
	config_live_release(config);
	return status;
}

/* What `ibmiam config` runs. */
static int show_config(const char *path)
{
	char why[WIRE_REASON_MAX] = "";

	(void)signal(SIGPIPE, SIG_IGN); /* a reader that has gone is an error to report */
	if (!config_show(path, stdout, why, sizeof why)) {
		(void)fprintf(stderr, "ibmiam-broker: %s; see: man 5 ibmiam.conf\n", why);
		return EXIT_CONFIG;
	}
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_SUCCESS;
	(void)fprintf(stderr, "ibmiam-broker: cannot write to standard output\n");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "listen", required_argument, NULL, 'l' },
		{ "idle-exit", required_argument, NULL, 'i' },
		{ "show-config", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	bool passed = listener_is_passed();
	struct resident_options options = { .idle_exit_s = passed ? RESIDENT_IDLE_EXIT_S : 0 };
	bool show = false;
	int c;

	closefrom(passed ? LISTENER_PASSED_FD + 1 : STDERR_FILENO + 1);
	(void)umask(077);
	secret_keep_pages();
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			options.config = optarg;
			break;
		case 'l':
			options.listen = optarg;
			break;
		case 'i':
			options.idle_exit_s = seconds_parse(optarg, INT_MAX);
			break;
		case 's':
			show = true;
			break;
		case 'h':
		case 'V':
			return usage(stdout, EXIT_SUCCESS);
		default:
			return usage(stderr, EXIT_FAILURE);
		}
	}
	if (!options.config || options.config[0] != '/' || optind != argc || options.idle_exit_s < 0 ||
	    (options.listen && options.listen[0] != '/'))
		return usage(stderr, EXIT_FAILURE);
	if (show)
		return show_config(options.config);
	if (options.listen || passed) {
		(void)clearenv(); /* libraries must not find anything in it, whoever started this */
		return resident_run(&options);
	}
	return stdin_is_our_socket() ? one_shot(options.config) : usage(stderr, EXIT_FAILURE);
}
