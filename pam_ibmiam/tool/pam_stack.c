/* libpam's way through a stack (_pam_dispatch_aux).  See pam_stack.h. */
#include "pam_stack.h"

#include <limits.h>
#include <string.h>

/* Modules with an answer of their own.  All others only help: they succeed where they must, and
 * count for nothing where a success of theirs would be a way in. */
static const struct {
	const char *module;
	enum { ASKS, SAYS } kind;
	enum pam_result says;
} known[] = {
	{ "pam_unix.so", ASKS, 0 },
	{ "pam_sss.so", ASKS, 0 },
	{ "pam_ldap.so", ASKS, 0 },
	{ "pam_krb5.so", ASKS, 0 },
	{ "pam_winbind.so", ASKS, 0 },
	{ "pam_u2f.so", ASKS, 0 },
	{ "pam_google_authenticator.so", ASKS, 0 },
	{ "pam_oath.so", ASKS, 0 },
	{ "pam_duo.so", ASKS, 0 },
	{ "pam_userdb.so", ASKS, 0 },
	{ "pam_radius_auth.so", ASKS, 0 },
	{ "pam_fprintd.so", ASKS, 0 },
	{ "pam_systemd_home.so", ASKS, 0 },
	{ "pam_deny.so", SAYS, PAM_RESULT_AUTH_ERR },
	{ "pam_permit.so", SAYS, PAM_RESULT_SUCCESS },
	{ "pam_rootok.so", SAYS, PAM_RESULT_AUTH_ERR },
	{ "pam_nologin.so", SAYS, PAM_RESULT_SUCCESS },
	{ "pam_env.so", SAYS, PAM_RESULT_SUCCESS },
};

bool pam_stack_is_ibmiam(const struct pam_line *line)
{
	return strcmp(line->module, "pam_ibmiam.so") == 0 ||
	       strcmp(line->module, "pam_ibmiam") == 0;
}

static int find(const struct pam_line *line)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(line->module, known[i].module) == 0)
			return (int)i;
	return -1;
}

bool pam_stack_asks(const struct pam_line *line)
{
	int i = find(line);

	return i >= 0 && known[i].kind == ASKS;
}

static enum pam_result answer(const struct pam_line *line, struct pam_case given, bool behind)
{
	int i = find(line), yes = line->action[PAM_RESULT_SUCCESS];

	if (pam_stack_is_ibmiam(line))
		return given.ibmiam;
	if (i >= 0 && known[i].kind == ASKS)
		return behind ? given.after : given.before;
	if (i >= 0)
		return known[i].says;
	return yes == PAM_DO_OK || yes == PAM_DO_IGNORE ? PAM_RESULT_SUCCESS : PAM_RESULT_IGNORE;
}

/* The line to go on with after n lines of the type in this substack or below were skipped. */
static size_t skip(const struct pam_file *file, size_t from, int n)
{
	const struct pam_line *line = &file->lines[from];
	size_t i;

	for (i = from + 1; i < file->count; i++) {
		if (file->lines[i].type != line->type)
			continue;
		if (file->lines[i].level < line->level || n-- == 0)
			break;
	}
	return i;
}

enum impression { UNDECIDED, YES, NO };

static enum impression judge(enum impression before, int action, enum pam_result result)
{
	switch (action) {
	case PAM_DO_OK:
	case PAM_DO_DONE:
		if (before == NO || result == PAM_RESULT_IGNORE)
			return before;
		return result == PAM_RESULT_SUCCESS ? YES : NO;
	case PAM_DO_BAD:
	case PAM_DO_DIE:
		return NO;
	case PAM_DO_RESET:
		return UNDECIDED;
	default:
		return before;
	}
}

bool pam_stack_allows(const struct pam_file *file, enum pam_type type, struct pam_case given)
{
	enum impression impression = UNDECIDED;
	bool behind = false;
	size_t i = 0;

	while (i < file->count) {
		const struct pam_line *line = &file->lines[i];
		enum pam_result result = answer(line, given, behind);
		int action = line->action[result];
		bool ends;

		if (line->type != type) {
			i++;
			continue;
		}
		behind = behind || pam_stack_is_ibmiam(line);
		impression = judge(impression, action, result);
		ends = action == PAM_DO_DIE || (action == PAM_DO_DONE && impression == YES);
		if (ends && line->level == 0)
			break;
		i = skip(file, i, ends ? INT_MAX : action > 0 ? action : 0);
	}
	return impression == YES;
}

bool pam_stack_has_arg(const struct pam_line *line, const char *arg)
{
	for (size_t i = 0; line->args[i]; i++)
		if (strcmp(line->args[i], arg) == 0)
			return true;
	return false;
}
