/* What to do about a result, by the check that decided.  See check.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* Of the step with that name, or NULL. */
static const struct check_step *find(const struct check *c, const char *name)
{
	for (size_t i = 0; i < c->steps; i++)
		if (strcmp(c->step[i].name, name) == 0 && c->step[i].outcome != CHECK_HINT)
			return &c->step[i];
	return NULL;
}

static bool has_failed(const struct check *c, const char *name)
{
	const struct check_step *step = find(c, name);

	return step && step->outcome == CHECK_FAILED;
}

/* A block of the configuration that gives this identity to the user. */
static void put_block(const struct check *c, const char *before, const char *iam_id,
		      char to[CHECK_HINT_MAX])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_.-";
	const char *quote = c->user[strspn(c->user, plain)] ? "\"" : "";

	(void)snprintf(to, CHECK_HINT_MAX, "%s\n    user %s%s%s { iam_ids = { \"%.200s\" } }",
		       before, quote, c->user, quote, iam_id);
}

static void identity_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	const struct check_step *rule = find(c, "rule");
	bool has_block = rule && strncmp(rule->detail, "user ", 5) == 0;
	char before[512];

	(void)snprintf(before, sizeof before, "if this key may log in as this user, %s %.200s%s:",
		       has_block ? "add its identity to iam_ids of the block that the user has in"
				 : "add to",
		       c->tool->config, has_block ? ", or make that block" : "");
	put_block(c, before, c->reply.iam_id ? c->reply.iam_id : "?", to);
}

/* The decision ends before IAM is asked, so nobody knows the identity yet. */
static void rule_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	char before[512];

	(void)snprintf(before, sizeof before,
		       "nobody may log in as this user yet. Add to %.200s what follows and check "
		       "again: as it is it lets nobody in, and the refusal will name the key's "
		       "identity, which belongs in its place:",
		       c->tool->config);
	put_block(c, before, "IBMid-NOT-KNOWN-YET", to);
}

static void account_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	if (c->reply.account && c->reply.account[0])
		(void)snprintf(to, CHECK_HINT_MAX, "if this account is yours, add to %.200s:\n"
			       "    accounts += { \"%.64s\" }", c->tool->config, c->reply.account);
	else
		(void)snprintf(to, CHECK_HINT_MAX,
			       "does accounts in %.200s list the account that the key was made in? "
			       "ibmcloud account show",
			       c->tool->config);
}

static void accounts_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	(void)snprintf(to, CHECK_HINT_MAX,
		       "add to %.200s the account whose keys are to be accepted, as ibmcloud "
		       "account show prints it:\n    accounts = { \"...\" }",
		       c->tool->config);
}

static void uid_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	(void)snprintf(to, CHECK_HINT_MAX,
		       "is this the right user (--user)? root may log in with allow_root = true, "
		       "others from minimum_uid on, in %.200s",
		       c->tool->config);
}

static void service_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	(void)snprintf(to, CHECK_HINT_MAX,
		       "is %.200s the right service (--service)? services of the user's block and "
		       "users of the service's one decide: ibmiam config",
		       c->service);
}

static void network_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	(void)c;
	(void)snprintf(to, CHECK_HINT_MAX,
		       "from where does the user come (--rhost ADDRESS)? networks of the service's "
		       "block decides: ibmiam config");
}

/* With a proxy of their own other programs of this shell may get through. */
static void proxy_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	static const char *const names[] = { "https_proxy", "HTTPS_PROXY", "all_proxy",
					     "ALL_PROXY" };

	if (!has_failed(c, "dns") && !has_failed(c, "tcp") && !has_failed(c, "tls"))
		return;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = secure_getenv(names[i]);

		if (!value || !value[0])
			continue;
		(void)snprintf(to, CHECK_HINT_MAX,
			       "%s is set here, but a login never heeds the environment: if IAM is "
			       "reached through a proxy, set proxy in %.200s",
			       names[i], c->tool->config);
		return;
	}
}

/* IAM knows the key, or tells nobody whether it does. */
static bool is_known(const struct check *c)
{
	return c->reply.api_code && strcmp(c->reply.api_code, "BXNIM0415E") != 0;
}

static void key_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	if (c->reply.result == IBMIAM_KEY_REJECTED && is_known(c))
		(void)snprintf(to, CHECK_HINT_MAX,
			       "an administrator of the IBM Cloud account can help: Manage > Access (IAM) "
			       "shows the key and its owner; or take another key: ibmcloud iam "
			       "api-key-create NAME");
	else if (c->reply.result == IBMIAM_KEY_REJECTED)
		(void)snprintf(to, CHECK_HINT_MAX,
			       "paste the key's value alone: 32 characters or more, without "
			       "quotes, braces or blanks; not its id (ApiKey-...), nor its name. "
			       "IBM Cloud shows the value once, when the key is made: ibmcloud iam "
			       "api-key-create NAME");
	else if (c->reply.result == IBMIAM_DENIED)
		account_hint(c, to);
	else
		proxy_hint(c, to);
}

static void expiry_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	(void)c;
	(void)snprintf(to, CHECK_HINT_MAX,
		       "timedatectl shows what this host's clock says, and whether it is kept right");
}

static void config_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	(void)snprintf(to, CHECK_HINT_MAX,
		       "until %.200s is right, nobody can log in with a key; man 5 ibmiam.conf says what is",
		       c->tool->config);
}

void check_hint(const struct check *c, char to[CHECK_HINT_MAX])
{
	static const struct {
		const char *check;
		void (*hint)(const struct check *c, char to[CHECK_HINT_MAX]);
	} hints[] = {
		{ "accounts", accounts_hint }, { "uid", uid_hint }, { "rule", rule_hint },
		{ "service", service_hint }, { "network", network_hint }, { "shape", key_hint },
		{ "key", key_hint }, { "account", account_hint }, { "identity", identity_hint },
		{ "expiry", expiry_hint },
	};

	to[0] = '\0';
	if (has_failed(c, "config"))
		config_hint(c, to);
	for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
		if (c->reply.check && strcmp(c->reply.check, hints[i].check) == 0)
			hints[i].hint(c, to);
}
