/* Lines on stderr.  See log.h. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 1024 };

void log_line(int priority, const char *format, ...)
{
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
	/* What nobody reads is lost: a log must not hold up logins. */
	(void)!write(STDERR_FILENO, line, len);
}
