/*
 * Which files may steer a login: owner and mode, as root sees them and as anybody else
 * does.  As root the second half is tried under another effective uid.
 */
#include "unit.h"

#include <unistd.h>

#include "trust.h"

enum { CALLER = 4711, STRANGER = 4712 };

enum as { ROOT, USER, BOTH };

static const char not_regular[] = "is not a regular file";
static const char not_root[] = "is not owned by root";
static const char everybody[] = "may be written by everybody; expected mode 0644 or stricter";
static const char group[] = "may be written by its group; expected mode 0644 or stricter";

static const struct row {
	const char *name;
	enum as as;
	mode_t mode;
	uid_t owner;
	const char *fault;
} rows[] = {
	{ "root's 0600", BOTH, S_IFREG | 0600, 0, NULL },
	{ "root's 0640", BOTH, S_IFREG | 0640, 0, NULL },
	{ "root's 0644", BOTH, S_IFREG | 0644, 0, NULL },
	{ "root's 0755", BOTH, S_IFREG | 0755, 0, NULL },
	{ "root's 0400", BOTH, S_IFREG | 0400, 0, NULL },
	{ "the caller's own", USER, S_IFREG | 0600, CALLER, NULL },
	{ "a user's, for root", ROOT, S_IFREG | 0600, CALLER, not_root },
	{ "somebody else's", BOTH, S_IFREG | 0600, STRANGER, not_root },
	{ "somebody else's, read-only", BOTH, S_IFREG | 0444, STRANGER, not_root },
	{ "owner minus one", BOTH, S_IFREG | 0600, (uid_t)-1, not_root },
	{ "written by its group", BOTH, S_IFREG | 0660, 0, group },
	{ "written by its group only", BOTH, S_IFREG | 0620, 0, group },
	{ "written by everybody", BOTH, S_IFREG | 0606, 0, everybody },
	{ "written by all", BOTH, S_IFREG | 0666, 0, everybody },
	{ "the caller's own, written by its group", USER, S_IFREG | 0660, CALLER, group },
	{ "setuid, but written by everybody", BOTH, S_IFREG | 04757, 0, everybody },
	{ "folder", BOTH, S_IFDIR | 0700, 0, not_regular },
	{ "FIFO", BOTH, S_IFIFO | 0600, 0, not_regular },
	{ "socket", BOTH, S_IFSOCK | 0600, 0, not_regular },
	{ "device", BOTH, S_IFCHR | 0600, 0, not_regular },
	{ "block device", BOTH, S_IFBLK | 0600, 0, not_regular },
	{ "symbolic link", BOTH, S_IFLNK | 0777, 0, not_regular },
};

static void judge(const struct row *r, uid_t caller)
{
	const struct stat st = { .st_mode = r->mode,
				 .st_uid = r->owner == CALLER ? caller : r->owner };

	unit_check_text("fault", trust_fault(&st), r->fault);
}

static void as_root(void **state)
{
	const struct row *r = *state;

	if (r->as == USER)
		return;
	if (geteuid() != 0)
		UNIT_SKIP("not root");
	judge(r, CALLER);
}

static void as_another_user(void **state)
{
	const struct row *r = *state;
	bool is_root = geteuid() == 0;

	if (r->as == ROOT)
		return;
	if (is_root)
		assert_int_equal(seteuid(CALLER), 0);
	judge(r, geteuid());
	if (is_root)
		assert_int_equal(seteuid(0), 0);
}

/* A failure jumps over the way back. */
static int become_root_again(void **state)
{
	(void)state;
	return getuid() == 0 ? seteuid(0) : 0;
}

int main(void)
{
	struct unit_suite s = { .teardown = become_root_again };

	UNIT_ROWS(&s, as_root, rows);
	UNIT_ROWS(&s, as_another_user, rows);
	return unit_run(&s, "trust");
}
