/* Reading a file of the configuration with libconfuse.  See config_parse.h. */
#include "config_parse.h"

#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_syntax.h"
#include "config_value.h"
#include "environment.h"

enum { DEFAULT_MINIMUM_UID = 1000, DEFAULT_RATE_LIMIT = 600, RATE_LIMIT_MAX = 1000000 };

#define DEFAULT_ENDPOINT "https://iam.cloud.ibm.com"
static char default_environment[] = /* libconfuse copies it, but asks for char * */
	"{\"IC_IAM_TOKEN=Bearer %{token}\", \"IBMIAM_TOKEN=%{token}\", "
	"\"IBMIAM_TOKEN_EXPIRATION=%{expiration}\", "
	"\"IBMIAM_IAM_ID=%{iam_id}\", \"IBMIAM_ACCOUNT_ID=%{account}\"}";

/* libconfuse's callbacks have no argument of their own; it reads one text at a time. */
static struct config_parse *current;

bool config_parse_fail(struct config_parse *parse, const char *format, ...)
{
	va_list ap;

	if (parse->why[0]) /* the first fault is the cause of the others */
		return false;
	va_start(ap, format);
	(void)vsnprintf(parse->why, parse->why_len, format, ap);
	va_end(ap);
	return false;
}

static void __attribute__((format(printf, 2, 0)))
on_error(cfg_t *cfg, const char *format, va_list ap)
{
	char what[512];

	(void)vsnprintf(what, sizeof what, format, ap);
	(void)config_parse_fail(current, "%s:%d: %s", cfg->filename, cfg->line, what);
}

static int refuse_value(cfg_t *cfg, const cfg_opt_t *opt, const char *value, const char *fault)
{
	/* Secrets may stand where they do not belong: never quote those. */
	bool quote = strcmp(opt->name, "client_secret") != 0 && strcmp(opt->name, "proxy") != 0;

	cfg_error(cfg, "%s%s%.100s%s %s", opt->name, quote ? " \"" : "", quote ? value : "",
		  quote ? "\"" : "", fault);
	return -1;
}

/* Called after each value. */
static int note_value(cfg_t *cfg, cfg_opt_t *opt)
{
	if (current) /* not so for a default */
		config_show_value(current->show, cfg, opt);
	return 0;
}

/* Called after each value of a string or list of strings. */
static int check_value(cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned int last = cfg_opt_size(opt) - 1;
	const char *value = cfg_opt_getnstr(opt, last);
	const char *fault = config_value_fault(opt->name, value);

	if (fault)
		return refuse_value(cfg, opt, value, fault);
	(void)note_value(cfg, opt);
	if (strcmp(opt->name, "access_groups") == 0 && !current->groups_at[0])
		(void)snprintf(current->groups_at, sizeof current->groups_at, "%s:%d",
			       cfg->filename, cfg->line);
	if (strcmp(opt->name, "environment") != 0)
		return 0;
	for (unsigned int i = 0; i < last; i++)
		if (environment_same_name(cfg_opt_getnstr(opt, i), value))
			return refuse_value(cfg, opt, value, "sets a variable that is already set");
	return 0;
}

static bool is_emptied(const cfg_opt_t *opt)
{
	return opt->type == CFGT_STR && (opt->flags & CFGF_MODIFIED) && opt->nvalues == 0;
}

/* Moves the block to the store: so libconfuse holds one at a time, and need not compare each
 * new title with all that it has seen. */
static int take_block(cfg_t *cfg, cfg_opt_t *opt, enum config_kind kind)
{
	cfg_t *block = cfg_opt_getnsec(opt, 0);
	unsigned int line;

	if (!config_store_add(current->store, kind, block)) {
		line = config_syntax_block_line(current->text, current->len, current->block);
		(void)config_parse_fail(current, "%s:%u: found duplicate title '%s'",
					cfg->filename, line, cfg_title(block));
		return -1;
	}
	if (config_store_failed(current->store)) {
		(void)config_parse_fail(current, "%s: out of memory", cfg->filename);
		return -1;
	}
	if (current->block_lines)
		config_show_block(current->show, block, current->block_lines[current->block]);
	current->block++;
	return cfg_free_value(opt);
}

/* Called at the end of each block. */
static int check_block(cfg_t *cfg, cfg_opt_t *opt)
{
	static const char *const names[CONFIG_KINDS] = { "user", "service", "email_domain" };
	cfg_t *block = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	const char *title = cfg_title(block);
	const char *fault = config_value_fault(opt->name, title);
	int kind = CONFIG_KINDS - 1;

	if (fault)
		return refuse_value(cfg, opt, title, fault);
	for (const cfg_opt_t *o = block->opts; o->name; o++) {
		if (!is_emptied(o))
			continue;
		cfg_error(cfg, "%s \"%.100s\": %s is an empty list; leave the key out", opt->name,
			  title, o->name);
		return -1;
	}
	while (kind > 0 && strcmp(opt->name, names[kind]) != 0)
		kind--;
	if (kind == CONFIG_USER && cfg_size(block, "iam_ids") == 0)
		return refuse_value(cfg, opt, title, "has no iam_ids, so nobody could log in as it");
	return take_block(cfg, opt, (enum config_kind)kind);
}

/* Integers by our own rules: libconfuse takes "" for 0 and 010 for 8. */
static int parse_uid(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	uint32_t uid;

	if (config_value_number(value, UINT32_MAX - 1, &uid) != 0) /* (uid_t)-1 is nobody's */
		return refuse_value(cfg, opt, value, "expects a user id, 0 to 4294967294");
	*(long *)result = (long)uid;
	return 0;
}

static int parse_rate(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	uint32_t rate;

	if (config_value_number(value, RATE_LIMIT_MAX, &rate) != 0)
		return refuse_value(cfg, opt, value, "expects requests a minute, 1 to 1000000, or 0 for no limit");
	*(long *)result = (long)rate;
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

/* libconfuse's own macros leave no room for the check. */
#define TEXT(key, value) \
	{ .name = (key), .type = CFGT_STR, .def.string = (value), .validcb = check_value }
#define LIST(key, value)                                                                      \
	{ .name = (key), .type = CFGT_STR, .flags = CFGF_LIST, .def.parsed = (value), \
	  .validcb = check_value }
#define NUMBER(key, value, parse) \
	{ .name = (key), .type = CFGT_INT, .def.number = (value), .parsecb = (parse), \
	  .validcb = note_value }
#define BLOCK(key, keys)                                                         \
	{ .name = (key), .type = CFGT_SEC, .flags = CFGF_MULTI | CFGF_TITLE, \
	  .subopts = (keys), .validcb = check_block }
#define IN_EVERY_BLOCK                                                       \
	TEXT("trusted_profile", NULL), LIST("access_groups", NULL),          \
		LIST("environment", NULL),                                   \
		NUMBER("export", CONFIG_EXPORT_DEFAULT, parse_export), CFG_END()

bool config_parse_begin(struct config_parse *parse)
{
	static cfg_opt_t user[] = { LIST("iam_ids", NULL), LIST("services", NULL), IN_EVERY_BLOCK };
	static cfg_opt_t service[] = { LIST("users", NULL), LIST("networks", NULL), IN_EVERY_BLOCK };
	static cfg_opt_t domain[] = { LIST("services", NULL), IN_EVERY_BLOCK };
	static cfg_opt_t top[] = {
		TEXT("endpoint", DEFAULT_ENDPOINT),
		LIST("issuer", NULL),
		LIST("accounts", NULL),
		LIST("environment", default_environment),
		TEXT("client_id", NULL),
		TEXT("client_secret", NULL),
		TEXT("scope", NULL),
		TEXT("ca_file", NULL),
		TEXT("ca_path", NULL),
		TEXT("proxy", NULL),
		TEXT("trusted_profile", NULL),
		LIST("access_groups", NULL),
		TEXT("directory_key_file", NULL),
		NUMBER("minimum_uid", DEFAULT_MINIMUM_UID, parse_uid),
		NUMBER("rate_limit", DEFAULT_RATE_LIMIT, parse_rate),
		{ .name = "allow_root", .type = CFGT_BOOL, .def.boolean = cfg_false, .validcb = note_value },
		BLOCK("user", user),
		BLOCK("service", service),
		BLOCK("email_domain", domain),
		CFG_END(),
	};

	parse->cfg = cfg_init(top, CFGF_NONE);
	if (parse->cfg)
		(void)cfg_set_error_function(parse->cfg, on_error);
	return parse->cfg != NULL;
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

static bool check_syntax(struct config_parse *parse, const char *path)
{
	struct config_syntax_fault f;

	if (config_syntax_check(parse->text, parse->len, &f) == 0)
		return true;
	/* What looks like a key may be a part of a secret that lacks its quotes. */
	if (!is_known(parse->cfg->opts, f.key, f.key_len))
		return config_parse_fail(parse, "%s:%u: %s", path, f.line, f.text);
	return config_parse_fail(parse, "%s:%u: %.*s: %s", path, f.line, (int)f.key_len, f.key,
				 f.text);
}

static bool parse_checked(struct config_parse *parse, const char *path)
{
	cfg_t *cfg = parse->cfg;
	FILE *fp;
	int rc;

	free(cfg->filename);
	cfg->filename = strdup(path);
	fp = fmemopen(parse->text, parse->len, "r");
	if (!fp || !cfg->filename) {
		if (fp)
			(void)fclose(fp);
		return config_parse_fail(parse, "%s: out of memory", path);
	}
	current = parse;
	errno = 0; /* libconfuse takes an old ERANGE for its own */
	rc = cfg_parse_fp(cfg, fp);
	current = NULL;
	(void)fclose(fp);
	if (rc == CFG_SUCCESS && !parse->why[0])
		return true;
	return config_parse_fail(parse, "%s:%d: cannot be parsed", path, cfg->line);
}

/* Only where somebody wants to see them. */
static bool make_block_lines(struct config_parse *parse, const char *path)
{
	if (!parse->show)
		return true;
	config_show_file(parse->show, config_store_text(parse->store, path));
	parse->block_lines = config_syntax_block_lines(parse->text, parse->len);
	return parse->block_lines || config_parse_fail(parse, "%s: out of memory", path);
}

bool config_parse_text(struct config_parse *parse, const char *path, char *text, size_t len)
{
	bool ok;

	for (cfg_opt_t *opt = parse->cfg->opts; opt->name; opt++)
		opt->flags &= ~CFGF_MODIFIED;
	parse->text = text;
	parse->len = len;
	parse->block = 0;
	ok = check_syntax(parse, path) && make_block_lines(parse, path) &&
	     (len == 0 || parse_checked(parse, path));
	config_show_file_end(parse->show, parse->cfg);
	free(parse->block_lines);
	parse->block_lines = NULL;
	parse->text = NULL;
	return ok;
}

bool config_parse_has_set(const struct config_parse *parse, const char *key)
{
	return (cfg_getopt(parse->cfg, key)->flags & CFGF_MODIFIED) != 0;
}

void config_parse_end(struct config_parse *parse)
{
	static const char *const secrets[] = { "client_secret", "proxy" };

	if (!parse->cfg)
		return;
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		char *secret = cfg_getstr(parse->cfg, secrets[i]);

		if (secret)
			explicit_bzero(secret, strlen(secret));
	}
	(void)cfg_free(parse->cfg);
	parse->cfg = NULL;
}
