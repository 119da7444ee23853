/*
 * The grammar of a configuration file: what libconfuse would let through although it is a
 * mistake, with the line and the key that are named to the admin.
 */
#include "unit.h"

#include "config_syntax.h"

static const char never_closed[] = "a section or list that begins here is never closed";
static const char open_string[] = "a string is not closed on its line";
static const char control[] = "a control character in a string";
static const char backslash[] =
	"a backslash in a string may stand only before a quote or another backslash";
static const char environment[] = "environment variables are not expanded; write \"${\" in "
				  "single quotes if it is meant literally";
static const char comment[] = "comments begin with #; a value with a slash goes into quotes";
static const char unexpected[] = "an unexpected character; values go into double quotes";
static const char bare_plus[] = "a + that is not part of +=";
static const char twice[] = "set twice";
static const char no_opening[] = "a closing brace without an opening one";
static const char too_deep[] = "sections are nested too deeply";
static const char key_quoted[] = "a key stands without quotes, and a value follows an equals sign";
static const char no_equals[] = "expects = after a key, or a title and { after the name of a block";
static const char no_brace[] =
	"expects = after a key, or { after the title of a block";
static const char no_value[] = "expects a value after the equals sign";
static const char no_item[] = "expects a value in a list";
static const char no_comma[] = "expects a comma or } after a value in a list";
static const char no_statement[] = "expects a key or a block";

static const struct text {
	const char *name;
	const char *text;
	size_t len;
	const char *fault; /* NULL: none */
	unsigned int line;
	const char *key;
} texts[] = {
	{ "nothing", UNIT_BYTES(""), NULL, 0, NULL },
	{ "white space", UNIT_BYTES(" \t\n\r\n"), NULL, 0, NULL },
	{ "assignment", UNIT_BYTES("a = \"b\"\n"), NULL, 0, NULL },
	{ "no spaces", UNIT_BYTES("a=\"b\"c='d'e=f"), NULL, 0, NULL },
	{ "no newline at the end", UNIT_BYTES("a = \"b\""), NULL, 0, NULL },
	{ "CRLF", UNIT_BYTES("a = \"b\"\r\nc = 5\r\n"), NULL, 0, NULL },
	{ "list", UNIT_BYTES("a = { \"b\", \"c\" }"), NULL, 0, NULL },
	{ "list of none", UNIT_BYTES("a = { }"), NULL, 0, NULL },
	{ "list, comma at the end", UNIT_BYTES("a = { 1, 2, }"), NULL, 0, NULL },
	{ "list over lines", UNIT_BYTES("a = {\n\"b\",\n\"c\"\n}\n"), NULL, 0, NULL },
	{ "block", UNIT_BYTES("user alice {\na = \"b\"\n}\n"), NULL, 0, NULL },
	{ "block with a title in quotes", UNIT_BYTES("user \"alice\" { a = { 1 } }"), NULL, 0,
	  NULL },
	{ "comment", UNIT_BYTES("# a = \"b\n"), NULL, 0, NULL },
	{ "comment at the end", UNIT_BYTES("a = \"b\" # }"), NULL, 0, NULL },
	{ "comment only", UNIT_BYTES("#"), NULL, 0, NULL },
	{ "comments everywhere", UNIT_BYTES("#\na # =\n= # {\n{ # b\n\"c\" # ,\n, # d }\n\"e\" # "
	  "f\n} # g"), NULL, 0, NULL },
	{ "quotes in a comment", UNIT_BYTES("# it's \"\n"), NULL, 0, NULL },
	{ "signs in a string", UNIT_BYTES("a = \"# // /* */ { } = + , ( ) ;\""), NULL, 0, NULL },
	{ "other quote in a string", UNIT_BYTES("a = \"it's\"\nb = '\"'\n"), NULL, 0, NULL },
	{ "escapes", UNIT_BYTES("a = \"\\\"\\\\\"\nb = '\\'\\\\'\n"), NULL, 0, NULL },
	{ "UTF-8 in a string", UNIT_BYTES("a = \"caf\xc3\xa9\""), NULL, 0, NULL },
	/* cut off: the line and the name of what was opened */
	{ "cut off in a section", UNIT_BYTES("\nuser alice {\na = \"b\"\n\n"), never_closed, 2,
	  "user" },
	{ "cut off in a list", UNIT_BYTES("a = 1\nb = {\n\"b\",\n"), never_closed, 2, "b" },
	{ "cut off in an empty list", UNIT_BYTES("b = {"), never_closed, 1, "b" },
	{ "cut off in a list after a value", UNIT_BYTES("b = { 1"), never_closed, 1, "b" },
	{ "cut off in a list in a section", UNIT_BYTES("user alice {\nb = {\n\"b\""), never_closed,
	  2, "b" },
	{ "cut off in the outer of two", UNIT_BYTES("user alice {\nb = {\n}\n"), never_closed, 1,
	  "user" },
	{ "cut off in a string", UNIT_BYTES("a = 1\nb = \"c"), open_string, 2, "b" },
	{ "cut off in a single-quoted string", UNIT_BYTES("b = 'c"), open_string, 1, "b" },
	{ "cut off after a quote", UNIT_BYTES("b = \""), open_string, 1, "b" },
	{ "cut off after a backslash", UNIT_BYTES("b = \"c\\"), backslash, 1, "b" },
	{ "cut off after an escaped quote", UNIT_BYTES("b = \"c\\\""), open_string, 1, "b" },
	{ "string over two lines", UNIT_BYTES("\n\nb = \"c\nd\"\n"), open_string, 3, "b" },
	{ "string over CRLF", UNIT_BYTES("b = \"c\r\nd\"\r\n"), control, 1, "b" },
	{ "single-quoted string over two lines", UNIT_BYTES("b = 'c\nd'\n"), open_string, 1, "b" },
	{ "backslash before a newline", UNIT_BYTES("b = \"c\\\nd\"\n"), backslash, 1, "b" },
	{ "the other quote closes nothing", UNIT_BYTES("b = \"c'\n"), open_string, 1, "b" },
	/* what libconfuse would make of escapes */
	{ "backslash n", UNIT_BYTES("b = \"a\\nb\""), backslash, 1, "b" },
	{ "backslash 0", UNIT_BYTES("b = \"a\\0b\""), backslash, 1, "b" },
	{ "backslash x00", UNIT_BYTES("b = \"a\\x00b\""), backslash, 1, "b" },
	{ "backslash e", UNIT_BYTES("b = \"a\\eb\""), backslash, 1, "b" },
	{ "backslash and the other quote", UNIT_BYTES("b = \"a\\'b\""), backslash, 1, "b" },
	{ "backslash in single quotes", UNIT_BYTES("b = 'a\\nb'"), backslash, 1, "b" },
	/* the environment */
	{ "variable", UNIT_BYTES("\nb = \"${HOME}\""), environment, 2, "b" },
	{ "variable inside", UNIT_BYTES("b = \"x${HOME:-y}z\""), environment, 1, "b" },
	{ "begin of a variable", UNIT_BYTES("b = \"${\""), environment, 1, "b" },
	{ "two dollars", UNIT_BYTES("b = \"$${A}\""), environment, 1, "b" },
	{ "variable after an escape", UNIT_BYTES("b = \"\\\\${A}\""), environment, 1, "b" },
	{ "variable without quotes", UNIT_BYTES("b = ${HOME}"), unexpected, 1, "b" },
	{ "variable in single quotes", UNIT_BYTES("b = '${HOME}'"), NULL, 0, NULL },
	{ "dollar", UNIT_BYTES("b = \"$HOME $ {a}\""), NULL, 0, NULL },
	/* control characters */
	{ "NUL in a string", UNIT_BYTES("b = \"a\0b\""), control, 1, "b" },
	{ "tab in a string", UNIT_BYTES("b = \"a\tb\""), control, 1, "b" },
	{ "escape in a string", UNIT_BYTES("b = \"a\x1b[b\""), control, 1, "b" },
	{ "DEL in a string", UNIT_BYTES("b = \"a\x7f\""), control, 1, "b" },
	{ "NUL", UNIT_BYTES("b = 1\0\n"), unexpected, 1, "b" },
	{ "NUL first", UNIT_BYTES("\0"), unexpected, 1, "" },
	{ "NUL in a comment", UNIT_BYTES("b = 1\n# a\0b\n"), unexpected, 2, "b" },
	{ "form feed", UNIT_BYTES("b = 1\f\n"), unexpected, 1, "b" },
	/* what libconfuse would skip in silence, or take as another kind of comment */
	{ "semicolon", UNIT_BYTES("a = 1;\n"), unexpected, 1, "a" },
	{ "parentheses", UNIT_BYTES("include(\"x\")"), unexpected, 1, "include" },
	{ "colon", UNIT_BYTES("a: 1"), unexpected, 1, "a" },
	{ "at sign", UNIT_BYTES("a = b@c"), unexpected, 1, "a" },
	{ "bar in a key", UNIT_BYTES("user|iam_ids = 1"), unexpected, 1, "user" },
	{ "bare backslash", UNIT_BYTES("a = \\\n1"), unexpected, 1, "a" },
	{ "UTF-8 without quotes", UNIT_BYTES("a = caf\xc3\xa9"), unexpected, 1, "a" },
	{ "byte order mark", UNIT_BYTES("\xef\xbb\xbf" "a = 1"), unexpected, 1, "" },
	{ "plus alone", UNIT_BYTES("a + 1"), bare_plus, 1, "a" },
	{ "plus last", UNIT_BYTES("a +"), bare_plus, 1, "a" },
	{ "two slashes", UNIT_BYTES("a = 1\n// b\n"), comment, 2, "a" },
	{ "block comment", UNIT_BYTES("\n\n/* b\n */"), comment, 3, "" },
	{ "block comment behind a value", UNIT_BYTES("a = \"b\" /* c */"), comment, 1, "a" },
	{ "path without quotes", UNIT_BYTES("ca_file = /etc/x"), comment, 1, "ca_file" },
	/* twice */
	{ "key twice", UNIT_BYTES("a = 1\nb = 2\na = 1\n"), twice, 3, "a" },
	{ "key twice, on one line", UNIT_BYTES("a = 1 a = 1"), twice, 1, "a" },
	{ "key twice in a section", UNIT_BYTES("user x {\na = 1\na = 2\n}\n"), twice, 3, "a" },
	{ "key twice, a list between", UNIT_BYTES("a = 1\nb = {\n1,\n2 }\na = 2"), twice, 5, "a" },
	{ "key twice, a section between", UNIT_BYTES("a = 1\nuser x {\na = 2\n}\na = 3"), twice, 5,
	  "a" },
	{ "key twice, comments between", UNIT_BYTES("a = 1 # a = 2\n# a = 3\n\na = 4\n"), twice, 4,
	  "a" },
	{ "key in two sections", UNIT_BYTES("user x { a = 1 }\nuser y { a = 1 }\n"), NULL, 0,
	  NULL },
	{ "key outside and inside", UNIT_BYTES("a = 1\nuser x { a = 1 }\n"), NULL, 0, NULL },
	{ "key that begins so", UNIT_BYTES("ab = 1\na = 1\nabc = 1"), NULL, 0, NULL },
	{ "value as a key before", UNIT_BYTES("a = b\nb = a\n"), NULL, 0, NULL },
	{ "appended to", UNIT_BYTES("a = { 1 }\na += { 2 }\na += { 3 }\n"), NULL, 0, NULL },
	/* libconfuse takes a quoted key as well as a bare one, and paths in it */
	{ "key in quotes", UNIT_BYTES("\"a\" = 1"), key_quoted, 1, "" },
	{ "key twice, once in quotes", UNIT_BYTES("a = 1\n\"a\" = 2\n"), key_quoted, 2, "a" },
	{ "key in quotes in a section", UNIT_BYTES("user x {\n'a' = 1 }"), key_quoted, 2, "user" },
	{ "key in quotes reaches into a section", UNIT_BYTES("'user=alice|iam_ids' = { 1 }"),
	  key_quoted, 1, "" },
	{ "key in quotes, appended to", UNIT_BYTES("'user=alice|iam_ids' += { 1 }"), key_quoted, 1,
	  "" },
	{ "two values", UNIT_BYTES("a = \"b\" \"c\""), key_quoted, 1, "a" },
	/* one thing after another */
	{ "equals sign first", UNIT_BYTES("= 1"), no_statement, 1, "" },
	{ "plus and equals sign first", UNIT_BYTES("+= 1"), no_statement, 1, "" },
	{ "comma first", UNIT_BYTES("\n, a = 1"), no_statement, 2, "" },
	{ "comma between statements", UNIT_BYTES("a = 1, b = 2"), no_statement, 1, "a" },
	{ "brace first", UNIT_BYTES("{ a = 1 }"), no_statement, 1, "" },
	/* what is missing is missing where the statement stands, not where the next begins */
	{ "key alone", UNIT_BYTES("a = 1\nb"), no_equals, 2, "b" },
	{ "key alone, and empty lines", UNIT_BYTES("a = 1\nb\n\n\n"), no_equals, 2, "b" },
	{ "key alone, and a comment", UNIT_BYTES("a = 1\nb # c\n# d\n"), no_equals, 2, "b" },
	{ "key and a comma", UNIT_BYTES("a, 1"), no_equals, 1, "a" },
	{ "block without a title", UNIT_BYTES("user { }"), no_equals, 1, "user" },
	{ "key alone in a section", UNIT_BYTES("user x { a }"), no_equals, 1, "a" },
	{ "no equals sign", UNIT_BYTES("a \"b\"\n"), no_brace, 1, "a" },
	{ "no equals sign, and another key", UNIT_BYTES("a \"b\"\nc = 1\n"), no_brace, 1, "a" },
	{ "block with two titles", UNIT_BYTES("user alice bob { }"), no_brace, 1, "user" },
	{ "title and an equals sign", UNIT_BYTES("user alice = { }"), no_brace, 1, "user" },
	{ "title and a closing brace", UNIT_BYTES("user alice }"), no_brace, 1, "user" },
	{ "no value", UNIT_BYTES("a = \n"), no_value, 1, "a" },
	{ "two equals signs", UNIT_BYTES("a = = 1"), no_value, 1, "a" },
	{ "comma for a value", UNIT_BYTES("a = , 1"), no_value, 1, "a" },
	{ "closing brace for a value", UNIT_BYTES("user x { a = }"), no_value, 1, "a" },
	{ "list with a comma first", UNIT_BYTES("a = { , 1 }"), no_item, 1, "a" },
	{ "list with two commas", UNIT_BYTES("a = { 1,, 2 }"), no_item, 1, "a" },
	{ "list in a list", UNIT_BYTES("a = { { 1 } }"), no_item, 1, "a" },
	{ "list in a list, later", UNIT_BYTES("a = { 1, { 2 } }"), no_item, 1, "a" },
	{ "list with an equals sign", UNIT_BYTES("a = { = 1 }"), no_item, 1, "a" },
	{ "list without a comma", UNIT_BYTES("a = { 1\n2 }"), no_comma, 2, "a" },
	{ "list with an assignment", UNIT_BYTES("a = { b = 1 }"), no_comma, 1, "a" },
	{ "brace in a list", UNIT_BYTES("a = { b {"), no_comma, 1, "a" },
	/* braces */
	{ "closing brace", UNIT_BYTES("}"), no_opening, 1, "" },
	{ "one closing brace too many", UNIT_BYTES("user x {\n}\n}\n"), no_opening, 3, "user" },
	{ "braces in a comment and a string", UNIT_BYTES("user x {\n# }\na = \"}\"\n"),
	  never_closed, 1, "user" },
	{ "deep", UNIT_BYTES("a b { c d { e = { 1 } } }"), NULL, 0, NULL },
	{ "too deep", UNIT_BYTES("\na b { c d { e f { g h {"), too_deep, 2, "g" },
	{ "list too deep", UNIT_BYTES("a b { c d { e f { g = {"), too_deep, 1, "g" },
};

/* A copy that ends where the text does: a sanitizer sees a read past it. */
static char *copy_of(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

static void text_is_judged(void **state)
{
	const struct text *t = *state;
	struct config_syntax_fault f = { .text = NULL };
	char *copy = copy_of(t->text, t->len), key[128];
	int rc = config_syntax_check(copy, t->len, &f);

	assert_int_equal(rc, t->fault ? -1 : 0);
	unit_check_text("fault", f.text, t->fault);
	if (t->fault) {
		assert_true(f.key >= copy && f.key + f.key_len <= copy + t->len);
		(void)snprintf(key, sizeof key, "%.*s", (int)f.key_len, f.key);
		assert_int_equal(f.line, t->line);
		unit_check_text("key", key, t->key);
	}
	free(copy);
}

/* A file that was saved half: no part of it may be read past its end. */
static void every_part_is_survived(void **state)
{
	const struct text *t = *state;

	for (size_t len = 0; len < t->len; len++) {
		struct config_syntax_fault f;
		char *copy = copy_of(t->text, len);

		if (config_syntax_check(copy, len, &f) != 0)
			assert_true(f.line >= 1 && f.key >= copy && f.key + f.key_len <= copy + len);
		free(copy);
	}
}

/* More keys than it remembers: it must not write past its table. */
static void many_keys_are_survived(void **state)
{
	char text[200 * 8 + 1], *p = text;
	struct config_syntax_fault f;

	(void)state;
	for (int i = 0; i < 200; i++)
		p += snprintf(p, 9, "k%03d=1\n", i);
	assert_int_equal(config_syntax_check(text, (size_t)(p - text), &f), 0);
}

static const struct blanked {
	const char *name;
	const char *before;
	const char *after;
} blanked[] = {
	{ "no comment", "a = \"b\"\n", "a = \"b\"\n" },
	{ "comment", "# a\na = 1\n", "   \na = 1\n" },
	{ "comment behind", "a = 1 # b\nc = 2", "a = 1    \nc = 2" },
	{ "comment at the end", "a = 1 #", "a = 1  " },
	{ "comments in a list", "a = { # b\n1, # c, }\n2 }", "a = {    \n1,       \n2 }" },
	{ "comment in a comment", "## # a\n", "      \n" },
	{ "comment with CRLF", "# a\r\nb = 1\r\n", "    \nb = 1\r\n" },
	{ "sign in strings", "a = \"# b\" # c\nd = '#'\n", "a = \"# b\"    \nd = '#'\n" },
	{ "sign behind an escaped quote", "a = \"\\\"#\"\n", "a = \"\\\"#\"\n" },
};

/* In libconfuse's eyes a comment counts as several lines and may not stand in a list. */
static void comments_are_blanked(void **state)
{
	const struct blanked *b = *state;
	size_t len = strlen(b->before);
	struct config_syntax_fault f;
	char *copy = copy_of(b->before, len);

	assert_int_equal(config_syntax_check(copy, len, &f), 0);
	assert_int_equal(len, strlen(b->after));
	assert_memory_equal(copy, b->after, len);
	free(copy);
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, text_is_judged, texts);
	UNIT_ROWS(&s, every_part_is_survived, texts);
	UNIT_ROWS(&s, comments_are_blanked, blanked);
	UNIT_TEST(&s, many_keys_are_survived);
	return unit_run(&s, "config syntax");
}
