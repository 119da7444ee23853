/*
 * The module's arguments in /etc/pam.d, and the log line where one is wrong.
 */
#ifndef IBMIAM_OPTIONS_H
#define IBMIAM_OPTIONS_H

#include <security/pam_modules.h>

#include "module_options.h"

/* Fills *ret from the arguments (whose strings it keeps pointing to).  On a wrong one
 * it logs which and why, and returns false; the caller then returns PAM_SERVICE_ERR. */
bool options_parse(pam_handle_t *pamh, int argc, const char **argv, struct options *ret);

#endif
