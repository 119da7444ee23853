/*
 * The module's arguments in /etc/pam.d.  Strict: an argument that is not understood
 * disables the module, because half a configuration is worse than none.  In common/, so that
 * ibmiam check --pam finds wrong what the module does.
 */
#ifndef IBMIAM_MODULE_OPTIONS_H
#define IBMIAM_MODULE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

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

/* Fills *ret from the arguments (whose strings it keeps pointing to).  Returns NULL, or what is
 * wrong with the one that *ret_wrong then is. */
const char *module_options_read(size_t count, const char *const *args, struct options *ret,
				const char **ret_wrong);

#endif
