/*
 * The messages between module and broker: what goes in comes out, byte for byte as
 * PROTOCOL.md has it, and whatever is not exactly a message is refused.  An attacker who
 * gets hold of one end must not get further than wire_decode().
 */
#include "unit.h"

#include "result.h"
#include "wire.h"

/* Fields as they stand on the wire, for messages made by hand. */
#define REQUEST_HEAD "\1\1"
#define USER "\1\0\6alice\0"
#define SERVICE "\2\0\5sshd\0"
#define KEY "\3\0\4key\0"
#define UID "\4\0\4\0\0\x03\xe8"
#define BUDGET "\5\0\4\0\0\x27\x10"
#define HANDLE "0123456789abcdef0123456789abcdef"
#define HANDLE_FIELD(tag) tag "\0\41" HANDLE "\0"
#define RHOST "\7\0\7host-1\0"
#define REQUEST REQUEST_HEAD USER SERVICE KEY UID BUDGET

#define REPLY_HEAD "\1\2"
#define RESULT "\1\0\4\0\0\0\0"
#define REASON "\2\0\3ok\0"
#define IDS "\3\0\10IBMid-1\0\4\0\3ac\0\5\0\2c\0\6\0\2t\0\7\0\2u\0"
#define STATUS "\10\0\4\0\0\0\xc8"
#define EXPORT "\11\0\4\0\0\0\1"
#define ENVIRONMENT "\12\0\10A=1\0B=2\0"
#define REPLY REPLY_HEAD RESULT REASON IDS STATUS EXPORT

#define STASH_HEAD "\1\3"
#define STASH_EXPORT "\2\0\4\0\0\0\0"
#define STASH_LIST "\3\0\4A=1\0"
#define STASH STASH_HEAD USER STASH_EXPORT STASH_LIST

#define HELLO "\1\4\1\0\00610.20\0"
#define ADOPT "\1\5" HANDLE_FIELD("\1") "\2\0\6alice\0" "\3\0\4\0\0\x03\xe8"
#define DROP "\1\6" HANDLE_FIELD("\1")
#define TOKEN "\1\7" HANDLE_FIELD("\1") "\2\0\4\0\0\x27\x10"

static const struct wire_request request = {
	.user = "alice", .service = "sshd", .key = "key", .uid = 1000, .budget_ms = 10000 };
static const struct wire_request request_without_key = {
	.user = "alice", .service = "sshd", .uid = 1000, .budget_ms = 10000 };
static const struct wire_request whole_request = {
	.user = "alice", .service = "sshd", .key = "key", .uid = 1000, .budget_ms = 10000,
	.session = HANDLE, .rhost = "host-1" };
static const struct wire_reply reply = {
	.result = IBMIAM_ALLOWED, .reason = "ok", .iam_id = "IBMid-1", .account = "ac",
	.api_code = "c", .transaction_id = "t", .correlation_id = "u", .http_status = 200,
	.export_to = WIRE_EXPORT_TARGET };
static const struct wire_reply reply_with_environment = {
	.result = IBMIAM_ALLOWED, .reason = "ok", .iam_id = "IBMid-1", .account = "ac",
	.api_code = "c", .transaction_id = "t", .correlation_id = "u", .http_status = 200,
	.export_to = WIRE_EXPORT_TARGET, .environment = "A=1\0B=2", .environment_len = 8 };
static const struct wire_reply refusal = {
	.result = IBMIAM_ALLOWED, .reason = "ok", .http_status = 200,
	.export_to = WIRE_EXPORT_TARGET };
static const struct wire_stash stash = {
	.user = "alice", .export_to = WIRE_EXPORT_OWN, .environment = "A=1", .environment_len = 4 };
static const struct wire_stash stash_with_session = {
	.user = "alice", .export_to = WIRE_EXPORT_OWN, .environment = "A=1", .environment_len = 4,
	.session = HANDLE };
static const struct wire_reply token_reply = {
	.result = IBMIAM_ALLOWED, .reason = "ok", .iam_id = "IBMid-1", .account = "ac",
	.api_code = "c", .transaction_id = "t", .correlation_id = "u", .http_status = 200,
	.export_to = WIRE_EXPORT_TARGET, .environment = "A=1\0B=2", .environment_len = 8,
	.note = "n", .session = HANDLE, .name = "A", .token = "e.y.j", .expiration = 0x80000001,
	.renewal = 1, .profile = "p" };
static const struct wire_hello hello = { .version = "10.20" };
static const struct wire_session adopt = { .session = HANDLE, .user = "alice", .uid = 1000 };
static const struct wire_session drop = { .session = HANDLE };
static const struct wire_session token = { .session = HANDLE, .budget_ms = 10000 };

static const struct sample {
	const char *name;
	const struct wire_message *message;
	const void *from;
	const char *bytes;
	size_t len;
	size_t cut; /* from here on only fields follow that may be absent; or 0 */
} samples[] = {
	{ "request", &wire_request_message, &request, UNIT_BYTES(REQUEST), 0 },
	{ "request without key", &wire_request_message, &request_without_key,
	  UNIT_BYTES(REQUEST_HEAD USER SERVICE UID BUDGET), 0 },
	{ "request with handle and rhost", &wire_request_message, &whole_request,
	  UNIT_BYTES(REQUEST HANDLE_FIELD("\6") RHOST), sizeof REQUEST - 1 },
	{ "reply", &wire_reply_message, &reply, UNIT_BYTES(REPLY), 0 },
	/* The environment is optional and stands last. */
	{ "reply with environment", &wire_reply_message, &reply_with_environment,
	  UNIT_BYTES(REPLY ENVIRONMENT), sizeof REPLY - 1 },
	{ "reply with what is required", &wire_reply_message, &refusal,
	  UNIT_BYTES(REPLY_HEAD RESULT REASON STATUS EXPORT), 0 },
	{ "reply to token", &wire_reply_message, &token_reply,
	  UNIT_BYTES(REPLY ENVIRONMENT "\13\0\2n\0" HANDLE_FIELD("\14") "\15\0\2A\0"
		     "\16\0\6e.y.j\0" "\17\0\4\x80\0\0\1" "\20\0\4\0\0\0\1" "\21\0\2p\0"),
	  sizeof REPLY - 1 },
	{ "stash", &wire_stash_message, &stash, UNIT_BYTES(STASH),
	  sizeof (STASH_HEAD USER STASH_EXPORT) - 1 },
	{ "stash with session", &wire_stash_message, &stash_with_session,
	  UNIT_BYTES(STASH HANDLE_FIELD("\4")), sizeof (STASH_HEAD USER STASH_EXPORT) - 1 },
	{ "hello", &wire_hello_message, &hello, UNIT_BYTES(HELLO), 0 },
	{ "adopt", &wire_adopt_message, &adopt, UNIT_BYTES(ADOPT), 0 },
	{ "drop", &wire_drop_message, &drop, UNIT_BYTES(DROP), 0 },
	{ "token", &wire_token_message, &token, UNIT_BYTES(TOKEN), 0 },
};

union any {
	struct wire_request request;
	struct wire_reply reply;
	struct wire_stash stash;
	struct wire_hello hello;
	struct wire_session session;
};

static const struct {
	const struct wire_message *message;
	size_t struct_size;
} messages[] = {
	{ &wire_request_message, sizeof(struct wire_request) },
	{ &wire_reply_message, sizeof(struct wire_reply) },
	{ &wire_stash_message, sizeof(struct wire_stash) },
	{ &wire_hello_message, sizeof(struct wire_hello) },
	{ &wire_adopt_message, sizeof(struct wire_session) },
	{ &wire_drop_message, sizeof(struct wire_session) },
	{ &wire_token_message, sizeof(struct wire_session) },
};

static size_t struct_size(const struct wire_message *m)
{
	size_t i = 0;

	while (messages[i].message != m)
		i++;
	return messages[i].struct_size;
}

/* Decodes a copy that ends where the message does, so that a sanitizer sees a read past
 * it, into a struct full of rubbish.  A refusal must leave it all zero. */
static const char *decode(const struct wire_message *m, const char *bytes, size_t len,
			  char **ret_copy, union any *to)
{
	static const union any zero;
	const char *fault;

	*ret_copy = malloc(len ? len : 1);
	assert_non_null(*ret_copy);
	memcpy(*ret_copy, bytes, len);
	memset(to, 0xa5, sizeof *to);
	fault = wire_decode(m, *ret_copy, len, to);
	if (fault && memcmp(to, &zero, struct_size(m)) != 0)
		fail_msg("refused (%s), but the struct is not zero", fault);
	return fault;
}

static void check_refused(const struct wire_message *m, const char *bytes, size_t len,
			  const char *want)
{
	union any to;
	char *copy;
	const char *fault = decode(m, bytes, len, &copy, &to);

	free(copy);
	if (!fault)
		fail_msg("%zu bytes are accepted", len);
	if (want)
		unit_check_text("fault", fault, want);
}

static void encodes_to_these_bytes(void **state)
{
	const struct sample *s = *state;
	SECRET_AUTO(out);

	assert_true(secret_init(&out, WIRE_MESSAGE_MAX));
	assert_true(secret_append(&out, "left over", 9));
	assert_null(wire_encode(s->message, s->from, &out));
	assert_int_equal(out.len, s->len);
	assert_memory_equal(out.data, s->bytes, s->len);
}

/* Encoded again, so that every member is compared. */
static void decodes_from_these_bytes(void **state)
{
	const struct sample *s = *state;
	SECRET_AUTO(again);
	union any to;
	char *copy;

	assert_true(secret_init(&again, WIRE_MESSAGE_MAX));
	assert_null(decode(s->message, s->bytes, s->len, &copy, &to));
	assert_null(wire_encode(s->message, &to, &again));
	assert_int_equal(again.len, s->len);
	assert_memory_equal(again.data, s->bytes, s->len);
	free(copy);
}

/* What decode lets through must be something that encode could have sent. */
static void check_changed(const struct sample *s, const char *bytes, size_t len,
			  struct secret *again)
{
	union any to;
	char *copy;

	if (!decode(s->message, bytes, len, &copy, &to)) {
		assert_null(wire_encode(s->message, &to, again));
		assert_int_equal(again->len, len);
	}
	free(copy);
}

static void every_truncation_is_refused(void **state)
{
	const struct sample *s = *state;
	SECRET_AUTO(again);

	assert_true(secret_init(&again, WIRE_MESSAGE_MAX));
	for (size_t len = 0; len < s->len; len++) {
		if (!s->cut || len < s->cut)
			check_refused(s->message, s->bytes, len, NULL);
		else
			check_changed(s, s->bytes, len, &again);
	}
}

static void every_changed_byte_is_survived(void **state)
{
	const struct sample *s = *state;
	SECRET_AUTO(again);
	char bytes[512];

	assert_true(secret_init(&again, WIRE_MESSAGE_MAX));
	assert_true(s->len <= sizeof bytes);
	memcpy(bytes, s->bytes, s->len);
	for (size_t i = 0; i < s->len; i++) {
		for (unsigned int c = 0; c < 256; c++) {
			bytes[i] = (char)c;
			check_changed(s, bytes, s->len, &again);
		}
		bytes[i] = s->bytes[i];
	}
}

static void another_type_is_refused(void **state)
{
	const struct sample *s = *state;

	for (size_t i = 0; i < UNIT_LEN(messages); i++) {
		bool same = messages[i].message == s->message;

		if (!same)
			check_refused(messages[i].message, s->bytes, s->len, "another type of message");
		assert_int_equal(wire_is(messages[i].message, s->bytes, s->len), same);
		assert_false(wire_is(messages[i].message, s->bytes, 1));
	}
}

static const struct malformed {
	const char *name;
	const struct wire_message *message;
	const char *bytes;
	size_t len;
	const char *fault;
} malformed[] = {
#define ROW(name, bytes, fault) { name, &wire_request_message, UNIT_BYTES(bytes), fault }
	ROW("nothing", "", "the message is too short or too long"),
	ROW("one byte", "\1", "the message is too short or too long"),
	ROW("header only", REQUEST_HEAD, "a required field is missing"),
	ROW("version 0", "\0\1" USER SERVICE UID BUDGET, "another version of the protocol"),
	ROW("version 2", "\2\1" USER SERVICE UID BUDGET, "another version of the protocol"),
	ROW("version 255", "\xff\1" USER SERVICE UID BUDGET, "another version of the protocol"),
	ROW("type 0", "\1\0" USER SERVICE UID BUDGET, "another type of message"),
	ROW("type 255", "\1\xff" USER SERVICE UID BUDGET, "another type of message"),
	ROW("one byte after it", REQUEST "\0", "the message ends inside a field"),
	ROW("two bytes after it", REQUEST "\1\0", "the message ends inside a field"),
	ROW("tag 0", REQUEST "\0\0\2x\0", "an unknown field"),
	ROW("tag of another message", REQUEST "\11\0\2x\0", "an unknown field"),
	ROW("tag 255", REQUEST "\xff\0\2x\0", "an unknown field"),
	ROW("unknown and empty", REQUEST "\xff\0\0", "an unknown field"),
	ROW("repeated string", REQUEST USER, "a field is repeated"),
	ROW("repeated key", REQUEST KEY, "a field is repeated"),
	ROW("repeated number", REQUEST UID, "a field is repeated"),
	ROW("no user", REQUEST_HEAD SERVICE KEY UID BUDGET, "a required field is missing"),
	ROW("no service", REQUEST_HEAD USER KEY UID BUDGET, "a required field is missing"),
	ROW("no uid", REQUEST_HEAD USER SERVICE KEY BUDGET, "a required field is missing"),
	ROW("no budget", REQUEST_HEAD USER SERVICE KEY UID, "a required field is missing"),
	ROW("longer than the message", REQUEST_HEAD "\1\0\7alice\0",
	    "a field is longer than the message"),
	ROW("longest length", REQUEST_HEAD "\1\xff\xff" "alice\0",
	    "a field is longer than the message"),
	ROW("not terminated", REQUEST_HEAD "\1\0\5alice" SERVICE UID BUDGET,
	    "a string is empty or not terminated"),
	ROW("no bytes", REQUEST_HEAD "\1\0\0" SERVICE UID BUDGET,
	    "a string is empty or not terminated"),
	ROW("empty string", REQUEST_HEAD "\1\0\1\0" SERVICE UID BUDGET,
	    "a string is empty or not terminated"),
	ROW("inner NUL", REQUEST_HEAD "\1\0\6al\0ce\0" SERVICE UID BUDGET, "a string holds a NUL"),
	ROW("two terminators", REQUEST_HEAD "\1\0\7alice\0\0" SERVICE UID BUDGET,
	    "a string holds a NUL"),
	ROW("number of no bytes", REQUEST_HEAD USER SERVICE "\4\0\0" BUDGET,
	    "a number is not four bytes long"),
	ROW("number of three bytes", REQUEST_HEAD USER SERVICE "\4\0\3\0\3\xe8" BUDGET,
	    "a number is not four bytes long"),
	ROW("number of five bytes", REQUEST_HEAD USER SERVICE "\4\0\5\0\0\0\3\xe8" BUDGET,
	    "a number is not four bytes long"),
	ROW("budget over its limit", REQUEST_HEAD USER SERVICE UID "\5\0\4\0\0\xea\x61",
	    "a number is larger than its limit"),
	ROW("budget with its highest bit", REQUEST_HEAD USER SERVICE UID "\5\0\4\x80\0\0\0",
	    "a number is larger than its limit"),
#undef ROW
#define ROW(name, bytes, fault) { name, &wire_reply_message, UNIT_BYTES(bytes), fault }
	ROW("reply without result", REPLY_HEAD REASON STATUS EXPORT, "a required field is missing"),
	ROW("reply without reason", REPLY_HEAD RESULT STATUS EXPORT, "a required field is missing"),
	ROW("reply without status", REPLY_HEAD RESULT REASON EXPORT, "a required field is missing"),
	ROW("reply without export", REPLY_HEAD RESULT REASON STATUS, "a required field is missing"),
	ROW("result that is none", REPLY_HEAD "\1\0\4\0\0\0\11" REASON STATUS EXPORT,
	    "a number is larger than its limit"),
	ROW("result 256", REPLY_HEAD "\1\0\4\0\0\1\0" REASON STATUS EXPORT,
	    "a number is larger than its limit"),
	ROW("status 1000", REPLY_HEAD RESULT REASON "\10\0\4\0\0\x03\xe8" EXPORT,
	    "a number is larger than its limit"),
	ROW("export that is none", REPLY_HEAD RESULT REASON STATUS "\11\0\4\0\0\0\2",
	    "a number is larger than its limit"),
	ROW("list of no bytes", REPLY "\12\0\0", "a string is empty or not terminated"),
	ROW("list of a terminator", REPLY "\12\0\1\0", "a string is empty or not terminated"),
	ROW("list that begins with an empty string", REPLY "\12\0\5\0A=1\0",
	    "a list holds an empty string"),
	ROW("list with an empty string", REPLY "\12\0\11A=1\0\0B=2\0",
	    "a list holds an empty string"),
	ROW("list that ends with an empty string", REPLY "\12\0\5A=1\0\0",
	    "a list holds an empty string"),
	ROW("list not terminated", REPLY "\12\0\7A=1\0B=2", "a string is empty or not terminated"),
	ROW("expiration 0", REPLY "\17\0\4\0\0\0\0", "a number that is 0 and not left out"),
	ROW("repeated list", REPLY ENVIRONMENT ENVIRONMENT, "a field is repeated"),
#undef ROW
#define ROW(name, bytes, fault) { name, &wire_stash_message, UNIT_BYTES(bytes), fault }
	ROW("stash without user", STASH_HEAD STASH_EXPORT STASH_LIST, "a required field is missing"),
	ROW("stash without export", STASH_HEAD USER STASH_LIST, "a required field is missing"),
#undef ROW
#define ROW(name, message, bytes, fault) { name, &wire_##message##_message, UNIT_BYTES(bytes), fault }
	ROW("hello of nobody", hello, "\1\4", "a required field is missing"),
	ROW("adopt without user", adopt, "\1\5" HANDLE_FIELD("\1") "\3\0\4\0\0\x03\xe8",
	    "a required field is missing"),
	ROW("adopt without uid", adopt, "\1\5" HANDLE_FIELD("\1") "\2\0\6alice\0",
	    "a required field is missing"),
	ROW("drop of nothing", drop, "\1\6", "a required field is missing"),
	ROW("drop with a user", drop, DROP "\2\0\6alice\0", "an unknown field"),
	ROW("token without budget", token, "\1\7" HANDLE_FIELD("\1"), "a required field is missing"),
	ROW("a handle too long", drop, "\1\6\1\0\42" HANDLE "0\0", "a field is longer than its limit"),
#undef ROW
};

static void decode_refuses(void **state)
{
	const struct malformed *m = *state;

	check_refused(m->message, m->bytes, m->len, m->fault);
}

static void members_are_where_they_belong(void **state)
{
	struct wire_request q;
	struct wire_reply r;
	struct wire_stash s;

	(void)state;
	assert_null(wire_decode(&wire_request_message, UNIT_BYTES(REQUEST), &q));
	assert_string_equal(q.user, "alice");
	assert_string_equal(q.service, "sshd");
	assert_string_equal(q.key, "key");
	assert_int_equal(q.uid, 1000);
	assert_int_equal(q.budget_ms, 10000);
	assert_null(wire_decode(&wire_reply_message, UNIT_BYTES(REPLY ENVIRONMENT), &r));
	assert_int_equal(r.result, IBMIAM_ALLOWED);
	assert_string_equal(r.reason, "ok");
	assert_string_equal(r.iam_id, "IBMid-1");
	assert_string_equal(r.account, "ac");
	assert_string_equal(r.api_code, "c");
	assert_string_equal(r.transaction_id, "t");
	assert_string_equal(r.correlation_id, "u");
	assert_int_equal(r.http_status, 200);
	assert_int_equal(r.export_to, WIRE_EXPORT_TARGET);
	assert_int_equal(r.environment_len, 8);
	assert_memory_equal(r.environment, "A=1\0B=2", 8);
	assert_null(wire_decode(&wire_stash_message, UNIT_BYTES(STASH), &s));
	assert_string_equal(s.user, "alice");
	assert_int_equal(s.export_to, WIRE_EXPORT_OWN);
	assert_int_equal(s.environment_len, 4);
}

static void members_of_sessions_too(void **state)
{
	struct wire_request q;
	struct wire_reply r;
	struct wire_session s;

	(void)state;
	assert_null(wire_decode(&wire_request_message, UNIT_BYTES(REQUEST RHOST), &q));
	assert_string_equal(q.rhost, "host-1");
	assert_null(q.session);
	assert_null(wire_decode(&wire_reply_message,
				UNIT_BYTES(REPLY "\16\0\2t\0" "\17\0\4\0\0\0\7"), &r));
	assert_string_equal(r.token, "t");
	assert_int_equal(r.expiration, 7);
	assert_int_equal(r.renewal, 0);
	assert_null(wire_decode(&wire_adopt_message, UNIT_BYTES(ADOPT), &s));
	assert_string_equal(s.session, HANDLE);
	assert_string_equal(s.user, "alice");
	assert_int_equal(s.uid, 1000);
	assert_null(wire_decode(&wire_token_message, UNIT_BYTES(TOKEN), &s));
	assert_int_equal(s.budget_ms, 10000);
}

static const struct handle {
	const char *name;
	const char *text;
	bool good;
} handles[] = {
	{ "lower-case hex", HANDLE, true },
	{ "all the same", "ffffffffffffffffffffffffffffffff", true },
	{ "nothing", "", false },
	{ "31 digits", "0123456789abcdef0123456789abcde", false },
	{ "33 digits", HANDLE "0", false },
	{ "upper case", "0123456789ABCDEF0123456789ABCDEF", false },
	{ "an equals sign", "0123456789abcdef0123456789abcde=", false },
	{ "a newline at the end", HANDLE "\n", false },
	{ "a newline inside", "0123456789abcde\n0123456789abcdef", false },
	{ "g", "g123456789abcdef0123456789abcdef", false },
	{ "a byte over 127", "\xe9" "123456789abcdef0123456789abcdef", false },
};

static void handles_are_hex(void **state)
{
	const struct handle *h = *state;

	assert_int_equal(wire_is_handle(h->text), h->good);
}

static void order_of_fields_is_free(void **state)
{
	struct wire_request q;

	(void)state;
	assert_null(wire_decode(&wire_request_message,
				UNIT_BYTES(REQUEST_HEAD BUDGET UID SERVICE USER), &q));
	assert_string_equal(q.user, "alice");
	assert_null(q.key);
}

static void lists_are_walked(void **state)
{
	static const char list[] = "A=1\0B=2\0C=3";
	static const char *const entries[] = { "A=1", "B=2", "C=3" };
	const char *entry = NULL;

	(void)state;
	for (size_t i = 0; i < UNIT_LEN(entries); i++) {
		entry = wire_list_next(list, sizeof list, entry);
		unit_check_text("entry", entry, entries[i]);
	}
	assert_null(wire_list_next(list, sizeof list, entry));
	assert_null(wire_list_next(NULL, 0, NULL));
	assert_null(wire_list_next(list, 0, NULL));
	assert_null(wire_list_next(list, 4, list)); /* the list's length counts, not what follows */
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, encodes_to_these_bytes, samples);
	UNIT_ROWS(&s, decodes_from_these_bytes, samples);
	UNIT_ROWS(&s, every_truncation_is_refused, samples);
	UNIT_ROWS(&s, every_changed_byte_is_survived, samples);
	UNIT_ROWS(&s, another_type_is_refused, samples);
	UNIT_ROWS(&s, decode_refuses, malformed);
	UNIT_TEST(&s, members_are_where_they_belong);
	UNIT_TEST(&s, members_of_sessions_too);
	UNIT_ROWS(&s, handles_are_hex, handles);
	UNIT_TEST(&s, order_of_fields_is_free);
	UNIT_TEST(&s, lists_are_walked);
	return unit_run(&s, "wire");
}
