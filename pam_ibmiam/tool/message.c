/* Lines on stderr.  See message.h. */
#include "message.h"

#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "utf8.h"

enum { LINE_LEN_MAX = 1024 };

/* Controls, and what Unicode calls format characters: joiners, marks and overrides of direction. */
static bool is_visible(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = { { 0, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c },
		       { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
		       { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff } };

	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	return true;
}

void message_clean(char *to, size_t cap, const char *text)
{
	size_t used = 0;

	while (*text) {
		uint32_t c = 0;
		size_t n = utf8_decode(text, &c);
		bool shown = n > 0 && is_visible(c);
		size_t len = shown ? n : 1;

		if (used + len >= cap)
			break;
		memcpy(to + used, shown ? text : "?", len);
		used += len;
		text += n > 0 ? n : 1;
	}
	to[used] = '\0';
}

static void __attribute__((format(printf, 1, 0))) say(const char *format, va_list ap)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	char raw[LINE_LEN_MAX], clean[LINE_LEN_MAX];
	struct sigaction before;

	(void)vsnprintf(raw, sizeof raw, format, ap);
	message_clean(clean, sizeof clean, raw);
	/* A line that nobody reads must not end what was to be done: `exec` is still to run. */
	(void)sigaction(SIGPIPE, &ignore, &before);
	/* In one write: lines of several processes must not mix. */
	(void)dprintf(STDERR_FILENO, "ibmiam: %s\n", clean);
	(void)sigaction(SIGPIPE, &before, NULL);
}

void message_say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
}

enum tool_exit message_fail(enum tool_exit status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	return status;
}
