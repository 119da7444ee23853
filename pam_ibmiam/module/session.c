/* Adopting and dropping at the resident broker.  See session.h. */
#include "session.h"

#include <security/pam_modutil.h>
#include <string.h>

#include "report.h"

enum { ADOPT_MS = 2000, DROP_MS = 1000 };

static void note(struct session *s, const char *socket, const char *handle)
{
	*s = (struct session){ 0 };
	if (strlen(socket) >= sizeof s->socket || strlen(handle) >= sizeof s->handle)
		return;
	memcpy(s->socket, socket, strlen(socket) + 1);
	memcpy(s->handle, handle, strlen(handle) + 1);
}

/* Asks for it; on true the broker has adopted it.  *reason points into *buf or *fault. */
static bool adopt(const char *socket, const struct wire_session *request, struct session *ret,
		  struct secret *buf, struct client_fault *fault, const char **ret_reason)
{
	struct wire_reply reply;

	*ret_reason = fault->text;
	if (client_ask_resident(socket, &wire_adopt_message, request, ADOPT_MS, buf, &reply, fault)) {
		*ret_reason = reply.reason;
		if (reply.result != IBMIAM_ALLOWED)
			return false;
		note(ret, socket, request->session);
		return true;
	}
	if (fault->sent) {
		note(ret, socket, request->session);
		ret->unsure = true;
	}
	return false;
}

bool session_adopt(pam_handle_t *pamh, const char *socket, const char *handle, const char *user,
		   struct session *ret)
{
	const struct passwd *pw = pam_modutil_getpwnam(pamh, user);
	struct wire_session request = { .session = handle, .user = user };
	struct client_fault fault = { .text = "" };
	const char *reason;
	SECRET_AUTO(buf);

	*ret = (struct session){ 0 };
	if (!socket) {
		reason = "its login asked a resident broker, but this line of /etc/pam.d has none; "
			 "give both the same config= and socket=";
	} else if (!pw) {
		reason = "the local account cannot be looked up";
		session_discard(pamh, socket, handle);
	} else {
		request.uid = pw->pw_uid;
		if (adopt(socket, &request, ret, &buf, &fault, &reason))
			return true;
	}
	report_session(pamh, "the session starts without IBMIAM_SESSION", reason);
	return false;
}

void session_drop(pam_handle_t *pamh, struct session *session)
{
	const struct wire_session request = { .session = session->handle };
	const char *reason = NULL;
	struct client_fault fault;
	struct wire_reply reply;
	SECRET_AUTO(buf);

	if (!session->handle[0])
		return;
	if (!client_ask_resident(session->socket, &wire_drop_message, &request, DROP_MS, &buf, &reply,
				 &fault))
		reason = fault.text;
	else if (reply.result != IBMIAM_ALLOWED && reply.result != IBMIAM_NO_SESSION)
		reason = reply.reason;
	if (reason && !session->unsure)
		report_session(pamh, "the session's credential could not be dropped", reason);
	*session = (struct session){ 0 };
}

void session_discard(pam_handle_t *pamh, const char *socket, const char *handle)
{
	struct session session = { 0 };

	if (socket)
		note(&session, socket, handle);
	session_drop(pamh, &session);
}
