/* The beginning and the end of a held credential.  See hold.h. */
#include "hold.h"

#include <poll.h>
#include <stddef.h>
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

/* Is the process that asks still there?  Then the pid is its own. */
static bool is_connected(const struct client *c)
{
	struct pollfd p = { .fd = c->watch.fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 0 || !(p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

bool hold_adopt(struct client *c, struct session *s, const char *owner, uid_t owner_uid, pid_t host)
{
	s->server = c->server;
	s->host = (struct watch){ .fd = host > 0 ? (int)syscall(SYS_pidfd_open, host, 0) : -1,
				  .ready = on_host_end };
	if (s->host.fd >= 0 && (s->host.fd >= c->server->watch_fd_max || !is_connected(c) ||
				!watch_add(c->server->set, &s->host, EPOLLIN)))
		watch_close(&s->host);
	if (!session_adopt(s, owner, owner_uid)) {
		watch_close(&s->host); /* whoever tries again brings another */
		return false;
	}
	log_line(LOG_INFO, "adopted session=" SESSION_SHOWN " user=%s uid=%u iam_id=%s pid=%d%s", s->handle,
		 owner, owner_uid, s->identity.iam_id, host, s->host.fd >= 0 ? "" : " (not watched)");
	return true;
}
