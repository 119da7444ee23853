/*
 * directory_key_file: the key comes out as it was put in, and a file that others may read, or
 * that holds something else than a key, is refused without a word of what it holds.
 */
#include "unit_config.h"

#define KEY "made-up-key-of-a-unit-test-0123456789" UNIT_SECRET
#define GROUP "AccessGroupId-11111111-2222-3333-4444-555555555555"

enum { STRANGER = 4712 };

static void write_main(const char *more)
{
	char *text = NULL;

	assert_true(asprintf(&text, "directory_key_file = \"%s/key\"\n%s", unit_folder, more) > 0);
	unit_write("ibmiam.conf", 0600, text, strlen(text));
	free(text);
}

static const struct good {
	const char *name;
	mode_t mode;
	const char *text;
	const char *key;
} goods[] = {
	{ "key alone", 0600, KEY, KEY },
	{ "with a newline", 0600, KEY "\n", KEY },
	{ "read by its group", 0640, KEY "\n", KEY },
	{ "read only", 0400, KEY, KEY },
	{ "of any characters", 0600, "\xc3\xbc {}\"'\\$#" KEY, "\xc3\xbc {}\"'\\$#" KEY },
	{ "of 32 characters", 0600, "0123456789abcdef0123456789abcdef\n",
	  "0123456789abcdef0123456789abcdef" },
};

static void key_is_read(void **state)
{
	const struct good *g = *state;
	struct config c = { 0 };

	write_main("access_groups = { \"" GROUP "\" }\n");
	unit_write("key", g->mode, g->text, strlen(g->text));
	unit_config_loaded(&c);
	assert_string_equal(c.directory_key.data, g->key);
	assert_int_equal(config_list_len(c.access_groups), 1);
	assert_string_equal(config_list_get(c.access_groups, 0), GROUP);
	config_free(&c);
	assert_null(c.directory_key.data);
}

/* Wherever groups stand, one key asks for all. */
static void groups_of_blocks_need_a_key(void **state)
{
	static const char blocks[] = "user alice { iam_ids = \"IBMid-1\" access_groups = { \"" GROUP "\" } }\n"
		"service sudo { access_groups = { \"" GROUP "\" } }\n"
		"email_domain \"example.com\" { access_groups = { \"" GROUP "\" } }\n";

	(void)state;
	unit_write("ibmiam.conf", 0600, UNIT_BYTES(blocks));
	unit_config_refused("ibmiam.conf:1: access_groups need a directory_key_file, and none is set");
	write_main(blocks);
	unit_write("key", 0600, UNIT_BYTES(KEY));
	unit_config_holds("directory_key=" KEY ";");
	unit_config_holds("user alice:IBMid-1=iam_ids;no services;no environment;" GROUP "=access_groups;");
	unit_config_holds("service sudo:no environment;" GROUP "=access_groups;");
	unit_config_holds("domain example.com:no services;no environment;" GROUP "=access_groups;");
}

static void no_key_file_is_no_key(void **state)
{
	struct config c = { 0 };

	(void)state;
	unit_write("ibmiam.conf", 0600, "", 0);
	unit_config_loaded(&c);
	assert_null(c.directory_key.data);
	config_free(&c);
}

#define OPEN "key holds an API key but is open to everybody; chmod 0640 it"
#define NO_KEY "key holds no API key; expected is one of 32 characters or more, alone on one line"

static const struct bad {
	const char *name;
	mode_t mode;
	const char *text;
	size_t len;
	const char *message;
} bads[] = {
	{ "read by all", 0644, UNIT_BYTES(KEY), OPEN },
	{ "read by others only", 0604, UNIT_BYTES(KEY), OPEN },
	{ "run by others", 0601, UNIT_BYTES(KEY), OPEN },
	{ "written by its group", 0660, UNIT_BYTES(KEY),
	  "key may be written by its group; expected mode 0644 or stricter" },
	{ "written by everybody", 0602, UNIT_BYTES(KEY),
	  "key may be written by everybody; expected mode 0644 or stricter" },
	{ "empty", 0600, UNIT_BYTES(""), NO_KEY },
	{ "a newline only", 0600, UNIT_BYTES("\n"), NO_KEY },
	{ "31 characters", 0600, UNIT_BYTES("0123456789abcdef0123456789abcde\n"), NO_KEY },
	{ "two newlines", 0600, UNIT_BYTES(KEY "\n\n"), NO_KEY },
	{ "two lines", 0600, UNIT_BYTES(KEY "\n" KEY "\n"), NO_KEY },
	{ "lines of Windows", 0600, UNIT_BYTES(KEY "\r\n"), NO_KEY },
	{ "not UTF-8", 0600, UNIT_BYTES(KEY "\xff"), NO_KEY },
	{ "blank", 0600, UNIT_BYTES("                                        "), NO_KEY },
	{ "NUL at its end", 0600, UNIT_BYTES(KEY "\0"), "key holds a NUL byte, so it holds no API key" },
	{ "NUL within", 0600, UNIT_BYTES(KEY "\0" KEY "\n"), "key holds a NUL byte, so it holds no API key" },
	{ "JSON", 0600, UNIT_BYTES("{\"name\":\"x\",\"apikey\":\"" KEY "\"}\n"),
	  "key holds JSON; expected is the API key alone, the value of \"apikey\"" },
	{ "a key's id", 0600, UNIT_BYTES("ApiKey-11111111-2222-3333-4444-" UNIT_SECRET "\n"),
	  "key holds the id of an API key (ApiKey-...); expected is its value" },
};

static void file_is_refused(void **state)
{
	const struct bad *b = *state;

	write_main("");
	unit_write("key", b->mode, b->text, b->len);
	unit_config_refused(b->message);
}

static void missing_file_is_refused(void **state)
{
	(void)state;
	write_main("");
	unit_config_refused("key: No such file or directory");
}

static void link_is_refused(void **state)
{
	char *path = unit_path("key");

	(void)state;
	write_main("");
	unit_write("real", 0600, UNIT_BYTES(KEY));
	assert_int_equal(symlink("real", path), 0);
	free(path);
	unit_config_refused("key is a symbolic link");
}

static void fifo_is_refused(void **state)
{
	char *path = unit_path("key");

	(void)state;
	write_main("");
	assert_int_equal(mkfifo(path, 0600), 0);
	free(path);
	unit_config_refused("key is not a regular file");
}

static void folder_is_refused(void **state)
{
	(void)state;
	write_main("");
	unit_mkdir("key", 0700);
	unit_config_refused("key is not a regular file");
}

static void strangers_file_is_refused(void **state)
{
	char *path;

	(void)state;
	if (geteuid() != 0)
		UNIT_SKIP("only root can give files away");
	path = unit_path("key");
	write_main("");
	unit_write("key", 0600, UNIT_BYTES(KEY));
	assert_int_equal(chown(path, STRANGER, (gid_t)-1), 0);
	free(path);
	unit_config_refused("key is not owned by root");
}

static void file_has_a_limit(void **state)
{
	char text[1025];

	(void)state;
	write_main("");
	memset(text, 'k', sizeof text);
	unit_write("key", 0600, text, sizeof text);
	unit_config_refused("key is larger than 1 KiB, so it holds no API key");
	unit_write("key", 0600, text, sizeof text - 1); /* no key is that long, either */
	unit_config_refused(NO_KEY);
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	UNIT_ROWS(&s, key_is_read, goods);
	UNIT_TEST(&s, groups_of_blocks_need_a_key);
	UNIT_TEST(&s, no_key_file_is_no_key);
	UNIT_ROWS(&s, file_is_refused, bads);
	UNIT_TEST(&s, missing_file_is_refused);
	UNIT_TEST(&s, link_is_refused);
	UNIT_TEST(&s, fifo_is_refused);
	UNIT_TEST(&s, folder_is_refused);
	UNIT_TEST(&s, strangers_file_is_refused);
	UNIT_TEST(&s, file_has_a_limit);
	return unit_run(&s, "config_key");
}
