/* Loading the configuration and looking things up in it.  See config.h. */
#include "config.h"

#include <confuse.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"
#include "config_parse.h"
#include "config_stamp.h"
#include "config_value.h"

/* A fault that is a sentence's end ("is not a regular file") or a bare reason. */
static bool fail_file(struct config_parse *parse, const char *path, const char *fault)
{
	return config_parse_fail(parse, "%s%s %s", path,
				 fault[0] >= 'A' && fault[0] <= 'Z' ? ":" : "", fault);
}

/* What a file must fulfil because of what it holds. */
static bool check_file(struct config_parse *parse, const char *path, const struct config_file *file)
{
	bool readable = (file->st.st_mode & S_IROTH) != 0;
	const char *proxy = cfg_getstr(parse->cfg, "proxy");

	if (readable && config_parse_has_set(parse, "client_secret"))
		return config_parse_fail(parse, "%s holds client_secret but may be read by everybody; "
					 "chmod 0640 it", path);
	if (readable && config_parse_has_set(parse, "proxy") && strchr(proxy, '@'))
		return config_parse_fail(parse, "%s holds a proxy's password but may be read by "
					 "everybody; chmod 0640 it", path);
	/* To restrict to no group at all: everybody, or nobody? */
	if (config_parse_has_set(parse, "access_groups") && cfg_size(parse->cfg, "access_groups") == 0)
		return config_parse_fail(parse, "%s: access_groups is an empty list; leave the key out",
					 path);
	return true;
}

static bool load_file(struct config_parse *parse, int folder, const char *name, const char *path)
{
	struct config_file file = { 0 };
	const char *fault = config_file_read(folder, name, &file);
	bool ok;

	if (fault)
		return fail_file(parse, path, fault);
	config_stamp_add(parse->store, path, &file.st, &file.looked);
	ok = config_parse_text(parse, path, file.text, file.len) && check_file(parse, path, &file);
	config_file_free(&file);
	return ok;
}

static bool load_entry(struct config_parse *parse, int fd, const char *folder, const char *name)
{
	char *path = NULL;
	bool ok;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return config_parse_fail(parse, "%s: out of memory", folder);
	ok = load_file(parse, fd, name, path);
	free(path);
	return ok;
}

static bool load_folder(struct config_parse *parse, const char *config_path)
{
	struct config_folder folder;
	const char *fault;
	char *path = NULL;
	bool ok;

	if (asprintf(&path, "%s.d", config_path) < 0)
		return config_parse_fail(parse, "%s: out of memory", config_path);
	fault = config_file_list(path, &folder);
	ok = fault ? fail_file(parse, path, fault) : true;
	config_stamp_add(parse->store, path, folder.fd >= 0 ? &folder.st : NULL, &folder.looked);
	for (int i = 0; i < folder.count; i++) {
		ok = ok && load_entry(parse, folder.fd, path, folder.entries[i]->d_name);
		free(folder.entries[i]);
	}
	free(folder.entries);
	if (folder.fd >= 0)
		(void)close(folder.fd);
	free(path);
	return ok;
}

static bool load_key(struct config_parse *parse, const char *config_path, struct config *c)
{
	const char *path = cfg_getstr(parse->cfg, "directory_key_file"), *fault;
	struct config_file file = { 0 };
	bool ok;

	if (!path && parse->groups_at[0])
		return config_parse_fail(parse, "%s: access_groups need a directory_key_file, and none "
					 "is set", parse->groups_at);
	if (!path)
		return true;
	fault = config_file_read_key(path, &file);
	if (fault)
		return fail_file(parse, path, fault);
	config_stamp_add(parse->store, path, &file.st, &file.looked);
	ok = secret_init(&c->directory_key, file.len + 1) &&
	     secret_append(&c->directory_key, file.text, file.len + 1);
	config_file_free(&file);
	return ok || config_parse_fail(parse, "%s: out of memory", config_path);
}

static const char *copy_endpoint(struct config_parse *parse)
{
	char *endpoint = config_value_endpoint(cfg_getstr(parse->cfg, "endpoint"));
	const char *copy = config_store_text(parse->store, endpoint);

	free(endpoint);
	return copy;
}

static bool finish(struct config_parse *parse, const char *path, struct config *c)
{
	struct config_store *store = parse->store;
	cfg_t *cfg = parse->cfg;

	*c = (struct config){
		.store = store,
		.endpoint = copy_endpoint(parse),
		.client_id = config_store_string(store, cfg, "client_id"),
		.client_secret = config_store_string(store, cfg, "client_secret"),
		.scope = config_store_string(store, cfg, "scope"),
		.ca_file = config_store_string(store, cfg, "ca_file"),
		.ca_path = config_store_string(store, cfg, "ca_path"),
		.proxy = config_store_string(store, cfg, "proxy"),
		.issuer = config_store_list(store, cfg, "issuer"),
		.accounts = config_store_list(store, cfg, "accounts"),
		.environment = config_store_list(store, cfg, "environment"),
		.access_groups = config_store_list(store, cfg, "access_groups"),
		.trusted_profile = config_store_profile(store, cfg),
		.minimum_uid = (uint32_t)cfg_getint(cfg, "minimum_uid"),
		.rate_limit = (uint32_t)cfg_getint(cfg, "rate_limit"),
		.allow_root = cfg_getbool(cfg, "allow_root"),
	};
	/* Without memory libconfuse may lose a default and still succeed. */
	if (!c->endpoint || cfg_size(cfg, "minimum_uid") != 1 || cfg_size(cfg, "rate_limit") != 1 ||
	    cfg_size(cfg, "allow_root") != 1 || config_store_failed(store))
		return config_parse_fail(parse, "%s: out of memory", path);
	if (!c->client_id != !c->client_secret)
		return config_parse_fail(parse, "%s: client_id and client_secret go together; only %s is set",
					 path, c->client_id ? "client_id" : "client_secret");
	return load_key(parse, path, c) &&
	       (!config_store_failed(store) || config_parse_fail(parse, "%s: out of memory", path));
}

bool config_load_shown(const char *path, struct config_show *show, struct config *ret, char *why,
		       size_t why_len)
{
	struct config c = { 0 };
	struct config_parse parse = { .why = why, .why_len = why_len, .show = show };
	bool ok;

	why[0] = '\0';
	parse.store = config_store_make();
	ok = parse.store && config_parse_begin(&parse);
	if (!ok)
		(void)config_parse_fail(&parse, "%s: out of memory", path);
	ok = ok && load_file(&parse, AT_FDCWD, path, path) && load_folder(&parse, path) &&
	     finish(&parse, path, &c);
	if (ok)
		config_show_top(show, parse.cfg);
	config_parse_end(&parse);
	if (ok) {
		*ret = c;
		return true;
	}
	secret_free(&c.directory_key);
	config_store_free(parse.store);
	return false;
}

bool config_load(const char *path, struct config *ret, char *why, size_t why_len)
{
	return config_load_shown(path, NULL, ret, why, why_len);
}

void config_free(struct config *config)
{
	secret_free(&config->directory_key);
	config_store_free(config->store);
	*config = (struct config){ 0 };
}

bool config_is_current(const struct config *config)
{
	return config_stamp_same(config->store);
}

size_t config_list_len(struct config_list list)
{
	return list.len;
}

const char *config_list_get(struct config_list list, size_t i)
{
	return list.entry[i];
}

bool config_list_has(struct config_list list, const char *text)
{
	for (size_t i = 0; i < list.len; i++)
		if (strcmp(list.entry[i], text) == 0)
			return true;
	return false;
}

bool config_find_user(const struct config *config, const char *name, struct config_user *ret)
{
	const struct config_block *block = config_store_find(config->store, CONFIG_USER, name);

	*ret = block ? block->user : (struct config_user){ 0 };
	return block != NULL;
}

bool config_find_domain(const struct config *config, const char *name, struct config_domain *ret)
{
	const struct config_block *block = config_store_find(config->store, CONFIG_DOMAIN, name);

	*ret = block ? block->domain : (struct config_domain){ 0 };
	return block != NULL;
}

bool config_has_domains(const struct config *config)
{
	return config_store_first(config->store, CONFIG_DOMAIN) != NULL;
}

const char *config_plain_service(const char *name)
{
	static const struct {
		const char *login, *plain;
	} forms[] = { { "su-l", "su" }, { "sudo-i", "sudo" }, { "runuser-l", "runuser" } };

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (strcmp(name, forms[i].login) == 0)
			return forms[i].plain;
	return name;
}

/* What an admin says of su must not leave `su -` open, and what he says of all services must
 * not take it from su. */
bool config_find_service(const struct config *config, const char *name,
			 struct config_service *ret)
{
	const char *const titles[] = { name, config_plain_service(name), "*" };
	const struct config_block *block = NULL;

	for (size_t i = 0; i < sizeof titles / sizeof titles[0] && !block; i++)
		block = config_store_find(config->store, CONFIG_SERVICE, titles[i]);
	*ret = block ? block->service : (struct config_service){ 0 };
	return block != NULL;
}
