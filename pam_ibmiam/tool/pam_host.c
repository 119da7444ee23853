/* What must fit around a service: sshd's own settings, and another way in.  See pam_check.h. */
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pam_check.h"
#include "pam_lines.h"
#include "pam_stack.h"

#define SSHD_CONFIG "/etc/ssh/sshd_config"

enum { DEPTH_MAX = 16 };

enum { USE_PAM, KEYBOARD, PASSWORD, SETTINGS };

/* sshd_config(5): the first value counts; without one the default. */
struct settings {
	struct setting {
		bool seen, on;
		char where[PAM_PATH_MAX + 16];
	} at[SETTINGS];
	int depth;
};

static const struct {
	const char *name;
	int setting;
	bool by_default;
} keywords[] = { { "UsePAM", USE_PAM, false }, { "KbdInteractiveAuthentication", KEYBOARD, true },
		 { "ChallengeResponseAuthentication", KEYBOARD, true },
		 { "PasswordAuthentication", PASSWORD, true } };

static void read_settings(struct settings *s, const char *path);

static void include(struct settings *s, const char *pattern)
{
	char path[PAM_PATH_MAX];
	glob_t found;

	(void)snprintf(path, sizeof path, "%s%s", pattern[0] == '/' ? "" : "/etc/ssh/", pattern);
	if (glob(path, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		read_settings(s, found.gl_pathv[i]);
	globfree(&found);
}

/* False: from here on it holds for some users only. */
static bool read_setting(void *to, const char *path, unsigned int line, char *text)
{
	struct settings *s = to;
	static const char around[] = " \t=\"";
	char *save = NULL, *name = strtok_r(text, around, &save);
	char *value = strtok_r(NULL, around, &save);

	if (!name || !value)
		return true;
	if (strcasecmp(name, "Match") == 0)
		return strcasecmp(value, "all") == 0;
	for (; value && strcasecmp(name, "Include") == 0; value = strtok_r(NULL, " \t\"", &save))
		include(s, value);
	for (size_t i = 0; value && i < sizeof keywords / sizeof keywords[0]; i++) {
		struct setting *setting = &s->at[keywords[i].setting];

		if (strcasecmp(name, keywords[i].name) != 0 || setting->seen)
			continue;
		*setting = (struct setting){ .seen = true, .on = strcasecmp(value, "yes") == 0 };
		(void)snprintf(setting->where, sizeof setting->where, "%s:%u", path, line);
	}
	return true;
}

static void read_settings(struct settings *s, const char *path)
{
	if (s->depth++ < DEPTH_MAX)
		(void)pam_lines_read(path, read_setting, s);
	s->depth--;
}

static void find_setting(struct pam_check *c, const struct settings *s, int setting,
			 const char *what)
{
	char write[64];

	for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
		if (keywords[i].setting != setting)
			continue;
		(void)snprintf(write, sizeof write, "%s yes", keywords[i].name);
		pam_check_find_at(c, s->at[setting].where, write, what);
		return;
	}
}

void pam_host_sshd(struct pam_check *c)
{
	struct settings s = { 0 };

	if (!c->host || strcmp(c->service, "sshd") != 0 || access(SSHD_CONFIG, R_OK) != 0)
		return;
	for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
		s.at[keywords[i].setting].on = keywords[i].by_default;
		(void)snprintf(s.at[keywords[i].setting].where, sizeof s.at[0].where, "%s",
			       SSHD_CONFIG);
	}
	read_settings(&s, SSHD_CONFIG);
	if (!s.at[USE_PAM].on)
		find_setting(c, &s, USE_PAM,
			     "UsePAM is off: sshd asks no PAM module, so no key lets anybody in "
			     "(sshd -T shows what really holds)");
	else if (!s.at[KEYBOARD].on && !s.at[PASSWORD].on)
		find_setting(c, &s, KEYBOARD,
			     "KbdInteractiveAuthentication and PasswordAuthentication are off: "
			     "nothing is left that would ask for a key (sshd -T shows what really "
			     "holds)");
	else if (!s.at[KEYBOARD].on && !pam_stack_has_arg(c->ibmiam, "use_first_pass"))
		find_setting(c, &s, KEYBOARD,
			     "KbdInteractiveAuthentication is off: a key is taken as the password, "
			     "without a prompt of its own, a word about an outage, or the second "
			     "question of a fallback");
}

static bool has_public_key(const struct passwd *pw)
{
	char path[PAM_PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/.ssh/authorized_keys", pw->pw_dir);
	return stat(path, &st) == 0 && st.st_size > 0;
}

static bool admin_has_public_key(void)
{
	static const char *const groups[] = { "sudo", "wheel", "admin" };
	const struct passwd *pw = getpwuid(0);

	if (pw && has_public_key(pw))
		return true;
	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
		const struct group *gr = getgrnam(groups[i]);

		for (char **member = gr ? gr->gr_mem : NULL; member && *member; member++) {
			pw = getpwnam(*member);
			if (pw && has_public_key(pw))
				return true;
		}
	}
	return false;
}

/* Only root can look everywhere; half a look would be a false alarm. */
void pam_host_second_way(struct pam_check *c)
{
	if (c->host && !c->fallback && geteuid() == 0 && !admin_has_public_key())
		pam_check_find(c, c->ibmiam, PAM_CHECK_FALLBACK,
			       "there is no second way in: neither root nor a member of sudo, "
			       "wheel or admin has a public key (~/.ssh/authorized_keys), and "
			       "nothing takes over while IAM is down; make one of the two before "
			       "you close your root shell");
}
