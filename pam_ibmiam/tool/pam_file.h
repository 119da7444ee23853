/*
 * The lines of a PAM service, as libpam reads them (pam.conf(5)): @include, include and substack
 * are followed, continuation lines joined, controls made into what they do with each result.
 */
#ifndef IBMIAM_PAM_FILE_H
#define IBMIAM_PAM_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	PAM_LINES_MAX = 256,
	PAM_ARGS_MAX = 16,
	PAM_PATH_MAX = 256,
	PAM_TEXT_MAX = 1024,
	PAM_NAME_MAX = 128
};

enum pam_type { PAM_TYPE_AUTH, PAM_TYPE_ACCOUNT, PAM_TYPE_SESSION, PAM_TYPE_PASSWORD, PAM_TYPES };

/* The results of modules that make a difference here. */
enum pam_result {
	PAM_RESULT_SUCCESS, PAM_RESULT_AUTH_ERR, PAM_RESULT_PERM_DENIED, PAM_RESULT_UNAVAIL,
	PAM_RESULT_SERVICE_ERR, PAM_RESULT_IGNORE, PAM_RESULTS
};

/* What a control does with a result; a jump over n lines is n. */
enum {
	PAM_DO_IGNORE = 0,
	PAM_DO_OK = -1,
	PAM_DO_DONE = -2,
	PAM_DO_BAD = -3,
	PAM_DO_DIE = -4,
	PAM_DO_RESET = -5
};

struct pam_line {
	enum pam_type type;
	int action[PAM_RESULTS];
	int level;               /* of substacks */
	char control[PAM_NAME_MAX];
	char module[PAM_NAME_MAX]; /* without its folder: "pam_unix.so" */
	char *args[PAM_ARGS_MAX + 1];
	char text[PAM_TEXT_MAX]; /* where they point to */
	char file[PAM_PATH_MAX];
	unsigned int line;
};

struct pam_file {
	struct pam_line *lines;
	size_t count;
	char fault[PAM_PATH_MAX + 256]; /* FILE:LINE: what libpam would not read; "" */
};

/* Reads a service by its name, or by the path of its file, whose folder is then searched first.
 * False: there is no such file, or no memory; ret->fault says so.  Release with pam_file_free(). */
bool pam_file_read(const char *service, struct pam_file *ret);
void pam_file_free(struct pam_file *file);

#endif
