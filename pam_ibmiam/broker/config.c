/* Reading the configuration with libconfuse.  See config.h. */
#include "config.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"
#include "config_syntax.h"
#include "config_value.h"
#include "environment.h"

enum { DEFAULT_MINIMUM_UID = 1000 };

#define DEFAULT_ENDPOINT "https://iam.cloud.ibm.com"
static char default_environment[] = /* libconfuse copies it, but asks for char * */
	"{\"IC_IAM_TOKEN=Bearer %{token}\", \"IBMIAM_TOKEN=%{token}\", "
	"\"IBMIAM_TOKEN_EXPIRATION=%{expiration}\", "
	"\"IBMIAM_IAM_ID=%{iam_id}\", \"IBMIAM_ACCOUNT_ID=%{account}\"}";

/* Where a fault is written while a file is read.  Static, because libconfuse's error
 * callback has no argument of its own; the broker reads one configuration at a time. */
static struct {
	char *text;
	size_t len;
} report;

static bool __attribute__((format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(report.text, report.len, format, ap);
	va_end(ap);
	return false;
}

static void __attribute__((format(printf, 2, 0)))
on_error(cfg_t *cfg, const char *format, va_list ap)
{
	char what[256];

	if (report.text[0]) /* the first fault is the cause of the others */
		return;
	(void)vsnprintf(what, sizeof what, format, ap);
	(void)fail("%s:%d: %s", cfg->filename, cfg->line, what);
}

static int refuse_value(cfg_t *cfg, const cfg_opt_t *opt, const char *value, const char *fault)
{
	/* Secrets may stand where they do not belong: never quote those. */
	bool quote = strcmp(opt->name, "client_secret") != 0 && strcmp(opt->name, "proxy") != 0;

	cfg_error(cfg, "%s%s%.100s%s %s", opt->name, quote ? " \"" : "", quote ? value : "",
		  quote ? "\"" : "", fault);
	return -1;
}

/* Called after each value of a string or list of strings. */
static int check_value(cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned int last = cfg_opt_size(opt) - 1;
	const char *value = cfg_opt_getnstr(opt, last);
	const char *fault = config_value_fault(opt->name, value);

	if (fault)
		return refuse_value(cfg, opt, value, fault);
	if (strcmp(opt->name, "environment") != 0)
		return 0;
	for (unsigned int i = 0; i < last; i++)
		if (environment_same_name(cfg_opt_getnstr(opt, i), value))
			return refuse_value(cfg, opt, value, "sets a variable that is already set");
	return 0;
}

/* Called at the end of each block. */
static int check_block(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *block = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	const char *title = cfg_title(block);
	const char *fault = config_value_fault(opt->name, title);

	if (fault)
		return refuse_value(cfg, opt, title, fault);
	for (const cfg_opt_t *o = block->opts; o->name; o++) {
		if (o->type != CFGT_STR || !(o->flags & CFGF_MODIFIED) || o->nvalues > 0)
			continue;
		cfg_error(cfg, "%s \"%.100s\": %s is an empty list; leave the key out", opt->name,
			  title, o->name);
		return -1;
	}
	if (strcmp(opt->name, "user") == 0 && cfg_size(block, "iam_ids") == 0)
		return refuse_value(cfg, opt, title, "has no iam_ids, so nobody could log in as it");
	return 0;
}

/* Integers by our own rules: libconfuse takes "" for 0 and 010 for 8. */
static int parse_uid(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	uint32_t uid;

	if (config_value_uid(value, &uid) != 0)
		return refuse_value(cfg, opt, value, "expects a user id, 0 to 4294967294");
	*(long *)result = (long)uid;
	return 0;
}

static int parse_export(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	bool service = strcmp(cfg_name(cfg), "service") == 0;
	int b = cfg_parse_boolean(value);

	if (service && strcmp(value, "target") == 0)
		*(long *)result = CONFIG_EXPORT_TARGET;
	else if (b >= 0)
		*(long *)result = b ? CONFIG_EXPORT_OWN : CONFIG_EXPORT_NEVER;
	else
		return refuse_value(cfg, opt, value,
				    service ? "expects true, false or target" : "expects true or false");
	return 0;
}

static cfg_t *make_parser(void)
{
	static cfg_opt_t user[] = {
		CFG_STR_LIST("iam_ids", NULL, CFGF_NONE),
		CFG_STR_LIST("services", NULL, CFGF_NONE),
		CFG_STR_LIST("environment", NULL, CFGF_NONE),
		CFG_INT_CB("export", CONFIG_EXPORT_DEFAULT, CFGF_NONE, parse_export),
		CFG_END(),
	};
	static cfg_opt_t service[] = {
		CFG_STR_LIST("environment", NULL, CFGF_NONE),
		CFG_INT_CB("export", CONFIG_EXPORT_DEFAULT, CFGF_NONE, parse_export),
		CFG_END(),
	};
	static cfg_opt_t top[] = {
		CFG_STR("endpoint", DEFAULT_ENDPOINT, CFGF_NONE),
		CFG_STR_LIST("issuer", NULL, CFGF_NONE),
		CFG_STR_LIST("accounts", NULL, CFGF_NONE),
		CFG_STR_LIST("environment", default_environment, CFGF_NONE),
		CFG_STR("client_id", NULL, CFGF_NONE),
		CFG_STR("client_secret", NULL, CFGF_NONE),
		CFG_STR("scope", NULL, CFGF_NONE),
		CFG_STR("ca_file", NULL, CFGF_NONE),
		CFG_STR("ca_path", NULL, CFGF_NONE),
		CFG_STR("proxy", NULL, CFGF_NONE),
		CFG_INT_CB("minimum_uid", DEFAULT_MINIMUM_UID, CFGF_NONE, parse_uid),
		CFG_BOOL("allow_root", cfg_false, CFGF_NONE),
		CFG_SEC("user", user, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("service", service, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_END(),
	};
	static const char *const checked[] = {
		"endpoint", "issuer", "accounts", "environment", "client_id", "client_secret",
		"scope", "ca_file", "ca_path", "proxy", "user|iam_ids", "user|services",
		"user|environment", "service|environment",
	};
	cfg_t *cfg = cfg_init(top, CFGF_NONE);

	if (!cfg)
		return NULL;
	(void)cfg_set_error_function(cfg, on_error);
	for (size_t i = 0; i < sizeof checked / sizeof checked[0]; i++)
		(void)cfg_set_validate_func(cfg, checked[i], check_value);
	(void)cfg_set_validate_func(cfg, "user", check_block);
	(void)cfg_set_validate_func(cfg, "service", check_block);
	return cfg;
}

static bool has_option(const cfg_opt_t *opts, const char *name, size_t len)
{
	for (; opts->name; opts++)
		if (strlen(opts->name) == len && memcmp(opts->name, name, len) == 0)
			return true;
	return false;
}

/* Is it a key of the file or of a block? */
static bool is_known(const cfg_opt_t *opts, const char *name, size_t len)
{
	bool known = has_option(opts, name, len);

	for (; opts->name && !known; opts++)
		known = opts->subopts && has_option(opts->subopts, name, len);
	return known;
}

static bool fail_syntax(const cfg_t *cfg, const char *path, const struct config_syntax_fault *f)
{
	/* What looks like a key may be a part of a secret that lacks its quotes. */
	if (!is_known(cfg->opts, f->key, f->key_len))
		return fail("%s:%u: %s", path, f->line, f->text);
	return fail("%s:%u: %.*s: %s", path, f->line, (int)f->key_len, f->key, f->text);
}

static bool parse_text(cfg_t *cfg, const char *path, char *text, size_t len)
{
	struct config_syntax_fault fault;
	FILE *fp;
	int rc;

	if (config_syntax_check(text, len, &fault) != 0)
		return fail_syntax(cfg, path, &fault);
	if (len == 0)
		return true;
	free(cfg->filename);
	cfg->filename = strdup(path);
	fp = fmemopen(text, len, "r");
	if (!fp || !cfg->filename) {
		if (fp)
			(void)fclose(fp);
		return fail("%s: out of memory", path);
	}
	errno = 0; /* libconfuse takes an old ERANGE for its own */
	rc = cfg_parse_fp(cfg, fp);
	(void)fclose(fp);
	if (rc == CFG_SUCCESS)
		return true;
	if (!report.text[0])
		(void)fail("%s:%d: cannot be parsed", path, cfg->line);
	return false;
}

/* A fault that is a sentence's end ("is not a regular file") or a bare reason. */
static bool fail_file(const char *path, const char *fault)
{
	return fail("%s%s %s", path, fault[0] >= 'A' && fault[0] <= 'Z' ? ":" : "", fault);
}

static bool load_file(cfg_t *cfg, int folder, const char *name, const char *path)
{
	struct config_file file = { 0 };
	cfg_opt_t *secret = cfg_getopt(cfg, "client_secret"), *proxy = cfg_getopt(cfg, "proxy");
	const char *fault = config_file_read(folder, name, &file);
	bool ok;

	if (fault)
		return fail_file(path, fault);
	secret->flags &= ~CFGF_MODIFIED;
	proxy->flags &= ~CFGF_MODIFIED;
	ok = parse_text(cfg, path, file.text, file.len);
	if (ok && (secret->flags & CFGF_MODIFIED) && file.world_readable)
		ok = fail("%s holds client_secret but may be read by everybody; chmod 0640 it", path);
	if (ok && (proxy->flags & CFGF_MODIFIED) && strchr(cfg_getstr(cfg, "proxy"), '@') &&
	    file.world_readable)
		ok = fail("%s holds a proxy's password but may be read by everybody; chmod 0640 it", path);
	config_file_free(&file);
	return ok;
}

static bool load_entry(cfg_t *cfg, int fd, const char *folder, const char *name)
{
	char *path = NULL;
	bool ok;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return fail("%s: out of memory", folder);
	ok = load_file(cfg, fd, name, path);
	free(path);
	return ok;
}

static bool load_folder(cfg_t *cfg, const char *config_path)
{
	struct dirent **entries;
	const char *fault;
	char *folder = NULL;
	bool ok;
	int fd, n;

	if (asprintf(&folder, "%s.d", config_path) < 0)
		return fail("%s: out of memory", config_path);
	fault = config_file_list(folder, &fd, &entries, &n);
	ok = fault ? fail_file(folder, fault) : true;
	for (int i = 0; i < n; i++) {
		ok = ok && load_entry(cfg, fd, folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (fd >= 0)
		(void)close(fd);
	free(folder);
	return ok;
}

static struct config_list list(cfg_t *cfg, const char *key)
{
	return (struct config_list){ .opt = cfg_getopt(cfg, key) };
}

static bool finish(cfg_t *cfg, const char *path, struct config *c)
{
	*c = (struct config){
		.cfg = cfg,
		.endpoint = config_value_endpoint(cfg_getstr(cfg, "endpoint")),
		.client_id = cfg_getstr(cfg, "client_id"),
		.client_secret = cfg_getstr(cfg, "client_secret"),
		.scope = cfg_getstr(cfg, "scope"),
		.ca_file = cfg_getstr(cfg, "ca_file"),
		.ca_path = cfg_getstr(cfg, "ca_path"),
		.proxy = cfg_getstr(cfg, "proxy"),
		.issuer = list(cfg, "issuer"),
		.accounts = list(cfg, "accounts"),
		.environment = list(cfg, "environment"),
		.minimum_uid = (uint32_t)cfg_getint(cfg, "minimum_uid"),
		.allow_root = cfg_getbool(cfg, "allow_root"),
	};
	/* Without memory libconfuse may lose a default and still succeed. */
	if (!c->endpoint || cfg_size(cfg, "minimum_uid") != 1 || cfg_size(cfg, "allow_root") != 1)
		return fail("%s: out of memory", path);
	if (!c->client_id != !c->client_secret)
		return fail("%s: client_id and client_secret go together; only %s is set", path,
			    c->client_id ? "client_id" : "client_secret");
	return true;
}

static void wipe_secret(cfg_t *cfg)
{
	char *secret = cfg_getstr(cfg, "client_secret");

	if (secret)
		explicit_bzero(secret, strlen(secret));
}

bool config_load(const char *path, struct config *ret, char *why, size_t why_len)
{
	struct config c = { 0 };
	cfg_t *cfg;

	report.text = why;
	report.len = why_len;
	why[0] = '\0';
	cfg = make_parser();
	if (!cfg)
		return fail("%s: out of memory", path);
	if (load_file(cfg, AT_FDCWD, path, path) && load_folder(cfg, path) &&
	    finish(cfg, path, &c)) {
		*ret = c;
		return true;
	}
	free(c.endpoint);
	wipe_secret(cfg);
	(void)cfg_free(cfg);
	return false;
}

void config_free(struct config *config)
{
	free(config->endpoint);
	if (config->cfg) {
		wipe_secret(config->cfg);
		(void)cfg_free(config->cfg);
	}
	*config = (struct config){ 0 };
}

size_t config_list_len(struct config_list l)
{
	return l.opt ? cfg_opt_size(l.opt) : 0;
}

const char *config_list_get(struct config_list l, size_t i)
{
	return cfg_opt_getnstr(l.opt, (unsigned int)i);
}

bool config_list_has(struct config_list l, const char *text)
{
	for (size_t i = 0; i < config_list_len(l); i++)
		if (strcmp(config_list_get(l, i), text) == 0)
			return true;
	return false;
}

bool config_find_user(const struct config *config, const char *name, struct config_user *ret)
{
	cfg_t *block = cfg_gettsec(config->cfg, "user", name);

	*ret = (struct config_user){ 0 };
	if (!block)
		return false;
	ret->iam_ids = list(block, "iam_ids");
	ret->services = list(block, "services");
	ret->environment = list(block, "environment");
	ret->export = (enum config_export)cfg_getint(block, "export");
	return true;
}

bool config_find_service(const struct config *config, const char *name,
			 struct config_service *ret)
{
	cfg_t *block = cfg_gettsec(config->cfg, "service", name);

	*ret = (struct config_service){ 0 };
	if (!block)
		return false;
	ret->environment = list(block, "environment");
	ret->export = (enum config_export)cfg_getint(block, "export");
	return true;
}

bool config_is_current(const struct config *config)
{
	return config != NULL;
}
