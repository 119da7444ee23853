/* Giving up privileges, layer by layer.  See sandbox.h. */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "landlock.h"
#include "syscalls.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_MAX RLIM_INFINITY /* the sanitizers reserve terabytes */
#define RESIDENT_MEMORY_MAX RLIM_INFINITY
#else
#define MEMORY_MAX (512UL * 1024 * 1024)
#define RESIDENT_MEMORY_MAX (2048UL * 1024 * 1024) /* for SESSION_MAX sessions */
#endif

enum { NOBODY = 65534 };

/* Each limit becomes `most`, or stays stricter.  Under su it may be that of the user who
 * typed: less than `least` would make every login an outage, and so open whatever the stack
 * falls back to.  It is an error instead. */
static const struct {
	__rlimit_resource_t resource;
	rlim_t least, most, most_resident;
	const char *name;
} limits[] = {
	{ RLIMIT_CORE, 0, 0, 0, "core size" },
	{ RLIMIT_FSIZE, 0, 0, RLIM_INFINITY, "file size" }, /* stderr may be a file */
	{ RLIMIT_AS, 128UL * 1024 * 1024, MEMORY_MAX, RESIDENT_MEMORY_MAX, "address space" },
	{ RLIMIT_DATA, 64UL * 1024 * 1024, MEMORY_MAX, RESIDENT_MEMORY_MAX, "data" },
	{ RLIMIT_STACK, 512UL * 1024, RLIM_INFINITY, RLIM_INFINITY, "stack" },
	{ RLIMIT_NOFILE, 32, 64, 262144, "open files" }, /* one a session, two a login */
	/* of this user: all brokers and their threads */
	{ RLIMIT_NPROC, 16, 4096, 4096, "processes" },
};

static void __attribute__((format(printf, 2, 3))) add_note(char *note, const char *format, ...)
{
	size_t len = strlen(note);
	va_list ap;

	va_start(ap, format);
	if (len > 0)
		len += (size_t)snprintf(note + len, SANDBOX_NOTE_MAX - len, "; ");
	if (len < SANDBOX_NOTE_MAX)
		(void)vsnprintf(note + len, SANDBOX_NOTE_MAX - len, format, ap);
	va_end(ap);
}

static bool become_user(uid_t uid, gid_t gid)
{
	uid_t ruid = 0, euid = 0, suid = 0;

	return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
	       setresuid(uid, uid, uid) == 0 && getresuid(&ruid, &euid, &suid) == 0 &&
	       ruid == uid && euid == uid && suid == uid;
}

static bool give_up_root(char *note)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return true;
	pw = getpwnam(SANDBOX_USER);
	if (pw && pw->pw_uid != 0 && pw->pw_gid != 0)
		return become_user(pw->pw_uid, pw->pw_gid);
	add_note(note, "there is no user " SANDBOX_USER ", so the broker runs as nobody");
	return become_user(NOBODY, NOBODY);
}

static bool set_limits(bool resident, char *why, size_t why_len)
{
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		rlim_t most = resident ? limits[i].most_resident : limits[i].most;
		struct rlimit l;

		if (getrlimit(limits[i].resource, &l) != 0)
			l = (struct rlimit){ 0, 0 };
		if (resident)
			l.rlim_cur = l.rlim_max;
		if (l.rlim_cur > most)
			l.rlim_cur = most;
		l.rlim_max = l.rlim_cur;
		if (setrlimit(limits[i].resource, &l) == 0 && l.rlim_cur >= limits[i].least)
			continue;
		(void)snprintf(why, why_len, "the limit on %s cannot be used (%llu, at least %llu is needed)",
			       limits[i].name, (unsigned long long)l.rlim_cur,
			       (unsigned long long)limits[i].least);
		return false;
	}
	return true;
}

static bool give_up_powers(bool resident)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) == 0 &&
	       prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) == 0 &&
	       (resident || prctl(PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL) == 0);
}

static void *nothing(void *arg)
{
	return arg;
}

/* Name resolution needs a thread.  Who can forbid it (by a control group, or a limit shared by
 * all brokers) must not make an outage of that. */
static bool threads_work(char *why, size_t why_len)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, nothing, NULL);

	if (error)
		(void)snprintf(why, why_len, "no thread can be started: %s", strerrordesc_np(error));
	else
		(void)pthread_join(thread, NULL);
	return error == 0;
}

bool sandbox_enter(const struct sandbox_needs *needs, char *note, char *why, size_t why_len)
{
	int abi, rules, error;

	note[0] = '\0';
	rules = landlock_prepare(needs, &abi); /* as root, which can open everything */
	if (!give_up_root(note) || !give_up_powers(needs->resident)) {
		(void)snprintf(why, why_len, "cannot give up its privileges: %s", strerrordesc_np(errno));
		return false;
	}
	if (!set_limits(needs->resident, why, why_len))
		return false;
	error = rules < 0 ? rules : landlock_enforce(rules);
	if (error)
		add_note(note, "no Landlock here (%s)", strerrordesc_np(-error));
	else if (abi < LANDLOCK_ABI_TCP)
		add_note(note, "this kernel's Landlock cannot limit connections");
	error = syscalls_limit(needs->resident);
	if (error)
		add_note(note, "no seccomp here (%s)", strerrordesc_np(-error));
	return threads_work(why, why_len);
}
