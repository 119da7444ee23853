/* Clients and the loop.  See server.h. */
#include "server.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"
#include "hold.h"
#include "request.h"

bool server_open(struct server *server)
{
	LIST_INIT(&server->clients);
	server->set = watch_set();
	server->iam = iam_new(server->limit);
	return server->set >= 0 && server->iam && secret_init(&server->reply, WIRE_MESSAGE_MAX);
}

void server_close(struct server *server)
{
	struct client *c;

	while ((c = LIST_FIRST(&server->clients)) != NULL)
		client_end(c); /* NOLINT(clang-analyzer-unix.Malloc): it does not see LIST_REMOVE() work */
	while (server->sessions && sessions_any(server->sessions))
		hold_drop(server, sessions_any(server->sessions), "the broker stops");
	sessions_free(server->sessions);
	limit_free(server->limit);
	iam_free(server->iam);
	config_live_release(server->config);
	secret_free(&server->reply);
	if (server->set >= 0)
		(void)close(server->set);
	*server = (struct server){ .set = -1 };
}

void client_end(struct client *c)
{
	request_cancel(c);
	watch_close(&c->watch);
	secret_free(&c->message);
	LIST_REMOVE(c, link);
	c->server->client_count--;
	free(c);
}

/* Takes the request off the socket.  False: there is none, or not a whole one. */
static bool receive(struct client *c)
{
	struct msghdr peek = { 0 };
	ssize_t n;

	/* The size first: most requests fit into one page.  And are there descriptors with it?  Taken
	 * off with it they would be closed here and now (watch_close_fd()). */
	n = recvmsg(c->watch.fd, &peek, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	if (n <= 0 || n > WIRE_MESSAGE_MAX || (peek.msg_flags & MSG_CTRUNC) ||
	    !secret_init(&c->message, (size_t)n))
		return false;
	if (recv(c->watch.fd, c->message.data, c->message.cap, MSG_DONTWAIT) != n)
		return false;
	c->message.len = (size_t)n;
	return true;
}

/* Its request is here; later only that it is gone, or that it does not keep to the protocol. */
static void on_client(struct watch *w, uint32_t events)
{
	struct client *c = WATCH_OWNER(w, struct client, watch);

	if (c->message.len > 0 || !(events & EPOLLIN) || !receive(c))
		client_end(c);
	else
		request_serve(c);
}

bool server_is_privileged(const struct server *server, uid_t uid)
{
	return !server->sessions || uid == 0 || uid == server->privileged;
}

struct client *server_add_client(struct server *server, int fd, uid_t uid, pid_t pid,
				 int64_t deadline_ms)
{
	struct client *c = malloc(sizeof *c);

	if (!c) {
		watch_close_fd(fd);
		return NULL;
	}
	*c = (struct client){ .watch = { .fd = fd, .ready = on_client }, .server = server,
			      .uid = uid, .pid = pid, .deadline_ms = deadline_ms };
	LIST_INSERT_HEAD(&server->clients, c, link);
	server->client_count++;
	if (watch_add(server->set, &c->watch, EPOLLIN | EPOLLRDHUP))
		return c;
	client_end(c);
	return NULL;
}

bool client_reply(struct client *c, const struct wire_reply *reply)
{
	struct secret *message = &c->server->reply;
	bool sent = !wire_encode(&wire_reply_message, reply, message) &&
		    send(c->watch.fd, message->data, message->len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
			    (ssize_t)message->len;

	secret_clear(message);
	if (sent) {
		c->server->replies++;
		client_end(c);
	}
	return sent;
}

struct client *server_find_waiting(const struct server *server, const struct session *session)
{
	struct client *c;

	LIST_FOREACH(c, &server->clients, link)
		if (c->session == session)
			break;
	return c;
}

/* A client whose time is up, or NULL; then *until_ms is when the next one's is, if it is
 * earlier. */
static struct client *find_late(const struct server *server, int64_t *until_ms)
{
	int64_t now_ms = deadline_now_ms();
	struct client *c;

	LIST_FOREACH(c, &server->clients, link) {
		if (c->deadline_ms <= now_ms)
			break;
		if (c->deadline_ms < *until_ms)
			*until_ms = c->deadline_ms;
	}
	return c;
}

void server_round(struct server *server, int64_t until_ms)
{
	struct client *c;

	/* One may end others: each time from the beginning. */
	while ((c = find_late(server, &until_ms)) != NULL) {
		request_late(c);
		until_ms = 0; /* a one-shot broker has none left to wait for */
	}
	iam_wait(server->iam, server->set, deadline_left_ms(until_ms));
	watch_dispatch(server->set);
}
