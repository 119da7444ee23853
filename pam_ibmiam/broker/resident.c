/* A broker that stays.  See resident.h. */
#include "resident.h"

#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <unistd.h>

#include "acceptor.h"
#include "config_reload.h"
#include "deadline.h"
#include "iam_transport.h"
#include "listener.h"
#include "log.h"
#include "memory.h"
#include "hold.h"
#include "request.h"
#include "sandbox.h"
#include "server.h"

enum { CLIENTS_MAX = 512 }; /* or a quarter of the descriptors */

struct resident {
	struct server server;
	const struct resident_options *options;
	struct acceptor acceptor;
	struct watch signals;
	struct config_reload reload;
	int64_t idle_since_ms;
};

/* Has it a session that would lose its credential, or a login that is being decided? */
static bool is_needed(const struct server *server)
{
	const struct client *c;

	LIST_FOREACH(c, &server->clients, link)
		if (c->job)
			return true;
	return sessions_count(server->sessions) > 0;
}

/* A configuration that needs another sandbox: where the socket is systemd's, and nobody needs
 * this broker, the next one can have it. */
static void yield_if_needed(struct resident *r)
{
	if (!r->reload.refused[0] || !r->reload.needs_restart || r->options->listen ||
	    is_needed(&r->server))
		return;
	log_line(LOG_NOTICE, "no session needs this broker: the next login starts one with the new configuration");
	r->server.stop = true;
}

/* Whoever edits the configuration to lock somebody out must not have to remember a reload.  A login
 * that loses its broker runs one of its own; an ordinary user's request would fail. */
static void refresh(struct client *c)
{
	struct resident *r = WATCH_OWNER(c->server, struct resident, server);

	config_reload_if_changed(&r->reload, &r->server.config);
	r->server.note = r->reload.refused[0] ? r->reload.note : NULL;
	if (server_is_privileged(&r->server, c->uid))
		yield_if_needed(r);
}

static void on_signal(struct watch *w, uint32_t events)
{
	struct resident *r = WATCH_OWNER(w, struct resident, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof info) != (ssize_t)sizeof info)
		return;
	if (info.ssi_signo == SIGHUP) {
		config_reload_now(&r->reload, &r->server.config);
		yield_if_needed(r);
	} else {
		r->server.stop = true;
	}
}

static bool watch_signals(struct resident *r)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_SETMASK, &set, NULL); /* SIGALRM is not: watch.c */
	r->signals = (struct watch){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
				     .ready = on_signal };
	return r->signals.fd >= 0 && watch_add(r->server.set, &r->signals, EPOLLIN);
}

/* Who may ask for anybody, besides root: the ordinary user who runs a broker of his own. */
static uid_t find_privileged(void)
{
	const struct passwd *pw = getpwnam(SANDBOX_USER);

	return pw && pw->pw_uid == getuid() ? 0 : getuid();
}

/* Folders, not files: whoever edits a file in /etc replaces it. */
static bool enter_sandbox(struct resident *r, char *note, char *why, size_t why_len)
{
	struct sandbox_needs needs = iam_transport_needs(&r->server.config->config);
	char *folder = strdup(r->options->config);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	bool ok;

	needs.resident = true;
	needs.read[SANDBOX_ETC] = "/etc";
	if (slash)
		slash[slash == folder] = '\0';
	needs.read[SANDBOX_CONFIG] = folder;
	ok = sandbox_enter(&needs, note, why, why_len);
	free(folder);
	return ok;
}

/* Sessions may use up what descriptors there are, but not those that a login needs: want of them
 * would look like an outage of IAM. */
static void share_descriptors(struct server *server)
{
	struct rlimit l = { .rlim_cur = 64 };
	int most, clients;

	(void)getrlimit(RLIMIT_NOFILE, &l);
	most = l.rlim_cur > INT_MAX ? INT_MAX : (int)l.rlim_cur;
	clients = most / 4 < CLIENTS_MAX ? most / 4 : CLIENTS_MAX;
	server->clients_max = (size_t)clients;
	server->watch_fd_max = most / 2 < clients + IAM_FDS_MAX ? most / 2 : most - clients - IAM_FDS_MAX;
}

static bool start(struct resident *r, char *why, size_t why_len)
{
	char note[SANDBOX_NOTE_MAX] = "";
	struct server *server = &r->server;
	int fd = listener_open(r->options->listen, why, why_len);

	if (fd < 0)
		return false;
	r->acceptor.listener.fd = fd;
	server->config = config_live_load(r->options->config, why, why_len);
	if (!server->config)
		return false;
	server->privileged = find_privileged();
	if (!enter_sandbox(r, note, why, why_len))
		return false;
	(void)snprintf(why, why_len, "out of memory");
	share_descriptors(server);
	server->refresh = refresh;
	server->limit = limit_new();
	server->sessions = sessions_new();
	if (!memory_init_libraries() || !server_open(server) || !server->limit || !server->sessions ||
	    !acceptor_open(&r->acceptor, server, fd) || !watch_signals(r))
		return false;
	log_line(LOG_NOTICE, "ibmiam-broker " IBMIAM_VERSION " listens%s%s%s%s",
		 r->options->listen ? " at " : "", r->options->listen ? r->options->listen : "",
		 note[0] ? "; " : "", note);
	config_reload_warn(&server->config->config);
	return true;
}

/* When to look again: a session's own end, or that of an idle broker. */
static int64_t serve_time(struct resident *r)
{
	struct server *server = &r->server;
	int64_t now_ms = deadline_now_ms(), until_ms = acceptor_time(&r->acceptor, now_ms), idle_ms;
	struct session *s;

	while ((s = sessions_next_end(server->sessions)) != NULL && s->end_ms <= now_ms)
		hold_drop(server, s, s->adopted ? "its time is up" : "nobody has adopted it");
	if (s && s->end_ms < until_ms)
		until_ms = s->end_ms;
	if (!r->options->idle_exit_s)
		return until_ms;
	if (server->client_count > 0 || sessions_count(server->sessions) > 0)
		r->idle_since_ms = now_ms;
	idle_ms = r->idle_since_ms + r->options->idle_exit_s * INT64_C(1000);
	server->stop = server->stop || idle_ms <= now_ms;
	return idle_ms < until_ms ? idle_ms : until_ms;
}

int resident_run(const struct resident_options *options)
{
	struct resident r = { .options = options, .acceptor = { .listener = { .fd = -1 } }, .signals = { .fd = -1 },
			      .server = { .set = -1 },
			      .reload = { .path = options->config } };
	char why[WIRE_REASON_MAX] = "";
	bool started;

	(void)signal(SIGPIPE, SIG_IGN); /* a log that nobody reads */
	started = start(&r, why, sizeof why);
	if (!started)
		log_line(LOG_ERR, "ibmiam-broker cannot start: %s", why);
	r.idle_since_ms = deadline_now_ms();
	while (started && !r.server.stop) {
		int64_t until_ms = serve_time(&r);

		if (!r.server.stop)
			server_round(&r.server, until_ms);
	}
	if (started)
		log_line(LOG_NOTICE, "ibmiam-broker stops");
	acceptor_close(&r.acceptor);
	watch_close(&r.signals);
	server_close(&r.server);
	return started ? EXIT_SUCCESS : EXIT_FAILURE;
}
