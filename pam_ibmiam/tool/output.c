/* What goes to stdout.  See output.h. */
#include "output.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "utf8.h"
#include "wire.h"

/* The largest that there is: all variables of a reply, each of their bytes four in quotes. */
enum { OUTPUT_MAX = 8 * WIRE_MESSAGE_MAX, FORMAT_MAX = 1024 };

void output_free(struct output *out)
{
	secret_free(&out->text);
}

void output_bytes(struct output *out, const char *bytes, size_t len)
{
	if (!out->text.data && !secret_init(&out->text, OUTPUT_MAX))
		out->full = true;
	if (!out->full && !secret_append(&out->text, bytes, len))
		out->full = true;
}

void output_text(struct output *out, const char *text)
{
	output_bytes(out, text, strlen(text));
}

void output_format(struct output *out, const char *format, ...)
{
	char text[FORMAT_MAX];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof text)
		out->full = true;
	else
		output_text(out, text);
}

void output_clean(struct output *out, const char *text)
{
	char clean[FORMAT_MAX];

	message_clean(clean, sizeof clean, text);
	output_text(out, clean);
}

void output_json(struct output *out, const char *text)
{
	output_text(out, "\"");
	while (*text) {
		uint32_t c = 0xfffd;
		size_t n = utf8_decode(text, &c);

		if (n == 0)
			output_text(out, "\\ufffd");
		else if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
			output_format(out, "\\u%04x", (unsigned int)c);
		else if (c == '"' || c == '\\')
			output_format(out, "\\%c", (int)c);
		else
			output_bytes(out, text, n);
		text += n > 0 ? n : 1;
	}
	output_text(out, "\"");
}

void output_shell(struct output *out, const char *text)
{
	output_text(out, "'");
	for (; *text; text++) {
		if (*text == '\'')
			output_text(out, "'\\''");
		else
			output_bytes(out, text, 1);
	}
	output_text(out, "'");
}

/* Returns 0 or an errno. */
static int write_all(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);

		if (n < 0 && errno != EINTR)
			return errno;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

enum tool_exit output_write(const struct output *out)
{
	int error;

	if (out->full)
		return message_fail(TOOL_UNEXPECTED, "out of memory");
	/* A reader that has gone is an error to report, not a death by SIGPIPE. */
	(void)signal(SIGPIPE, SIG_IGN);
	error = write_all(out->text.data, out->text.len);
	if (error)
		return message_fail(TOOL_UNEXPECTED, "cannot write to standard output: %s",
				    strerrordesc_np(error));
	return TOOL_OK;
}
