/* sshd's settings.  See pam_sshd.h. */
#include "pam_sshd.h"

#include <fnmatch.h>
#include <glob.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pam_keys.h"
#include "pam_lines.h"

enum { DEPTH_MAX = 16, GROUPS_MAX = 64 };

/* The first value counts; without one the default. */
static const struct {
	const char *name;
	enum pam_sshd_setting setting;
	const char *by_default; /* NULL: no line of its own */
} keywords[] = {
	{ "UsePAM", PAM_SSHD_USE_PAM, "no" },
	{ "KbdInteractiveAuthentication", PAM_SSHD_KEYBOARD, "yes" },
	{ "ChallengeResponseAuthentication", PAM_SSHD_KEYBOARD, "yes" },
	{ "SkeyAuthentication", PAM_SSHD_KEYBOARD, NULL },
	{ "PasswordAuthentication", PAM_SSHD_PASSWORD, "yes" },
	{ "PubkeyAuthentication", PAM_SSHD_PUBLIC_KEY, "yes" },
	{ "DSAAuthentication", PAM_SSHD_PUBLIC_KEY, NULL },
	{ "PermitRootLogin", PAM_SSHD_ROOT, "prohibit-password" },
	{ "AuthenticationMethods", PAM_SSHD_METHODS, "any" },
	{ "AuthorizedKeysFile", PAM_SSHD_KEY_FILE, ".ssh/authorized_keys .ssh/authorized_keys2" },
	{ "ForceCommand", PAM_SSHD_LETS_IN, "none" },
	{ "ChrootDirectory", PAM_SSHD_LETS_IN, NULL },
	{ "PubkeyAcceptedAlgorithms", PAM_SSHD_LETS_IN, NULL },
	{ "PubkeyAcceptedKeyTypes", PAM_SSHD_LETS_IN, NULL },
	{ "AllowUsers", PAM_SSHD_LETS_IN, NULL },
	{ "AllowGroups", PAM_SSHD_LETS_IN, NULL },
	{ "DenyUsers", PAM_SSHD_LETS_IN, NULL },
	{ "DenyGroups", PAM_SSHD_LETS_IN, NULL },
};
enum { KEYWORDS = sizeof keywords / sizeof keywords[0] };

static const char around[] = " \t=\"";

/* With %h, %u, %U and %%.  False: something else, or too long. */
static bool expand(const char *file, const struct passwd *user, char path[PAM_PATH_MAX])
{
	size_t len = 0;

	path[0] = '\0';
	if (file[0] != '/' && file[0] != '%')
		len = (size_t)snprintf(path, PAM_PATH_MAX, "%s/", user->pw_dir);
	for (; *file && len < PAM_PATH_MAX; file++) {
		char one[16] = { *file };
		const char *text = one;

		if (*file == '%') {
			file++;
			if (*file == 'h')
				text = user->pw_dir;
			else if (*file == 'u')
				text = user->pw_name;
			else if (*file == 'U')
				(void)snprintf(one, sizeof one, "%lu", (unsigned long)user->pw_uid);
			else if (*file != '%')
				return false;
		}
		len += (size_t)snprintf(path + len, PAM_PATH_MAX - len, "%s", text);
	}
	return len < PAM_PATH_MAX && path[0] == '/';
}

static bool holds_key(const char *file, const struct passwd *user)
{
	char path[PAM_PATH_MAX];

	return user && strcasecmp(file, "none") != 0 && expand(file, user, path) &&
	       pam_keys_hold(path, user);
}

/* As sshd: no escapes. */
static bool fits(const char *pattern, const char *name)
{
	return fnmatch(pattern, name, FNM_NOESCAPE) == 0;
}

/* `unsure` is the answer where he is in more groups than there is room for. */
static bool is_member(const struct passwd *user, const char *pattern, bool unsure)
{
	gid_t gids[GROUPS_MAX];
	int count = GROUPS_MAX;

	if (getgrouplist(user->pw_name, user->pw_gid, gids, &count) < 0)
		return unsure;
	for (int i = 0; i < count; i++) {
		const struct group *gr = getgrgid(gids[i]);

		if (gr && fits(pattern, gr->gr_name))
			return true;
	}
	return false;
}

/* AllowUsers and the like.  USER@HOST may deny him, and does not surely allow him; nor does what is
 * negated, or in brackets, which sshd takes as they are. */
static bool lets_in(const char *keyword, char *value, const struct passwd *user)
{
	bool deny = strncasecmp(keyword, "Deny", 4) == 0;
	char *at = strchr(value, '@');

	if (!user)
		return true;
	if (strpbrk(value, "![") || (at && !deny))
		return false;
	if (at)
		*at = '\0';
	return deny != (strcasecmp(keyword + (deny ? 4 : 5), "Groups") == 0 ? is_member(user, value, deny) :
			fits(value, user->pw_name));
}

static bool is_on(const struct pam_sshd *s, const char *keyword, enum pam_sshd_setting setting, char *value)
{
	if (setting == PAM_SSHD_KEY_FILE)
		return holds_key(value, s->user);
	if (setting == PAM_SSHD_LETS_IN)
		return strcasestr(keyword, "Users") || strcasestr(keyword, "Groups") ?
		       lets_in(keyword, value, s->user) : strcasecmp(value, "none") == 0;
	if (setting == PAM_SSHD_METHODS)
		return strcmp(value, "any") == 0 || strcmp(value, "publickey") == 0;
	return strcasecmp(value, "yes") == 0 || (setting == PAM_SSHD_ROOT &&
	       (strcasecmp(value, "prohibit-password") == 0 || strcasecmp(value, "without-password") == 0));
}

/* May this list of patterns mean the user?  Those with a ! only take others away. */
static bool may_mean(char *list, const struct passwd *user, bool groups)
{
	char *save = NULL;

	for (char *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save))
		if (*p != '!' && (groups ? is_member(user, p, true) : fits(p, user->pw_name)))
			return true;
	return false;
}

static enum pam_sshd_block read_match(const struct passwd *user, char *criterion, char **save)
{
	if (strcasecmp(criterion, "all") == 0)
		return user ? PAM_SSHD_MAY_HOLD : PAM_SSHD_HOLDS;
	while (user && criterion) {
		char *list = strtok_r(NULL, around, save);
		bool groups = strcasecmp(criterion, "Group") == 0;

		if (list && (groups || strcasecmp(criterion, "User") == 0) &&
		    !may_mean(list, user, groups))
			return PAM_SSHD_DOES_NOT;
		criterion = strtok_r(NULL, around, save);
	}
	return user ? PAM_SSHD_MAY_HOLD : PAM_SSHD_DOES_NOT;
}

static void read_file(struct pam_sshd *s, const char *path);

static void include(struct pam_sshd *s, const char *pattern)
{
	char path[PAM_PATH_MAX];
	glob_t found;

	if ((size_t)snprintf(path, sizeof path, "%s%s", pattern[0] == '/' ? "" : "/etc/ssh/", pattern) >=
	    sizeof path)
		s->at[PAM_SSHD_LETS_IN].taken = true;
	if (glob(path, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		read_file(s, found.gl_pathv[i]);
	globfree(&found);
}

/* Line 0: the default. */
static void take(struct pam_sshd *s, enum pam_sshd_setting setting, bool on, const char *path,
		 unsigned int line)
{
	struct pam_sshd_value *value = &s->at[setting];

	/* Of what keeps him out each line counts, not only the first. */
	if (s->block == PAM_SSHD_MAY_HOLD || (setting == PAM_SSHD_LETS_IN && !on)) {
		value->taken |= !on;
	} else if (!value->seen) {
		value->seen = true;
		value->on = on;
		(void)snprintf(value->where, sizeof value->where, line ? "%s:%u" : "%s", path, line);
	}
}

static bool read_line(void *to, const char *path, unsigned int line, char *text)
{
	struct pam_sshd *s = to;
	bool on = false, off = false, odd = strchr(text, '\'') != NULL;
	char *save = NULL, *name = strtok_r(text, around, &save);
	char *value = strtok_r(NULL, around, &save);
	size_t i = 0;

	if (odd) /* quotes that are not understood here */
		s->at[PAM_SSHD_LETS_IN].taken = true;
	if (!name || !value)
		return true;
	if (strcasecmp(name, "Match") == 0) {
		s->block = read_match(s->user, value, &save);
		return true;
	}
	if (s->block == PAM_SSHD_DOES_NOT)
		return true;
	while (i < KEYWORDS && strcasecmp(name, keywords[i].name) != 0)
		i++;
	for (; value; value = strtok_r(NULL, " \t\"", &save)) {
		if (strcasecmp(name, "Include") == 0)
			include(s, value);
		if (i < KEYWORDS && is_on(s, name, keywords[i].setting, value))
			on = true;
		else
			off = true;
	}
	if (i < KEYWORDS)
		take(s, keywords[i].setting, on && !(off && strncasecmp(name, "Deny", 4) == 0), path, line);
	return true;
}

/* A Match block ends with its file. */
static void read_file(struct pam_sshd *s, const char *path)
{
	enum pam_sshd_block block = s->block;

	if (s->depth++ >= DEPTH_MAX || !pam_lines_read(path, PAM_LINES_SSHD, read_line, s))
		s->at[PAM_SSHD_LETS_IN].taken = true;
	s->depth--;
	s->block = block;
}

void pam_sshd_read(struct pam_sshd *ret, const struct passwd *user)
{
	*ret = (struct pam_sshd){ .user = user, .block = PAM_SSHD_HOLDS };
	read_file(ret, PAM_SSHD_CONFIG);
	for (size_t i = 0; i < KEYWORDS; i++) {
		char line[128];

		if (!keywords[i].by_default)
			continue;
		(void)snprintf(line, sizeof line, "%s %s", keywords[i].name, keywords[i].by_default);
		(void)read_line(ret, PAM_SSHD_CONFIG, 0, line);
	}
}

bool pam_sshd_is_on(const struct pam_sshd *s, enum pam_sshd_setting setting)
{
	return s->at[setting].on && !s->at[setting].taken;
}

const char *pam_sshd_name(enum pam_sshd_setting setting)
{
	size_t i = 0;

	while (keywords[i].setting != setting)
		i++;
	return keywords[i].name;
}
