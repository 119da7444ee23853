/*
 * Buffers for keys and tokens: a fixed room that never grows, wiped whole before its
 * pages go back, kept out of core dumps.  munmap() is replaced, to look at what is about
 * to be given back.
 */
#include "unit.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "secret.h"

/* What the last munmap() gave back. */
static struct {
	void *at;
	size_t len;
	size_t dirty; /* bytes that were not zero */
	unsigned int count;
} unmapped;

static size_t dirty_bytes(const char *data, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += data[i] != '\0';
	return n;
}

int munmap(void *at, size_t len)
{
	unmapped.at = at;
	unmapped.len = len;
	unmapped.dirty = dirty_bytes(at, len);
	unmapped.count++;
	return (int)syscall(SYS_munmap, at, len);
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static const struct room {
	const char *name;
	size_t asked;
	bool works;
} rooms[] = {
	{ "one byte", 1, true },
	{ "a page less one", 4095, true },
	{ "a page", 4096, true },
	{ "a page and one", 4097, true },
	{ "64 KiB", 64 * 1024, true },
	{ "nothing", 0, false },
	{ "all there is", SIZE_MAX, false },
	{ "so much that rounding up wraps", SIZE_MAX - 100, false },
	{ "more than there is", SIZE_MAX / 2, false },
};

static void has_the_room_that_was_asked_for(void **state)
{
	const struct room *r = *state;
	const struct secret untouched = { .data = NULL, .len = 7, .cap = 9 };
	struct secret s = untouched;

	assert_int_equal(secret_init(&s, r->asked), r->works);
	if (!r->works) {
		assert_memory_equal(&s, &untouched, sizeof s);
		return;
	}
	assert_true(s.cap >= r->asked);
	assert_int_equal(s.len, 0);
	assert_int_equal(dirty_bytes(s.data, s.cap), 0);
	secret_free(&s);
}

static void append_stops_at_the_limit(void **state)
{
	SECRET_AUTO(s);
	char *before;
	size_t cap;

	(void)state;
	assert_true(secret_init(&s, 100));
	before = s.data;
	cap = s.cap;
	while (s.len + 1 < cap)
		assert_true(secret_append(&s, "x", 1));
	assert_false(secret_append(&s, "yz", 2));
	assert_int_equal(s.len, cap - 1); /* nothing of it was appended */
	assert_true(secret_append(&s, "y", 1));
	assert_int_equal(s.data[cap - 1], 'y');
	assert_true(secret_append(&s, "", 0));
	assert_false(secret_append(&s, "z", 1));
	assert_false(secret_append(&s, "z", SIZE_MAX)); /* len + this would wrap */
	assert_int_equal(s.len, cap);
	assert_ptr_equal(s.data, before); /* it never moves, so it leaves no copies */
	assert_int_equal(s.cap, cap);
}

static void append_appends(void **state)
{
	SECRET_AUTO(s);

	(void)state;
	assert_true(secret_init(&s, 16));
	assert_true(secret_append(&s, "ab", 2));
	assert_true(secret_append(&s, NULL, 0));
	assert_true(secret_append(&s, "c\0d", 3));
	assert_int_equal(s.len, 5);
	assert_memory_equal(s.data, "abc\0d", 5);
}

static void append_to_none_fails(void **state)
{
	struct secret s = { 0 };

	(void)state;
	assert_false(secret_append(&s, "x", 1));
	assert_null(s.data);
}

/* A reader such as recv() fills data without moving len. */
static void clear_wipes_the_whole_capacity(void **state)
{
	SECRET_AUTO(s);

	(void)state;
	assert_true(secret_init(&s, 2 * page_size()));
	memset(s.data, 'x', s.cap);
	s.len = 3;
	secret_clear(&s);
	assert_int_equal(dirty_bytes(s.data, s.cap), 0);
	assert_int_equal(s.len, 0);
	assert_true(s.cap >= 2 * page_size());
	assert_true(secret_append(&s, "again", 5));
}

static void check_gone(const char *at, size_t cap, unsigned int count)
{
	unsigned char resident[64];

	assert_int_equal(unmapped.count, count + 1);
	assert_ptr_equal(unmapped.at, at);
	assert_int_equal(unmapped.len, cap);
	assert_int_equal(unmapped.dirty, 0);
	assert_true(cap / page_size() <= sizeof resident);
	/* Nothing is mapped there any more. */
	assert_int_equal(mincore((void *)(uintptr_t)at, cap, resident), -1);
}

static void free_wipes_and_unmaps(void **state)
{
	unsigned int count = unmapped.count;
	struct secret s = { 0 };
	char *at;
	size_t cap;

	(void)state;
	assert_true(secret_init(&s, 2 * page_size()));
	at = s.data;
	cap = s.cap;
	memset(at, 'x', cap);
	s.len = 1;
	secret_free(&s);
	check_gone(at, cap, count);
	assert_null(s.data);
	assert_int_equal(s.len, 0);
	assert_int_equal(s.cap, 0);
	secret_free(&s); /* once more is harmless */
	secret_free(NULL);
	assert_int_equal(unmapped.count, count + 1);
}

static char *use_and_leave(size_t *ret_cap)
{
	SECRET_AUTO(s);

	assert_true(secret_init(&s, 100));
	assert_true(secret_append(&s, "secret", 6));
	*ret_cap = s.cap;
	return s.data;
}

static void scope_end_wipes_and_unmaps(void **state)
{
	unsigned int count = unmapped.count;
	size_t cap;
	char *at = use_and_leave(&cap);

	(void)state;
	check_gone(at, cap, count);
}

static size_t locked_kib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long kib = 0;
	char line[256];

	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "VmLck: %lu", &kib) == 1)
			break;
	(void)fclose(f);
	return kib;
}

/* The last tests: a process that keeps pages goes on to do so. */
static void kept_pages_are_wiped_and_used_again(void **state)
{
	struct secret s[9] = { { 0 } }, other = { 0 }; /* one more than are kept */
	unsigned int count;
	char *at;

	(void)state;
	secret_keep_pages();
	assert_true(secret_init(&s[0], 2 * page_size()));
	at = s[0].data;
	memset(at, 'x', s[0].cap);
	count = unmapped.count;
	secret_free(&s[0]);
	assert_null(s[0].data);
	assert_int_equal(unmapped.count, count);
	assert_int_equal(dirty_bytes(at, 2 * page_size()), 0); /* at once, not when they are needed */
	assert_true(secret_init(&other, 1)); /* of another size */
	assert_ptr_not_equal(other.data, at);
	assert_true(secret_init(&s[0], page_size() + 1));
	assert_ptr_equal(s[0].data, at);
	assert_int_equal(s[0].len, 0);
	assert_int_equal(s[0].cap, 2 * page_size());
	for (size_t i = 1; i < 9; i++) {
		assert_true(secret_init(&s[i], 2 * page_size()));
		assert_ptr_not_equal(s[i].data, at); /* never two of one */
	}
	for (size_t i = 0; i < 9; i++)
		secret_free(&s[i]);
	assert_int_equal(unmapped.count, count + 1);
	assert_int_equal(unmapped.dirty, 0);
	secret_free(&other);
}

static void a_new_size_has_its_place_among_the_kept(void **state)
{
	struct secret s[8] = { { 0 } }, new = { 0 };
	char *at;

	(void)state;
	for (size_t i = 0; i < UNIT_LEN(s); i++)
		assert_true(secret_init(&s[i], 3 * page_size()));
	for (size_t i = 0; i < UNIT_LEN(s); i++)
		secret_free(&s[i]);
	assert_true(secret_init(&new, 5 * page_size()));
	at = new.data;
	secret_free(&new);
	assert_true(secret_init(&new, 5 * page_size()));
	assert_ptr_equal(new.data, at);
	secret_free(&new);
}

/* Kept while the limit had no room: locked as soon as it has, and wiped in full all the same. */
static void kept_pages_are_locked_when_there_is_room(void **state)
{
	bool is_root = geteuid() == 0;
	struct rlimit before, none;
	struct secret s = { 0 };
	size_t locked;
	char *at;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	locked = locked_kib();
	assert_true(secret_init(&s, 7 * page_size()));
	if (locked_kib() != locked) {
		secret_free(&s);
		UNIT_SKIP("sanitizers replace mlock()");
	}
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
	at = s.data;
	memset(at, 'x', s.cap);
	secret_free(&s);
	assert_int_equal(dirty_bytes(at, 7 * page_size()), 0);
	locked = locked_kib(); /* another may have made room for it */
	assert_true(secret_init(&s, 7 * page_size()));
	assert_ptr_equal(s.data, at);
	assert_int_equal(locked_kib(), locked + 7 * page_size() / 1024);
	memset(at, 'x', s.cap);
	secret_free(&s);
	assert_int_equal(dirty_bytes(at, 7 * page_size()), 0);
}

static void what_is_released_twice_is_not_two_secrets(void **state)
{
	struct secret s = { 0 }, copy, other = { 0 };

	(void)state;
	assert_true(secret_init(&s, 1));
	copy = s;
	secret_free(&s);
	secret_free(&copy);
	assert_true(secret_init(&s, 1));
	assert_true(secret_init(&other, 1));
	assert_ptr_not_equal(s.data, other.data);
	secret_free(&s);
	secret_free(&other);
}

/* Is this flag among the VmFlags of the mapping that holds the address? */
static bool mapping_has_flag(const void *at, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	bool inside = false, found = false;
	char line[1024];

	assert_non_null(f);
	while (!found && fgets(line, sizeof line, f)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)at >= from && (uintptr_t)at < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	(void)fclose(f);
	return found;
}

static void stays_out_of_core_dumps(void **state)
{
	SECRET_AUTO(s);
	char *other = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(other != MAP_FAILED);
	assert_true(secret_init(&s, 100));
	assert_true(mapping_has_flag(s.data, " dd"));
	assert_false(mapping_has_flag(other, " dd")); /* the look itself works */
	(void)munmap(other, page_size());
}

/* Locking pages is extra care: a host without a right to it must not lose its logins.
 * The limit does not bind root, so root becomes somebody else for it. */
static void works_without_locked_memory(void **state)
{
	bool is_root = geteuid() == 0, works, bound;
	struct rlimit before, none;
	SECRET_AUTO(s);
	SECRET_AUTO(other);

	(void)state;
	assert_true(secret_init(&other, 100));
	assert_int_equal(syscall(SYS_munlock, other.data, other.cap), 0);
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	works = secret_init(&s, 100);
	bound = syscall(SYS_mlock, other.data, other.cap) != 0; /* sanitizers replace mlock() */
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
	assert_true(works);
	assert_true(bound); /* the limit was in force */
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, has_the_room_that_was_asked_for, rooms);
	UNIT_TEST(&s, append_stops_at_the_limit);
	UNIT_TEST(&s, append_appends);
	UNIT_TEST(&s, append_to_none_fails);
	UNIT_TEST(&s, clear_wipes_the_whole_capacity);
	UNIT_TEST(&s, free_wipes_and_unmaps);
	UNIT_TEST(&s, scope_end_wipes_and_unmaps);
	UNIT_TEST(&s, stays_out_of_core_dumps);
	UNIT_TEST(&s, works_without_locked_memory);
	UNIT_TEST(&s, kept_pages_are_wiped_and_used_again);
	UNIT_TEST(&s, a_new_size_has_its_place_among_the_kept);
	UNIT_TEST(&s, kept_pages_are_locked_when_there_is_room);
	UNIT_TEST(&s, what_is_released_twice_is_not_two_secrets);
	return unit_run(&s, "secret");
}
