/* The key, by prompt or from standard input.  See prompt.h. */
#include "prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "message.h"

/* What one more byte from a line does. */
static enum tool_exit take(struct secret *key, unsigned char c)
{
	/* Nothing of it is shown: it may be most of a key. */
	if (c < ' ' || c == 0x7f)
		return message_fail(TOOL_ENDED, "this is no API key: it holds a control "
				    "character, such as a NUL, a tab or the carriage return of a "
				    "Windows file");
	if (key->len >= PROMPT_KEY_MAX)
		return message_fail(TOOL_ENDED, "this is no API key: it is over %d bytes long",
				    PROMPT_KEY_MAX);
	return secret_append(key, &c, 1) ? TOOL_OK : message_fail(TOOL_UNEXPECTED, "out of memory");
}

/* Waits for the descriptor, or for a signal on the other one (-1: none), which sets *ret_signal. */
static int wait_for(int fd, int signals, bool *ret_signal)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	int n = poll(p, 2, -1);

	*ret_signal = n > 0 && p[1].revents != 0;
	return n < 0 && errno != EINTR ? errno : 0;
}

/* One byte at a time: what follows the line belongs to others.  Ends early, with *ret_signal, when
 * there is a signal. */
static enum tool_exit read_line(int fd, int signals, struct secret *key, bool *ret_signal)
{
	enum tool_exit status = TOOL_OK;
	unsigned char c = 0;

	while (status == TOOL_OK) {
		int error = wait_for(fd, signals, ret_signal);
		ssize_t n = 0;

		if (*ret_signal)
			return TOOL_OK;
		if (!error) {
			n = read(fd, &c, 1);
			error = n < 0 ? errno : 0;
		}
		if (error == EINTR || error == EAGAIN)
			continue;
		if (error)
			return message_fail(TOOL_UNEXPECTED, "cannot read the key: %s",
					    strerrordesc_np(error));
		if (n == 0 || c == '\n')
			break;
		status = take(key, c);
	}
	explicit_bzero(&c, sizeof c);
	return status;
}

/* Holds back every signal that would end or stop this process, and returns a descriptor that is
 * readable while one of them waits.  They take effect when the mask is as before.  SIGCONT is
 * among them: after a stop the shell may have turned the echo on.  -1: see errno. */
static int hold_signals(sigset_t *before)
{
	/* Our own crashes; what a terminal in the hands of others causes; what does nothing. */
	static const int free_ones[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
					 SIGTTIN, SIGTTOU, SIGCHLD, SIGWINCH, SIGURG };
	sigset_t held;
	int fd;

	(void)sigfillset(&held);
	for (size_t i = 0; i < sizeof free_ones / sizeof free_ones[0]; i++)
		(void)sigdelset(&held, free_ones[i]);
	(void)sigprocmask(SIG_BLOCK, &held, before);
	/* What was held back before would not go away. */
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sigismember(before, sig) == 1)
			(void)sigdelset(&held, sig);
	fd = signalfd(-1, &held, SFD_CLOEXEC);
	if (fd < 0)
		(void)sigprocmask(SIG_SETMASK, before, NULL);
	return fd;
}

static void say_on(int tty, const char *text)
{
	(void)!write(tty, text, strlen(text));
}

static enum tool_exit ask_without_echo(int tty, int signals, struct secret *key, bool *ret_signal)
{
	struct termios shown, hidden;
	enum tool_exit status;

	if (tcgetattr(tty, &shown) != 0)
		return message_fail(TOOL_UNEXPECTED, "cannot ask for the key: %s",
				    strerrordesc_np(errno));
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (tcsetattr(tty, TCSAFLUSH, &hidden) != 0)
		return message_fail(TOOL_UNEXPECTED, "cannot turn off the terminal's echo: %s",
				    strerrordesc_np(errno));
	say_on(tty, "IBM Cloud API key: ");
	status = read_line(tty, signals, key, ret_signal);
	/* What is left of a line that was too long must not reach the shell: flush. */
	(void)tcsetattr(tty, TCSAFLUSH, &shown);
	say_on(tty, "\n");
	return status;
}

static enum tool_exit ask_on(int tty, struct secret *key)
{
	enum tool_exit status;
	bool signalled;

	do {
		sigset_t before;
		int signals;

		/* In the background: stop before the attributes are read, which are the shell's
		 * now, and before SIGCONT is held. */
		if (tcgetpgrp(tty) != getpgrp())
			(void)kill(0, SIGTTIN);
		signals = hold_signals(&before);
		if (signals < 0)
			return message_fail(TOOL_UNEXPECTED, "cannot ask for the key: %s",
					    strerrordesc_np(errno));
		secret_clear(key);
		signalled = false;
		status = ask_without_echo(tty, signals, key, &signalled);
		(void)close(signals);
		/* Here the signal ends or stops us; after a stop the question is asked again. */
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
	} while (signalled);
	return status;
}

static enum tool_exit read_key(struct secret *key)
{
	bool signalled = false;
	enum tool_exit status;
	int tty;

	if (!isatty(STDIN_FILENO))
		return read_line(STDIN_FILENO, -1, key, &signalled);
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (tty < 0)
		return message_fail(TOOL_UNEXPECTED, "there is no terminal to ask for the key on "
				    "(/dev/tty: %s); give it on standard input",
				    strerrordesc_np(errno));
	status = ask_on(tty, key);
	(void)close(tty);
	return status;
}

enum tool_exit prompt_key(struct secret *key)
{
	enum tool_exit status;

	if (!secret_init(key, PROMPT_KEY_MAX + 1))
		return message_fail(TOOL_UNEXPECTED, "out of memory");
	status = read_key(key);
	if (status == TOOL_OK && key->len == 0)
		return message_fail(TOOL_ENDED, "no key was given%s",
				    isatty(STDIN_FILENO)
					    ? "; paste the API key at the prompt, where it is not "
					      "shown, and press Enter"
					    : ": standard input is empty, or its first line is; "
					      "expects the API key there, or a terminal to ask "
					      "for it on");
	if (status == TOOL_OK && !secret_append(key, "", 1))
		return message_fail(TOOL_UNEXPECTED, "out of memory");
	return status;
}
