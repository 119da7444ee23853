/* Giving up privileges.  See sandbox.h. */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static bool become_user(uid_t uid, gid_t gid)
{
	uid_t ruid = 0, euid = 0, suid = 0;

	return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
	       setresuid(uid, uid, uid) == 0 && getresuid(&ruid, &euid, &suid) == 0 &&
	       ruid == uid && euid == uid && suid == uid;
}

/* Under su, limits may be those of the user who typed.  Too tight ones would make every
 * login an outage, and so open whatever the stack falls back to: they are an error instead. */
static const struct {
	__rlimit_resource_t resource;
	rlim_t least;
	const char *name;
} minima[] = {
	{ RLIMIT_NOFILE, 32, "open files" },
	{ RLIMIT_AS, 128UL * 1024 * 1024, "address space" },
	{ RLIMIT_DATA, 64UL * 1024 * 1024, "data" },
	{ RLIMIT_STACK, 512UL * 1024, "stack" },
	{ RLIMIT_NPROC, 16, "processes" }, /* threads count */
};

static bool limits_suffice(char *why, size_t why_len)
{
	for (size_t i = 0; i < sizeof minima / sizeof minima[0]; i++) {
		struct rlimit now;

		if (getrlimit(minima[i].resource, &now) == 0 && now.rlim_cur >= minima[i].least)
			continue;
		(void)snprintf(why, why_len, "the limit on %s is too low (%llu, at least %llu is needed)",
			       minima[i].name, (unsigned long long)now.rlim_cur,
			       (unsigned long long)minima[i].least);
		return false;
	}
	return true;
}

bool sandbox_enter(char *why, size_t why_len)
{
	const struct rlimit none = { 0, 0 };
	const struct passwd *pw = geteuid() == 0 ? getpwnam(SANDBOX_USER) : NULL;

	if (geteuid() == 0 && !become_user(pw && pw->pw_uid ? pw->pw_uid : NOBODY,
					   pw && pw->pw_gid ? pw->pw_gid : NOBODY)) {
		(void)snprintf(why, why_len, "cannot give up root: %s", strerrordesc_np(errno));
		return false;
	}
	if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
		(void)snprintf(why, why_len, "cannot limit itself: %s", strerrordesc_np(errno));
		return false;
	}
	return limits_suffice(why, why_len);
}
