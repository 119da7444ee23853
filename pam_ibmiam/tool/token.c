/* ibmiam token: the access token, for scripts. */
#include <time.h>

#include "message.h"
#include "output.h"
#include "session.h"

static void print_json(struct output *out, const struct wire_reply *reply)
{
	long long left = (long long)reply->expiration - (long long)time(NULL);

	output_text(out, "{\"access_token\":");
	output_json(out, reply->token);
	output_format(out, ",\"token_type\":\"Bearer\",\"expiration\":%lld,\"expires_in\":%lld}",
		      (long long)reply->expiration, left > 0 ? left : 0);
}

enum tool_exit token_run(const struct tool *tool)
{
	OUTPUT_AUTO(out);
	SECRET_AUTO(buf);
	struct wire_reply reply;
	enum tool_exit status;

	if (tool->bearer && tool->json)
		return message_fail(TOOL_USAGE, "--bearer and --json exclude each other");
	status = session_ask(tool, &buf, &reply);
	if (status != TOOL_OK)
		return status;
	if (tool->json) {
		print_json(&out, &reply);
	} else {
		output_text(&out, tool->bearer ? "Bearer " : "");
		output_text(&out, reply.token);
	}
	output_text(&out, "\n");
	return output_write(&out);
}
