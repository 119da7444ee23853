/*
 * The files of the configuration as bytes: opened without following links, checked for
 * owner and mode, read whole.
 */
#ifndef IBMIAM_CONFIG_FILE_H
#define IBMIAM_CONFIG_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

enum { CONFIG_FILE_MAX = 16 * 1024 * 1024, CONFIG_KEY_FILE_MAX = 1024 }; /* bytes */

struct config_file {
	char *text; /* may hold client_secret; with a terminator behind it */
	size_t len;
	struct stat st; /* from before it was read */
	struct timespec looked; /* at st: the wall clock just before that */
};

/* Reads the file `name` in the folder (a descriptor, or AT_FDCWD).  Returns NULL and fills
 * *ret, to be released with config_file_free(); or what is wrong with the file (static
 * text, what follows its name in a sentence). */
const char *config_file_read(int folder, const char *name, struct config_file *ret);

/* The same for a file with an API key, without the newline at its end: small, not open to
 * everybody, and holding what may be a key. */
const char *config_file_read_key(const char *path, struct config_file *ret);

/* Wipes and frees; takes an all-zero struct too. */
void config_file_free(struct config_file *file);

struct config_folder {
	int fd; /* -1 when there is no such folder */
	struct stat st; /* from before it was listed */
	struct timespec looked; /* at st, as above */
	struct dirent **entries; /* by name; each and the array to be freed */
	int count;
};

/* Lists the *.conf files of a folder.  Returns NULL and fills *ret; or what is wrong with the
 * folder (static text), *ret then empty. */
const char *config_file_list(const char *path, struct config_folder *ret);

#endif
