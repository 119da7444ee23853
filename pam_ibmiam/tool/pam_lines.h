/*
 * Lines of the files in /etc/pam.d and /etc/ssh: comments cut off, continued ones joined.
 */
#ifndef IBMIAM_PAM_LINES_H
#define IBMIAM_PAM_LINES_H

#include <stdbool.h>

/* Calls take for each line of the file, with its number and its text, which it may change, until
 * that returns false.  False: the file cannot be read, errno says why. */
bool pam_lines_read(const char *path,
		    bool (*take)(void *arg, const char *path, unsigned int line, char *text),
		    void *arg);

#endif
