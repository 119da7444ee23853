/* Reading trusted files.  See config_file.h. */
#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trust.h"

static const char *read_whole(int fd, struct config_file *file)
{
	struct stat st;
	const char *fault;

	if (fstat(fd, &st) != 0)
		return strerrordesc_np(errno);
	fault = trust_fault(&st);
	if (fault)
		return fault;
	if (st.st_size > CONFIG_FILE_MAX)
		return "is larger than 16 MiB";
	file->world_readable = (st.st_mode & S_IROTH) != 0;
	file->text = malloc((size_t)st.st_size + 1);
	if (!file->text)
		return "cannot be read: out of memory";
	while (file->len < (size_t)st.st_size) {
		ssize_t n = read(fd, file->text + file->len, (size_t)st.st_size - file->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? strerrordesc_np(errno) : "became shorter while it was read";
		file->len += (size_t)n;
	}
	return NULL;
}

const char *config_file_read(int folder, const char *name, struct config_file *ret)
{
	/* O_NONBLOCK: a FIFO must not hold up a login before it is refused. */
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct config_file file = { 0 };
	const char *fault;

	if (fd < 0)
		return errno == ELOOP ? "is a symbolic link" : strerrordesc_np(errno);
	fault = read_whole(fd, &file);
	(void)close(fd);
	if (fault)
		config_file_free(&file);
	else
		*ret = file;
	return fault;
}

void config_file_free(struct config_file *file)
{
	if (file->text)
		explicit_bzero(file->text, file->len);
	free(file->text);
	*file = (struct config_file){ 0 };
}

static int is_conf(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* not by locale */
}

/* The folder steers a login as much as a file in it does. */
static const char *folder_fault(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return strerrordesc_np(errno);
	if (st.st_uid != 0 && (geteuid() == 0 || st.st_uid != geteuid()))
		return "is not owned by root";
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return "may be written by others than its owner; expected mode 0755 or stricter";
	return NULL;
}

const char *config_file_list(const char *folder, int *ret_fd, struct dirent ***ret_entries,
			     int *ret_count)
{
	int fd = open(folder, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_DIRECTORY);
	const char *fault;
	int n;

	*ret_fd = -1;
	*ret_entries = NULL;
	*ret_count = 0;
	if (fd < 0)
		return errno == ENOENT ? NULL : strerrordesc_np(errno);
	fault = folder_fault(fd);
	n = fault ? 0 : scandirat(fd, ".", ret_entries, is_conf, by_name);
	if (n < 0)
		fault = strerrordesc_np(errno);
	if (fault) {
		(void)close(fd);
		return fault;
	}
	*ret_fd = fd;
	*ret_count = n;
	return NULL;
}
