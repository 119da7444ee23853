/*
 * The limits of the messages: each field exactly at its limit goes through, one above is
 * refused by both ends, and encode never sends what decode would refuse.
 */
#include "unit.h"

#include "result.h"
#include "wire.h"

static const struct wire_request request = {
	.user = "alice", .service = "sshd", .uid = 1000, .budget_ms = 10000 };
static const struct wire_reply reply = { .result = IBMIAM_DENIED, .reason = "no" };
static const struct wire_stash stash = {
	.user = "alice", .environment = "A=1", .environment_len = 4 };
static const struct wire_hello hello = { .version = "1" };
static const struct wire_session session = { .session = "s", .user = "alice", .uid = 1000 };

union any {
	struct wire_request request;
	struct wire_reply reply;
	struct wire_stash stash;
	struct wire_hello hello;
	struct wire_session session;
};

#define MEMBER(kind, member) &wire_##kind##_message, &kind, sizeof kind, \
	offsetof(struct wire_##kind, member)
#define OF_SESSION(message, member) &wire_##message##_message, &session, sizeof session, \
	offsetof(struct wire_session, member)

/* Strings: the bytes without the terminator that just fit. */
static const struct text_limit {
	const char *name;
	const struct wire_message *message;
	const void *valid;
	size_t size, at;
	unsigned char tag;
	size_t fits;
} texts[] = {
	{ "request user", MEMBER(request, user), 1, 255 },
	{ "request service", MEMBER(request, service), 2, 255 },
	{ "request key", MEMBER(request, key), 3, 4095 },
	{ "request session", MEMBER(request, session), 6, 32 },
	{ "request rhost", MEMBER(request, rhost), 7, 255 },
	{ "reply reason", MEMBER(reply, reason), 2, 511 },
	{ "reply iam_id", MEMBER(reply, iam_id), 3, 255 },
	{ "reply account", MEMBER(reply, account), 4, 255 },
	{ "reply api_code", MEMBER(reply, api_code), 5, 255 },
	{ "reply transaction_id", MEMBER(reply, transaction_id), 6, 255 },
	{ "reply correlation_id", MEMBER(reply, correlation_id), 7, 255 },
	{ "reply note", MEMBER(reply, note), 11, 511 },
	{ "reply session", MEMBER(reply, session), 12, 32 },
	{ "reply name", MEMBER(reply, name), 13, 255 },
	{ "reply token", MEMBER(reply, token), 14, 16384 },
	{ "reply profile", MEMBER(reply, profile), 17, 255 },
	{ "stash user", MEMBER(stash, user), 1, 255 },
	{ "stash session", MEMBER(stash, session), 4, 32 },
	{ "hello version", MEMBER(hello, version), 1, 255 },
	{ "adopt session", OF_SESSION(adopt, session), 1, 32 },
	{ "adopt user", OF_SESSION(adopt, user), 2, 255 },
	{ "drop session", OF_SESSION(drop, session), 1, 32 },
	{ "token session", OF_SESSION(token, session), 1, 32 },
};

static const struct number_limit {
	const char *name;
	const struct wire_message *message;
	const void *valid;
	size_t size, at;
	uint32_t fits;
} numbers[] = {
	{ "request uid", MEMBER(request, uid), UINT32_MAX },
	{ "request budget_ms", MEMBER(request, budget_ms), 60000 },
	{ "reply result", MEMBER(reply, result), IBMIAM_RESULT_COUNT - 1 },
	{ "reply http_status", MEMBER(reply, http_status), 999 },
	{ "reply export_to", MEMBER(reply, export_to), WIRE_EXPORT_TARGET },
	{ "reply expiration", MEMBER(reply, expiration), UINT32_MAX },
	{ "reply renewal", MEMBER(reply, renewal), UINT32_MAX },
	{ "stash export_to", MEMBER(stash, export_to), WIRE_EXPORT_TARGET },
	{ "adopt uid", OF_SESSION(adopt, uid), UINT32_MAX },
	{ "token budget_ms", OF_SESSION(token, budget_ms), 60000 },
};

static char *filled(size_t len)
{
	char *text = malloc(len + 1);

	assert_non_null(text);
	memset(text, 'x', len);
	text[len] = '\0';
	return text;
}

/* Encodes and decodes: NULL, or what encode says. */
static const char *roundtrip(const struct wire_message *m, const void *from, struct secret *out,
			     union any *to)
{
	const char *fault = wire_encode(m, from, out);

	if (fault) {
		assert_int_equal(out->len, 0);
		for (size_t i = 0; i < out->cap; i++)
			assert_int_equal(out->data[i], 0);
		return fault;
	}
	assert_null(wire_decode(m, out->data, out->len, to));
	return NULL;
}

static void text_at_its_limit(void **state)
{
	const struct text_limit *l = *state;
	char *text = filled(l->fits);
	SECRET_AUTO(out);
	union any from, to;
	const char *got;

	assert_true(secret_init(&out, WIRE_MESSAGE_MAX));
	memcpy(&from, l->valid, l->size);
	memcpy((char *)&from + l->at, &text, sizeof text);
	assert_null(roundtrip(l->message, &from, &out, &to));
	memcpy(&got, (char *)&to + l->at, sizeof got);
	assert_string_equal(got, text);
	free(text);
}

static void text_over_its_limit_is_not_sent(void **state)
{
	const struct text_limit *l = *state;
	char *text = filled(l->fits + 1);
	SECRET_AUTO(out);
	union any from, to;

	assert_true(secret_init(&out, WIRE_MESSAGE_MAX));
	memcpy(&from, l->valid, l->size);
	memcpy((char *)&from + l->at, &text, sizeof text);
	unit_check_text("fault", roundtrip(l->message, &from, &out, &to),
			"a field is longer than its limit");
	free(text);
}

/* A sender that does not know the limit: the field alone, before all others. */
static void text_over_its_limit_is_not_taken(void **state)
{
	const struct text_limit *l = *state;
	size_t len = l->fits + 2; /* with the terminator, one too many */
	char *text = filled(len - 1);
	SECRET_AUTO(out);
	union any to;

	assert_true(secret_init(&out, WIRE_MESSAGE_MAX));
	assert_null(wire_encode(l->message, l->valid, &out));
	out.len = 2;
	assert_true(secret_append(&out, (const char[]){ (char)l->tag, (char)(len >> 8), (char)len },
				  3));
	assert_true(secret_append(&out, text, len));
	unit_check_text("fault", wire_decode(l->message, out.data, out.len, &to),
			"a field is longer than its limit");
	free(text);
}

static void number_at_its_limit(void **state)
{
	const struct number_limit *l = *state;
	SECRET_AUTO(out);
	union any from, to;
	uint32_t got;

	assert_true(secret_init(&out, WIRE_MESSAGE_MAX));
	memcpy(&from, l->valid, l->size);
	memcpy((char *)&from + l->at, &l->fits, sizeof l->fits);
	assert_null(roundtrip(l->message, &from, &out, &to));
	memcpy(&got, (char *)&to + l->at, sizeof got);
	assert_int_equal(got, l->fits);
}

/* That decode refuses the same numbers is test_wire's. */
static void number_over_its_limit_is_not_sent(void **state)
{
	const struct number_limit *l = *state;
	uint32_t over = l->fits + 1;
	SECRET_AUTO(out);
	union any from, to;

	if (l->fits == UINT32_MAX)
		UNIT_SKIP("there is no larger number");
	assert_true(secret_init(&out, WIRE_MESSAGE_MAX));
	memcpy(&from, l->valid, l->size);
	memcpy((char *)&from + l->at, &over, sizeof over);
	unit_check_text("fault", roundtrip(l->message, &from, &out, &to),
			"a number is larger than its limit");
}

/* A stash is its header, a user, a number and a list: what else is in it is known. */
enum { STASH_REST = 2 + (3 + 6) + (3 + 4) + 3, LIST_FITS = WIRE_MESSAGE_MAX - STASH_REST };

static const struct message_limit {
	const char *name;
	size_t list_len;
	const char *fault;
} messages[] = {
	{ "exactly 64 KiB", LIST_FITS, NULL },
	{ "one byte more", LIST_FITS + 1, "the message is too long" },
	{ "a list of all of it", WIRE_MESSAGE_MAX, "the message is too long" },
	{ "a list longer than a message", WIRE_MESSAGE_MAX + 1,
	  "a field is longer than its limit" },
};

static void message_at_its_limit(void **state)
{
	const struct message_limit *l = *state;
	char *list = filled(l->list_len - 1);
	const struct wire_stash from = { .user = "alice", .environment = list,
					 .environment_len = l->list_len };
	SECRET_AUTO(out);
	union any to;

	/* Room is not what limits it. */
	assert_true(secret_init(&out, 2 * WIRE_MESSAGE_MAX));
	unit_check_text("fault", roundtrip(&wire_stash_message, &from, &out, &to), l->fault);
	if (!l->fault) {
		assert_int_equal(out.len, WIRE_MESSAGE_MAX);
		assert_int_equal(to.stash.environment_len, l->list_len);
	}
	free(list);
}

static void message_over_its_limit_is_not_taken(void **state)
{
	SECRET_AUTO(out);
	union any to;

	(void)state;
	assert_true(secret_init(&out, 2 * WIRE_MESSAGE_MAX));
	assert_null(wire_encode(&wire_request_message, &request, &out));
	unit_check_text("fault",
			wire_decode(&wire_request_message, out.data, WIRE_MESSAGE_MAX + 1, &to),
			"the message is too short or too long");
}

#define REQUEST(...) &wire_request_message, \
	{ .request = { .user = "a", .service = "s", .key = "k", __VA_ARGS__ } }
#define REPLY(...) &wire_reply_message, { .reply = { .reason = "r", __VA_ARGS__ } }
#define STASH(...) &wire_stash_message, { .stash = { .user = "a", __VA_ARGS__ } }
#define LIST(bytes) .environment = (bytes), .environment_len = sizeof(bytes) - 1

#pragma GCC diagnostic ignored "-Woverride-init" /* a row replaces one valid member */
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif
static const struct unsendable {
	const char *name;
	const struct wire_message *message;
	const union any from;
	const char *fault;
} unsendable[] = {
	{ "no user", REQUEST(.user = NULL), "a required field is missing" },
	{ "no service", REQUEST(.service = NULL), "a required field is missing" },
	{ "empty user", REQUEST(.user = ""), "a string is empty or not terminated" },
	{ "empty service", REQUEST(.service = ""), "a string is empty or not terminated" },
	{ "empty key", REQUEST(.key = ""), "a string is empty or not terminated" },
	{ "no reason", REPLY(.reason = NULL), "a required field is missing" },
	{ "empty reason", REPLY(.reason = ""), "a string is empty or not terminated" },
	{ "empty iam_id", REPLY(.iam_id = ""), "a string is empty or not terminated" },
	{ "list not terminated", REPLY(LIST("A=1")), "a string is empty or not terminated" },
	{ "list of a terminator", REPLY(LIST("\0")), "a string is empty or not terminated" },
	{ "list with an empty string", REPLY(LIST("A=1\0\0B=2\0")),
	  "a list holds an empty string" },
	{ "list that begins with one", REPLY(LIST("\0A=1\0")), "a list holds an empty string" },
	{ "list that ends with one", REPLY(LIST("A=1\0\0")), "a list holds an empty string" },
	{ "stash without user", STASH(.user = NULL, LIST("A=1\0")), "a required field is missing" },
};

static void encode_refuses(void **state)
{
	const struct unsendable *u = *state;
	SECRET_AUTO(out);
	union any to;

	assert_true(secret_init(&out, WIRE_MESSAGE_MAX));
	unit_check_text("fault", roundtrip(u->message, &u->from, &out, &to), u->fault);
}

static void encode_needs_room(void **state)
{
	char *key = filled(4095);
	const struct wire_request from = { .user = "alice", .service = "sshd", .key = key };
	struct secret none = { 0 };
	SECRET_AUTO(small);
	union any to;

	(void)state;
	assert_true(secret_init(&small, 1)); /* one page: less than the request */
	if (small.cap == 4096)
		unit_check_text("fault", roundtrip(&wire_request_message, &from, &small, &to),
				"the message is too long");
	unit_check_text("fault", wire_encode(&wire_request_message, &from, &none),
			"the message is too long");
	free(key);
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, text_at_its_limit, texts);
	UNIT_ROWS(&s, text_over_its_limit_is_not_sent, texts);
	UNIT_ROWS(&s, text_over_its_limit_is_not_taken, texts);
	UNIT_ROWS(&s, number_at_its_limit, numbers);
	UNIT_ROWS(&s, number_over_its_limit_is_not_sent, numbers);
	UNIT_ROWS(&s, message_at_its_limit, messages);
	UNIT_TEST(&s, message_over_its_limit_is_not_taken);
	UNIT_ROWS(&s, encode_refuses, unsendable);
	UNIT_TEST(&s, encode_needs_room);
	return unit_run(&s, "wire limits");
}
