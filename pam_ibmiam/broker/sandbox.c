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
	return true;
}
