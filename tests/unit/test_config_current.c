/*
 * Whether the files are still those that were loaded: any change is seen, however small and
 * whatever its times claim, and to look is cheap.
 */
#include "unit_config.h"

#include <malloc.h>
#include <time.h>

#include "config_stamp.h"
#include "deadline.h"

#define TEXT_A "scope = \"a\"\n"
#define TEXT_B "scope = \"b\"\n" /* as long */
#define KEY "made-up-key-of-a-unit-test-0123456789"

enum { WAIT_MS = 10000, TICK_MS = 20 };

static void write_at(const char *name, const char *text)
{
	unit_write(name, 0600, text, strlen(text));
}

static void write_files(void)
{
	char *main = NULL;

	assert_true(asprintf(&main, "directory_key_file = \"%s/key\"\n", unit_folder) > 0);
	write_at("ibmiam.conf", main);
	free(main);
	write_at("key", KEY);
	unit_mkdir("ibmiam.conf.d", 0700);
	write_at("ibmiam.conf.d/10.conf", TEXT_A);
	write_at("other", TEXT_A);
}

/* As soon as the files are old enough to tell a later change. */
static void load_settled(struct config *c)
{
	int64_t until_ms = deadline_now_ms() + WAIT_MS;

	unit_config_loaded(c);
	while (!config_is_current(c)) {
		assert_true(deadline_now_ms() < until_ms);
		config_free(c);
		unit_config_loaded(c);
	}
}

static void rename_to(const char *from, const char *to)
{
	char *a = unit_path(from), *b = unit_path(to);

	assert_int_equal(rename(a, b), 0);
	free(a);
	free(b);
}

static void chmod_to(const char *name, mode_t mode)
{
	char *path = unit_path(name);

	assert_int_equal(chmod(path, mode), 0);
	free(path);
}

static void remove_at(const char *name)
{
	char *path = unit_path(name);

	assert_int_equal(remove(path), 0);
	free(path);
}

/* Overwrites in place and then claims that it was never done. */
static void overwrite_unseen(void)
{
	struct stat st;
	char *path = unit_path("ibmiam.conf.d/10.conf");
	struct timespec times[2];

	assert_int_equal(stat(path, &st), 0);
	write_at("ibmiam.conf.d/10.conf", TEXT_B);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
}

static void overwrite(void)
{
	write_at("ibmiam.conf.d/10.conf", TEXT_B);
}

static void append(void)
{
	write_at("ibmiam.conf.d/10.conf", TEXT_A "minimum_uid = 5\n");
}

static void empty(void)
{
	write_at("ibmiam.conf", "");
}

static void replace(void)
{
	write_at("new", TEXT_A);
	rename_to("new", "ibmiam.conf.d/10.conf");
}

/* A file that was there before, so that its times are older than the loading. */
static void replace_with_an_old_one(void)
{
	rename_to("other", "ibmiam.conf.d/10.conf");
}

static void replace_with_a_link(void)
{
	char *path = unit_path("ibmiam.conf.d/10.conf");

	rename_to("ibmiam.conf.d/10.conf", "elsewhere");
	assert_int_equal(symlink("../elsewhere", path), 0);
	free(path);
}

static void change_mode(void)
{
	chmod_to("ibmiam.conf", 0640);
}

static void change_mode_of_the_folder(void)
{
	chmod_to("ibmiam.conf.d", 0755);
}

static void change_owner(void)
{
	char *path = unit_path("ibmiam.conf");

	assert_int_equal(chown(path, geteuid(), getegid()), 0); /* the same: touched, at least */
	free(path);
}

static void add_part(void)
{
	write_at("ibmiam.conf.d/20.conf", "");
}

static void add_old_part(void)
{
	rename_to("other", "ibmiam.conf.d/20.conf");
}

static void remove_part(void)
{
	remove_at("ibmiam.conf.d/10.conf");
}

static void rename_part(void)
{
	rename_to("ibmiam.conf.d/10.conf", "ibmiam.conf.d/10.off");
}

static void remove_main(void)
{
	remove_at("ibmiam.conf");
}

static void rename_folder(void)
{
	rename_to("ibmiam.conf.d", "ibmiam.conf.off");
}

static void change_key(void)
{
	write_at("key", KEY "0");
}

static void change_mode_of_key(void)
{
	chmod_to("key", 0640);
}

static void remove_key(void)
{
	remove_at("key");
}

static const struct change {
	const char *name;
	void (*make)(void);
} changes[] = {
	{ "overwritten, as long as before", overwrite },
	{ "overwritten, with the old times", overwrite_unseen },
	{ "appended to", append },
	{ "emptied", empty },
	{ "replaced by the same text", replace },
	{ "replaced by an old file", replace_with_an_old_one },
	{ "replaced by a link to itself", replace_with_a_link },
	{ "its mode", change_mode },
	{ "its folder's mode", change_mode_of_the_folder },
	{ "its owner", change_owner },
	{ "new part", add_part },
	{ "new part with old times", add_old_part },
	{ "part is gone", remove_part },
	{ "part is renamed", rename_part },
	{ "main file is gone", remove_main },
	{ "folder is gone", rename_folder },
	{ "another key", change_key },
	{ "the key's mode", change_mode_of_key },
	{ "key is gone", remove_key },
};

static void change_is_seen(void **state)
{
	const struct change *change = *state;
	struct config c = { 0 };

	write_files();
	load_settled(&c);
	change->make();
	assert_false(config_is_current(&c));
	assert_false(config_is_current(&c)); /* until it is loaded anew */
	config_free(&c);
}

static void new_folder_is_seen(void **state)
{
	struct config c = { 0 };

	(void)state;
	write_at("ibmiam.conf", TEXT_A);
	load_settled(&c);
	unit_mkdir("ibmiam.conf.d", 0700);
	assert_false(config_is_current(&c));
	config_free(&c);
}

static void read_all(const char *name)
{
	char *path = unit_path(name);
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	while (fgetc(f) != EOF)
		;
	(void)fclose(f);
	free(path);
}

static void what_does_not_matter_is_no_change(void **state)
{
	struct config c = { 0 };

	(void)state;
	write_files();
	load_settled(&c);
	read_all("ibmiam.conf");
	read_all("key");
	write_at("other", TEXT_B);
	write_at("ibmiam.conf.orig", TEXT_B);
	assert_true(config_is_current(&c));
	config_free(&c);
}

/* Two changes within a tick of the kernel's clock have one time: only a file that is older than
 * that can be told from a later one. */
static void fresh_file_is_not_trusted(void **state)
{
	struct config c = { 0 };
	int64_t start_ms, until_ms = deadline_now_ms() + WAIT_MS;
	bool current;

	(void)state;
	do { /* on a busy host it is not always loaded in time */
		assert_true(deadline_now_ms() < until_ms);
		start_ms = deadline_now_ms();
		write_at("ibmiam.conf", TEXT_A);
		config_free(&c);
		unit_config_loaded(&c);
		current = config_is_current(&c);
	} while (deadline_now_ms() - start_ms >= TICK_MS / 2);
	assert_false(current);
	config_free(&c);
	load_settled(&c); /* to load it once more cures that */
	config_free(&c);
}

/* What counts is when the file was looked at, however long it took to read after that. */
static const struct look {
	const char *name;
	int64_t after_ns; /* its last change */
	bool trusted;
} looks[] = {
	{ "at once", 0, false },
	{ "within the tick", 9 * 1000 * 1000, false },
	{ "after two ticks", 21 * 1000 * 1000, true },
	{ "long after", INT64_C(3600) * 1000 * 1000 * 1000, true },
	{ "long before, on a clock that was set back", INT64_C(-3600) * 1000 * 1000 * 1000, true },
};

static void look_is_trusted(void **state)
{
	const struct look *l = *state;
	struct config_store *store = config_store_make();
	char *path = unit_path("ibmiam.conf");
	struct timespec looked;
	struct stat st;
	int64_t at_ns;

	write_at("ibmiam.conf", TEXT_A);
	assert_non_null(store);
	assert_int_equal(lstat(path, &st), 0);
	at_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec + l->after_ns;
	looked = (struct timespec){ at_ns / 1000000000, at_ns % 1000000000 };
	config_stamp_add(store, path, &st, &looked);
	assert_int_equal(config_stamp_same(store), l->trusted);
	config_store_free(store);
	free(path);
}

/* It is done for each login. */
static void looking_is_cheap(void **state)
{
	enum { TIMES = 10000, MAX_US = 500 }; /* about 3 here */
	struct config c = { 0 };
	size_t memory;
	int64_t start_ms, us;

	(void)state;
	write_files();
	load_settled(&c);
	memory = mallinfo2().uordblks;
	start_ms = deadline_now_ms();
	for (int i = 0; i < TIMES; i++)
		assert_true(config_is_current(&c));
	us = (deadline_now_ms() - start_ms) * 1000 / TIMES;
	print_message("# three files and a folder: %d us\n", (int)us);
	assert_in_range(us, 0, MAX_US);
	assert_int_equal(mallinfo2().uordblks, memory);
	config_free(&c);
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	UNIT_ROWS(&s, change_is_seen, changes);
	UNIT_TEST(&s, new_folder_is_seen);
	UNIT_TEST(&s, what_does_not_matter_is_no_change);
	UNIT_TEST(&s, fresh_file_is_not_trusted);
	UNIT_ROWS(&s, look_is_trusted, looks);
	UNIT_TEST(&s, looking_is_cheap);
	return unit_run(&s, "config_current");
}
