/* ibmiam exec: a command with the session's variables, fresh. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "process.h"
#include "session.h"
#include "variables.h"

/* Copies the variables into this process's environment, which the command inherits. */
static enum tool_exit set_variables(const struct wire_reply *reply)
{
	const char *list = reply->environment, *entry = NULL;

	while ((entry = wire_list_next(list, reply->environment_len, entry)) != NULL) {
		char *name = strndup(entry, variables_name_len(entry));
		int error = name ? setenv(name, strchr(entry, '=') + 1, 1) : -1;

		free(name);
		if (error)
			return message_fail(TOOL_UNEXPECTED, "out of memory");
	}
	return TOOL_OK;
}

static enum tool_exit prepare(const struct tool *tool)
{
	SECRET_AUTO(buf);
	struct wire_reply reply;
	enum tool_exit status = session_ask(tool, &buf, &reply);

	if (status == TOOL_OK)
		status = variables_check(&reply);
	return status == TOOL_OK ? set_variables(&reply) : status;
}

enum tool_exit exec_run(const struct tool *tool)
{
	enum tool_exit status = prepare(tool);
	bool missing;

	if (status != TOOL_OK)
		return status;
	process_restore();
	(void)execvp(tool->operands[0], tool->operands);
	/* As shells do: 127 for what is not there, 126 for what cannot be run. */
	missing = errno == ENOENT || errno == ENOTDIR;
	return message_fail(missing ? TOOL_NOT_FOUND : TOOL_NOT_EXECUTABLE, "cannot execute %s: %s",
			    tool->operands[0], strerrordesc_np(errno));
}
