/*
 * The module's arguments in /etc/pam.d.  Strict: an argument that is not understood
 * disables the module, because half a configuration is worse than none.
 */
#ifndef IBMIAM_OPTIONS_H
#define IBMIAM_OPTIONS_H

#include <security/pam_modules.h>
#include <stdbool.h>

struct options {
	const char *config; /* config=PATH */
	const char *broker; /* broker=PATH: the program to run */
	const char *socket; /* socket=PATH: where the resident broker listens; NULL: none is asked */
	const char *prompt; /* prompt=TEXT */
	unsigned int timeout_s; /* timeout=SECONDS for all that follows the prompt */
	bool debug;
	bool try_first_pass;
	bool use_first_pass;
};

/* Fills *ret from the arguments (whose strings it keeps pointing to).  On a wrong one
 * it logs which and why, and returns false; the caller then returns PAM_SERVICE_ERR. */
bool options_parse(pam_handle_t *pamh, int argc, const char **argv, struct options *ret);

#endif
