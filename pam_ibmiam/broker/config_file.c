/* Reading trusted files.  See config_file.h. */
#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate.h"
#include "trust.h"

/* Which files are read, beyond what trust_fault() says. */
static const struct form {
	off_t max; /* bytes */
	const char *too_large;
	mode_t forbidden;
} form_config = { CONFIG_FILE_MAX, "is larger than 16 MiB", 0 },
  form_key = { CONFIG_KEY_FILE_MAX, "is larger than 1 KiB, so it holds no API key", S_IRWXO };

/* Never NULL, which is no fault: a file system in user space may give any number (strerror(3)). */
static const char *errno_fault(void)
{
	const char *text = strerrordesc_np(errno);

	return text ? text : "cannot be read: an error that the system has no words for";
}

static const char *form_fault(const struct form *form, const struct stat *st)
{
	const char *fault = trust_fault(st);

	if (fault)
		return fault;
	if (st->st_mode & form->forbidden)
		return "holds an API key but is open to everybody; chmod 0640 it";
	return st->st_size > form->max ? form->too_large : NULL;
}

static const char *read_whole(int fd, const struct form *form, struct config_file *file)
{
	const char *fault;
	size_t size;

	(void)clock_gettime(CLOCK_REALTIME, &file->looked);
	if (fstat(fd, &file->st) != 0)
		return errno_fault();
	fault = form_fault(form, &file->st);
	if (fault)
		return fault;
	size = (size_t)file->st.st_size;
	file->text = malloc(size + 1);
	if (!file->text)
		return "cannot be read: out of memory";
	while (file->len < size) {
		ssize_t n = read(fd, file->text + file->len, size - file->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno_fault() : "became shorter while it was read";
		file->len += (size_t)n;
	}
	file->text[size] = '\0';
	return NULL;
}

static const char *read_file(int folder, const char *name, const struct form *form,
			     struct config_file *ret)
{
	/* O_NONBLOCK: a FIFO must not hold up a login before it is refused. */
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct config_file file = { 0 };
	const char *fault;

	if (fd < 0)
		return errno == ELOOP ? "is a symbolic link" : errno_fault();
	fault = read_whole(fd, form, &file);
	(void)close(fd);
	if (fault)
		config_file_free(&file);
	else
		*ret = file;
	return fault;
}

const char *config_file_read(int folder, const char *name, struct config_file *ret)
{
	return read_file(folder, name, &form_config, ret);
}

static const char *key_fault(const struct config_file *file)
{
	if (strlen(file->text) != file->len)
		return "holds a NUL byte, so it holds no API key";
	if (file->text[0] == '{')
		return "holds JSON; expected is the API key alone, the value of \"apikey\"";
	if (strncmp(file->text, "ApiKey-", 7) == 0)
		return "holds the id of an API key (ApiKey-...); expected is its value";
	return gate_fault(file->text) ? "holds no API key; expected is one of 32 characters or "
					"more, alone on one line"
				      : NULL;
}

const char *config_file_read_key(const char *path, struct config_file *ret)
{
	struct config_file file = { 0 };
	const char *fault = read_file(AT_FDCWD, path, &form_key, &file);

	if (fault)
		return fault;
	if (file.len > 0 && file.text[file.len - 1] == '\n')
		file.text[--file.len] = '\0';
	fault = key_fault(&file);
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
static const char *folder_fault(const struct stat *st)
{
	if (st->st_uid != 0 && (geteuid() == 0 || st->st_uid != geteuid()))
		return "is not owned by root";
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "may be written by others than its owner; expected mode 0755 or stricter";
	return NULL;
}

const char *config_file_list(const char *path, struct config_folder *ret)
{
	struct config_folder folder = { .count = 0 };
	const char *fault;

	*ret = (struct config_folder){ .fd = -1 };
	folder.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_DIRECTORY);
	if (folder.fd < 0)
		return errno == ENOENT ? NULL : errno_fault();
	(void)clock_gettime(CLOCK_REALTIME, &folder.looked);
	fault = fstat(folder.fd, &folder.st) == 0 ? folder_fault(&folder.st)
						  : errno_fault();
	if (!fault) {
		folder.count = scandirat(folder.fd, ".", &folder.entries, is_conf, by_name);
		fault = folder.count < 0 ? errno_fault() : NULL;
	}
	if (fault)
		(void)close(folder.fd);
	else
		*ret = folder;
	return fault;
}
