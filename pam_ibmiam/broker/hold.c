/* The beginning and the end of a held credential.  See hold.h. */
#include "hold.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "job.h"
#include "log.h"
#include "request.h"

void hold_drop(struct server *server, struct session *s, const char *why)
{
	struct client *c;

	while ((c = server_find_waiting(server, s)) != NULL)
		request_refuse(c, IBMIAM_NO_SESSION, "the session has ended");
	log_line(LOG_INFO, "dropped session=" SESSION_SHOWN " user=%s reason=\"%s\"", s->handle, s->owner,
		 why);
	job_free(s->renewal);
	session_drop(s);
}

/* The process that is to close the session has ended. */
static void on_host_end(struct watch *w, uint32_t events)
{
	struct session *s = WATCH_OWNER(w, struct session, host);

	(void)events;
	hold_drop(s->server, s, "its host process has ended");
}

struct session *hold_pending(struct client *c, const struct decision *d, const char *handle)
{
	struct session *s = session_add(c->server->sessions, handle, d->request, &d->identity,
					decision_token(d));

	if (!s)
		return NULL;
	s->export_to = d->reply.export_to;
	s->requirements = decision_requirements(d);
	s->config_number = c->job->config->number;
	return s;
}

/* The process for whose life a credential is held. */
struct host {
	pid_t pid; /* 0: it has none here */
	int fd;    /* a pidfd of it, or -1: it cannot be watched */
};

static void host_close(struct host *host)
{
	if (host->fd >= 0)
		(void)close(host->fd);
	host->fd = -1;
}

/* Is the process that asks still there?  Then the pid is its own. */
static bool is_connected(const struct client *c)
{
	struct pollfd p = { .fd = c->watch.fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 0 || !(p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static struct host host_open(const struct client *c, pid_t pid)
{
	struct host host = { pid, pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1 };

	if (!is_connected(c))
		host_close(&host);
	return host;
}

static bool adopt(struct client *c, struct session *s, const char *owner, uid_t owner_uid, struct host host)
{
	if (host.fd >= c->server->watch_fd_max)
		host_close(&host); /* these are for logins */
	s->server = c->server;
	s->host_pid = host.pid;
	s->host = (struct watch){ .fd = host.fd, .ready = on_host_end };
	if (s->host.fd >= 0 && !watch_add(c->server->set, &s->host, EPOLLIN))
		watch_close(&s->host);
	if (!session_adopt(s, owner, owner_uid)) {
		watch_close(&s->host); /* whoever tries again brings another */
		return false;
	}
	log_line(LOG_INFO, "adopted session=" SESSION_SHOWN " user=%s uid=%u iam_id=%s pid=%d%s", s->handle,
		 owner, owner_uid, s->identity.iam_id, host.pid, s->host.fd >= 0 ? "" : " (not watched)");
	return true;
}

bool hold_adopt(struct client *c, struct session *s, const char *owner, uid_t owner_uid)
{
	return adopt(c, s, owner, owner_uid, host_open(c, c->pid));
}

static bool is_owner(const struct session *s, const struct wire_request *r)
{
	return s->adopted && s->owner_uid == r->uid && strcmp(s->owner, r->user) == 0;
}

bool hold_has_room(const struct server *server, const struct wire_request *r)
{
	const struct session *old = r->session ? session_find(server->sessions, r->session) : NULL;

	return (old && is_owner(old, r)) || /* that one makes room */
	       sessions_count_of(server->sessions, (uid_t)r->uid, r->service) < SESSION_OWN_MAX;
}

struct session *hold_own(struct client *c, const struct decision *d)
{
	const struct wire_request *r = d->request;
	struct sessions *all = c->server->sessions;
	struct session *old = r->session ? session_find(all, r->session) : NULL, *s;
	bool own = old && is_owner(old, r);
	struct host host;

	if (!hold_has_room(c->server, r))
		return NULL;
	/* It lives as long as the one before: the terminal of this command may end sooner.  A pid of 0
	 * is that of somebody in another namespace; to getsid(2) it would be ours. */
	if (own && old->host.fd >= 0)
		host = (struct host){ old->host_pid, fcntl(old->host.fd, F_DUPFD_CLOEXEC, 0) };
	else
		host = host_open(c, c->pid > 0 ? getsid(c->pid) : 0);
	if (own)
		hold_drop(c->server, old, "its user has logged in anew");
	s = hold_pending(c, d, own || !old ? r->session : NULL);
	if (s && adopt(c, s, r->user, (uid_t)r->uid, host))
		return s;
	if (s)
		session_drop(s);
	else
		host_close(&host);
	return NULL;
}
