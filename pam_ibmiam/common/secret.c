/* Secret buffers on pages of their own.  See secret.h. */
#include "secret.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool secret_init(struct secret *s, size_t cap)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (cap + page - 1) / page * page;
	char *data;

	if (cap == 0 || size < cap)
		return false;
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return false;
	/* Both are extra care; a small RLIMIT_MEMLOCK must not refuse a login.  In this order, as
	 * mlock() touches the pages: untouched ones join their neighbours in one mapping, of which
	 * a process may have 65,530 (vm.max_map_count). */
	(void)madvise(data, size, MADV_DONTDUMP);
	(void)mlock(data, size);
	*s = (struct secret){ .data = data, .cap = size };
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
	if (s->data)
		explicit_bzero(s->data, s->cap);
	s->len = 0;
}

void secret_free(struct secret *s)
{
	if (!s || !s->data)
		return;
	secret_clear(s);
	(void)munmap(s->data, s->cap);
	*s = (struct secret){ 0 };
}
