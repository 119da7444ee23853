/*
 * A broker that misbehaves to order: the file that --config names is its script, a list of
 * steps, one a line, `verb argument`; the verbs are in the table below.  Messages are given
 * byte by byte, as hex, so this knows nothing of the protocol.  Whatever a test forgets,
 * it ends itself after a while.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SOCKET = STDIN_FILENO, LIFETIME_S = 30, MESSAGE_MAX = 256 * 1024, EXIT_BROKEN = 99 };

static int the_argc;
static char **the_argv;

static _Noreturn void broken(const char *what)
{
	(void)fprintf(stderr, "fakebroker: %s: %s\n", what, strerror(errno));
	exit(EXIT_BROKEN);
}

static int nibble(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static size_t decode(const char *hex, char *to)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++)
		to[i] = (char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	return n;
}

static void transmit(const char *hex, bool with_descriptor)
{
	static char message[MESSAGE_MAX];
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { .iov_base = message, .iov_len = decode(hex, message) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	const int passed = STDERR_FILENO;

	if (with_descriptor) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof control.buf;
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof passed);
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &passed, sizeof passed);
	}
	/* A host that has its verdict hangs up. */
	if (sendmsg(SOCKET, &msg, MSG_NOSIGNAL) < 0 && errno != EPIPE)
		broken("send");
}

/* The verbs */

static void do_read(const char *arg)
{
	static char request[MESSAGE_MAX];

	(void)arg;
	if (recv(SOCKET, request, sizeof request, 0) < 0)
		broken("read");
}

static void do_send(const char *arg)
{
	transmit(arg, false);
}

static void do_pass(const char *arg)
{
	transmit(arg, true);
}

static void do_hang(const char *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
}

static _Noreturn void do_exit(const char *arg)
{
	_exit((int)strtol(arg, NULL, 10));
}

static void do_raise(const char *arg)
{
	(void)raise((int)strtol(arg, NULL, 10));
}

static void do_ignore(const char *arg)
{
	(void)signal((int)strtol(arg, NULL, 10), SIG_IGN);
}

/* The child keeps the socket and hangs; the parent goes on. */
static void do_fork(const char *arg)
{
	if (fork() == 0) {
		(void)alarm(LIFETIME_S); /* not inherited */
		do_hang(arg);
	}
}

static void do_close(const char *arg)
{
	(void)arg;
	(void)close(SOCKET);
}

/* Each opens a FIFO, which waits for the other side: that is the synchronisation. */
static void do_tell(const char *arg)
{
	int fd = open(arg, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0 || close(fd) != 0)
		broken("tell");
}

static void do_listen(const char *arg)
{
	char c;
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &c, 1) < 0 || close(fd) != 0)
		broken("listen");
}

/* Only to be slow, never to wait for anything. */
static void do_nap(const char *arg)
{
	const long ms = strtol(arg, NULL, 10);
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

/* Called before this program opens anything else. */
static void record_descriptors(FILE *to)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		char target[256] = "";
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		if (readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1) > 0)
			(void)fprintf(to, "fd%d:\t%s\n", fd, target);
	}
	if (dir)
		(void)closedir(dir);
}

/* What a broker finds at its start, as "name:\tvalue" lines like those of /proc/self/status,
 * which is at the end. */
static void do_record(const char *arg)
{
	char line[512], cwd[256] = "", *descriptors = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&descriptors, &len), *to, *status;

	if (!memory)
		broken("record");
	record_descriptors(memory);
	if (fclose(memory) != 0 || !(to = fopen(arg, "we")) ||
	    !(status = fopen("/proc/self/status", "re")))
		broken("record");
	for (int i = 0; i < the_argc; i++)
		(void)fprintf(to, "argv%d:\t%s\n", i, the_argv[i]);
	for (char **entry = environ; *entry; entry++)
		(void)fprintf(to, "environ:\t%s\n", *entry);
	(void)fprintf(to, "cwd:\t%s\n", getcwd(cwd, sizeof cwd) ? cwd : "?");
	(void)fprintf(to, "session:\t%d\nparent:\t%d\n", (int)getsid(0), (int)getppid());
	(void)fputs(descriptors, to);
	free(descriptors);
	while (fgets(line, sizeof line, status))
		(void)fputs(line, to);
	if (fclose(to) != 0 || fclose(status) != 0)
		broken("record");
}

static const struct {
	const char *verb;
	void (*act)(const char *arg);
} verbs[] = {
	{ "read", do_read },     /* the request */
	{ "send", do_send },     /* a message, in hex */
	{ "pass", do_pass },     /* likewise, with a descriptor */
	{ "hang", do_hang },     { "exit", do_exit },     { "raise", do_raise },
	{ "ignore", do_ignore }, /* a signal */
	{ "fork", do_fork },     { "close", do_close },
	{ "tell", do_tell },     /* our pid into this FIFO */
	{ "listen", do_listen }, /* until somebody opens this FIFO and closes it again */
	{ "nap", do_nap },       /* milliseconds */
	{ "record", do_record }, /* into this file */
};

static void obey(char *line)
{
	char *arg = line + strcspn(line, " ");

	if (*arg)
		*arg++ = '\0';
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(verbs[i].verb, line) == 0) {
			verbs[i].act(arg);
			return;
		}
	}
	errno = EINVAL;
	broken(line);
}

int main(int argc, char **argv)
{
	FILE *script = argc == 3 ? fopen(argv[2], "re") : NULL;
	char *text = NULL, *rest, *line;
	size_t size = 0;

	the_argc = argc;
	the_argv = argv;
	(void)alarm(LIFETIME_S);
	if (!script || getdelim(&text, &size, EOF, script) < 0)
		broken("the script");
	(void)fclose(script); /* do_record shall not find it */
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line)
			obey(line);
	free(text);
	return 0;
}
