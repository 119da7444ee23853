/* What the file of a service itself can have wrong.  See pam_check.h. */
#include <string.h>

#include "module_options.h"
#include "pam_check.h"
#include "pam_stack.h"

#define KEY_ONLY "auth  required  pam_ibmiam.so"

static bool allows(const struct pam_check *c, enum pam_type type, enum pam_result ibmiam,
		   enum pam_result before, enum pam_result after)
{
	return pam_stack_allows(&c->file, type, (struct pam_case){ ibmiam, before, after });
}

static const struct pam_line *find(const struct pam_check *c, enum pam_type type,
				   const struct pam_line *after,
				   bool (*is)(const struct pam_line *line))
{
	for (size_t i = after ? (size_t)(after - c->file.lines) + 1 : 0; i < c->file.count; i++)
		if (c->file.lines[i].type == type && is(&c->file.lines[i]))
			return &c->file.lines[i];
	return NULL;
}

static bool is_deny(const struct pam_line *line)
{
	return strcmp(line->module, "pam_deny.so") == 0;
}

static bool is_any(const struct pam_line *line)
{
	return line->module[0] != '\0';
}

void pam_rule_auth_line(struct pam_check *c)
{
	if (!c->ibmiam)
		pam_check_find(c, NULL, KEY_ONLY,
			       "no auth line names pam_ibmiam.so, so nobody is asked for a key "
			       "here (for all services at once: pam-auth-update --enable ibmiam)");
}

/* Nobody's credential was right, and yet. */
void pam_rule_open(struct pam_check *c)
{
	const enum pam_result no = PAM_RESULT_AUTH_ERR;

	if (allows(c, PAM_TYPE_AUTH, no, no, no))
		pam_check_find(c, c->ibmiam, KEY_ONLY,
			       "lets everybody in: after a wrong key nothing that follows refuses, "
			       "and another module of the stack has said yes");
	else if (allows(c, PAM_TYPE_AUTH, PAM_RESULT_UNAVAIL, no, no))
		pam_check_find(c, c->ibmiam, PAM_CHECK_FALLBACK,
			       "lets everybody in while IAM cannot be reached: nothing that "
			       "follows asks for another credential; put auth required pam_unix.so "
			       "there, or take authinfo_unavail=ignore away");
}

/* Every credential was right, and yet not. */
void pam_rule_shut(struct pam_check *c)
{
	const enum pam_result yes = PAM_RESULT_SUCCESS;

	if (!allows(c, PAM_TYPE_AUTH, yes, yes, yes))
		pam_check_find(c, c->ibmiam, KEY_ONLY,
			       "lets nobody in: not even a good key passes the whole stack");
}

/* What comes behind it should count while IAM is down, and only then. */
void pam_rule_fallback(struct pam_check *c)
{
	const enum pam_result yes = PAM_RESULT_SUCCESS, no = PAM_RESULT_AUTH_ERR;
	const struct pam_line *next = find(c, PAM_TYPE_AUTH, c->ibmiam, pam_stack_asks);

	c->fallback = allows(c, PAM_TYPE_AUTH, PAM_RESULT_UNAVAIL, yes, yes);
	/* Where a password opens anyway, as by pam-auth-update, it is no matter. */
	if (!next || allows(c, PAM_TYPE_AUTH, no, no, no) || allows(c, PAM_TYPE_AUTH, no, yes, no))
		return;
	if (allows(c, PAM_TYPE_AUTH, no, no, yes) ||
	    allows(c, PAM_TYPE_AUTH, PAM_RESULT_PERM_DENIED, no, yes))
		pam_check_find(c, c->ibmiam, PAM_CHECK_FALLBACK,
			       "this is no fallback: after a key that was rejected %s (%s:%u) "
			       "still lets in, also while IAM is there, so a leaver's local "
			       "password keeps working; the brackets leave that to an outage",
			       next->module, next->file, next->line);
	else if (allows(c, PAM_TYPE_AUTH, PAM_RESULT_SERVICE_ERR, no, yes))
		pam_check_find(c, c->ibmiam, PAM_CHECK_FALLBACK,
			       "a mistake in ibmiam.conf opens the way to %s (%s:%u), as if IAM "
			       "were down",
			       next->module, next->file, next->line);
}

void pam_rule_sufficient(struct pam_check *c)
{
	const struct pam_line *deny = find(c, PAM_TYPE_AUTH, c->ibmiam, is_deny);

	if (strcmp(c->ibmiam->control, "sufficient") == 0 && deny)
		pam_check_find(c, c->ibmiam, KEY_ONLY,
			       "sufficient before pam_deny.so (%s:%u): whatever is wrong, an "
			       "outage too, the host sees a wrong password; required says what it "
			       "is, and needs no pam_deny.so",
			       deny->file, deny->line);
}

void pam_rule_first_pass(struct pam_check *c)
{
	const struct pam_line *asks = find(c, PAM_TYPE_AUTH, NULL, pam_stack_asks);

	if (pam_stack_has_arg(c->ibmiam, "use_first_pass") && (!asks || asks > c->ibmiam))
		pam_check_find(c, c->ibmiam, KEY_ONLY,
			       "use_first_pass takes what a module before this one has asked for, "
			       "and none does: nobody can log in with a key");
}

void pam_rule_options(struct pam_check *c)
{
	for (size_t i = 0; i < c->file.count; i++) {
		const struct pam_line *line = &c->file.lines[i];
		const char *args[PAM_ARGS_MAX], *wrong, *fault;
		struct options options;
		size_t count = 0;

		if (!pam_stack_is_ibmiam(line))
			continue;
		for (; line->args[count]; count++) /* libpam takes the bracket away */
			args[count] = line->args[count] + (line->args[count][0] == '[');
		fault = module_options_read(count, args, &options, &wrong);
		if (fault)
			pam_check_find(c, line, NULL,
				       "option \"%.60s\" %s: every call of this line is refused "
				       "(options: config=, broker=, socket=, timeout=, prompt=, debug, "
				       "try_first_pass, use_first_pass)",
				       wrong, fault);
	}
}

void pam_rule_account(struct pam_check *c)
{
	const enum pam_result yes = PAM_RESULT_SUCCESS;

	if (!find(c, PAM_TYPE_ACCOUNT, NULL, is_any))
		pam_check_find(c, NULL, "@include common-account",
			       "there is no account line, so /etc/pam.d/other decides, and may "
			       "refuse whoever has logged in");
	else if (!allows(c, PAM_TYPE_ACCOUNT, yes, yes, yes))
		pam_check_find(c, find(c, PAM_TYPE_ACCOUNT, NULL, is_any),
			       "@include common-account",
			       "the account lines let nobody in, not even with a good key");
	else if (!allows(c, PAM_TYPE_ACCOUNT, PAM_RESULT_IGNORE, yes, yes))
		pam_check_find(c, find(c, PAM_TYPE_ACCOUNT, NULL, is_any),
			       "@include common-account",
			       "of the account lines only pam_ibmiam.so says yes, and only for who "
			       "has logged in with a key: a public key, your second way in, is "
			       "refused");
}

void pam_rule_session(struct pam_check *c)
{
	if (!find(c, PAM_TYPE_SESSION, NULL, pam_stack_is_ibmiam))
		pam_check_find(c, NULL, "session  optional  pam_ibmiam.so",
			       "no session line names pam_ibmiam.so: the token is exported by "
			       "hosts that call pam_setcred (sshd, login, su; not a sudo with "
			       "!pam_setcred), and with the resident broker the session's "
			       "credential stays until its process ends");
}
