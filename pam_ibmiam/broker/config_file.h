/*
 * The files of the configuration as bytes: opened without following links, checked for
 * owner and mode, read whole.
 */
#ifndef IBMIAM_CONFIG_FILE_H
#define IBMIAM_CONFIG_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

enum { CONFIG_FILE_MAX = 16 * 1024 * 1024 }; /* bytes */

struct config_file {
	char *text; /* may hold client_secret */
	size_t len;
	bool world_readable;
};

/* Reads the file `name` in the folder (a descriptor, or AT_FDCWD).  Returns NULL and fills
 * *ret, to be released with config_file_free(); or what is wrong with the file (static
 * text, what follows its name in a sentence). */
const char *config_file_read(int folder, const char *name, struct config_file *ret);

/* Wipes and frees; takes an all-zero struct too. */
void config_file_free(struct config_file *file);

/* Lists the *.conf files of a folder by name.  Returns NULL with the folder's descriptor in
 * *ret_fd (-1 when there is no such folder) and its entries in *ret_entries, each and the
 * array to be freed; or what is wrong with the folder (static text). */
const char *config_file_list(const char *folder, int *ret_fd, struct dirent ***ret_entries,
			     int *ret_count);

#endif
