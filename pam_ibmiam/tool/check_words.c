/* A check for people: a line a step, then the result.  See check.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "variables.h"
#include "words.h"

enum { SHOWN_MAX = 60, SHOWN_OF_LONG = 28, NAME_COLUMN = 13 };

/* What stands for each outcome, and its colour (ECMA-48). */
static const struct {
	const char *sign, *colour;
} signs[] = { [CHECK_PASSED] = { "\u2713", "32" }, [CHECK_FAILED] = { "\u2717", "31" },
	      [CHECK_HINT] = { "\u2192", "33" } };

/* https://no-color.org */
static bool is_coloured(void)
{
	const char *no = secure_getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && no[0]);
}

static void put_sign(struct output *out, enum check_outcome outcome, bool coloured)
{
	if (coloured)
		output_format(out, "\033[%sm%s\033[0m ", signs[outcome].colour,
			      signs[outcome].sign);
	else
		output_format(out, "%s ", signs[outcome].sign);
}

static void put_step(struct output *out, const struct check_step *step, bool coloured)
{
	bool hint = step->outcome == CHECK_HINT;

	output_text(out, hint ? "  " : "");
	put_sign(out, step->outcome, coloured);
	if (!hint)
		output_format(out, "%-*s", step->detail[0] ? NAME_COLUMN : 0, step->name);
	output_clean(out, step->detail);
	if (step->ms > 0)
		output_format(out, " (%ld ms)", step->ms);
	output_text(out, "\n");
}

/* Line by line: a line break is the only control character that is meant. */
static void put_hint(struct output *out, const char *hint, bool coloured)
{
	output_text(out, "\n");
	put_sign(out, CHECK_HINT, coloured);
	while (*hint) {
		size_t len = strcspn(hint, "\n");
		char line[CHECK_HINT_MAX];

		(void)snprintf(line, sizeof line, "%.*s", (int)len, hint);
		output_clean(out, line);
		output_text(out, "\n");
		hint += len + (hint[len] == '\n');
	}
}

static void put_line(struct output *out, const char *label, const char *value)
{
	if (!value || !value[0])
		return;
	output_format(out, "%-*s  ", NAME_COLUMN, label);
	output_clean(out, value);
	output_text(out, "\n");
}

static void put_expiry(struct output *out, int64_t expiration)
{
	int64_t left = expiration - (int64_t)time(NULL);

	output_format(out, "%-*s  %s", NAME_COLUMN, "token",
		      left > 0 ? "expires in " : "has expired, at ");
	if (left > 0) {
		words_span(out, left);
		output_text(out, ", at ");
	}
	words_moment(out, expiration, true);
	output_text(out, "\n");
}

void check_put_masked(struct output *out, const char *value,
		      void (*put)(struct output *, const char *))
{
	size_t len = strlen(value);
	char shown[SHOWN_MAX + 64];

	if (len <= SHOWN_MAX)
		(void)snprintf(shown, sizeof shown, "%s", value);
	else
		(void)snprintf(shown, sizeof shown, "%.*s... (%zu characters)", SHOWN_OF_LONG,
			       value, len);
	put(out, shown);
}

static void put_variables(struct output *out, const struct wire_reply *reply)
{
	const char *entry = NULL;

	if (!reply->environment) {
		put_line(out, "variables", "none would be exported");
		return;
	}
	while ((entry = wire_list_next(reply->environment, reply->environment_len, entry)) !=
	       NULL) {
		size_t len = variables_name_len(entry);

		output_format(out, "%-*s  %.*s=", NAME_COLUMN, "variable", (int)len, entry);
		check_put_masked(out, entry[len] ? entry + len + 1 : "", output_clean);
		output_text(out, "\n");
	}
}

void check_print_words(const struct check *c, struct output *out)
{
	const struct wire_reply *r = &c->reply;
	bool coloured = is_coloured();
	char hint[CHECK_HINT_MAX];

	for (size_t i = 0; i < c->steps; i++)
		put_step(out, &c->step[i], coloured);
	output_text(out, "\n");
	put_line(out, "result", result_name(r->result));
	put_line(out, "reason", r->reason);
	put_line(out, "PAM code", check_pam_code(r->result));
	put_line(out, "user", c->user);
	put_line(out, "name", r->name);
	put_line(out, "identity", r->iam_id);
	put_line(out, "account", r->account);
	put_line(out, "profile", r->profile);
	if (r->expiration)
		put_expiry(out, r->expiration);
	if (r->result == IBMIAM_ALLOWED)
		put_variables(out, r);
	put_line(out, "note", r->note);
	check_hint(c, hint);
	if (hint[0])
		put_hint(out, hint, coloured);
}
