/* Has a file changed?  See config_stamp.h. */
#include "config_stamp.h"

#include <errno.h>
#include <fcntl.h>

/* The kernel sets a file's times by its tick, so that two changes within one look alike. */
enum { TICK_NS = 20 * 1000 * 1000 };

struct config_stamp {
	struct config_stamp *next;
	const char *path;
	bool exists, settled;
	dev_t dev;
	ino_t ino;
	off_t size;
	mode_t mode;
	uid_t uid;
	struct timespec mtime, ctime;
};

static int64_t in_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Would a change after that look have got a later time?  Reading may have taken long since. */
static bool is_settled(const struct stat *st, const struct timespec *looked)
{
	int64_t age_ns = in_ns(*looked) - in_ns(st->st_ctim);

	return age_ns > TICK_NS || age_ns < -TICK_NS; /* a clock that was set back */
}

void config_stamp_add(struct config_store *store, const char *path, const struct stat *st,
		      const struct timespec *looked)
{
	struct config_stamp **stamps = config_store_stamps(store);
	struct config_stamp *s = config_store_alloc(store, sizeof *s);

	if (!s)
		return;
	s->path = config_store_text(store, path);
	s->exists = st != NULL;
	s->settled = true;
	if (st) {
		s->settled = is_settled(st, looked);
		s->dev = st->st_dev;
		s->ino = st->st_ino;
		s->size = st->st_size;
		s->mode = st->st_mode;
		s->uid = st->st_uid;
		s->mtime = st->st_mtim;
		s->ctime = st->st_ctim;
	}
	s->next = *stamps;
	*stamps = s;
}

void config_stamp_each(struct config_store *store, void (*tell)(const char *path))
{
	for (const struct config_stamp *s = *config_store_stamps(store); s; s = s->next)
		tell(s->path);
}

static bool is_same(const struct config_stamp *s)
{
	struct stat st;

	if (fstatat(AT_FDCWD, s->path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return !s->exists && errno == ENOENT;
	return s->exists && s->settled && s->dev == st.st_dev && s->ino == st.st_ino &&
	       s->size == st.st_size && s->mode == st.st_mode && s->uid == st.st_uid &&
	       in_ns(s->mtime) == in_ns(st.st_mtim) && in_ns(s->ctime) == in_ns(st.st_ctim);
}

bool config_stamp_same(struct config_store *store)
{
	for (const struct config_stamp *s = *config_store_stamps(store); s; s = s->next)
		if (!is_same(s))
			return false;
	return true;
}
