/* ibmiam logout: the broker wipes the session's credential. */
#include "message.h"
#include "session.h"

enum tool_exit logout_run(const struct tool *tool)
{
	const char *handle = NULL;
	enum tool_exit status = session_find(&handle);

	if (status == TOOL_OK)
		status = session_drop(tool, handle);
	if (status == TOOL_OK)
		message_say("logged out: IBMIAM_SESSION is now without effect, in every process of "
			    "this session; a token that was printed stays valid until it expires");
	return status;
}
