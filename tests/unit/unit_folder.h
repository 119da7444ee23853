/*
 * A folder of its own for each test, under $TMPDIR or /tmp, gone afterwards, also when the
 * test fails.  Put unit_folder_make and unit_folder_remove into the suite.
 */
#ifndef IBMIAM_UNIT_FOLDER_H
#define IBMIAM_UNIT_FOLDER_H

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char unit_folder[512];

static inline int unit_folder_make(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	(void)snprintf(unit_folder, sizeof unit_folder, "%.400s/ibmiam-unit-XXXXXX",
		       tmp ? tmp : "/tmp");
	return mkdtemp(unit_folder) ? 0 : -1;
}

static inline int unit_folder_entry(const char *path, const struct stat *st, int type,
				    struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static inline int unit_folder_remove(void **state)
{
	(void)state;
	return nftw(unit_folder, unit_folder_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name in the folder; to be freed. */
static inline char *unit_path(const char *name)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", unit_folder, name) > 0);
	return path;
}

/* Writes a file of exactly this mode; an existing one is overwritten. */
static inline void unit_write(const char *name, mode_t mode, const void *text, size_t len)
{
	char *path = unit_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_true(write(fd, text, len) == (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
	free(path);
}

static inline void unit_mkdir(const char *name, mode_t mode)
{
	char *path = unit_path(name);

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, mode), 0);
	free(path);
}

#endif
