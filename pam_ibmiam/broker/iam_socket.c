/* Sockets that can be ended at any moment.  See iam_socket.h. */
#include "iam_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "iam.h"

enum { UNACKNOWLEDGED_MAX_MS = 3000, BUSY_MAX_S = 1 };

/* For the signal's handler, and so for the whole process. */
static volatile sig_atomic_t sockets[IAM_FDS_MAX]; /* + 1; 0: none */
static volatile sig_atomic_t at_work;
static volatile sig_atomic_t progress; /* since the timer's last tick */

void iam_socket_progress(void)
{
	progress = 1;
}

/* The first place with this value, or NULL. */
static volatile sig_atomic_t *find(int value)
{
	for (size_t i = 0; i < IAM_FDS_MAX; i++)
		if (sockets[i] == value)
			return &sockets[i];
	return NULL;
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *to)
{
	/* A kept connection may have died without a word, as behind a NAT that forgot it: what is not
	 * acknowledged soon is an error, and a new connection still has time (tcp(7)). */
	const unsigned int ms = UNACKNOWLEDGED_MAX_MS;
	volatile sig_atomic_t *place = find(0);
	int fd = place ? socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol) : -1;

	(void)purpose;
	iam_socket_progress();
	if (user)
		*(bool *)user = true;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
	*place = fd + 1;
	return fd;
}

static int close_socket(void *user, curl_socket_t fd)
{
	volatile sig_atomic_t *place = find(fd + 1);

	(void)user;
	iam_socket_progress();
	if (place)
		*place = 0;
	return close(fd);
}

CURLcode iam_socket_set(CURL *easy)
{
	CURLcode rc = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);

	return rc == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) : rc;
}

/* Not shutdown(2): what is there already could still be read. */
static void end_all(void)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	for (size_t i = 0; i < IAM_FDS_MAX; i++)
		if (sockets[i])
			(void)connect(sockets[i] - 1, &none, sizeof none);
}

/* The kernel sends it to the thread that is at work.  If that is one of the resolver's, the sockets are
 * not its to look at. */
static void on_tick(int sig)
{
	int before = errno;

	(void)sig;
	if (at_work && !progress && gettid() == getpid())
		end_all();
	progress = 0;
	errno = before;
}

void iam_socket_guard(bool on)
{
	static const struct sigaction action = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	static const struct itimerval busy = { { .tv_sec = BUSY_MAX_S }, { .tv_sec = BUSY_MAX_S } };
	static bool handled;

	at_work = on;
	progress = 0;
	if (!handled)
		handled = sigaction(SIGPROF, &action, NULL) == 0;
	if (on && handled)
		(void)setitimer(ITIMER_PROF, &busy, NULL);
}
