/*
 * A broker for tests of those who start one: a copy of the test's own program, which is
 * started with --config NAME and then does what its main makes of that name.
 */
#ifndef IBMIAM_UNIT_BROKER_H
#define IBMIAM_UNIT_BROKER_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "unit_folder.h"

/* The name that this process was started with as a broker, or NULL. */
static inline const char *unit_broker_name(int argc, char **argv)
{
	return argc == 3 && strcmp(argv[1], "--config") == 0 ? argv[2] : NULL;
}

/* Copies this program into the folder, because a build tree may be written by a group.
 * Its path is to be freed. */
static inline char *unit_broker_make(mode_t mode)
{
	FILE *self = fopen("/proc/self/exe", "re");
	char *text = NULL, buf[16384];
	size_t len, n;
	FILE *copy = open_memstream(&text, &len);

	assert_true(self && copy);
	while ((n = fread(buf, 1, sizeof buf, self)) > 0)
		assert_int_equal(fwrite(buf, 1, n, copy), n);
	(void)fclose(self);
	(void)fclose(copy);
	unit_write("broker", mode, text, len);
	free(text);
	return unit_path("broker");
}

/* In the broker: waits until the host closes its end. */
static inline void unit_broker_wait(void)
{
	char c[4096];

	while (recv(STDIN_FILENO, c, sizeof c, 0) > 0)
		;
}

static inline unsigned int unit_open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n - 3; /* ".", ".." and the folder itself */
}

static inline void unit_check_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
}

#endif
