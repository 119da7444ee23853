/* Secret buffers on pages of their own.  See secret.h. */
#include "secret.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { KEPT_MAX = 8 };

static struct secret kept[KEPT_MAX]; /* wiped, free for the next one */
static size_t oldest;                /* of them, perhaps */
static bool keeps;

void secret_keep_pages(void)
{
	keeps = true;
}

/* Out of swap, as far as the limit on that has room just now.  Pages come as they are touched: most
 * buffers are far larger than what they hold. */
static void lock(struct secret *s)
{
	s->sparse = mlock2(s->data, s->cap, MLOCK_ONFAULT) == 0;
}

/* False: there is none of that size. */
static bool take_kept(struct secret *s, size_t size)
{
	for (size_t i = 0; i < KEPT_MAX; i++) {
		if (!kept[i].data || kept[i].cap != size)
			continue;
		*s = kept[i];
		kept[i] = (struct secret){ 0 };
		if (!s->sparse)
			lock(s);
		return true;
	}
	return false;
}

/* Takes it over, in place of one that may be of a size that nobody asks for any more. */
static void keep(struct secret *s)
{
	struct secret *free_one = NULL;

	for (size_t i = 0; i < KEPT_MAX; i++) {
		if (kept[i].data == s->data)
			return; /* released twice; else it would be two sessions' at once */
		if (!kept[i].data)
			free_one = &kept[i];
	}
	if (!free_one) {
		free_one = &kept[oldest];
		oldest = (oldest + 1) % KEPT_MAX;
		(void)munmap(free_one->data, free_one->cap);
	}
	*free_one = *s;
}

bool secret_init(struct secret *s, size_t cap)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (cap + page - 1) / page * page;
	char *data;

	if (cap == 0 || size < cap)
		return false;
	if (take_kept(s, size))
		return true;
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return false;
	/* Both are extra care; a small RLIMIT_MEMLOCK must not refuse a login.  Untouched pages join
	 * their neighbours in one mapping, of which a process may have 65,530 (vm.max_map_count). */
	*s = (struct secret){ .data = data, .cap = size };
	(void)madvise(data, size, MADV_DONTDUMP);
	lock(s);
	return true;
}

/* Wipes the pages that are there: of locked ones none is in swap (mincore(2)). */
static bool wipe_sparse(struct secret *s)
{
	unsigned char resident[64];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = s->cap / page;

	if (!s->sparse || pages > sizeof resident || mincore(s->data, s->cap, resident) != 0)
		return false;
	for (size_t i = 0; i < pages; i++)
		if (resident[i] & 1)
			explicit_bzero(s->data + i * page, page);
	return true;
}

bool secret_append(struct secret *s, const void *bytes, size_t len)
{
	if (len > s->cap - s->len)
		return false;
	if (len > 0)
		memcpy(s->data + s->len, bytes, len);
	s->len += len;
	return true;
}

void secret_clear(struct secret *s)
{
	/* All of it: a reader such as recv() may have filled more than len. */
	if (s->data && !wipe_sparse(s))
		explicit_bzero(s->data, s->cap);
	s->len = 0;
}

void secret_free(struct secret *s)
{
	if (!s || !s->data)
		return;
	secret_clear(s);
	if (keeps)
		keep(s);
	else
		(void)munmap(s->data, s->cap);
	*s = (struct secret){ 0 };
}
