/* ibmiam env: the session's variables as lines for a shell's eval. */
#include "output.h"
#include "session.h"
#include "variables.h"

enum tool_exit env_run(const struct tool *tool)
{
	OUTPUT_AUTO(out);
	SECRET_AUTO(buf);
	struct wire_reply reply;
	const char *entry = NULL;
	enum tool_exit status = session_ask(tool, &buf, &reply);

	if (status == TOOL_OK)
		status = variables_check(&reply);
	if (status != TOOL_OK)
		return status;
	while ((entry = wire_list_next(reply.environment, reply.environment_len, entry)) != NULL) {
		size_t len = variables_name_len(entry);

		output_text(&out, "export ");
		output_bytes(&out, entry, len + 1);
		output_shell(&out, entry + len + 1);
		output_text(&out, "\n");
	}
	return output_write(&out);
}
