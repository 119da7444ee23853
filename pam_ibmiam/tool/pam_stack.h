/*
 * What a stack of PAM modules comes to, when its modules say this or that.
 */
#ifndef IBMIAM_PAM_STACK_H
#define IBMIAM_PAM_STACK_H

#include "pam_file.h"

/* What the modules say in one case. */
struct pam_case {
	enum pam_result ibmiam; /* pam_ibmiam */
	/* All others that ask for a credential, by their place: before it and behind it. */
	enum pam_result before, after;
};

/* Does the stack of this type let the user in?  */
bool pam_stack_allows(const struct pam_file *file, enum pam_type type, struct pam_case given);

bool pam_stack_is_ibmiam(const struct pam_line *line);

/* Does this module ask for a credential of the user? */
bool pam_stack_asks(const struct pam_line *line);

/* Is this one of its arguments? */
bool pam_stack_has_arg(const struct pam_line *line, const char *arg);

#endif
