/*
 * The text of a configuration: that the line of a fault is the right one, that comments may
 * stand where people put them, and what is found in it afterwards.
 */
#include "unit_config.h"

#define USER(name) "user " name " { iam_ids = { \"IBMid-1\" } }\n"

static const struct place {
	const char *name;
	const char *text;
	const char *message;
} places[] = {
	{ "first line", "bad = 1", "ibmiam.conf:1: no such option 'bad'" },
	{ "last line without a newline", "scope = \"a\"\n\nbad = 1",
	  "ibmiam.conf:3: no such option 'bad'" },
	{ "after empty lines", "\n\n\nbad = 1\n", "ibmiam.conf:4: no such option 'bad'" },
	{ "after CRLF", "scope = \"a\"\r\n\r\nbad = 1\r\n", "ibmiam.conf:3: no such option 'bad'" },
	{ "after a comment", "# comment\nbad = 1\n", "ibmiam.conf:2: no such option 'bad'" },
	{ "after two comments", "# comment\n# comment\nbad = 1\n",
	  "ibmiam.conf:3: no such option 'bad'" },
	{ "after an empty comment", "#\nbad = 1\n", "ibmiam.conf:2: no such option 'bad'" },
	{ "after a comment behind a value", "scope = \"a\" # comment\nbad = 1\n",
	  "ibmiam.conf:2: no such option 'bad'" },
	{ "after a comment with CRLF", "# comment\r\nbad = 1\r\n",
	  "ibmiam.conf:2: no such option 'bad'" },
	{ "after a long comment", "# 0123456789012345678901234567890123456789\nbad = 1\n",
	  "ibmiam.conf:2: no such option 'bad'" },
	{ "value after a comment", "# comment\n\nminimum_uid = x\n",
	  "ibmiam.conf:3: minimum_uid \"x\" expects a user id, 0 to 4294967294" },
	{ "in a block", "user alice {\nbad = 1\n}\n", "ibmiam.conf:2: no such option 'bad'" },
	{ "in a block after a comment", "# comment\nuser alice {\n# comment\nbad = 1\n}\n",
	  "ibmiam.conf:4: no such option 'bad'" },
	{ "after a block", "user alice {\niam_ids = { \"IBMid-1\" }\n}\nbad = 1\n",
	  "ibmiam.conf:4: no such option 'bad'" },
	{ "after a block with comments",
	  "user alice { # 1\n# 2\niam_ids = { \"IBMid-1\" } # 3\n# 4\n}\nbad = 1\n",
	  "ibmiam.conf:6: no such option 'bad'" },
	{ "in a list", "accounts = {\n\"" UNIT_ACCOUNT "\",\n\"x\"\n}\n",
	  "ibmiam.conf:3: accounts \"x\" expects an account id*" },
	{ "after a list", "accounts = {\n\"" UNIT_ACCOUNT "\",\n}\nbad = 1\n",
	  "ibmiam.conf:4: no such option 'bad'" },
	{ "end of the block", "user alice {\n\n}\n",
	  "ibmiam.conf:3: user \"alice\" has no iam_ids, so nobody could log in as it" },
	{ "second user", USER("alice") "# comment\n" USER("alice"),
	  "ibmiam.conf:3: found duplicate title 'alice'" },
	{ "set twice after a comment", "scope = \"a\" # comment\n# comment\nscope = \"b\"\n",
	  "ibmiam.conf:3: scope: set twice" },
	{ "cut off after a comment", "# comment\nuser alice {\n# }\n",
	  "ibmiam.conf:2: user: a section or list that begins here is never closed" },
	{ "key cut off at the end", "# comment\nscope =",
	  "ibmiam.conf:2: scope: expects a value after the equals sign" },
};

static void line_is_the_right_one(void **state)
{
	const struct place *p = *state;

	unit_write("ibmiam.conf", 0600, p->text, strlen(p->text));
	unit_config_refused(p->message);
}

/* Where people put comments. */
static const struct commented {
	const char *name;
	const char *text;
	const char *holds;
} commented[] = {
	{ "before", "# comment\nscope = \"a\"\n", "scope=a;" },
	{ "behind", "scope = \"a\" # comment", "scope=a;" },
	{ "empty", "#\n#\nscope = \"a\"\n#", "scope=a;" },
	{ "of 32 bytes", "#1234567890123456789012345678901\nscope = \"a\"\n", "scope=a;" },
	{ "with quotes and braces", "# it's { \"\nscope = \"a\"\n", "scope=a;" },
	{ "in a block", "user alice {\n# comment\niam_ids = { \"IBMid-1\" } # comment\n}\n",
	  "user alice:IBMid-1=iam_ids;" },
	{ "behind the brace of a block", "user alice { # comment\niam_ids = { \"IBMid-1\" }\n}\n",
	  "user alice:IBMid-1=iam_ids;" },
	{ "before the brace of a block", "user alice # comment\n{\niam_ids = { \"IBMid-1\" }\n}\n",
	  "user alice:IBMid-1=iam_ids;" },
	{ "behind an entry of a list", "issuer = {\n\"a\", # one\n\"b\" # two\n}\n",
	  ";a,b=issuer;" },
	{ "between entries of a list", "issuer = {\n\"a\",\n# \"x\",\n\"b\"\n}\n", ";a,b=issuer;" },
	{ "behind the brace of a list", "issuer = { # issuers\n\"a\" }\n", ";a=issuer;" },
	{ "behind an equals sign", "scope = # comment\n\"a\"\n", "scope=a;" },
};

static void comment_may_stand(void **state)
{
	const struct commented *c = *state;

	unit_write("ibmiam.conf", 0600, c->text, strlen(c->text));
	unit_config_holds(c->holds);
}

/* The message goes into a buffer of the caller's. */
static void message_is_cut_to_fit(void **state)
{
	char *path = unit_path("ibmiam.conf"), why[16];
	struct config c = { 0 };

	(void)state;
	unit_write("ibmiam.conf", 0600, "bad = 1", 7);
	memset(why, 'x', sizeof why);
	assert_false(config_load(path, &c, why, 8));
	assert_int_equal(strlen(why), 7);
	assert_int_equal(why[8], 'x');
	free(path);
}

static void lists_are_searched(void **state)
{
	static const char text[] = "accounts = { \"" UNIT_ACCOUNT "\", \"" UNIT_ACCOUNT2 "\" }";
	struct config c = { 0 };

	(void)state;
	unit_write("ibmiam.conf", 0600, text, sizeof text - 1);
	unit_config_loaded(&c);
	assert_int_equal(config_list_len(c.accounts), 2);
	assert_true(config_list_has(c.accounts, UNIT_ACCOUNT2));
	assert_false(config_list_has(c.accounts, ""));
	assert_false(config_list_has(c.accounts, "0123456789abcdef0123456789abcde")); /* a begin */
	assert_false(config_list_has(c.accounts, "0123456789ABCDEF0123456789ABCDEF"));
	assert_false(config_list_has(c.issuer, "x"));
	assert_int_equal(config_list_len((struct config_list){ 0 }), 0);
	config_free(&c);
}

static void blocks_are_found_by_their_whole_name(void **state)
{
	static const char text[] = USER("alice") "service sudo { }";
	static const char *const others[] = { "alic", "alice2", "Alice", "ALICE", "", "sudo", "*" };
	struct config_user user;
	struct config_service service;
	struct config c = { 0 };

	(void)state;
	unit_write("ibmiam.conf", 0600, text, sizeof text - 1);
	unit_config_loaded(&c);
	assert_true(config_find_user(&c, "alice", &user));
	for (size_t i = 0; i < UNIT_LEN(others); i++)
		if (config_find_user(&c, others[i], &user) || config_list_len(user.iam_ids) > 0)
			fail_msg("user \"%s\" is found", others[i]);
	assert_true(config_find_service(&c, "sudo", &service));
	assert_false(config_find_service(&c, "alice", &service));
	assert_true(config_find_service(&c, "sudo-i", &service)); /* a form of sudo */
	assert_false(config_find_service(&c, "sudo-ix", &service));
	config_free(&c);
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	UNIT_ROWS(&s, line_is_the_right_one, places);
	UNIT_ROWS(&s, comment_may_stand, commented);
	UNIT_TEST(&s, message_is_cut_to_fit);
	UNIT_TEST(&s, lists_are_searched);
	UNIT_TEST(&s, blocks_are_found_by_their_whole_name);
	return unit_run(&s, "config text");
}
