/* Environment templates.  See environment.h. */
#include "environment.h"

#include <stdio.h>
#include <string.h>

#include "gate.h"

enum { TEMPLATE_MAX = 1024 };

struct number {
	char text[24];
};

/* Each returns the text to insert; number is room for one that must be made. */
static const char *token(const struct environment_values *v, struct number *n)
{
	(void)n;
	return v->token;
}

static const char *iam_id(const struct environment_values *v, struct number *n)
{
	(void)n;
	return v->iam_id;
}

static const char *account(const struct environment_values *v, struct number *n)
{
	(void)n;
	return v->account;
}

static const char *profile(const struct environment_values *v, struct number *n)
{
	(void)n;
	return v->profile ? v->profile : "";
}

static const char *expiration(const struct environment_values *v, struct number *n)
{
	(void)snprintf(n->text, sizeof n->text, "%lld", (long long)v->expiration);
	return n->text;
}

static const struct placeholder {
	const char *name; /* as written */
	const char *(*value)(const struct environment_values *v, struct number *n);
} placeholders[] = {
	{ "%{token}", token },
	{ "%{expiration}", expiration },
	{ "%{iam_id}", iam_id },
	{ "%{account}", account },
	{ "%{profile}", profile },
};

static const struct placeholder *find_placeholder(const char *at)
{
	for (size_t i = 0; i < sizeof placeholders / sizeof placeholders[0]; i++)
		if (strncmp(at, placeholders[i].name, strlen(placeholders[i].name)) == 0)
			return &placeholders[i];
	return NULL;
}

static size_t name_len(const char *template)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	size_t first = strspn(template, letters);

	return first == 0 ? 0 : first + strspn(template + first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						"abcdefghijklmnopqrstuvwxyz_0123456789");
}

/* The module's own: what it finds in them it takes for its own words. */
static bool is_reserved(const char *template, size_t len)
{
	static const char *const names[] = { "IBMIAM_SESSION", "PAM_IBMIAM_STASH" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i]) == len && memcmp(names[i], template, len) == 0)
			return true;
	return false;
}

const char *environment_fault(const char *template)
{
	size_t len = name_len(template);

	if (len == 0 || template[len] != '=')
		return "expects NAME=value, where NAME is letters, digits and _";
	if (is_reserved(template, len))
		return "sets a variable that the module keeps for itself; choose another name";
	if (strlen(template) > TEMPLATE_MAX)
		return "is over 1024 bytes";
	if (!gate_printable(template, NULL))
		return "holds control characters or is not UTF-8";
	for (const char *p = template; (p = strchr(p, '%')) != NULL;) {
		const struct placeholder *found = find_placeholder(p);

		if (!found && p[1] != '%')
			return "expects %{token}, %{expiration}, %{iam_id}, %{account}, %{profile} "
			       "or %% after each %";
		p += found ? strlen(found->name) : 2;
	}
	return NULL;
}

bool environment_same_name(const char *a, const char *b)
{
	size_t len = name_len(a);

	return len == name_len(b) && memcmp(a, b, len) == 0;
}

bool environment_render(const char *template, const struct environment_values *values,
			struct secret *out)
{
	const char *p = template;

	while (*p) {
		size_t plain = strcspn(p, "%");
		const struct placeholder *found;
		struct number number;
		const char *value;

		if (!secret_append(out, p, plain))
			return false;
		p += plain;
		if (!*p)
			break;
		found = find_placeholder(p);
		value = found ? found->value(values, &number) : "%";
		if (!secret_append(out, value, strlen(value)))
			return false;
		p += found ? strlen(found->name) : 2;
	}
	return secret_append(out, "", 1);
}
