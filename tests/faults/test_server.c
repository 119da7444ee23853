/*
 * The broker's loop while its calls fail, one at a time, as the one-shot broker runs it, as a
 * resident one does, and about sessions: a client gets its answer or sees the end of its
 * connection, so that no login hangs, and nothing is left behind.
 */
#include "sweep_world.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "deadline.h"
#include "memory.h"
#include "request.h"
#include "resident.h"
#include "server.h"

enum { WAIT_MS = 10000, LISTEN_FD = 3 };

static struct config_live *live; /* loaded while nothing failed */

static int make_world(void **state)
{
	char *path, why[512];

	if (make_files(state) != 0)
		return -1;
	path = unit_path("ibmiam.conf");
	live = config_live_load(path, why, sizeof why);
	free(path);
	return live ? 0 : -1;
}

static int remove_world(void **state)
{
	config_live_release(live);
	return remove_files(state);
}

/* The host's end of a new connection with this message on its way; the other end is the broker's. */
static int ask(const struct wire_message *type, const void *message, int *ret_broker)
{
	const struct timeval limit = { WAIT_MS / 1000, 0 };
	SECRET_AUTO(text);
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
	assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
	assert_true(secret_init(&text, WIRE_MESSAGE_MAX));
	assert_null(wire_encode(type, message, &text));
	assert_int_equal(send(fd[0], text.data, text.len, MSG_NOSIGNAL), text.len);
	*ret_broker = fd[1];
	return fd[0];
}

/* Closes the host's end.  False: the connection has ended without a reply. */
static bool take_reply(int fd, struct secret *text, struct wire_reply *ret)
{
	ssize_t n;

	*ret = (struct wire_reply){ .result = IBMIAM_BROKER_ERROR };
	assert_true(text->data || secret_init(text, WIRE_MESSAGE_MAX));
	n = recv(fd, text->data, text->cap, 0);
	if (n < 0)
		assert_int_equal(errno, ECONNRESET);
	(void)close(fd);
	if (n <= 0)
		return false;
	assert_null(wire_decode(&wire_reply_message, text->data, (size_t)n, ret));
	return true;
}

/* As main.c's serve() and resident.c's start(), without the sandbox. */
static bool open_server(struct server *s, bool resident)
{
	*s = (struct server){ .config = config_live_hold(live), .set = -1 };
	if (!server_open(s))
		return false;
	if (!resident)
		return true;
	s->privileged = getuid();
	s->limit = limit_new();
	s->sessions = sessions_new();
	return s->limit && s->sessions;
}

/* Serves the one client to its end. */
static void serve(struct server *s, int fd)
{
	if (server_add_client(s, fd, getuid(), getpid(), deadline_now_ms() + WAIT_MS))
		while (!LIST_EMPTY(&s->clients))
			server_round(s, INT64_MAX);
}

static const struct wire_request login = { .user = "alice", .service = "sshd", .key = KEY,
					   .uid = 1000, .budget_ms = WAIT_MS };
static const struct wire_request stranger = { .user = "bob", .service = "sshd", .key = KEY,
					      .uid = 1001, .budget_ms = WAIT_MS };

static enum sweep_outcome log_in(struct inject_plan plan, const struct wire_request *request,
				 bool resident, char why[2048])
{
	struct server s;
	struct wire_reply r;
	SECRET_AUTO(text);
	int broker, host = ask(&wire_request_message, request, &broker);
	bool replied;

	inject_on(plan);
	if (open_server(&s, resident))
		serve(&s, broker);
	else
		(void)close(broker);
	server_close(&s);
	inject_off();
	(void)snprintf(why, 2048, "no reply");
	replied = take_reply(host, &text, &r);
	if (replied && r.session && (!resident || !wire_is_handle(r.session)))
		return wrong(why, "a handle that is none");
	return replied ? judge(&r, why) : SWEEP_REFUSED;
}

static enum sweep_outcome one_shot(struct inject_plan plan, char why[2048])
{
	return log_in(plan, &login, false, why);
}

static enum sweep_outcome kept(struct inject_plan plan, char why[2048])
{
	return log_in(plan, &login, true, why);
}

/* Not this user's key. */
static enum sweep_outcome one_shot_no(struct inject_plan plan, char why[2048])
{
	enum sweep_outcome outcome = log_in(plan, &stranger, false, why);

	if (outcome == SWEEP_RIGHT)
		return wrong(why, "allowed with another's key");
	return outcome == SWEEP_REFUSED && strstr(why, "not among this user's iam_ids") ? SWEEP_RIGHT
											: outcome;
}

/* One more request to the same server. */
static bool ask_server(struct server *s, const struct wire_message *type, const void *message,
		       struct secret *text, struct wire_reply *ret)
{
	int broker, host;
	bool replied;

	inject_pause();
	host = ask(type, message, &broker);
	inject_resume();
	serve(s, broker);
	inject_pause();
	replied = take_reply(host, text, ret);
	inject_resume();
	return replied;
}

/* adopt, token when it is due to be renewed, drop.  NULL, or what went wrong. */
static const char *use_session(struct server *s, const char *handle)
{
	const struct wire_session about = { .session = handle, .user = "alice", .uid = 1000,
					    .budget_ms = WAIT_MS };
	struct wire_reply r;
	SECRET_AUTO(text);

	if (!ask_server(s, &wire_adopt_message, &about, &text, &r) || r.result != IBMIAM_ALLOWED)
		return "not adopted";
	if (!ask_server(s, &wire_token_message, &about, &text, &r) || r.result != IBMIAM_ALLOWED)
		return "no token";
	if (!r.token || strcmp(r.token, good_token) != 0)
		return "another token";
	if (!ask_server(s, &wire_drop_message, &about, &text, &r) || r.result != IBMIAM_ALLOWED)
		return "not dropped";
	return sessions_count(s->sessions) == 0 ? NULL : "dropped, but still there";
}

static enum sweep_outcome sessions(struct inject_plan plan, char why[2048])
{
	const struct token token = { .iam_id = IAM_ID, .account = UNIT_ACCOUNT, .account_valid = true,
				     .issuer = "https://iss.example", .expiration = 4102444800,
				     .access_token = { .data = good_token } };
	struct session *session;
	struct server s;
	const char *fault = "no session";
	bool logged;

	sweep_forget_log();
	inject_on(plan);
	session = open_server(&s, true) ? session_add(s.sessions, NULL, &login, &token, &token) : NULL;
	if (session) {
		session->obtained = -INT64_C(100000000000); /* far more than four fifths of its life ago */
		fault = use_session(&s, session->handle);
		for (int i = 0; fault && i < 2 && session == sessions_any(s.sessions); i++)
			(void)use_session(&s, session->handle); /* once more must do no harm */
	}
	server_close(&s);
	inject_off();
	logged = strstr(sweep_logged(), KEY) || strstr(sweep_logged(), good_token);
	(void)snprintf(why, 2048, "%s", fault ? fault : "");
	if (logged || strcmp(why, "another token") == 0)
		return wrong(why, logged ? "the log holds a secret" : "another token");
	return fault ? SWEEP_REFUSED : SWEEP_RIGHT;
}

/* The whole broker in a child, with its sandbox. */

static int make_listener(struct sockaddr_un *ret, socklen_t *ret_len)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*ret_len = sizeof *ret;
	assert_int_equal(bind(fd, (const struct sockaddr *)ret, sizeof ret->sun_family), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, ret_len), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* Not with dup2(), which is one of those that may fail. */
static void move_descriptor(int from, int to)
{
	if (from == to)
		return;
	(void)close(to);
	if (fcntl(from, F_DUPFD, to) != to)
		_exit(99);
	(void)close(from);
}

static void run_broker(const char *config, int listener)
{
	const struct resident_options options = { .config = config };
	int status;

	move_descriptor(listener, LISTEN_FD);
	status = resident_run(&options);
	inject_off();
	_exit(inject_unwiped() ? 98 : status);
}

static bool has_failed_to_start(void)
{
	return strstr(sweep_logged(), "cannot start: ") != NULL;
}

/* Greeting, then the login.  False: the connection has ended before. */
static bool log_in_at(int fd, struct secret *text, struct wire_reply *ret)
{
	struct wire_hello hello;
	SECRET_AUTO(request);
	ssize_t n;

	assert_true(secret_init(&request, WIRE_MESSAGE_MAX) && secret_init(text, WIRE_MESSAGE_MAX));
	assert_null(wire_encode(&wire_request_message, &login, &request));
	n = recv(fd, text->data, text->cap, 0);
	if (n <= 0 || send(fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t)request.len) {
		(void)close(fd);
		return false;
	}
	assert_null(wire_decode(&wire_hello_message, text->data, (size_t)n, &hello));
	return take_reply(fd, text, ret);
}

static enum sweep_outcome resident(struct inject_plan plan, char why[2048])
{
	const struct timeval limit = { WAIT_MS / 1000, 0 };
	char *config = unit_path("ibmiam.conf");
	struct sockaddr_un at;
	struct wire_reply r;
	socklen_t len;
	SECRET_AUTO(text);
	int status = -1, client, listener = make_listener(&at, &len);
	bool replied;
	pid_t pid;

	sweep_forget_log();
	inject_on(plan);
	pid = fork();
	if (pid == 0)
		run_broker(config, listener);
	inject_off();
	client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
	assert_int_equal(connect(client, (const struct sockaddr *)&at, len), 0);
	(void)close(listener);
	free(config);
	replied = log_in_at(client, &text, &r);
	if (!has_failed_to_start())
		(void)kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != (has_failed_to_start() ? EXIT_FAILURE : EXIT_SUCCESS))
		return wrong(why, "it has not ended well");
	(void)snprintf(why, 2048, "no reply; %s", sweep_logged());
	if (!replied)
		return SWEEP_REFUSED;
	return judge(&r, why);
}

/* main.c's main(), under another name. */
extern int broker_main(int argc, char **argv);

static void run_one_shot(char *config, int fd)
{
	char program[] = "ibmiam-broker", option[] = "--config";
	char *argv[] = { program, option, config, NULL };
	int status;

	move_descriptor(fd, STDIN_FILENO);
	stderr = fopen("/dev/null", "we"); /* for its usage; a sanitizer writes to the descriptor */
	status = broker_main(3, argv);
	inject_off();
	_exit(inject_unwiped() ? 98 : status);
}

/* Its exit status must not say another thing than it does. */
static enum sweep_outcome whole_one_shot(struct inject_plan plan, char why[2048])
{
	enum { NO_REQUEST = 3, NO_REPLY = 4 };
	char *config = unit_path("ibmiam.conf");
	struct wire_reply r;
	SECRET_AUTO(text);
	int status = -1, broker, host = ask(&wire_request_message, &login, &broker);
	bool replied, usage; /* where it cannot see that it was given a socket */
	pid_t pid;

	inject_on(plan);
	pid = fork();
	if (pid == 0)
		run_one_shot(config, broker);
	inject_off();
	(void)close(broker);
	free(config);
	replied = take_reply(host, &text, &r);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		return wrong(why, "it was killed");
	status = WEXITSTATUS(status);
	usage = status == EXIT_FAILURE && inject_fired() && strcmp(inject_fired(), "getsockopt") == 0;
	if (replied ? status != EXIT_SUCCESS : status != NO_REQUEST && status != NO_REPLY && !usage)
		return wrong(why, "its exit status is another than its end");
	(void)snprintf(why, 2048, "no reply");
	return replied ? judge(&r, why) : SWEEP_REFUSED;
}

static const struct scenario {
	const char *name;
	sweep_run run;
	int generation;
	unsigned int at_least;
} scenarios[] = {
	{ "one-shot", one_shot, 0, 30 },
	{ "one-shot, another's key", one_shot_no, 0, 30 },
	{ "a login that is kept", kept, 0, 45 },
	{ "adopt, token and drop", sessions, 0, 60 },
	{ "one-shot, all of it", whole_one_shot, 1, 200 },
	{ "resident, all of it", resident, 1, 200 },
};

static void fails_well(void **state)
{
	const struct scenario *s = *state;

	(void)sweep(s->name, s->run, INJECT_ERROR, s->generation, s->at_least);
}

int main(int argc, char **argv)
{
	struct unit_suite s = { .setup = make_world, .teardown = remove_world };

	(void)argc;
	sweep_begin(argv);
	if (!memory_init_libraries())
		return EXIT_FAILURE;
	UNIT_ROWS(&s, fails_well, scenarios);
	return unit_run(&s, "faults in the broker's loop");
}
