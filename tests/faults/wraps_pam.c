/* The wraps of libpam in the module under test (inject.h), and its log. */
#include <errno.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <security/pam_modutil.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "inject.h"

#define WRAP(type, name, failure, error, parameters, arguments)  \
	type __real_##name parameters;                           \
	type __wrap_##name parameters;                           \
	type __wrap_##name parameters                            \
	{                                                        \
		int injected = inject_error(#name, error, false);\
								 \
		if (injected) {                                  \
			errno = injected;                        \
			return failure;                          \
		}                                                \
		return __real_##name arguments;                  \
	}

WRAP(int, pam_set_data, PAM_BUF_ERR, ENOMEM,
     (pam_handle_t *pamh, const char *name, void *data, void (*end)(pam_handle_t *, void *, int)),
     (pamh, name, data, end))
WRAP(int, pam_get_user, PAM_BUF_ERR, ENOMEM, (pam_handle_t *pamh, const char **user, const char *prompt),
     (pamh, user, prompt))
WRAP(struct passwd *, pam_modutil_getpwnam, NULL, ENOMEM, (pam_handle_t *pamh, const char *user),
     (pamh, user))

/* Only a new value needs memory. */
int __real_pam_putenv(pam_handle_t *pamh, const char *entry);
int __wrap_pam_putenv(pam_handle_t *pamh, const char *entry);
int __wrap_pam_putenv(pam_handle_t *pamh, const char *entry)
{
	if (strchr(entry, '=') && inject_error("pam_putenv", ENOMEM, false))
		return PAM_BUF_ERR;
	return __real_pam_putenv(pamh, entry);
}

int __wrap_pam_prompt(pam_handle_t *pamh, int style, char **ret, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int __wrap_pam_prompt(pam_handle_t *pamh, int style, char **ret, const char *format, ...)
{
	va_list ap;
	int code;

	if (inject_error("pam_prompt", ENOMEM, false))
		return PAM_BUF_ERR;
	va_start(ap, format);
	code = pam_vprompt(pamh, style, ret, format, ap);
	va_end(ap);
	return code;
}

void sweep_log(const char *line);

void __wrap_pam_syslog(const pam_handle_t *pamh, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void __wrap_pam_syslog(const pam_handle_t *pamh, int priority, const char *format, ...)
{
	char line[4096];
	va_list ap;

	(void)pamh;
	(void)priority;
	va_start(ap, format);
	(void)vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	sweep_log(line);
}
