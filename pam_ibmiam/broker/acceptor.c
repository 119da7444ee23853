/* The door.  See acceptor.h. */
#include "acceptor.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>

#include "deadline.h"
#include "log.h"

enum {
	CLIENTS_OF_USERS_PART = 4, /* of all for all uids but the privileged ones: logins first */
	CLIENTS_OF_ONE_MAX = 16,
	REQUEST_WAIT_MS = 5000,
	ACCEPTS_AT_ONCE = 16,
	CLOSED_MS = 100,
	WARN_MS = 60000, /* without want: then it is worth another line */
};

static size_t count_clients(const struct server *server, uid_t uid, size_t *ret_users)
{
	const struct client *c;
	size_t n = 0;

	*ret_users = 0;
	LIST_FOREACH(c, &server->clients, link) {
		n += c->uid == uid;
		*ret_users += !server_is_privileged(server, c->uid);
	}
	return n;
}

/* One user may have many uids (subuid(5)), enough to take all room by saying nothing.  Whoever
 * has a request sends it at once, so the oldest that has not is ended. */
static bool end_silent_user(struct server *server)
{
	struct client *c, *oldest = NULL;

	LIST_FOREACH(c, &server->clients, link) /* the newest first */
		if (!server_is_privileged(server, c->uid) && c->message.len == 0)
			oldest = c;
	if (oldest)
		client_end(oldest);
	return oldest != NULL;
}

static bool has_room(struct server *server, uid_t uid)
{
	size_t users, own = count_clients(server, uid, &users);

	if (server->client_count >= server->clients_max)
		return false;
	if (server_is_privileged(server, uid))
		return true;
	return own < CLIENTS_OF_ONE_MAX && (users < server->clients_max / CLIENTS_OF_USERS_PART ||
					    end_silent_user(server));
}

static bool make_hello(struct secret *ret)
{
	const struct wire_hello hello = { .version = IBMIAM_VERSION };

	return secret_init(ret, WIRE_HELLO_MAX) && !wire_encode(&wire_hello_message, &hello, ret);
}

static bool greet(int fd, const struct secret *hello)
{
	return send(fd, hello->data, hello->len, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

/* Want of descriptors, or of memory, passes.  Until then the connection that waits would be tried
 * over and over, with a whole processor; a login that is not greeted runs one-shot. */
static void close_for_a_while(struct acceptor *a, int error)
{
	int64_t now_ms = deadline_now_ms();

	if (error == EAGAIN || error == EINTR || error == ECONNABORTED)
		return;
	if (!a->warned_ms || now_ms - a->warned_ms >= WARN_MS)
		log_line(LOG_WARNING, "cannot accept connections: %s", strerrordesc_np(error));
	a->warned_ms = now_ms;
	if (watch_want(&a->listener, 0))
		a->closed_until_ms = now_ms + CLOSED_MS;
}

/* Whoever is turned away sees it at once: a login runs one-shot then. */
static void admit(struct acceptor *a, int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
	    !has_room(a->server, peer.uid) || !greet(fd, &a->hello))
		watch_close_fd(fd);
	else
		(void)server_add_client(a->server, fd, peer.uid, peer.pid,
					deadline_now_ms() + REQUEST_WAIT_MS);
}

static void on_connection(struct watch *w, uint32_t events)
{
	struct acceptor *a = WATCH_OWNER(w, struct acceptor, listener);

	(void)events;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			close_for_a_while(a, errno);
			return;
		}
		admit(a, fd);
	}
}

bool acceptor_open(struct acceptor *a, struct server *server, int fd)
{
	a->server = server;
	a->listener = (struct watch){ .fd = fd, .ready = on_connection };
	return make_hello(&a->hello) && watch_add(server->set, &a->listener, EPOLLIN);
}

int64_t acceptor_time(struct acceptor *a, int64_t now_ms)
{
	if (a->closed_until_ms && a->closed_until_ms <= now_ms && watch_want(&a->listener, EPOLLIN))
		a->closed_until_ms = 0;
	return a->closed_until_ms ? a->closed_until_ms : INT64_MAX;
}

void acceptor_close(struct acceptor *a)
{
	watch_close(&a->listener);
	secret_free(&a->hello);
}
