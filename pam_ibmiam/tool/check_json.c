/* A check for programs: one JSON object.  See check.h. */
#include "check.h"
#include "variables.h"

static void put_text(struct output *out, const char *name, const char *value)
{
	output_format(out, "\"%s\":", name);
	if (value)
		output_json(out, value);
	else
		output_text(out, "null");
}

static void put_steps(struct output *out, const struct check *c)
{
	static const char *const outcomes[] = {
		[CHECK_PASSED] = "passed", [CHECK_FAILED] = "failed", [CHECK_HINT] = "hint"
	};

	output_text(out, "\"steps\":[");
	for (size_t i = 0; i < c->steps; i++) {
		output_text(out, i > 0 ? ",{" : "{");
		put_text(out, "name", c->step[i].name);
		output_format(out, ",\"outcome\":\"%s\",\"ms\":%ld,", outcomes[c->step[i].outcome],
			      c->step[i].ms);
		put_text(out, "detail", c->step[i].detail);
		output_text(out, "}");
	}
	output_text(out, "],");
}

static void put_variables(struct output *out, const struct wire_reply *r)
{
	const char *entry = NULL, *comma = "";

	output_text(out, "\"variables\":{");
	while ((entry = wire_list_next(r->environment, r->environment_len, entry)) != NULL) {
		size_t len = variables_name_len(entry);

		output_format(out, "%s\"%.*s\":", comma, (int)len, entry);
		check_put_masked(out, entry[len] ? entry + len + 1 : "", output_json);
		comma = ",";
	}
	output_text(out, "},");
}

void check_print_json(const struct check *c, struct output *out)
{
	const struct wire_reply *r = &c->reply;
	const struct {
		const char *name, *value;
	} members[] = {
		{ "result", result_name(r->result) }, { "pam_code", check_pam_code(r->result) },
		{ "reason", r->reason }, { "check", r->check }, { "user", c->user },
		{ "service", c->service }, { "name", r->name }, { "iam_id", r->iam_id },
		{ "account", r->account }, { "profile", r->profile }, { "api_code", r->api_code },
		{ "transaction_id", r->transaction_id }, { "correlation_id", r->correlation_id },
		{ "note", r->note },
	};
	char hint[CHECK_HINT_MAX];

	output_text(out, "{");
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		put_text(out, members[i].name, members[i].value);
		output_text(out, ",");
	}
	output_format(out, "\"http_status\":%u,\"expiration\":%u,", r->http_status, r->expiration);
	put_steps(out, c);
	put_variables(out, r);
	check_hint(c, hint);
	put_text(out, "hint", hint[0] ? hint : NULL);
	output_text(out, "}\n");
}
