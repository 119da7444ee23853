/* ibmiam login: a credential for a session that has none, or has lost it. */
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "message.h"
#include "output.h"
#include "prompt.h"
#include "session.h"

#define NOT_ACCEPTED { TOOL_ENDED, "the key was not accepted", \
		       "check it, or ask the administrator of this host" }
#define NOT_IN_ORDER { TOOL_UNEXPECTED, "the broker of this host is not in order", \
		       "ask its administrator: the system log has the reason" }

/* As the module does: what helps the user, and tells an attacker nothing. */
static const struct ask_meaning meanings[IBMIAM_RESULT_COUNT] = {
	[IBMIAM_KEY_REJECTED] = NOT_ACCEPTED,
	[IBMIAM_DENIED] = NOT_ACCEPTED,
	[IBMIAM_USER_UNKNOWN] = NOT_ACCEPTED,
	[IBMIAM_THROTTLED] = { TOOL_LATER, "too many attempts, the key was not checked",
			       "wait a minute and try again" },
	[IBMIAM_UNAVAILABLE] = { TOOL_LATER, "IBM Cloud IAM cannot be reached at the moment, the "
				 "key was not checked", "try again in a minute" },
	[IBMIAM_CONFIG_ERROR] = NOT_IN_ORDER,
	[IBMIAM_BROKER_ERROR] = NOT_IN_ORDER,
	[IBMIAM_NO_SESSION] = { TOOL_NO_SESSION, "this host holds as many credentials made by ibmiam "
				"login for you as it may", "end those that you no longer need: "
				"ibmiam logout, where they were made" },
};

static bool is_same(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

/* Tells the shell, and whoever reads, what the session is now. */
static enum tool_exit tell(const struct tool *tool, const char *before,
			   const struct wire_reply *reply)
{
	OUTPUT_AUTO(out);
	const char *who = reply->name ? reply->name : reply->iam_id;
	enum tool_exit status;

	if (is_same(before, reply->session)) {
		message_say("logged in as %s (%s): IBMIAM_SESSION is valid again, in every process "
			    "of this session", who, reply->iam_id);
		return TOOL_OK;
	}
	output_format(&out, "export IBMIAM_SESSION=%s\n", reply->session);
	status = output_write(&out);
	if (status != TOOL_OK) {
		(void)session_drop(tool, reply->session); /* nobody knows its handle */
		return status;
	}
	message_say("logged in as %s (%s)", who, reply->iam_id);
	if (isatty(STDOUT_FILENO))
		message_say("this shell does not know it yet: enter the line above, or use: "
			    "eval \"$(ibmiam login)\"");
	return TOOL_OK;
}

static enum tool_exit log_in(const struct tool *tool, struct wire_request *request)
{
	SECRET_AUTO(buf);
	struct wire_reply reply;
	enum tool_exit status = ask(tool, &wire_request_message, request, &buf, &reply);

	if (status == TOOL_OK)
		status = ask_verdict(meanings, &reply, getuid() == 0);
	if (status != TOOL_OK)
		return status;
	if (!reply.session || !wire_is_handle(reply.session))
		return ask_broken("allowed, but without a session");
	return tell(tool, request->session, &reply);
}

enum tool_exit login_run(const struct tool *tool)
{
	SECRET_AUTO(key);
	const struct passwd *pw = getpwuid(getuid());
	const char *handle = session_variable();
	struct wire_request request = { .service = "ibmiam", .uid = getuid() };
	enum tool_exit status;

	if (!pw)
		return message_fail(TOOL_UNEXPECTED, "there is no local account with your uid %lu",
				    (unsigned long)getuid());
	status = ask_somebody(tool);
	if (status == TOOL_OK)
		status = prompt_key(&key);
	if (status != TOOL_OK)
		return status;
	request.user = pw->pw_name;
	request.key = key.data;
	/* Under the same handle all processes of a session have their token back. */
	request.session = handle && wire_is_handle(handle) ? handle : NULL;
	return log_in(tool, &request);
}
