/*
 * base64url without padding: one spelling for each sequence of bytes, in both directions.
 * A lenient decoder would let two readers of a token see two different texts.
 */
#include "unit.h"

#include "base64url.h"

static const struct vector {
	const char *name;
	const char *bytes;
	size_t len;
	const char *text;
} vectors[] = {
	/* RFC 4648, section 10, without the padding */
	{ "f", UNIT_BYTES("f"), "Zg" },
	{ "fo", UNIT_BYTES("fo"), "Zm8" },
	{ "foo", UNIT_BYTES("foo"), "Zm9v" },
	{ "foob", UNIT_BYTES("foob"), "Zm9vYg" },
	{ "fooba", UNIT_BYTES("fooba"), "Zm9vYmE" },
	{ "foobar", UNIT_BYTES("foobar"), "Zm9vYmFy" },
	{ "nothing", UNIT_BYTES(""), "" },
	/* the two characters in which it differs from base64 */
	{ "minus and underscore", UNIT_BYTES("\xfb\xff\xfe"), "-__-" },
	{ "zeros", UNIT_BYTES("\0\0\0\0"), "AAAAAA" },
	{ "all ones", UNIT_BYTES("\xff\xff\xff\xff"), "_____w" },
	/* RFC 7515, appendix A.1: the header of its JWS */
	{ "JWS header", UNIT_BYTES("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}"),
	  "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" },
};

static void encodes(void **state)
{
	const struct vector *v = *state;
	SECRET_AUTO(out);

	assert_true(secret_init(&out, 100));
	assert_true(secret_append(&out, "before.", 7));
	assert_true(base64url_encode(v->bytes, v->len, &out));
	assert_int_equal(out.len, 7 + strlen(v->text));
	assert_memory_equal(out.data, "before.", 7);
	assert_memory_equal(out.data + 7, v->text, strlen(v->text));
}

static void decodes(void **state)
{
	const struct vector *v = *state;
	SECRET_AUTO(out);

	assert_true(secret_init(&out, 100));
	assert_true(secret_append(&out, "before", 6));
	assert_true(base64url_decode(v->text, strlen(v->text), &out));
	assert_int_equal(out.len, 6 + v->len);
	assert_memory_equal(out.data, "before", 6);
	assert_memory_equal(out.data + 6, v->bytes, v->len);
}

static const struct refused {
	const char *name;
	const char *text;
	size_t len;
} refused[] = {
	{ "one character", UNIT_BYTES("A") },
	{ "five characters", UNIT_BYTES("AAAAA") },
	{ "padding", UNIT_BYTES("Zg==") },
	{ "padding of one", UNIT_BYTES("Zm8=") },
	{ "plus", UNIT_BYTES("+AAA") },
	{ "slash", UNIT_BYTES("AAA/") },
	{ "space", UNIT_BYTES("AA A") },
	{ "newline at the end", UNIT_BYTES("Zm9\n") },
	{ "NUL", UNIT_BYTES("AAA\0") },
	{ "dot", UNIT_BYTES("AA.A") },
	{ "bad character in a later group", UNIT_BYTES("Zm9vYm*y") },
	/* bits that no byte uses must be zero: Zg and Zh would both be "f" */
	{ "second spelling of f", UNIT_BYTES("Zh") },
	{ "last spelling of f", UNIT_BYTES("Zv") },
	{ "second spelling of fo", UNIT_BYTES("Zm9") },
	{ "second spelling at the end", UNIT_BYTES("Zm9vYmF") },
};

static void decode_refuses(void **state)
{
	const struct refused *r = *state;
	SECRET_AUTO(out);

	assert_true(secret_init(&out, 100));
	assert_true(secret_append(&out, "kept", 4));
	assert_false(base64url_decode(r->text, r->len, &out));
	assert_int_equal(out.len, 4);
	assert_memory_equal(out.data, "kept", 4);
}

static void every_other_character_is_refused(void **state)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	SECRET_AUTO(out);

	(void)state;
	assert_true(secret_init(&out, 100));
	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 4; at++) {
			char text[4] = { 'A', 'A', 'A', 'A' };

			text[at] = (char)c;
			if (base64url_decode(text, 4, &out) !=
			    (memchr(alphabet, c, sizeof alphabet - 1) != NULL))
				fail_msg("character %d at %zu", c, at);
			out.len = 0;
		}
	}
}

static void all_lengths_come_back(void **state)
{
	SECRET_AUTO(text);
	SECRET_AUTO(back);
	unsigned char bytes[300];

	(void)state;
	assert_true(secret_init(&text, 1000));
	assert_true(secret_init(&back, 1000));
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i * 89 + 7);
	for (size_t len = 0; len <= sizeof bytes; len++) {
		secret_clear(&text);
		secret_clear(&back);
		assert_true(base64url_encode(bytes, len, &text));
		assert_true(base64url_decode(text.data, text.len, &back));
		assert_int_equal(back.len, len);
		assert_memory_equal(back.data, bytes, len);
	}
}

/* Fills *s up to so many bytes before its end. */
static void leave_room(struct secret *s, size_t room)
{
	assert_true(secret_init(s, 100));
	memset(s->data, 'x', s->cap);
	s->len = s->cap - room;
}

static const struct room {
	const char *name;
	size_t bytes;
	size_t text;
} rooms[] = {
	{ "one byte", 1, 2 },
	{ "two bytes", 2, 3 },
	{ "three bytes", 3, 4 },
	{ "six bytes", 6, 8 },
};

static void encode_fits_exactly_or_not_at_all(void **state)
{
	const struct room *r = *state;
	SECRET_AUTO(exact);
	SECRET_AUTO(less);

	leave_room(&exact, r->text);
	assert_true(base64url_encode("abcdef", r->bytes, &exact));
	assert_int_equal(exact.len, exact.cap);
	leave_room(&less, r->text - 1);
	assert_false(base64url_encode("abcdef", r->bytes, &less));
	assert_int_equal(less.len, less.cap - (r->text - 1));
}

static void decode_fits_exactly_or_not_at_all(void **state)
{
	const struct room *r = *state;
	SECRET_AUTO(exact);
	SECRET_AUTO(less);

	leave_room(&exact, r->bytes);
	assert_true(base64url_decode("AAAAAAAA", r->text, &exact));
	assert_int_equal(exact.len, exact.cap);
	leave_room(&less, r->bytes - 1);
	assert_false(base64url_decode("AAAAAAAA", r->text, &less));
	assert_int_equal(less.len, less.cap - (r->bytes - 1));
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, encodes, vectors);
	UNIT_ROWS(&s, decodes, vectors);
	UNIT_ROWS(&s, decode_refuses, refused);
	UNIT_TEST(&s, every_other_character_is_refused);
	UNIT_TEST(&s, all_lengths_come_back);
	UNIT_ROWS(&s, encode_fits_exactly_or_not_at_all, rooms);
	UNIT_ROWS(&s, decode_fits_exactly_or_not_at_all, rooms);
	return unit_run(&s, "base64url");
}
