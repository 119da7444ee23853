/*
 * What sshd_config(5) says of logins with a key of IAM's, and of those with a public one.  For one
 * user it errs on the side of no: what a Match block that may hold for him takes away is gone, and
 * what it gives does not count.
 */
#ifndef IBMIAM_PAM_SSHD_H
#define IBMIAM_PAM_SSHD_H

#include <pwd.h>
#include <stdbool.h>

#include "pam_file.h"

#define PAM_SSHD_CONFIG "/etc/ssh/sshd_config"

enum pam_sshd_setting {
	PAM_SSHD_USE_PAM,
	PAM_SSHD_KEYBOARD,
	PAM_SSHD_PASSWORD,
	PAM_SSHD_PUBLIC_KEY,
	PAM_SSHD_ROOT,     /* with a public key, for whatever he likes */
	PAM_SSHD_METHODS,  /* a public key is enough */
	PAM_SSHD_KEY_FILE, /* one of the user's holds a key, without conditions */
	PAM_SSHD_LETS_IN,  /* nothing keeps him out, or gives him another command, or cannot be judged */
	PAM_SSHD_SETTINGS
};

struct pam_sshd {
	struct pam_sshd_value {
		bool seen, on;
		bool taken; /* away, by a Match block, or by any line that keeps him out */
		char where[PAM_PATH_MAX + 16]; /* FILE:LINE, or FILE for the default */
	} at[PAM_SSHD_SETTINGS];
	const struct passwd *user; /* NULL: whoever it is, which leaves Match blocks out */
	/* Where it reads: does what stands there hold for the user? */
	enum pam_sshd_block { PAM_SSHD_HOLDS, PAM_SSHD_MAY_HOLD, PAM_SSHD_DOES_NOT } block;
	int depth;
};

/* Reads this host's, for the user or for anybody (NULL).  What cannot be read lets nobody in.  Calls
 * getgrgid(3). */
void pam_sshd_read(struct pam_sshd *ret, const struct passwd *user);

bool pam_sshd_is_on(const struct pam_sshd *s, enum pam_sshd_setting setting);

/* The keyword's name. */
const char *pam_sshd_name(enum pam_sshd_setting setting);

#endif
