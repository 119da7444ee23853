/* ibmiam status: who the session is in IAM, and for how long, in words. */
#include <stdint.h>
#include <time.h>

#include "output.h"
#include "session.h"
#include "words.h"

enum { SHOWN_OF_HANDLE = 8 };

static void put_expiry(struct output *out, const struct wire_reply *reply, int64_t now)
{
	int64_t left = (int64_t)reply->expiration - now;

	output_text(out, "token    ");
	if (left > 0) {
		output_text(out, "expires in ");
		words_span(out, left);
		output_text(out, ", at ");
	} else {
		output_text(out, "has expired, at ");
	}
	words_moment(out, reply->expiration, true);
	if (left > 0 && reply->renewal) {
		output_text(out, "; renewed when asked for after ");
		words_moment(out, reply->renewal, false);
	}
	output_text(out, "\n");
}

static void put_line(struct output *out, const char *label, const char *value)
{
	if (!value)
		return;
	output_text(out, label);
	output_clean(out, value);
	output_text(out, "\n");
}

static void print_words(struct output *out, const struct wire_reply *reply)
{
	put_line(out, "name     ", reply->name);
	put_line(out, "iam_id   ", reply->iam_id);
	put_line(out, "account  ", reply->account);
	put_line(out, "profile  ", reply->profile);
	put_expiry(out, reply, time(NULL));
	output_format(out, "session  %.*s...\n", SHOWN_OF_HANDLE, session_variable());
	put_line(out, "note     ", reply->note);
}

static void print_json(struct output *out, const struct wire_reply *reply)
{
	const struct {
		const char *name, *value;
	} members[] = { { "name", reply->name }, { "iam_id", reply->iam_id },
			{ "account", reply->account }, { "profile", reply->profile },
			{ "note", reply->note } };
	int64_t left = (int64_t)reply->expiration - (int64_t)time(NULL);

	output_text(out, "{");
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		output_format(out, "\"%s\":", members[i].name);
		if (members[i].value)
			output_json(out, members[i].value);
		else
			output_text(out, "null");
		output_text(out, ",");
	}
	output_format(out, "\"renewal\":%lld,\"expiration\":%lld,\"expires_in\":%lld}\n",
		      (long long)reply->renewal, (long long)reply->expiration,
		      left > 0 ? (long long)left : 0);
}

enum tool_exit status_run(const struct tool *tool)
{
	OUTPUT_AUTO(out);
	SECRET_AUTO(buf);
	struct wire_reply reply;
	enum tool_exit status = session_ask(tool, &buf, &reply);

	if (status != TOOL_OK)
		return status;
	if (tool->json)
		print_json(&out, &reply);
	else
		print_words(&out, &reply);
	return output_write(&out);
}
