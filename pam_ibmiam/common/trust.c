/* Ownership rules for files that steer a login.  See trust.h. */
#include "trust.h"

#include <stddef.h>
#include <unistd.h>

const char *trust_fault(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_uid != 0 && (geteuid() == 0 || st->st_uid != geteuid()))
		return "is not owned by root";
	if (st->st_mode & S_IWOTH)
		return "may be written by everybody; expected mode 0644 or stricter";
	if (st->st_mode & S_IWGRP)
		return "may be written by its group; expected mode 0644 or stricter";
	return NULL;
}
