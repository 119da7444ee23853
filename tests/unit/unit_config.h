/*
 * Configurations for unit tests: loads $unit_folder/ibmiam.conf, compares the whole
 * message of a refusal, and renders what was loaded as text.
 */
#ifndef IBMIAM_UNIT_CONFIG_H
#define IBMIAM_UNIT_CONFIG_H

#include "unit_folder.h"

#include "config.h"

/* Stands wherever a secret stands: no message may hold it. */
#define UNIT_SECRET "hunter2"

#define UNIT_ACCOUNT "0123456789abcdef0123456789abcdef"
#define UNIT_ACCOUNT2 "00000000000000000000000000000002"

/* As config_load(), of "ibmiam.conf".  Whatever happens, the message is one line without
 * secrets. */
static inline bool unit_config_load(struct config *c, char why[2048])
{
	char *path = unit_path("ibmiam.conf");
	bool ok;

	memset(why, 'x', 2048);
	ok = config_load(path, c, why, 2048);
	free(path);
	assert_non_null(memchr(why, '\0', 2048));
	if (strstr(why, UNIT_SECRET))
		fail_msg("the message holds a secret: %s", why);
	assert_null(strchr(why, '\n'));
	return ok;
}

/* Loads, and expects this message, without the folder at its begin. */
static inline void unit_config_refused(const char *want)
{
	size_t len = strlen(unit_folder);
	struct config c = { 0 };
	char why[2048];

	if (unit_config_load(&c, why)) {
		config_free(&c);
		fail_msg("accepted, expected \"%s\"", want);
	}
	assert_null(c.store); /* untouched */
	if (strncmp(why, unit_folder, len) != 0 || why[len] != '/')
		fail_msg("\"%s\" does not begin with the path", why);
	unit_check_text("message", why + len + 1, want);
}

static inline void unit_config_loaded(struct config *c)
{
	char why[2048];

	if (!unit_config_load(c, why))
		fail_msg("refused: %s", why);
	assert_string_equal(why, "");
}

static inline void unit_put_text(FILE *f, const char *key, const char *value)
{
	if (value)
		(void)fprintf(f, "%s=%s;", key, value);
}

static inline void unit_put_list(FILE *f, const char *key, struct config_list list)
{
	for (size_t i = 0; i < config_list_len(list); i++)
		(void)fprintf(f, "%s%s", i ? "," : "", config_list_get(list, i));
	(void)fprintf(f, "%s%s;", config_list_len(list) ? "=" : "no ", key);
}

static inline void unit_put_profile(FILE *f, struct config_profile profile)
{
	static const char *const kinds[] = { "none", "id", "crn", "name" };

	if (profile.kind != CONFIG_PROFILE_NONE)
		(void)fprintf(f, "profile=%s %s%s%s;", kinds[profile.kind], profile.value,
			      profile.account ? " of " : "", profile.account ? profile.account : "");
	else if (profile.value || profile.account)
		(void)fprintf(f, "profile of no kind;");
}

static inline void unit_put_optional(FILE *f, const char *key, struct config_list list)
{
	if (config_list_len(list) > 0)
		unit_put_list(f, key, list);
}

static const char *const unit_exports[] = { "default", "never", "own", "target" };

static inline void unit_put_user(FILE *f, const char *name, const struct config_user *user)
{
	(void)fprintf(f, "user %s:", name);
	unit_put_list(f, "iam_ids", user->iam_ids);
	unit_put_list(f, "services", user->services);
	unit_put_list(f, "environment", user->environment);
	unit_put_profile(f, user->trusted_profile);
	unit_put_optional(f, "access_groups", user->access_groups);
	(void)fprintf(f, "export=%s;", unit_exports[user->export]);
}

static inline void unit_put_service(FILE *f, const char *name, const struct config_service *service)
{
	(void)fprintf(f, "service %s:", name);
	unit_put_optional(f, "users", service->users);
	unit_put_optional(f, "networks", service->networks);
	unit_put_list(f, "environment", service->environment);
	unit_put_profile(f, service->trusted_profile);
	unit_put_optional(f, "access_groups", service->access_groups);
	(void)fprintf(f, "export=%s;", unit_exports[service->export]);
}

static inline void unit_put_domain(FILE *f, const char *name, const struct config_domain *domain)
{
	(void)fprintf(f, "domain %s:", name);
	unit_put_list(f, "services", domain->services);
	unit_put_list(f, "environment", domain->environment);
	unit_put_profile(f, domain->trusted_profile);
	unit_put_optional(f, "access_groups", domain->access_groups);
	(void)fprintf(f, "export=%s;", unit_exports[domain->export]);
}

static inline void unit_put_blocks(FILE *f, const struct config *c, const char *name)
{
	struct config_user user;
	struct config_service service;
	struct config_domain domain;

	if (config_find_user(c, name, &user))
		unit_put_user(f, name, &user);
	if (config_find_service(c, name, &service))
		unit_put_service(f, name, &service);
	if (config_find_domain(c, name, &domain))
		unit_put_domain(f, name, &domain);
}

/* "key=value;" for what is set and "a,b=list;" or "no list;" for lists; then the blocks of
 * the names alice, bob, sshd, sudo and example.com.  To be freed. */
static inline char *unit_config_text(const struct config *c)
{
	static const char *const names[] = { "alice", "bob", "sshd", "sudo", "example.com" };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	unit_put_text(f, "endpoint", c->endpoint);
	unit_put_list(f, "issuer", c->issuer);
	unit_put_list(f, "accounts", c->accounts);
	unit_put_list(f, "environment", c->environment);
	unit_put_text(f, "client_id", c->client_id);
	unit_put_text(f, "client_secret", c->client_secret);
	unit_put_text(f, "scope", c->scope);
	unit_put_text(f, "ca_file", c->ca_file);
	unit_put_text(f, "ca_path", c->ca_path);
	unit_put_text(f, "proxy", c->proxy);
	unit_put_profile(f, c->trusted_profile);
	unit_put_optional(f, "access_groups", c->access_groups);
	unit_put_text(f, "directory_key", c->directory_key.data);
	(void)fprintf(f, "rate_limit=%u;", c->rate_limit);
	(void)fprintf(f, "minimum_uid=%u;allow_root=%d;", c->minimum_uid, c->allow_root);
	for (size_t i = 0; i < UNIT_LEN(names); i++)
		unit_put_blocks(f, c, names[i]);
	(void)fclose(f);
	assert_non_null(text);
	return text;
}

/* Loads, and expects this somewhere in its text. */
static inline void unit_config_holds(const char *want)
{
	struct config c = { 0 };
	char *text;

	unit_config_loaded(&c);
	text = unit_config_text(&c);
	config_free(&c);
	assert_null(c.store);
	config_free(&c); /* once more is harmless */
	if (!strstr(text, want))
		fail_msg("\"%s\" does not hold \"%s\"", text, want);
	free(text);
}

#endif
