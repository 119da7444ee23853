/* The configuration with its origins.  See config_show.h. */
#include "config_show.h"

#include <confuse.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

enum { KEYS_MAX = 32 };

/* Where the values of one option come from; what is missing here is its default. */
struct key {
	const cfg_opt_t *opt;
	struct origin {
		const char *file;
		unsigned int line; /* 0: not known */
	} *at;
	size_t len, cap;
};

struct config_show {
	FILE *to;
	bool blocks; /* the pass that prints these; else the one that prints the rest */
	bool failed; /* no memory */
	const char *file;
	struct key top[KEYS_MAX], block[KEYS_MAX];
};

void config_show_file(struct config_show *show, const char *path)
{
	if (show)
		show->file = path;
}

/* The option's key in a table, made if need be.  NULL when there are more than there can be. */
static struct key *find(struct key table[KEYS_MAX], const cfg_opt_t *opt)
{
	for (size_t i = 0; i < KEYS_MAX; i++) {
		if (!table[i].opt)
			table[i].opt = opt;
		if (table[i].opt == opt)
			return &table[i];
	}
	return NULL;
}

/* Notes where the value of that number comes from; an earlier one has been replaced. */
static void note(struct config_show *show, struct key *key, size_t number, unsigned int line)
{
	if (key && number >= key->cap) {
		size_t cap = number + 16;
		struct origin *at = reallocarray(key->at, cap, sizeof *at);

		if (at) {
			memset(at + key->cap, 0, (cap - key->cap) * sizeof *at);
			key->at = at;
			key->cap = cap;
		}
	}
	if (!key || number >= key->cap) {
		show->failed = true;
		return;
	}
	key->at[number] = (struct origin){ show->file, line };
	key->len = number + 1;
}

void config_show_value(struct config_show *show, const cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned int size = cfg_opt_size(opt);

	if (show)
		note(show, find(cfg->title ? show->block : show->top, opt), size > 0 ? size - 1 : 0,
		     (unsigned int)cfg->line);
}

void config_show_file_end(struct config_show *show, cfg_t *cfg)
{
	for (const cfg_opt_t *opt = cfg->opts; show && opt->name; opt++)
		if (opt->type == CFGT_STR && (opt->flags & CFGF_MODIFIED) && opt->nvalues == 0)
			note(show, find(show->top, opt), 0, 0);
}

static void clear(struct key table[KEYS_MAX])
{
	for (size_t i = 0; i < KEYS_MAX; i++)
		free(table[i].at);
	memset(table, 0, KEYS_MAX * sizeof *table);
}

/* In quotes that the syntax accepts around it (config_syntax.c). */
static void put_quoted(FILE *to, const char *text)
{
	char quote = strstr(text, "${") ? '\'' : '"';

	(void)fputc(quote, to);
	for (; *text; text++) {
		if (*text == quote || *text == '\\')
			(void)fputc('\\', to);
		(void)fputc(*text, to);
	}
	(void)fputc(quote, to);
}

/* A URL without the password that it may hold. */
static void put_proxy(FILE *to, const char *url)
{
	const char *at = strrchr(url, '@'), *name = strstr(url, "://");
	const char *colon = at && name ? memchr(name + 3, ':', (size_t)(at - name - 3)) : NULL;

	if (colon)
		(void)fprintf(to, "\"%.*s:(set)%s\"", (int)(colon - url), url, at);
	else
		put_quoted(to, url);
}

static void put_value(FILE *to, cfg_opt_t *opt, unsigned int i)
{
	static const char *const exports[] = { [CONFIG_EXPORT_DEFAULT] = "true",
					       [CONFIG_EXPORT_NEVER] = "false",
					       [CONFIG_EXPORT_OWN] = "true",
					       [CONFIG_EXPORT_TARGET] = "target" };

	if (opt->type == CFGT_BOOL)
		(void)fputs(cfg_opt_getnbool(opt, i) ? "true" : "false", to);
	else if (opt->type == CFGT_INT && strcmp(opt->name, "export") == 0)
		(void)fputs(exports[cfg_opt_getnint(opt, i)], to);
	else if (opt->type == CFGT_INT)
		(void)fprintf(to, "%ld", cfg_opt_getnint(opt, i));
	else if (strcmp(opt->name, "client_secret") == 0)
		(void)fputs("\"(set)\"", to);
	else if (strcmp(opt->name, "proxy") == 0)
		put_proxy(to, cfg_opt_getnstr(opt, i));
	else
		put_quoted(to, cfg_opt_getnstr(opt, i));
}

static void put_origin(FILE *to, const struct key *key, size_t number)
{
	const struct origin *o =
		key && number < key->cap && key->at[number].file ? &key->at[number] : NULL;

	if (!o)
		(void)fputs("    # default\n", to);
	else if (o->line == 0)
		(void)fprintf(to, "    # %s\n", o->file);
	else
		(void)fprintf(to, "    # %s:%u\n", o->file, o->line);
}

static void put_list(FILE *to, cfg_opt_t *opt, const struct key *key, const char *indent)
{
	unsigned int len = cfg_opt_size(opt);

	(void)fprintf(to, "%s%s = {%s", indent, opt->name, len > 0 ? "\n" : " }");
	if (len == 0)
		put_origin(to, key, 0);
	for (unsigned int i = 0; i < len; i++) {
		(void)fprintf(to, "%s\t", indent);
		put_value(to, opt, i);
		(void)fputs(i + 1 < len ? "," : "", to);
		put_origin(to, key, i);
	}
	if (len > 0)
		(void)fprintf(to, "%s}\n", indent);
}

static void put_option(FILE *to, cfg_opt_t *opt, const struct key *key, const char *indent)
{
	if (opt->flags & CFGF_LIST) {
		put_list(to, opt, key, indent);
		return;
	}
	(void)fprintf(to, "%s%s = ", indent, opt->name);
	put_value(to, opt, 0);
	put_origin(to, key, 0);
}

void config_show_block(struct config_show *show, cfg_t *block, unsigned int line)
{
	if (!show)
		return;
	if (show->blocks) {
		(void)fprintf(show->to, "\n%s ", cfg_name(block));
		put_quoted(show->to, cfg_title(block));
		(void)fprintf(show->to, " {    # %s:%u\n", show->file, line);
		for (cfg_opt_t *opt = block->opts; opt->name; opt++)
			if (opt->flags & CFGF_MODIFIED)
				put_option(show->to, opt, find(show->block, opt), "\t");
		(void)fputs("}\n", show->to);
	}
	clear(show->block);
}

/* Is there a value, be it a default or an empty list that somebody wanted? */
static bool is_set(cfg_opt_t *opt, const struct key *key)
{
	if (opt->flags & CFGF_LIST)
		return opt->nvalues > 0 || (key && key->cap > 0);
	return opt->nvalues > 0 && (opt->type != CFGT_STR || cfg_opt_getnstr(opt, 0));
}

/* What holds where nothing is set, unless it is nothing. */
static void put_unset(FILE *to, const char *name)
{
	static const char *const implied[][2] = {
		{ "issuer", "the endpoint's /identity; for IBM's private endpoints also the public one" },
		{ "ca_path", "the system's, unless ca_file is set" },
	};
	const char *text = NULL;

	for (size_t i = 0; i < sizeof implied / sizeof implied[0]; i++)
		if (strcmp(implied[i][0], name) == 0)
			text = implied[i][1];
	(void)fprintf(to, "# %s is not set%s%s\n", name, text ? ": " : "", text ? text : "");
}

void config_show_top(struct config_show *show, cfg_t *cfg)
{
	if (!show || show->blocks)
		return;
	for (cfg_opt_t *opt = cfg->opts; opt->name; opt++) {
		const struct key *key = find(show->top, opt);

		if (opt->type == CFGT_SEC)
			continue;
		if (is_set(opt, key))
			put_option(show->to, opt, key, "");
		else
			put_unset(show->to, opt->name);
	}
}

/* What stands above the blocks is certain only at the end, so it takes two passes; and in the
 * first one it shows whether there is a configuration at all. */
bool config_show(const char *path, FILE *to, char *why, size_t why_len)
{
	bool ok = true;

	for (int pass = 0; pass < 2 && ok; pass++) {
		struct config_show show = { .to = to, .blocks = pass == 1 };
		struct config config = { 0 };

		ok = config_load_shown(path, &show, &config, why, why_len);
		config_free(&config);
		clear(show.top);
		clear(show.block);
		if (ok && show.failed) {
			(void)snprintf(why, why_len, "%s: out of memory", path);
			ok = false;
		}
	}
	return ok;
}
