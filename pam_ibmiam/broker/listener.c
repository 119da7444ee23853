/* Listening sockets.  See listener.h. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "watch.h"

bool listener_is_passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	return pid && fds && strtol(pid, NULL, 10) == (long)getpid() && strcmp(fds, "1") == 0;
}

static int take_passed(char *why, size_t why_len)
{
	int type = 0, listening = 0;
	socklen_t len = sizeof type, len2 = sizeof listening;

	if (getsockopt(LISTENER_PASSED_FD, SOL_SOCKET, SO_TYPE, &type, &len) != 0 ||
	    getsockopt(LISTENER_PASSED_FD, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len2) != 0 ||
	    type != SOCK_SEQPACKET || !listening) {
		(void)snprintf(why, why_len, "the socket that was passed is not a listening "
			       "SOCK_SEQPACKET one (ListenSequentialPacket= in the socket unit)");
		return -1;
	}
	(void)fcntl(LISTENER_PASSED_FD, F_SETFD, FD_CLOEXEC);
	(void)fcntl(LISTENER_PASSED_FD, F_SETFL, O_NONBLOCK);
	(void)watch_refuse_descriptors(LISTENER_PASSED_FD);
	return LISTENER_PASSED_FD;
}

/* Not to be released until the process ends. */
static bool lock(const char *path, char *why, size_t why_len)
{
	char name[sizeof ((struct sockaddr_un *)NULL)->sun_path + sizeof ".lock"];
	int fd;

	(void)snprintf(name, sizeof name, "%s.lock", path);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (fd >= 0 && errno == EWOULDBLOCK)
		(void)snprintf(why, why_len, "another broker listens at %s", path);
	else
		(void)snprintf(why, why_len, "cannot lock %s: %s", name, strerrordesc_np(errno));
	if (fd >= 0)
		(void)close(fd);
	return false;
}

static int make(const char *path, char *why, size_t why_len)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t before;
	int fd, error = 0;

	if (strlen(path) >= sizeof at.sun_path) {
		(void)snprintf(why, why_len, "%s is too long for a socket's path", path);
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path) + 1);
	if (!lock(path, why, why_len))
		return -1;
	/* What an earlier broker has left; never anything but a socket. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) /* before anybody can connect */
		(void)watch_refuse_descriptors(fd);
	before = umask(0); /* everybody may ask; SO_PEERCRED says who it is */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) != 0 ||
	    listen(fd, SOMAXCONN) != 0)
		error = errno;
	(void)umask(before);
	if (!error)
		return fd;
	(void)snprintf(why, why_len, "cannot listen at %s: %s", path, strerrordesc_np(error));
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

int listener_open(const char *path, char *why, size_t why_len)
{
	return path ? make(path, why, why_len) : take_passed(why, why_len);
}
