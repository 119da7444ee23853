/*
 * The gate: a password that cannot be an API key must never leave this host, and no
 * key that IAM would take may be held back.
 */
#include "unit.h"

#include "gate.h"

static const char empty[] = "the answer is empty";
static const char too_long[] = "the answer is over 510 bytes, which PAM may have cut";
static const char not_text[] =
	"the answer holds control characters or is not UTF-8, so it is no API key";
static const char too_short[] = "the answer is under 32 characters, so it is no API key";
static const char blank[] = "the answer is blank, so it is no API key";

/* The answer is head, then `repeated` so many times, then tail. */
static const struct answer {
	const char *name;
	const char *head, *repeated;
	unsigned int times;
	const char *tail;
	const char *fault;
} answers[] = {
	{ "nothing", "", "", 0, "", empty },
	{ "a password", "", "correct horse", 1, "", too_short },
	{ "31 letters", "", "k", 31, "", too_short },
	{ "32 letters", "", "k", 32, "", NULL },
	{ "44 characters, as IAM makes them", "", "Ab9-", 10, "_xyz", NULL },
	{ "510 bytes", "", "k", 510, "", NULL },
	{ "511 bytes", "", "k", 511, "", too_long },
	{ "5000 bytes", "", "k", 5000, "", too_long },
	/* characters, not bytes */
	{ "31 characters of two bytes", "", "\xc3\xa9", 31, "", too_short },
	{ "32 characters of two bytes", "", "\xc3\xa9", 32, "", NULL },
	{ "31 characters of three bytes", "", "\xe2\x82\xac", 31, "", too_short },
	{ "32 characters of three bytes", "", "\xe2\x82\xac", 32, "", NULL },
	{ "31 emoji", "", "\xf0\x9f\x94\x91", 31, "", too_short },
	{ "32 emoji", "", "\xf0\x9f\x94\x91", 32, "", NULL },
	{ "30 letters and an emoji", "", "k", 30, "\xf0\x9f\x94\x91", too_short },
	/* bytes, not characters */
	{ "510 bytes in 255 characters", "", "\xc3\xa9", 255, "", NULL },
	{ "511 bytes in 256 characters", "", "\xc3\xa9", 255, "k", too_long },
	{ "512 bytes in 128 emoji", "", "\xf0\x9f\x94\x91", 128, "", too_long },
	/* users' own keys may hold anything printable */
	{ "punctuation", "", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", 1, "", NULL },
	{ "spaces", "", " ", 32, "", blank },
	{ "no-break spaces", "", "\xc2\xa0", 32, "", blank },
	{ "ideographic spaces", "", "\xe3\x80\x80", 32, "", blank },
	{ "zero-width characters", "", "\xe2\x80\x8b", 32, "", blank },
	{ "spaces around a letter", "a", " ", 32, "", NULL },
	{ "first after C1", "", "\xc2\xa0", 1, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", NULL },
	{ "last of two bytes", "", "\xdf\xbf", 32, "", NULL },
	{ "first of three bytes", "", "\xe0\xa0\x80", 32, "", NULL },
	{ "last before the surrogates", "", "\xed\x9f\xbf", 32, "", NULL },
	{ "first after the surrogates", "", "\xee\x80\x80", 32, "", NULL },
	{ "last of three bytes", "", "\xef\xbf\xbf", 32, "", NULL },
	{ "first of four bytes", "", "\xf0\x90\x80\x80", 32, "", NULL },
	{ "last of Unicode", "", "\xf4\x8f\xbf\xbf", 32, "", NULL },
	/* what sshd sends in place of the password of a user that does not exist */
	{ "sshd's junk", "", "\b\n\r\177INCORRECT", 1, "", not_text },
	{ "sshd's junk as long as a key", "", "\b\n\r\177INCORRECT", 3, "\b\n\r\177I", not_text },
	{ "sshd's junk, one byte", "", "\b", 1, "", not_text },
	/* malformed UTF-8 */
	{ "Latin-1", "caf\xe9 ", "k", 40, "", not_text },
	{ "continuation byte alone", "\x80", "k", 40, "", not_text },
	{ "last continuation byte alone", "\xbf", "k", 40, "", not_text },
	{ "overlong slash of two bytes", "\xc0\xaf", "k", 40, "", not_text },
	{ "overlong DEL of two bytes", "\xc1\xbf", "k", 40, "", not_text },
	{ "overlong NUL of two bytes", "\xc0\x80", "k", 40, "", not_text },
	{ "overlong slash of three bytes", "\xe0\x80\xaf", "k", 40, "", not_text },
	{ "longest overlong of three bytes", "\xe0\x9f\xbf", "k", 40, "", not_text },
	{ "overlong slash of four bytes", "\xf0\x80\x80\xaf", "k", 40, "", not_text },
	{ "longest overlong of four bytes", "\xf0\x8f\xbf\xbf", "k", 40, "", not_text },
	{ "first high surrogate", "\xed\xa0\x80", "k", 40, "", not_text },
	{ "last low surrogate", "\xed\xbf\xbf", "k", 40, "", not_text },
	{ "surrogate pair (CESU-8)", "\xed\xa0\xbd\xed\xb4\x91", "k", 40, "", not_text },
	{ "beyond Unicode", "\xf4\x90\x80\x80", "k", 40, "", not_text },
	{ "far beyond Unicode", "\xf7\xbf\xbf\xbf", "k", 40, "", not_text },
	{ "five bytes", "\xf8\x88\x80\x80\x80", "k", 40, "", not_text },
	{ "six bytes", "\xfc\x84\x80\x80\x80\x80", "k", 40, "", not_text },
	{ "0xfe", "\xfe", "k", 40, "", not_text },
	{ "0xff", "\xff", "k", 40, "", not_text },
	{ "cut after one of two bytes", "", "k", 40, "\xc3", not_text },
	{ "cut after one of three bytes", "", "k", 40, "\xe2", not_text },
	{ "cut after two of three bytes", "", "k", 40, "\xe2\x82", not_text },
	{ "cut after one of four bytes", "", "k", 40, "\xf0", not_text },
	{ "cut after three of four bytes", "", "k", 40, "\xf0\x9f\x94", not_text },
	{ "cut in the middle", "\xe2\x82", "k", 40, "", not_text },
	/* what is wrong with the most basic thing is said */
	{ "long and malformed", "\xff", "k", 600, "", too_long },
	{ "short and malformed", "\xff", "k", 3, "", not_text },
};

static void judges(void **state)
{
	const struct answer *a = *state;
	size_t size = strlen(a->head) + a->times * strlen(a->repeated) + strlen(a->tail) + 1;
	char *text = malloc(size); /* exactly: a sanitizer sees a read past it */
	char *p = text;

	assert_non_null(text);
	p = stpcpy(p, a->head);
	for (unsigned int i = 0; i < a->times; i++)
		p = stpcpy(p, a->repeated);
	p = stpcpy(p, a->tail);
	unit_check_text("fault", gate_fault(text), a->fault);
	free(text);
}

static void no_answer_is_refused(void **state)
{
	(void)state;
	unit_check_text("fault", gate_fault(NULL), empty);
}

/* At the begin, in the middle and at the end of a good key. */
static void check_everywhere(const char *bad, size_t len)
{
	static const size_t places[] = { 0, 20, 44 };

	for (size_t i = 0; i < UNIT_LEN(places); i++) {
		char text[64] = "0123456789012345678901234567890123456789abcd";

		memmove(text + places[i] + len, text + places[i], 44 - places[i] + 1);
		memcpy(text + places[i], bad, len);
		if (!unit_match(gate_fault(text), not_text))
			fail_msg("0x%02x is accepted at %zu", (unsigned char)bad[len - 1], places[i]);
	}
}

static void every_control_character_is_refused(void **state)
{
	(void)state;
	for (char c = 1; c < ' '; c++)
		check_everywhere(&c, 1);
	check_everywhere("\177", 1);
}

static void every_c1_control_is_refused(void **state)
{
	(void)state;
	for (int c = 0x80; c <= 0x9f; c++)
		check_everywhere((const char[]){ '\xc2', (char)c }, 2);
}

static const struct hint {
	const char *name;
	const char *key;
	const char *hint;
} hints[] = {
	{ "ordinary", "0123456789012345678901234567890123456789abcd", NULL },
	{ "nothing", "", NULL },
	{ "a key's id", "ApiKey-11111111-2222-3333-4444-555555555555",
	  "it looks like the id of a key (ApiKey-...), not like its value" },
	{ "ApiKey in the middle", "my-ApiKey-11111111-2222-3333-4444-555555555555", NULL },
	{ "a JSON file", "{\"apikey\":\"0123456789012345678901234567890123456789\"}",
	  "it begins or ends with a brace or quote, as if pasted from a file" },
	{ "quote first", "\"0123456789012345678901234567890123",
	  "it begins or ends with a brace or quote, as if pasted from a file" },
	{ "quote last", "0123456789012345678901234567890123\"",
	  "it begins or ends with a brace or quote, as if pasted from a file" },
	{ "brace last", "0123456789012345678901234567890123}",
	  "it begins or ends with a brace or quote, as if pasted from a file" },
	{ "brace inside", "01234567890123456789{}\"0123456789012345", NULL },
	{ "space first", " 0123456789012345678901234567890123", "it begins or ends with a space" },
	{ "space last", "0123456789012345678901234567890123 ", "it begins or ends with a space" },
	{ "space inside", "0123456789 01234567890123456789012", NULL },
};

static void hints_at_common_mistakes(void **state)
{
	const struct hint *h = *state;

	unit_check_text("hint", gate_hint(h->key), h->hint);
}

/* IAM takes such keys if users made them so: a hint, not a refusal. */
static void what_gets_a_hint_may_be_a_key(void **state)
{
	const struct hint *h = *state;

	if (h->hint)
		unit_check_text("fault", gate_fault(h->key), NULL);
}

static void characters_are_added_up(void **state)
{
	unsigned int count = 5;

	(void)state;
	assert_true(gate_printable("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91", &count));
	assert_int_equal(count, 9);
	assert_true(gate_printable("", &count));
	assert_int_equal(count, 9);
	assert_true(gate_printable("abc", NULL));
	assert_false(gate_printable("a\tb", NULL));
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, judges, answers);
	UNIT_TEST(&s, no_answer_is_refused);
	UNIT_TEST(&s, every_control_character_is_refused);
	UNIT_TEST(&s, every_c1_control_is_refused);
	UNIT_ROWS(&s, hints_at_common_mistakes, hints);
	UNIT_ROWS(&s, what_gets_a_hint_may_be_a_key, hints);
	UNIT_TEST(&s, characters_are_added_up);
	return unit_run(&s, "gate");
}
