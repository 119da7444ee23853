/*
 * A TCP proxy on loopback that puts a distance between client and server: each chunk is held
 * for half of the round-trip time, both ways at once, however many are under way.  connect(2)
 * to a loopback address costs no time, so what the client sends first is held for one round
 * trip more, as if it had waited for that long before it got to work.  Prints its port; then
 * each line on stdin is a new round-trip time in milliseconds, and is answered by an empty line.
 * Ends with its stdin.
 *
 *   delay SERVER_PORT
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 16384, PAIRS_MAX = 256, FIRST = 2 };
enum { SPIN_NS = 700000 }; /* sleep ends late on a virtual machine: the rest is waited awake */

struct chunk {
	struct chunk *next;
	int64_t due_ns;
	size_t len; /* 0: the end of file */
	char data[CHUNK];
};

struct way {
	int from, to;
	int64_t connect_ns;  /* still to be added, for connect(2) */
	int64_t last_due_ns; /* nothing overtakes */
	bool read_end, ended;
	struct chunk *head, *tail;
};

static struct way ways[2 * PAIRS_MAX]; /* 2 i is from client to server, 2 i + 1 back */
static int used; /* of ways */
static int64_t round_trip_ns;

static int64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int loopback(uint16_t port, bool listens)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || (!listens && connect(fd, (struct sockaddr *)&a, len) != 0))
		return -1;
	if (!listens)
		return fd;
	if (bind(fd, (struct sockaddr *)&a, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		return -1;
	(void)printf("%d\n", ntohs(a.sin_port));
	return fd;
}

static void open_pair(int listener, uint16_t port)
{
	const int on = 1;
	int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), server, i = 0;

	while (i < used && !(ways[i].ended && ways[i + 1].ended))
		i += 2;
	server = client < 0 || i == 2 * PAIRS_MAX ? -1 : loopback(port, false);
	if (server < 0) {
		if (client >= 0)
			(void)close(client);
		return;
	}
	(void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	ways[i] = (struct way){ .from = client, .to = server, .connect_ns = round_trip_ns };
	ways[i + 1] = (struct way){ .from = server, .to = client };
	if (i == used)
		used += 2;
}

static void take(struct way *w)
{
	struct chunk *c = malloc(sizeof *c);
	ssize_t n;

	if (!c)
		exit(EXIT_FAILURE);
	n = read(w->from, c->data, sizeof c->data);
	w->read_end = n <= 0;
	c->next = NULL;
	c->len = n > 0 ? (size_t)n : 0;
	c->due_ns = now_ns() + w->connect_ns + round_trip_ns / 2;
	if (c->due_ns < w->last_due_ns)
		c->due_ns = w->last_due_ns;
	w->last_due_ns = c->due_ns;
	w->connect_ns = 0;
	if (w->tail)
		w->tail->next = c;
	else
		w->head = c;
	w->tail = c;
}

/* Sends what is due; returns when the next is, or INT64_MAX. */
static int64_t deliver(struct way *w)
{
	while (w->head && w->head->due_ns <= now_ns()) {
		struct chunk *c = w->head;

		if (c->len == 0 || send(w->to, c->data, c->len, MSG_NOSIGNAL) != (ssize_t)c->len) {
			(void)shutdown(w->to, SHUT_WR);
			w->read_end = w->ended = true;
		}
		w->head = c->next;
		if (!w->head)
			w->tail = NULL;
		free(c);
	}
	return w->head ? w->head->due_ns : INT64_MAX;
}

/* Delivers; says for what to wait, and for how long. */
static struct timespec prepare(struct pollfd *p)
{
	int64_t next = INT64_MAX, wait;

	for (int i = 0; i < used; i++) {
		bool was_open = !ways[i].ended || !ways[i ^ 1].ended;
		int64_t due = ways[i].ended ? INT64_MAX : deliver(&ways[i]);

		next = due < next ? due : next;
		if (was_open && ways[i].ended && ways[i ^ 1].ended) {
			(void)close(ways[i].from);
			(void)close(ways[i].to);
		}
	}
	for (int i = 0; i < used; i++)
		p[FIRST + i] = (struct pollfd){ .fd = ways[i].read_end ? -1 : ways[i].from, .events = POLLIN };
	wait = next == INT64_MAX ? 3600 * INT64_C(1000000000) : next - now_ns();
	wait = wait < SPIN_NS ? 0 : wait - SPIN_NS;
	return (struct timespec){ .tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000 };
}

int main(int argc, char **argv)
{
	static struct pollfd p[FIRST + 2 * PAIRS_MAX];
	uint16_t port = argc == 2 ? (uint16_t)atoi(argv[1]) : 0;
	int listener = loopback(0, true);
	char line[64];

	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	(void)setvbuf(stdin, NULL, _IONBF, 0);
	(void)fflush(stdout);
	if (!port || listener < 0)
		return EXIT_FAILURE;
	for (;;) {
		struct timespec wait = prepare(p);
		int known = used; /* a new one is not in p yet */

		p[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = listener, .events = POLLIN };
		if (ppoll(p, (nfds_t)(FIRST + known), &wait, NULL) < 0)
			return EXIT_FAILURE;
		for (int i = 0; i < known; i++)
			if (p[FIRST + i].revents)
				take(&ways[i]);
		if (p[1].revents)
			open_pair(listener, port);
		if (p[0].revents) {
			if (!fgets(line, sizeof line, stdin))
				return EXIT_SUCCESS;
			round_trip_ns = (int64_t)(strtod(line, NULL) * 1e6);
			(void)puts("");
			(void)fflush(stdout);
		}
	}
}
