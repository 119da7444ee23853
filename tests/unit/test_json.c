/*
 * JSON from the network: one object and nothing else, each member once, of the expected
 * type.  Where two readers could see two values there must be none.
 */
#include "unit.h"

#include "json.h"

#define JSON_AUTO __attribute__((cleanup(json_cleanup))) struct cJSON *

static const struct document {
	const char *name;
	const char *text;
	size_t len;
	bool works;
} documents[] = {
	{ "empty object", UNIT_BYTES("{}"), true },
	{ "object", UNIT_BYTES("{\"a\":1}"), true },
	{ "white space around it", UNIT_BYTES(" \t\r\n{\"a\" : 1 }\r\n\t "), true },
	{ "nested", UNIT_BYTES("{\"a\":{\"b\":[{},[]]}}"), true },
	{ "escapes", UNIT_BYTES("{\"a\":\"\\u00e9\\n\\\"\"}"), true },
	{ "nothing", UNIT_BYTES(""), false },
	{ "white space", UNIT_BYTES("  "), false },
	{ "array", UNIT_BYTES("[]"), false },
	{ "string", UNIT_BYTES("\"a\""), false },
	{ "number", UNIT_BYTES("1"), false },
	{ "null", UNIT_BYTES("null"), false },
	{ "HTML", UNIT_BYTES("<html><body>502 Bad Gateway</body></html>"), false },
	{ "text after it", UNIT_BYTES("{} x"), false },
	{ "another object after it", UNIT_BYTES("{}{\"a\":1}"), false },
	{ "brace after it", UNIT_BYTES("{}}"), false },
	{ "control character after it", UNIT_BYTES("{}\v"), false },
	{ "text before it", UNIT_BYTES("x{}"), false },
	{ "cut off in a member", UNIT_BYTES("{\"a\":1"), false },
	{ "cut off in a string", UNIT_BYTES("{\"a\":\"b"), false },
	{ "cut off in an escape", UNIT_BYTES("{\"a\":\"\\"), false },
	{ "cut off in a \\u", UNIT_BYTES("{\"a\":\"\\u00"), false },
	{ "cut off after a name", UNIT_BYTES("{\"a\""), false },
	{ "cut off after a brace", UNIT_BYTES("{"), false },
	{ "no quotes", UNIT_BYTES("{a:1}"), false },
	{ "single quotes", UNIT_BYTES("{'a':1}"), false },
	{ "comma at the end", UNIT_BYTES("{\"a\":1,}"), false },
	{ "comment", UNIT_BYTES("{/**/}"), false },
	/* a C string would end there and compare equal to another */
	{ "\\u0000 in a value", UNIT_BYTES("{\"a\":\"b\\u0000c\"}"), false },
	{ "\\\\u0000, a backslash and text", UNIT_BYTES("{\"a\":\"b\\\\u0000c\"}"), true },
	{ "\\u0000 after an escaped backslash", UNIT_BYTES("{\"a\":\"b\\\\\\u0000c\"}"), false },
	{ "\\u0000 in a name", UNIT_BYTES("{\"a\\u0000c\":\"b\"}"), false },
	{ "\\u0000 in a member nobody reads", UNIT_BYTES("{\"x\":{\"y\":\"\\u0000\"}}"), false },
	{ "NUL in a value", UNIT_BYTES("{\"a\":\"b\0c\"}"), false },
	{ "NUL in a name", UNIT_BYTES("{\"a\0c\":\"b\"}"), false },
	{ "NUL after it", UNIT_BYTES("{}\0"), false },
	{ "NUL and more after it", UNIT_BYTES("{}\0{\"a\":1}"), false },
	{ "half a surrogate pair", UNIT_BYTES("{\"a\":\"\\ud83d\"}"), false },
};

static void document_is_an_object(void **state)
{
	const struct document *d = *state;
	char *copy = malloc(d->len ? d->len : 1); /* not terminated, as from libcurl */
	struct cJSON *json;

	assert_non_null(copy);
	memcpy(copy, d->text, d->len);
	json = json_parse_object(copy, d->len);
	free(copy);
	assert_int_equal(json != NULL, d->works);
	json_cleanup(&json);
}

static void depth_is_limited(void **state)
{
	enum { DEPTH = 60000 };
	char *text = malloc(DEPTH + 5);

	(void)state;
	assert_non_null(text);
	memcpy(text, "{\"a\":", 5);
	memset(text + 5, '[', DEPTH);
	assert_null(json_parse_object(text, DEPTH + 5));
	free(text);
}

enum type { STRING, INTEGER, BOOL, OBJECT, ARRAY };

static const struct member {
	const char *name;
	const char *text;
	enum type type;
	enum json_found found;
	const char *string; /* what is found, for strings */
	int64_t number;     /* for numbers, and 0 or 1 for booleans */
} members[] = {
	{ "string", "{\"a\":\"b\"}", STRING, JSON_FOUND, "b", 0 },
	{ "empty string", "{\"a\":\"\"}", STRING, JSON_FOUND, "", 0 },
	{ "string with escapes", "{\"a\":\"\\u00e9\\/\"}", STRING, JSON_FOUND, "\xc3\xa9/", 0 },
	{ "string, not there", "{\"b\":\"a\"}", STRING, JSON_ABSENT, NULL, 0 },
	{ "string, but null", "{\"a\":null}", STRING, JSON_ABSENT, NULL, 0 },
	{ "string, but a number", "{\"a\":1}", STRING, JSON_WRONG, NULL, 0 },
	{ "string, but true", "{\"a\":true}", STRING, JSON_WRONG, NULL, 0 },
	{ "string, but an array of one", "{\"a\":[\"b\"]}", STRING, JSON_WRONG, NULL, 0 },
	{ "string, but an object", "{\"a\":{}}", STRING, JSON_WRONG, NULL, 0 },
	{ "string, twice", "{\"a\":\"b\",\"a\":\"c\"}", STRING, JSON_WRONG, NULL, 0 },
	{ "string, twice the same", "{\"a\":\"b\",\"a\":\"b\"}", STRING, JSON_WRONG, NULL, 0 },
	{ "string, and null", "{\"a\":\"b\",\"a\":null}", STRING, JSON_WRONG, NULL, 0 },
	{ "null, and string", "{\"a\":null,\"a\":\"b\"}", STRING, JSON_WRONG, NULL, 0 },
	{ "string, and a number", "{\"a\":\"b\",\"x\":1,\"a\":1}", STRING, JSON_WRONG, NULL, 0 },
	{ "string, twice by an escape", "{\"a\":\"b\",\"\\u0061\":\"c\"}", STRING, JSON_WRONG, NULL,
	  0 },
	{ "string in other case", "{\"A\":\"b\"}", STRING, JSON_ABSENT, NULL, 0 },
	{ "string in two cases", "{\"A\":\"b\",\"a\":\"c\"}", STRING, JSON_FOUND, "c", 0 },
	{ "string further inside", "{\"x\":{\"a\":\"b\"}}", STRING, JSON_ABSENT, NULL, 0 },
	{ "string, twice but further inside", "{\"a\":\"b\",\"x\":{\"a\":\"c\"}}", STRING,
	  JSON_FOUND, "b", 0 },
	{ "name that begins so", "{\"ab\":\"c\"}", STRING, JSON_ABSENT, NULL, 0 },
	{ "integer", "{\"a\":1727305164}", INTEGER, JSON_FOUND, NULL, 1727305164 },
	{ "zero", "{\"a\":0}", INTEGER, JSON_FOUND, NULL, 0 },
	{ "negative", "{\"a\":-5}", INTEGER, JSON_FOUND, NULL, -5 },
	{ "integer after 2038", "{\"a\":4102444800}", INTEGER, JSON_FOUND, NULL, 4102444800 },
	{ "integer with an exponent", "{\"a\":1e3}", INTEGER, JSON_FOUND, NULL, 1000 },
	{ "largest that is exact", "{\"a\":9000000000000000}", INTEGER, JSON_FOUND, NULL,
	  9000000000000000 },
	{ "larger", "{\"a\":9007199254740993}", INTEGER, JSON_WRONG, NULL, 0 },
	{ "as large as int64", "{\"a\":9223372036854775807}", INTEGER, JSON_WRONG, NULL, 0 },
	{ "huge", "{\"a\":1e300}", INTEGER, JSON_WRONG, NULL, 0 },
	{ "infinite", "{\"a\":1e400}", INTEGER, JSON_WRONG, NULL, 0 },
	{ "huge and negative", "{\"a\":-1e300}", INTEGER, JSON_WRONG, NULL, 0 },
	{ "fraction", "{\"a\":1.5}", INTEGER, JSON_WRONG, NULL, 0 },
	{ "integer, but a string", "{\"a\":\"1\"}", INTEGER, JSON_WRONG, NULL, 0 },
	{ "integer, but true", "{\"a\":true}", INTEGER, JSON_WRONG, NULL, 0 },
	{ "integer, not there", "{}", INTEGER, JSON_ABSENT, NULL, 0 },
	{ "integer, twice", "{\"a\":1,\"a\":2}", INTEGER, JSON_WRONG, NULL, 0 },
	{ "true", "{\"a\":true}", BOOL, JSON_FOUND, NULL, 1 },
	{ "false", "{\"a\":false}", BOOL, JSON_FOUND, NULL, 0 },
	{ "boolean, but 1", "{\"a\":1}", BOOL, JSON_WRONG, NULL, 0 },
	{ "boolean, but 0", "{\"a\":0}", BOOL, JSON_WRONG, NULL, 0 },
	{ "boolean, but a string", "{\"a\":\"true\"}", BOOL, JSON_WRONG, NULL, 0 },
	{ "boolean, but null", "{\"a\":null}", BOOL, JSON_ABSENT, NULL, 0 },
	{ "boolean, twice", "{\"a\":true,\"a\":false}", BOOL, JSON_WRONG, NULL, 0 },
	{ "object", "{\"a\":{}}", OBJECT, JSON_FOUND, NULL, 0 },
	{ "object, but an array", "{\"a\":[]}", OBJECT, JSON_WRONG, NULL, 0 },
	{ "object, but a string", "{\"a\":\"{}\"}", OBJECT, JSON_WRONG, NULL, 0 },
	{ "object, twice", "{\"a\":{},\"a\":{}}", OBJECT, JSON_WRONG, NULL, 0 },
	{ "array", "{\"a\":[]}", ARRAY, JSON_FOUND, NULL, 0 },
	{ "array, but an object", "{\"a\":{}}", ARRAY, JSON_WRONG, NULL, 0 },
	{ "array, not there", "{}", ARRAY, JSON_ABSENT, NULL, 0 },
};

struct got {
	const char *string;
	int64_t integer;
	bool boolean;
	const struct cJSON *node;
};

static enum json_found look_up(const struct cJSON *json, enum type type, struct got *got)
{
	switch (type) {
	case STRING:
		return json_string(json, "a", &got->string);
	case INTEGER:
		return json_integer(json, "a", &got->integer);
	case BOOL:
		return json_bool(json, "a", &got->boolean);
	case OBJECT:
		return json_object(json, "a", &got->node);
	case ARRAY:
		break;
	}
	return json_array(json, "a", &got->node);
}

static void check_untouched(const struct got *got, const struct got *before)
{
	assert_ptr_equal(got->string, before->string);
	assert_true(got->integer == before->integer);
	assert_int_equal(got->boolean, before->boolean);
	assert_ptr_equal(got->node, before->node);
}

static void member_is_looked_up(void **state)
{
	static const struct got before = { "before", 4711, true, (const struct cJSON *)8 };
	const struct member *m = *state;
	JSON_AUTO json = json_parse_object(m->text, strlen(m->text));
	struct got got = before;

	assert_non_null(json);
	assert_int_equal(look_up(json, m->type, &got), m->found);
	if (m->found != JSON_FOUND)
		check_untouched(&got, &before);
	else if (m->type == STRING)
		assert_string_equal(got.string, m->string);
	else if (m->type == INTEGER)
		assert_true(got.integer == m->number);
	else if (m->type == BOOL)
		assert_int_equal(got.boolean, m->number);
	else
		assert_ptr_not_equal(got.node, before.node);
}

static void no_object_has_no_members(void **state)
{
	struct cJSON *none = NULL;
	struct got got;

	(void)state;
	for (int type = STRING; type <= ARRAY; type++)
		assert_int_equal(look_up(none, (enum type)type, &got), JSON_ABSENT);
	json_cleanup(&none);
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, document_is_an_object, documents);
	UNIT_TEST(&s, depth_is_limited);
	UNIT_ROWS(&s, member_is_looked_up, members);
	UNIT_TEST(&s, no_object_has_no_members);
	return unit_run(&s, "json");
}
