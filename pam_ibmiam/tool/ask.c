/* Questions and answers.  See ask.h. */
#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "deadline.h"
#include "message.h"

enum { AGAIN_MS = 50 };

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

static enum tool_exit failed(const struct client_fault *fault)
{
	if (fault->kind == CLIENT_NOBODY)
		return nobody(fault->text);
	return message_fail(fault->kind == CLIENT_BUSY ? TOOL_LATER : TOOL_UNEXPECTED,
			    "%s; try again, then ask the administrator of this host", fault->text);
}

enum tool_exit ask(const struct tool *tool, const struct wire_message *message,
		   const void *request, struct secret *buf, struct wire_reply *reply)
{
	int64_t deadline_ms = deadline_now_ms() + tool->timeout_ms;
	int left_ms = tool->timeout_ms;
	struct client_fault fault;

	/* A user has a few connections at once, and more commands than that in a parallel build. */
	while (!client_ask_resident(tool->socket, message, request, left_ms, buf, reply, &fault)) {
		left_ms = deadline_left_ms(deadline_ms) - AGAIN_MS;
		if (fault.kind != CLIENT_BUSY || left_ms <= 0)
			return failed(&fault);
		(void)poll(NULL, 0, AGAIN_MS);
	}
	return TOOL_OK;
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
