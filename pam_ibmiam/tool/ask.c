/* Questions and answers.  See ask.h. */
#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "message.h"

static enum tool_exit nobody(const char *what)
{
	return message_fail(TOOL_NO_BROKER, "%s; the administrator of this host can look: "
			    "systemctl status ibmiam-broker.socket ibmiam-broker.service", what);
}

enum tool_exit ask_somebody(const struct tool *tool)
{
	char what[256];

	if (access(tool->socket, W_OK) == 0)
		return TOOL_OK;
	(void)snprintf(what, sizeof what, "no broker listens at %s: %s", tool->socket,
		       strerrordesc_np(errno));
	return nobody(what);
}

enum tool_exit ask(const struct tool *tool, const struct wire_message *message,
		   const void *request, struct secret *buf, struct wire_reply *reply)
{
	struct client_fault fault = { .nobody = false };

	if (client_ask_resident(tool->socket, message, request, tool->timeout_ms, buf, reply,
				&fault))
		return TOOL_OK;
	if (fault.nobody)
		return nobody(fault.text);
	return message_fail(TOOL_UNEXPECTED, "%s; try again, then ask the administrator of this "
			    "host", fault.text);
}

enum tool_exit ask_verdict(const struct ask_meaning meanings[IBMIAM_RESULT_COUNT],
			   const struct wire_reply *reply, bool reason)
{
	const struct ask_meaning *m = &meanings[reply->result]; /* in range: decoded */

	if (reply->result == IBMIAM_ALLOWED)
		return TOOL_OK;
	return message_fail(m->status, "%s%s%s%s; %s", m->what, reason ? " (" : "",
			    reason ? reply->reason : "", reason ? ")" : "", m->next);
}

enum tool_exit ask_broken(const char *why)
{
	return message_fail(TOOL_UNEXPECTED, "the broker breaks the protocol: %s; are ibmiam and "
			    "ibmiam-broker of one version?", why);
}
