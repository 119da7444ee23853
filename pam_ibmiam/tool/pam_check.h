/*
 * ibmiam check --pam: what is wrong with a service of /etc/pam.d, as findings.  It warns and
 * changes nothing.  pam_check.c has the table of checks, pam_rules.c those of the file alone,
 * pam_host.c those of the host around it.
 */
#ifndef IBMIAM_PAM_CHECK_H
#define IBMIAM_PAM_CHECK_H

#include "pam_file.h"

enum { PAM_FINDINGS_MAX = 32 };

/* The line that takes another credential while IAM is down, and only then. */
#define PAM_CHECK_FALLBACK "auth  [success=done authinfo_unavail=ignore default=die]  pam_ibmiam.so"

struct pam_finding {
	char where[PAM_PATH_MAX + 16]; /* FILE:LINE, or FILE */
	char what[640];
	char write[256];               /* instead; "" where there is no one line */
};

struct pam_check {
	const char *file_name; /* a service, or a path */
	const char *service;   /* NULL: a path, for who knows which one */
	bool host;             /* the service is this host's: what is around it counts, too */
	struct pam_file file;
	const struct pam_line *ibmiam; /* its first line of auth, or NULL */
	bool fallback;                 /* another credential opens, at least while IAM is down */
	struct pam_finding finding[PAM_FINDINGS_MAX];
	size_t findings;
};

/* Adds a finding about a line, or about the service where that is NULL. */
void pam_check_find(struct pam_check *c, const struct pam_line *line, const char *write,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Adds one at another place. */
void pam_check_find_at(struct pam_check *c, const char *where, const char *write, const char *what);

void pam_rule_auth_line(struct pam_check *c);
void pam_rule_open(struct pam_check *c);
void pam_rule_shut(struct pam_check *c);
void pam_rule_fallback(struct pam_check *c);
void pam_rule_sufficient(struct pam_check *c);
void pam_rule_first_pass(struct pam_check *c);
void pam_rule_options(struct pam_check *c);
void pam_rule_account(struct pam_check *c);
void pam_rule_session(struct pam_check *c);
void pam_host_sshd(struct pam_check *c);
void pam_host_second_way(struct pam_check *c);

#endif
