/*
 * Templates of the session's environment: what a configuration may say, and that values
 * are put in as they are, whatever IAM puts into them.
 */
#include "unit.h"

#include "environment.h"

static const char no_name[] = "expects NAME=value, where NAME is letters, digits and _";
static const char no_placeholder[] =
	"expects %{token}, %{expiration}, %{iam_id}, %{account}, %{profile} or %% after each %";
static const char not_text[] = "holds control characters or is not UTF-8";

static const struct judged {
	const char *name;
	const char *template;
	const char *fault;
} judged[] = {
	{ "plain", "A=b", NULL },
	{ "no value", "A=", NULL },
	{ "another equals sign", "A=b=c", NULL },
	{ "all kinds of letters", "_aZ9=x", NULL },
	{ "all placeholders", "A=%{token}%{expiration}%{iam_id}%{account}%{profile}", NULL },
	{ "variable of the module", "IBMIAM_SESSION=x",
	  "sets a variable that the module keeps for itself; choose another name" },
	{ "the module's other variable", "PAM_IBMIAM_STASH=",
	  "sets a variable that the module keeps for itself; choose another name" },
	{ "longer than the module's", "IBMIAM_SESSIONS=x", NULL },
	{ "plural of a placeholder", "A=%{profiles}", no_placeholder },
	{ "percent sign", "A=100%%", NULL },
	{ "percent sign before a brace", "A=%%{token}", NULL },
	{ "UTF-8", "A=caf\xc3\xa9", NULL },
	{ "nothing", "", no_name },
	{ "no equals sign", "A", no_name },
	{ "no name", "=b", no_name },
	{ "digit first", "9A=b", no_name },
	{ "space in the name", "A B=c", no_name },
	{ "space before the name", " A=c", no_name },
	{ "space after the name", "A =c", no_name },
	{ "dash in the name", "A-B=c", no_name },
	{ "UTF-8 in the name", "caf\xc3\xa9=c", no_name },
	{ "placeholder in the name", "A%{token}=c", no_name },
	{ "percent sign last", "A=b%", no_placeholder },
	{ "percent sign and a letter", "A=%s", no_placeholder },
	{ "three percent signs", "A=%%%", no_placeholder },
	{ "unknown placeholder", "A=%{api_key}", no_placeholder },
	{ "placeholder in another case", "A=%{Token}", no_placeholder },
	{ "placeholder with a space", "A=%{ token}", no_placeholder },
	{ "placeholder cut off", "A=%{token", no_placeholder },
	{ "empty placeholder", "A=%{}", no_placeholder },
	{ "second one is wrong", "A=%{token} %{tokens}", no_placeholder },
	{ "newline", "A=b\nLD_PRELOAD=/tmp/x", not_text },
	{ "escape", "A=\x1b[2J", not_text },
	{ "not UTF-8", "A=\xff", not_text },
};

static void template_is_judged(void **state)
{
	const struct judged *j = *state;

	unit_check_text("fault", environment_fault(j->template), j->fault);
}

static void template_has_a_limit(void **state)
{
	char template[1024 + 2] = "A=";

	(void)state;
	memset(template + 2, 'x', 1024 - 2);
	assert_null(environment_fault(template));
	template[1024] = 'x';
	unit_check_text("fault", environment_fault(template), "is over 1024 bytes");
}

static const struct names {
	const char *name;
	const char *a, *b;
	bool same;
} names[] = {
	{ "same", "A=1", "A=2", true },
	{ "same text", "A=1", "A=1", true },
	{ "other", "A=1", "B=1", false },
	{ "begin of the other", "A=1", "AB=1", false },
	{ "longer than the other", "AB=1", "A=1", false },
	{ "other case", "a=1", "A=1", false },
};

static void names_are_compared(void **state)
{
	const struct names *n = *state;

	assert_int_equal(environment_same_name(n->a, n->b), n->same);
}

static const struct environment_values values = {
	.token = "eyJ.x.y", .iam_id = "IBMid-1", .account = "0123", .expiration = 1727305164 };

static const struct rendered {
	const char *name;
	const char *template;
	const char *iam_id; /* NULL: as in values */
	int64_t expiration; /* 0: likewise */
	const char *text;
} rendered[] = {
	{ "plain", "A=b", NULL, 0, "A=b" },
	{ "no value", "A=", NULL, 0, "A=" },
	{ "token", "T=Bearer %{token}", NULL, 0, "T=Bearer eyJ.x.y" },
	{ "expiration", "E=%{expiration}", NULL, 0, "E=1727305164" },
	{ "expiration after 2038", "E=%{expiration}", NULL, 4102444800, "E=4102444800" },
	{ "largest expiration", "E=%{expiration}", NULL, INT64_MAX, "E=9223372036854775807" },
	{ "iam_id", "I=%{iam_id}", NULL, 0, "I=IBMid-1" },
	{ "account", "C=%{account}", NULL, 0, "C=0123" },
	{ "side by side", "A=%{account}%{iam_id}%{account}", NULL, 0, "A=0123IBMid-10123" },
	{ "text around it", "A=<%{account}>", NULL, 0, "A=<0123>" },
	{ "no profile", "P=%{profile}", NULL, 0, "P=" },
	{ "no profile, text around it", "P=<%{profile}>%{account}", NULL, 0, "P=<>0123" },
	{ "percent sign", "A=100%%", NULL, 0, "A=100%" },
	{ "percent sign before a brace", "A=%%{token}", NULL, 0, "A=%{token}" },
	{ "two percent signs", "A=%%%%", NULL, 0, "A=%%" },
	/* a value is not read again as a template, nor as a format */
	{ "placeholder as a value", "A=%{iam_id}", "%{token}", 0, "A=%{token}" },
	{ "percent signs as a value", "A=%{iam_id}", "%s%n%%", 0, "A=%s%n%%" },
};

static void template_is_rendered(void **state)
{
	const struct rendered *r = *state;
	struct environment_values v = values;
	SECRET_AUTO(out);

	if (r->iam_id)
		v.iam_id = r->iam_id;
	if (r->expiration)
		v.expiration = r->expiration;
	assert_true(secret_init(&out, 1000));
	assert_true(secret_append(&out, "FIRST=1", 8)); /* an entry with its terminator */
	assert_null(environment_fault(r->template));
	assert_true(environment_render(r->template, &v, &out));
	assert_int_equal(out.len, 8 + strlen(r->text) + 1);
	assert_string_equal(out.data, "FIRST=1");
	assert_string_equal(out.data + 8, r->text);
}

static void profile_is_rendered(void **state)
{
	struct environment_values v = values;
	SECRET_AUTO(out);

	(void)state;
	v.profile = "Profile-%{token}"; /* of an assumed profile: a value like all others */
	assert_true(secret_init(&out, 100));
	assert_true(environment_render("P=<%{profile}>%{account}", &v, &out));
	assert_string_equal(out.data, "P=<Profile-%{token}>0123");
}

static void rendering_fits_or_fails(void **state)
{
	static const size_t need = sizeof "T=Bearer eyJ.x.y";
	SECRET_AUTO(out);

	(void)state;
	assert_true(secret_init(&out, 100));
	for (size_t room = 0; room <= need; room++) {
		out.len = out.cap - room;
		if (environment_render("T=Bearer %{token}", &values, &out) != (room == need))
			fail_msg("with room for %zu bytes", room);
		assert_true(out.len <= out.cap);
	}
	assert_int_equal(out.len, out.cap);
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, template_is_judged, judged);
	UNIT_TEST(&s, template_has_a_limit);
	UNIT_ROWS(&s, names_are_compared, names);
	UNIT_ROWS(&s, template_is_rendered, rendered);
	UNIT_TEST(&s, profile_is_rendered);
	UNIT_TEST(&s, rendering_fits_or_fails);
	return unit_run(&s, "environment");
}
