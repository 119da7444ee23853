/* Log lines and messages to the user.  See report.h. */
#include "report.h"

#include <security/pam_ext.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "item.h"
#include "result.h"

enum { LINE_MAX_LEN = 4096, VALUE_MAX = 128 };

static const int level[IBMIAM_RESULT_COUNT] = {
	[IBMIAM_ALLOWED] = LOG_INFO,
	[IBMIAM_KEY_REJECTED] = LOG_NOTICE,
	[IBMIAM_DENIED] = LOG_NOTICE,
	[IBMIAM_USER_UNKNOWN] = LOG_NOTICE,
	[IBMIAM_THROTTLED] = LOG_WARNING,
	[IBMIAM_UNAVAILABLE] = LOG_WARNING,
	[IBMIAM_CONFIG_ERROR] = LOG_ERR,
	[IBMIAM_BROKER_ERROR] = LOG_ERR,
	[IBMIAM_NO_SESSION] = LOG_ERR,
};

struct line {
	char text[LINE_MAX_LEN];
	size_t len;
};

static void put(struct line *l, char c)
{
	if (l->len < sizeof l->text - 1)
		l->text[l->len++] = c;
	l->text[l->len] = '\0';
}

static void put_text(struct line *l, const char *text)
{
	while (*text)
		put(l, *text++);
}

/* Appends " name=value", the value in quotes unless it is one plain word. */
static void put_value(struct line *l, const char *name, const char *value, size_t max)
{
	bool quote;

	if (!value)
		return;
	quote = value[0] == '\0' || strpbrk(value, " \"\\=") != NULL;
	put(l, ' ');
	put_text(l, name);
	put(l, '=');
	if (quote)
		put(l, '"');
	for (size_t i = 0; i < max && value[i]; i++) {
		char c = value[i];

		if (c == '"' || c == '\\')
			put(l, '\\');
		if (c < ' ' || c > '~') /* bytes from 0x80 on may be negative */
			c = '?';
		put(l, c);
	}
	if (quote)
		put(l, '"');
}

static void put_number(struct line *l, const char *name, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%lld", (long long)value);
	put_value(l, name, text, sizeof text);
}

void report_decision(pam_handle_t *pamh, const char *user, const struct wire_reply *reply,
		     int64_t elapsed_ms)
{
	struct line l = { .len = 0 };

	put_text(&l, result_name(reply->result));
	put_value(&l, "user", user, VALUE_MAX);
	put_value(&l, "service", item_get(pamh, PAM_SERVICE), VALUE_MAX);
	put_value(&l, "ruser", item_get(pamh, PAM_RUSER), VALUE_MAX);
	put_value(&l, "rhost", item_get(pamh, PAM_RHOST), VALUE_MAX);
	put_value(&l, "iam_id", reply->iam_id, VALUE_MAX);
	put_value(&l, "account", reply->account, VALUE_MAX);
	if (reply->http_status)
		put_number(&l, "http", reply->http_status);
	put_value(&l, "code", reply->api_code, VALUE_MAX);
	put_value(&l, "transaction", reply->transaction_id, VALUE_MAX);
	put_value(&l, "correlation", reply->correlation_id, VALUE_MAX);
	put_number(&l, "elapsed_ms", elapsed_ms);
	put_value(&l, "profile", reply->profile, VALUE_MAX);
	put_value(&l, "check", reply->check, VALUE_MAX);
	put_value(&l, "reason", reply->reason, WIRE_REASON_MAX);
	pam_syslog(pamh, reply->result < IBMIAM_RESULT_COUNT ? level[reply->result] : LOG_ERR, "%s",
		   l.text);
	if (reply->note) {
		l.len = 0;
		put_text(&l, "note");
		put_value(&l, "text", reply->note, WIRE_REASON_MAX);
		pam_syslog(pamh, LOG_NOTICE, "%s", l.text);
	}
}

void report_session(pam_handle_t *pamh, const char *what, const char *reason)
{
	struct line l = { .len = 0 };

	put_text(&l, what);
	put_value(&l, "user", item_get(pamh, PAM_USER), VALUE_MAX);
	put_value(&l, "reason", reason, WIRE_REASON_MAX);
	pam_syslog(pamh, LOG_WARNING, "%s", l.text);
}

void report_to_user(pam_handle_t *pamh, int flags, uint32_t result)
{
	if (result == IBMIAM_UNAVAILABLE && !((unsigned int)flags & PAM_SILENT))
		(void)pam_error(pamh, "IBM Cloud IAM cannot be reached at the moment; "
				      "the key was not checked.");
}
