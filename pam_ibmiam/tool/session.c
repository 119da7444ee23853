/* The session.  See session.h. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "message.h"

static const struct ask_meaning meanings[IBMIAM_RESULT_COUNT] = {
	[IBMIAM_KEY_REJECTED] = { TOOL_ENDED, "IAM no longer accepts the API key of this session",
				  "log in with a valid one: ibmiam login" },
	[IBMIAM_DENIED] = { TOOL_ENDED, "the API key of this session is no longer allowed here",
			    "ask its administrator, or log in with another: ibmiam login" },
	[IBMIAM_USER_UNKNOWN] = { TOOL_ENDED, "this host no longer has a rule for you",
				  "ask its administrator" },
	[IBMIAM_THROTTLED] = { TOOL_LATER, "too many requests at the moment",
			       "wait a minute and try again" },
	[IBMIAM_UNAVAILABLE] = { TOOL_LATER, "IBM Cloud IAM cannot be reached at the moment, and "
				 "no valid token is left", "try again in a minute" },
	[IBMIAM_CONFIG_ERROR] = { TOOL_UNEXPECTED, "this host's configuration is missing or wrong",
				  "ask its administrator: the system log has the reason" },
	[IBMIAM_BROKER_ERROR] = { TOOL_UNEXPECTED, "the broker has failed",
				  "ask this host's administrator: the system log has the reason" },
	[IBMIAM_NO_SESSION] = { TOOL_NO_SESSION, "no session: the broker has no credential for "
				"IBMIAM_SESSION, after a logout or its restart",
				"get it back with: ibmiam login" },
};

const char *session_variable(void)
{
	const char *value = secure_getenv("IBMIAM_SESSION");

	return value && value[0] ? value : NULL;
}

enum tool_exit session_find(const char **ret)
{
	const char *value = session_variable();

	if (!value)
		return message_fail(TOOL_NO_SESSION, "no session: IBMIAM_SESSION is not set; log in "
				    "to this host with an API key, or run: "
				    "eval \"$(ibmiam login)\"");
	if (!wire_is_handle(value))
		return message_fail(TOOL_NO_SESSION, "no session: IBMIAM_SESSION is not 32 lower-"
				    "case hexadecimal digits; for a new one run: "
				    "eval \"$(ibmiam login)\"");
	*ret = value;
	return TOOL_OK;
}

/* RFC 6750, b64token: nothing in it can end a header, a line or a word of a shell. */
static bool is_token(const char *token)
{
	return token[strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				   "-._~+/=")] == '\0';
}

enum tool_exit session_ask(const struct tool *tool, struct secret *buf, struct wire_reply *reply)
{
	struct wire_session request = { 0 };
	enum tool_exit status = session_find(&request.session);

	if (status == TOOL_OK)
		status = ask(tool, &wire_token_message, &request, buf, reply);
	if (status == TOOL_OK)
		status = ask_verdict(meanings, reply, reply->result != IBMIAM_NO_SESSION);
	if (status != TOOL_OK)
		return status;
	if (!reply->token || reply->expiration == 0)
		return ask_broken("allowed, but without a token or its expiration");
	return is_token(reply->token) ? TOOL_OK : ask_broken("the token has impossible characters");
}

enum tool_exit session_drop(const struct tool *tool, const char *handle)
{
	const struct wire_session request = { .session = handle };
	SECRET_AUTO(buf);
	struct wire_reply reply;
	enum tool_exit status = ask(tool, &wire_drop_message, &request, &buf, &reply);

	return status == TOOL_OK ? ask_verdict(meanings, &reply, false) : status;
}
