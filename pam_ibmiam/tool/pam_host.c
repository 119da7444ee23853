/* What must fit around a service: sshd's own settings, and another way in.  See pam_check.h. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pam_check.h"
#include "pam_sshd.h"
#include "pam_stack.h"

static void find_setting(struct pam_check *c, const struct pam_sshd *s, enum pam_sshd_setting setting,
			 const char *what)
{
	char write[64];

	(void)snprintf(write, sizeof write, "%s yes", pam_sshd_name(setting));
	pam_check_find_at(c, s->at[setting].where, write, what);
}

void pam_host_sshd(struct pam_check *c)
{
	struct pam_sshd s;
	bool keyboard, password;

	if (!c->host || strcmp(c->service, "sshd") != 0 || access(PAM_SSHD_CONFIG, R_OK) != 0)
		return;
	pam_sshd_read(&s, NULL);
	keyboard = pam_sshd_is_on(&s, PAM_SSHD_KEYBOARD);
	password = pam_sshd_is_on(&s, PAM_SSHD_PASSWORD);
	if (!pam_sshd_is_on(&s, PAM_SSHD_USE_PAM))
		find_setting(c, &s, PAM_SSHD_USE_PAM,
			     "UsePAM is off: sshd asks no PAM module, so no key lets anybody in "
			     "(sshd -T shows what really holds)");
	else if (!keyboard && !password)
		find_setting(c, &s, PAM_SSHD_KEYBOARD,
			     "KbdInteractiveAuthentication and PasswordAuthentication are off: "
			     "nothing is left that would ask for a key (sshd -T shows what really "
			     "holds)");
	else if (!keyboard && !pam_stack_has_arg(c->ibmiam, "use_first_pass"))
		find_setting(c, &s, PAM_SSHD_KEYBOARD,
			     "KbdInteractiveAuthentication is off: a key is taken as the password, "
			     "without a prompt of its own, a word about an outage, or the second "
			     "question of a fallback");
}

/* One that sshd takes, and asks for nothing else. */
static bool has_public_key(const struct passwd *pw)
{
	const char *shell = pw && strrchr(pw->pw_shell, '/') ? strrchr(pw->pw_shell, '/') + 1 : "";
	struct pam_sshd s;

	if (!pw || strcmp(shell, "nologin") == 0 || strcmp(shell, "false") == 0)
		return false;
	pam_sshd_read(&s, pw);
	return pam_sshd_is_on(&s, PAM_SSHD_LETS_IN) && pam_sshd_is_on(&s, PAM_SSHD_KEY_FILE) &&
	       pam_sshd_is_on(&s, PAM_SSHD_PUBLIC_KEY) && pam_sshd_is_on(&s, PAM_SSHD_METHODS) &&
	       (pw->pw_uid != 0 || pam_sshd_is_on(&s, PAM_SSHD_ROOT));
}

/* Where sudo or su wants IAM, only root's own is of use. */
static bool admin_has_public_key(bool only_root)
{
	static const char *const groups[] = { "sudo", "wheel", "admin" };

	if (has_public_key(getpwuid(0)))
		return true;
	for (size_t i = 0; !only_root && i < sizeof groups / sizeof groups[0]; i++) {
		const struct group *gr;

		/* Looked up anew each time: pam_sshd_read() asks for groups, too. */
		for (size_t j = 0; (gr = getgrnam(groups[i])) != NULL && gr->gr_mem[j]; j++)
			if (has_public_key(getpwnam(gr->gr_mem[j])))
				return true;
	}
	return false;
}

/* Only root can look everywhere; half a look would be a false alarm. */
void pam_host_second_way(struct pam_check *c)
{
	bool sshd = c->host && strcmp(c->service, "sshd") == 0;

	if (c->host && !c->fallback && geteuid() == 0 && !admin_has_public_key(!sshd))
		pam_check_find(c, c->ibmiam, PAM_CHECK_FALLBACK,
			       "no second way in is certain: %s public key (~/.ssh/authorized_keys, "
			       "without options) that alone is enough for sshd by all that its "
			       "configuration says, and nothing takes over while IAM is down; make one "
			       "of the two before you close your root shell, or see that it is there: "
			       "ssh -o PreferredAuthentications=publickey NAME@HOST",
			       sshd ? "neither root nor a member of sudo, wheel or admin has a" : "root has no");
}
