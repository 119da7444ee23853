/* Lines of files.  See pam_lines.h. */
#include "pam_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_SIZE_MAX = 1024 * 1024 };

/* All of it, terminated, to be freed; or NULL, see errno. */
static char *read_whole(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error;
	char *text = fd >= 0 ? calloc(1, FILE_SIZE_MAX + 2) : NULL;
	size_t len = 0;
	ssize_t n = 1;

	while (text && n > 0 && len <= FILE_SIZE_MAX) {
		n = read(fd, text + len, FILE_SIZE_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	error = len > FILE_SIZE_MAX ? EFBIG : errno;
	if (fd >= 0)
		(void)close(fd);
	if (n >= 0 && len <= FILE_SIZE_MAX)
		return text;
	free(text);
	errno = error;
	return NULL;
}

/* The backslash that continues a line: only blanks follow, and no comment began.  Or NULL. */
static char *find_backslash(char *line, char *end)
{
	if (memchr(line, '#', (size_t)(end - line)))
		return NULL;
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return end > line && end[-1] == '\\' ? end - 1 : NULL;
}

static char *cut_plain_line(char *text)
{
	char *end = text + strcspn(text, "\n"), *line = *end ? end + 1 : end;

	*end = '\0';
	for (char *p = text; *p; p++)
		if (*p == '\r' || (*p == '#' && (p == text || p[-1] == ' ' || p[-1] == '\t')))
			*p = '\0';
	return line;
}

/* Ends the line that begins at text, joined with those that continue it, as libpam does: past
 * empty lines and comments.  Returns the next. */
static char *cut_line(char *text, unsigned int *number)
{
	char *line = text, *end = text + strcspn(text, "\n"), *join = find_backslash(line, end);

	while (*end && join) {
		memset(join, ' ', (size_t)(end + 1 - join));
		++*number;
		line = end + 1;
		end = line + strcspn(line, "\n");
		join = strchr("#\n", line[strspn(line, " \t")]) ? line : find_backslash(line, end);
	}
	line = *end ? end + 1 : end;
	*end = '\0';
	text[strcspn(text, "#\r")] = '\0';
	return line;
}

bool pam_lines_read(const char *path, enum pam_lines kind,
		    bool (*take)(void *arg, const char *path, unsigned int line, char *text),
		    void *arg)
{
	char *text = read_whole(path), *p = text;
	unsigned int number = 1;

	if (!text)
		return false;
	for (bool more = true; more && *p; number++) {
		unsigned int first = number;
		char *line = p;

		p = kind == PAM_LINES_SSHD ? cut_plain_line(line) : cut_line(line, &number);
		more = take(arg, path, first, line);
	}
	free(text);
	return true;
}
