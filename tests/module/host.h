/*
 * What the hosts of these tests share: events on standard output, one JSON array of strings
 * a line, and syslog caught before it leaves the process.  The program is linked with
 * -rdynamic, so its syslog functions come before libc's, for libpam and the module too.
 */
#ifndef TESTS_MODULE_HOST_H
#define TESTS_MODULE_HOST_H

#include <fcntl.h>
#include <security/pam_appl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { EVENT_FD_MIN = 100 }; /* out of the way of hosts that close 0 to 2 */

static FILE *event_out;

/* Call first, before anything can speak. */
static inline void event_open(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, EVENT_FD_MIN);

	event_out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!event_out)
		abort();
}

/* Every byte that is not plain ASCII is escaped: what was logged cannot forge an event. */
static inline void event_word(const char *text)
{
	(void)fputc('"', event_out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			(void)fprintf(event_out, "\\u%04x", c);
		else
			(void)fputc(c, event_out);
	}
	(void)fputc('"', event_out);
}

static inline void event_end(void)
{
	(void)fputs("]\n", event_out);
	(void)fflush(event_out);
}

static inline void event_list(const char *kind, char *const *words)
{
	(void)fputc('[', event_out);
	event_word(kind);
	for (; words && *words; words++) {
		(void)fputc(',', event_out);
		event_word(*words);
	}
	event_end();
}

/* The words, strings, end with NULL. */
static inline void __attribute__((sentinel)) event(const char *kind, ...)
{
	const char *word;
	va_list ap;

	(void)fputc('[', event_out);
	event_word(kind);
	va_start(ap, kind);
	while ((word = va_arg(ap, const char *)) != NULL) {
		(void)fputc(',', event_out);
		event_word(word);
	}
	va_end(ap);
	event_end();
}

static inline void event_number(const char *kind, const char *name, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%lld", (long long)value);
	event(kind, name, text, NULL);
}

static inline void __attribute__((format(printf, 2, 0)))
caught(int priority, const char *format, va_list ap)
{
	static const char *const level[] = { "emerg", "alert", "crit", "err",
					     "warning", "notice", "info", "debug" };
	char *text = NULL;

	if (vasprintf(&text, format, ap) < 0)
		abort();
	event("log", LOG_FAC(priority) == LOG_FAC(LOG_AUTHPRIV) ? "authpriv" : "other",
	      level[LOG_PRI(priority)], text, NULL);
	free(text);
}

/* The fortified names have no prototypes where they are not in use. */
#pragma GCC visibility push(default)
void __vsyslog_chk(int priority, int flag, const char *format, va_list ap);
void __syslog_chk(int priority, int flag, const char *format, ...);

void __attribute__((format(printf, 3, 0)))
__vsyslog_chk(int priority, int flag, const char *format, va_list ap)
{
	(void)flag;
	caught(priority, format, ap);
}

void __attribute__((format(printf, 3, 4)))
__syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, format);
	caught(priority, format, ap);
	va_end(ap);
}

void __attribute__((format(printf, 2, 0)))
(vsyslog)(int priority, const char *format, va_list ap)
{
	caught(priority, format, ap);
}

/* In parentheses, because it is a macro for some compilers. */
void __attribute__((format(printf, 2, 3))) (syslog)(int priority, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	caught(priority, format, ap);
	va_end(ap);
}
#pragma GCC visibility pop

static inline const char *code_name(int code)
{
#define NAME(code) [code] = #code
	static const char *const names[] = {
		NAME(PAM_SUCCESS), NAME(PAM_OPEN_ERR), NAME(PAM_SYMBOL_ERR), NAME(PAM_SERVICE_ERR),
		NAME(PAM_SYSTEM_ERR), NAME(PAM_BUF_ERR), NAME(PAM_PERM_DENIED), NAME(PAM_AUTH_ERR),
		NAME(PAM_CRED_INSUFFICIENT), NAME(PAM_AUTHINFO_UNAVAIL), NAME(PAM_USER_UNKNOWN),
		NAME(PAM_MAXTRIES), NAME(PAM_NEW_AUTHTOK_REQD), NAME(PAM_ACCT_EXPIRED),
		NAME(PAM_SESSION_ERR), NAME(PAM_CRED_UNAVAIL), NAME(PAM_CRED_EXPIRED),
		NAME(PAM_CRED_ERR), NAME(PAM_NO_MODULE_DATA), NAME(PAM_CONV_ERR),
		NAME(PAM_AUTHTOK_ERR), NAME(PAM_AUTHTOK_RECOVERY_ERR), NAME(PAM_AUTHTOK_LOCK_BUSY),
		NAME(PAM_AUTHTOK_DISABLE_AGING), NAME(PAM_TRY_AGAIN), NAME(PAM_IGNORE),
		NAME(PAM_ABORT), NAME(PAM_AUTHTOK_EXPIRED), NAME(PAM_MODULE_UNKNOWN),
		NAME(PAM_BAD_ITEM), NAME(PAM_CONV_AGAIN), NAME(PAM_INCOMPLETE),
	};
#undef NAME

	return code >= 0 && (size_t)code < sizeof names / sizeof names[0] ? names[code] : "?";
}

static inline int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#endif
