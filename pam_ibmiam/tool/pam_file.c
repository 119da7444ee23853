/* Reading /etc/pam.d.  See pam_file.h. */
#include "pam_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pam_lines.h"

enum { DEPTH_MAX = 16 };

struct reader {
	struct pam_file *to;
	const char *folder; /* that is searched first; for the service itself, by its path, only */
	size_t folder_len;
	bool by_path;
};

struct source {
	const char *path;
	unsigned int line;
	int only; /* a type, or -1: what an `include` of that type takes from it */
	int level, depth;
};

struct place {
	struct reader *reader;
	struct source *at;
};

static const char *const types[PAM_TYPES] = { "auth", "account", "session", "password" };

static bool fail(struct reader *r, const struct source *at, const char *what)
{
	if (!r->to->fault[0])
		(void)snprintf(r->to->fault, sizeof r->to->fault, "%s:%u: %s", at->path, at->line,
			       what);
	return true; /* libpam goes on reading, too, though the line then refuses */
}

static int find_word(const char *const words[], int count, const char *word, size_t len)
{
	for (int i = 0; i < count; i++)
		if (words[i] && strlen(words[i]) == len && strncasecmp(words[i], word, len) == 0)
			return i;
	return -1;
}

/* A word, or the number of lines to jump over. */
static bool parse_action(const char *word, size_t len, int *ret)
{
	static const char *const words[] = { "ignore", "ok", "done", "bad", "die", "reset" };
	static const int actions[] = { PAM_DO_IGNORE, PAM_DO_OK, PAM_DO_DONE,
				       PAM_DO_BAD, PAM_DO_DIE, PAM_DO_RESET };
	int i = find_word(words, sizeof words / sizeof words[0], word, len);
	long lines = word[0] >= '0' && word[0] <= '9' ? strtol(word, NULL, 10) : -1;

	*ret = i >= 0 ? actions[i] : lines > PAM_LINES_MAX ? PAM_LINES_MAX : (int)lines;
	return i >= 0 || lines >= 0;
}

/* One VALUE=ACTION of a control in brackets.  Results that are not looked at are skipped. */
static bool apply_pair(const char *pair, size_t len, int action[PAM_RESULTS],
		       bool given[PAM_RESULTS])
{
	static const char *const results[PAM_RESULTS] = { "success", "auth_err", "perm_denied",
							  "authinfo_unavail", "service_err",
							  "ignore" };
	const char *equals = memchr(pair, '=', len);
	size_t name = equals ? (size_t)(equals - pair) : len;
	int result, what;

	if (!equals || !parse_action(equals + 1, len - name - 1, &what))
		return false;
	result = find_word(results, PAM_RESULTS, pair, name);
	if (result >= 0)
		given[result] = true;
	for (int i = 0; i < PAM_RESULTS; i++)
		if (i == result || (!given[i] && name == 7 && strncmp(pair, "default", name) == 0))
			action[i] = what;
	return true;
}

static bool apply_brackets(const char *p, int action[PAM_RESULTS])
{
	bool given[PAM_RESULTS] = { false };

	/* What is not named is bad (libpam's default). */
	for (int i = 0; i < PAM_RESULTS; i++)
		action[i] = PAM_DO_BAD;
	while (*(p += strspn(p, " \t"))) {
		size_t len = strcspn(p, " \t");

		if (!apply_pair(p, len, action, given))
			return false;
		p += len;
	}
	return true;
}

/* The plain words are short for brackets: pam.conf(5). */
static bool apply_control(const char *control, int action[PAM_RESULTS])
{
	static const struct {
		const char *word, *means;
	} words[] = { { "required", "success=ok ignore=ignore default=bad" },
		      { "requisite", "success=ok ignore=ignore default=die" },
		      { "sufficient", "success=done default=ignore" },
		      { "optional", "success=ok default=ignore" } };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(control, words[i].word) == 0)
			return apply_brackets(words[i].means, action);
	return control[0] == '[' && apply_brackets(control + 1, action);
}

/* Cuts the next word off, or what stands in brackets, without the closing one. */
static char *next_word(char **p)
{
	char *word = *p + strspn(*p, " \t"), *end;

	if (!*word)
		return NULL;
	end = word[0] == '[' ? strchr(word, ']') : word + strcspn(word, " \t");
	if (!end)
		return NULL;
	*p = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

static bool read_service(struct reader *r, const char *name, const struct source *from, int only,
			 int level);

static bool add_line(struct reader *r, const struct source *at, int type, const char *control,
		     char *rest)
{
	struct pam_line *line = &r->to->lines[r->to->count];
	char *p, *module, *slash;
	size_t n = 0;

	if (r->to->count == PAM_LINES_MAX)
		return fail(r, at, "more lines than are looked at");
	*line = (struct pam_line){ .type = (enum pam_type)type,
				   .line = at->line,
				   .level = at->level };
	(void)snprintf(line->file, sizeof line->file, "%s", at->path);
	(void)snprintf(line->control, sizeof line->control, "%s%s", control,
		       control[0] == '[' ? "]" : "");
	(void)snprintf(line->text, sizeof line->text, "%s", rest);
	p = line->text;
	module = next_word(&p);
	if (!module)
		return fail(r, at, "a line without a module");
	slash = strrchr(module, '/');
	(void)snprintf(line->module, sizeof line->module, "%s", slash ? slash + 1 : module);
	while (n < PAM_ARGS_MAX && (line->args[n] = next_word(&p)) != NULL)
		n++;
	if (!apply_control(control, line->action))
		return fail(r, at,
			    "a control that is none: required, requisite, sufficient, optional, "
			    "include, substack or [value=action ...]");
	r->to->count++;
	return true;
}

static bool read_line(struct reader *r, const struct source *at, char *text)
{
	char *p = text, *word = next_word(&p), *control;
	int type;

	if (!word)
		return true;
	if (strcasecmp(word, "@include") == 0) {
		word = next_word(&p);
		return word ? read_service(r, word, at, at->only, at->level)
			    : fail(r, at, "@include of nothing");
	}
	word += word[0] == '-';
	type = find_word(types, PAM_TYPES, word, strlen(word));
	control = next_word(&p);
	if (type < 0 || !control)
		return fail(r, at,
			    "expects auth, account, session or password, a control and a module");
	if (at->only >= 0 && at->only != type)
		return true;
	if (strcasecmp(control, "include") == 0 || strcasecmp(control, "substack") == 0) {
		bool substack = (control[0] | 0x20) == 's';

		word = next_word(&p);
		return word ? read_service(r, word, at, type, at->level + substack)
			    : fail(r, at, "include of nothing");
	}
	return add_line(r, at, type, control, p);
}

static bool take_line(void *to, const char *path, unsigned int line, char *text)
{
	const struct place *x = to;

	(void)path;
	x->at->line = line;
	return read_line(x->reader, x->at, text);
}

static bool read_service(struct reader *r, const char *name, const struct source *from, int only,
			 int level)
{
	static const char *const folders[] = { "/etc/pam.d", "/usr/lib/pam.d" };
	char path[PAM_PATH_MAX];
	bool found, only_here = name[0] == '/' || (r->by_path && from->depth == 0);
	struct source at = { .path = path, .only = only, .level = level, .depth = from->depth + 1 };

	if (at.depth > DEPTH_MAX)
		return fail(r, from, "files that include each other");
	if (name[0] == '/')
		(void)snprintf(path, sizeof path, "%s", name);
	else
		(void)snprintf(path, sizeof path, "%.*s/%s", (int)r->folder_len, r->folder, name);
	found = pam_lines_read(path, PAM_LINES_PAM, take_line, &(struct place){ r, &at });
	for (size_t i = 0; !found && !only_here && i < sizeof folders / sizeof folders[0];
	     i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folders[i], name);
		found = pam_lines_read(path, PAM_LINES_PAM, take_line, &(struct place){ r, &at });
	}
	return found || (from->depth > 0 && fail(r, from, "includes a file that cannot be read"));
}

bool pam_file_read(const char *service, struct pam_file *ret)
{
	const char *slash = strrchr(service, '/'), *name = slash ? slash + 1 : service;
	struct reader r = { .to = ret, .folder = slash ? service : "/etc/pam.d", .by_path = slash };
	const struct source none = { .path = service, .only = -1 };

	*ret = (struct pam_file){ .lines = calloc(PAM_LINES_MAX, sizeof *ret->lines) };
	r.folder_len = slash ? (size_t)(slash - service) : strlen(r.folder);
	if (ret->lines && read_service(&r, name, &none, -1, 0))
		return true;
	(void)snprintf(ret->fault, sizeof ret->fault, "%s%s cannot be read: %s",
		       slash ? "" : "/etc/pam.d/", service,
		       ret->lines ? strerrordesc_np(errno) : "out of memory");
	return false;
}

void pam_file_free(struct pam_file *file)
{
	free(file->lines);
	*file = (struct pam_file){ 0 };
}
