/* Lines on stderr.  See log.h. */
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 1024 };

const char *log_quoted(const char *text)
{
	static char quoted[LINE_MAX_LEN];
	size_t len = 0;

	for (; *text && len < sizeof quoted - 2; text++) {
		if (*text == '"' || *text == '\\')
			quoted[len++] = '\\';
		quoted[len++] = *text;
	}
	quoted[len] = '\0';
	return quoted;
}

void log_line(int priority, const char *format, ...)
{
	struct pollfd to = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[LINE_MAX_LEN];
	size_t start = (size_t)snprintf(line, sizeof line, "<%d>", priority), len;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line + start, sizeof line - 1 - start, format, ap);
	va_end(ap);
	len = strlen(line);
	for (size_t i = start; i < len; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	line[len++] = '\n';
	/* What nobody reads is lost: a log that is full or stands still must not hold up logins. */
	if (poll(&to, 1, 0) == 1 && (to.revents & POLLOUT))
		(void)!write(STDERR_FILENO, line, len);
}
