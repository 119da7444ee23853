/*
 * Lines of the files in /etc/pam.d and /etc/ssh, without comments.
 */
#ifndef IBMIAM_PAM_LINES_H
#define IBMIAM_PAM_LINES_H

#include <stdbool.h>

enum pam_lines {
	PAM_LINES_PAM,  /* continued ones are joined, # begins a comment anywhere */
	PAM_LINES_SSHD, /* none is continued, # begins a comment in place of a word */
};

/* Calls take for each line of the file, with its number and its text, which it may change, until
 * that returns false.  False: the file cannot be read, or is over 1 MiB; errno says why. */
bool pam_lines_read(const char *path, enum pam_lines kind,
		    bool (*take)(void *arg, const char *path, unsigned int line, char *text),
		    void *arg);

#endif
