/* Public keys.  See pam_keys.h. */
#include "pam_keys.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pam_file.h"
#include "pam_lines.h"

/* By StrictModes: the file and all above it belong to him or to root, and nobody else writes there. */
static bool is_safe(const char *path, const struct passwd *user)
{
	char name[PAM_PATH_MAX];
	struct stat st;
	char *slash = name;

	for ((void)snprintf(name, sizeof name, "%s", path); slash; slash = strrchr(name, '/')) {
		if (slash != name)
			*slash = '\0';
		if (stat(name, &st) != 0 || (st.st_uid != user->pw_uid && st.st_uid != 0) ||
		    (st.st_mode & (S_IWGRP | S_IWOTH)))
			return false;
		if (strchr(name, '/') == strrchr(name, '/'))
			break; /* right below / */
	}
	/* sshd reads it as him. */
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_mode & (st.st_uid == user->pw_uid ? S_IRUSR : S_IROTH));
}

/* A key without options, which may bind it to an address, a time or a command. */
static bool is_key(void *found, const char *path, unsigned int line, char *text)
{
	static const char *const types[][2] = { /* and how the key itself begins with that */
		{ "ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5" },
		{ "ssh-rsa", "AAAAB3NzaC1yc2E" },
		{ "ecdsa-sha2-nistp256", "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY" },
		{ "ecdsa-sha2-nistp384", "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQ" },
		{ "ecdsa-sha2-nistp521", "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjE" },
		{ "sk-ssh-ed25519@openssh.com", "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t" },
		{ "sk-ecdsa-sha2-nistp256@openssh.com", "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb2" },
	};
	char *save = NULL, *type = strtok_r(text, " \t", &save), *key = strtok_r(NULL, " \t", &save);

	(void)path;
	(void)line;
	for (size_t i = 0; type && key && i < sizeof types / sizeof types[0]; i++)
		if (strcmp(type, types[i][0]) == 0 && strncmp(key, types[i][1], strlen(types[i][1])) == 0)
			*(bool *)found = true;
	return !*(bool *)found;
}

bool pam_keys_hold(const char *path, const struct passwd *user)
{
	bool found = false;

	return is_safe(path, user) && pam_lines_read(path, PAM_LINES_SSHD, is_key, &found) && found;
}
