/* Encoder and decoder for the messages of ../PROTOCOL.md.  See wire.h. */
#include "wire.h"

#include <string.h>

#include "result.h"

enum {
	HEADER_LEN = 2, /* version, type */
	FIELD_LEN = 3,  /* tag, then the length in two bytes, big-endian */
	FIELD_COUNT_MAX = 20,
};

enum kind {
	KIND_U32,    /* four bytes, big-endian; `max` is its largest value */
	KIND_STRING, /* not empty, ends with its only NUL; `max` counts the NUL */
	KIND_LIST,   /* one or more non-empty strings, each with its NUL */
};

struct field {
	uint8_t tag;
	uint8_t kind;
	bool required;
	uint32_t max;
	size_t at;     /* offset of the member in the struct */
	size_t len_at; /* KIND_LIST: offset of the member with its length */
};

struct wire_message {
	uint8_t type;
	size_t struct_size;
	struct field field[FIELD_COUNT_MAX + 1]; /* ends with tag 0 */
};

#define AT(member) offsetof(struct wire_request, member)
const struct wire_message wire_request_message = {
	.type = 1, .struct_size = sizeof(struct wire_request), .field = {
	{ 1, KIND_STRING, true, WIRE_USER_MAX, AT(user), 0 },
	{ 2, KIND_STRING, true, WIRE_SERVICE_MAX, AT(service), 0 },
	{ 3, KIND_STRING, false, WIRE_KEY_MAX, AT(key), 0 },
	{ 4, KIND_U32, true, UINT32_MAX, AT(uid), 0 },
	{ 5, KIND_U32, true, WIRE_BUDGET_MAX_MS, AT(budget_ms), 0 },
	{ 6, KIND_STRING, false, WIRE_SESSION_MAX, AT(session), 0 },
	{ 7, KIND_STRING, false, WIRE_RHOST_MAX, AT(rhost), 0 },
	{ 8, KIND_U32, false, 1, AT(explain), 0 },
}};
#undef AT

#define AT(member) offsetof(struct wire_reply, member)
const struct wire_message wire_reply_message = {
	.type = 2, .struct_size = sizeof(struct wire_reply), .field = {
	{ 1, KIND_U32, true, IBMIAM_RESULT_COUNT - 1, AT(result), 0 },
	{ 2, KIND_STRING, true, WIRE_REASON_MAX, AT(reason), 0 },
	{ 3, KIND_STRING, false, WIRE_ID_MAX, AT(iam_id), 0 },
	{ 4, KIND_STRING, false, WIRE_ID_MAX, AT(account), 0 },
	{ 5, KIND_STRING, false, WIRE_ID_MAX, AT(api_code), 0 },
	{ 6, KIND_STRING, false, WIRE_ID_MAX, AT(transaction_id), 0 },
	{ 7, KIND_STRING, false, WIRE_ID_MAX, AT(correlation_id), 0 },
	{ 8, KIND_U32, true, 999, AT(http_status), 0 },
	{ 9, KIND_U32, true, WIRE_EXPORT_COUNT - 1, AT(export_to), 0 },
	{ 10, KIND_LIST, false, WIRE_MESSAGE_MAX, AT(environment), AT(environment_len) },
	{ 11, KIND_STRING, false, WIRE_REASON_MAX, AT(note), 0 },
	{ 12, KIND_STRING, false, WIRE_SESSION_MAX, AT(session), 0 },
	{ 13, KIND_STRING, false, WIRE_ID_MAX, AT(name), 0 },
	{ 14, KIND_STRING, false, WIRE_TOKEN_MAX, AT(token), 0 },
	{ 15, KIND_U32, false, UINT32_MAX, AT(expiration), 0 },
	{ 16, KIND_U32, false, UINT32_MAX, AT(renewal), 0 },
	{ 17, KIND_STRING, false, WIRE_ID_MAX, AT(profile), 0 },
	{ 18, KIND_STRING, false, WIRE_ID_MAX, AT(check), 0 },
	{ 19, KIND_LIST, false, WIRE_MESSAGE_MAX, AT(steps), AT(steps_len) },
}};
#undef AT

#define AT(member) offsetof(struct wire_stash, member)
const struct wire_message wire_stash_message = {
	.type = 3, .struct_size = sizeof(struct wire_stash), .field = {
	{ 1, KIND_STRING, true, WIRE_USER_MAX, AT(user), 0 },
	{ 2, KIND_U32, true, WIRE_EXPORT_COUNT - 1, AT(export_to), 0 },
	{ 3, KIND_LIST, false, WIRE_MESSAGE_MAX, AT(environment), AT(environment_len) },
	{ 4, KIND_STRING, false, WIRE_SESSION_MAX, AT(session), 0 },
}};
#undef AT

const struct wire_message wire_hello_message = {
	.type = 4, .struct_size = sizeof(struct wire_hello), .field = {
	{ 1, KIND_STRING, true, WIRE_ID_MAX, offsetof(struct wire_hello, version), 0 },
}};

#define AT(member) offsetof(struct wire_session, member)
const struct wire_message wire_adopt_message = {
	.type = 5, .struct_size = sizeof(struct wire_session), .field = {
	{ 1, KIND_STRING, true, WIRE_SESSION_MAX, AT(session), 0 },
	{ 2, KIND_STRING, true, WIRE_USER_MAX, AT(user), 0 },
	{ 3, KIND_U32, true, UINT32_MAX, AT(uid), 0 },
}};

const struct wire_message wire_drop_message = {
	.type = 6, .struct_size = sizeof(struct wire_session), .field = {
	{ 1, KIND_STRING, true, WIRE_SESSION_MAX, AT(session), 0 },
}};

const struct wire_message wire_token_message = {
	.type = 7, .struct_size = sizeof(struct wire_session), .field = {
	{ 1, KIND_STRING, true, WIRE_SESSION_MAX, AT(session), 0 },
	{ 2, KIND_U32, true, WIRE_BUDGET_MAX_MS, AT(budget_ms), 0 },
}};
#undef AT

static bool put_field(struct secret *out, uint8_t tag, const void *value, size_t len)
{
	const unsigned char head[FIELD_LEN] = { tag, (unsigned char)(len >> 8), (unsigned char)len };

	return len <= UINT16_MAX && out->len + FIELD_LEN + len <= WIRE_MESSAGE_MAX &&
	       secret_append(out, head, sizeof head) && secret_append(out, value, len);
}

/* What is wrong with the value of a string or list field, or NULL. */
static const char *check_text(const struct field *f, const char *value, size_t len)
{
	if (len > f->max)
		return "a field is longer than its limit";
	if (len < 2 || value[len - 1] != '\0')
		return "a string is empty or not terminated";
	if (f->kind == KIND_STRING)
		return memchr(value, '\0', len) == value + len - 1 ? NULL : "a string holds a NUL";
	if (value[0] == '\0' || memmem(value, len, "\0\0", 2))
		return "a list holds an empty string";
	return NULL;
}

/* The length on the wire of a string or list, 0 for one that is absent. */
static size_t text_len(const struct field *f, const void *from, const char *value)
{
	size_t len = 0;

	if (!value)
		return 0;
	if (f->kind == KIND_STRING)
		return strlen(value) + 1;
	memcpy(&len, (const char *)from + f->len_at, sizeof len);
	return len;
}

static const char *encode_field(const struct field *f, const void *from, struct secret *out)
{
	const char *member = (const char *)from + f->at;
	const char *fault, *text;
	size_t len;

	if (f->kind == KIND_U32) {
		uint32_t v;

		memcpy(&v, member, sizeof v);
		if (v > f->max)
			return "a number is larger than its limit";
		if (v == 0 && !f->required)
			return NULL;
		const unsigned char be[4] = { (unsigned char)(v >> 24), (unsigned char)(v >> 16),
					      (unsigned char)(v >> 8), (unsigned char)v };
		return put_field(out, f->tag, be, sizeof be) ? NULL : "the message is too long";
	}
	memcpy(&text, member, sizeof text);
	len = text_len(f, from, text);
	if (len == 0)
		return f->required ? "a required field is missing" : NULL;
	fault = check_text(f, text, len);
	if (fault)
		return fault;
	return put_field(out, f->tag, text, len) ? NULL : "the message is too long";
}

const char *wire_encode(const struct wire_message *message, const void *from, struct secret *out)
{
	const unsigned char head[HEADER_LEN] = { WIRE_VERSION, message->type };
	const char *fault = NULL;

	if (out->len > 0)
		secret_clear(out);
	if (!secret_append(out, head, sizeof head))
		return "the message is too long";
	for (const struct field *f = message->field; f->tag && !fault; f++)
		fault = encode_field(f, from, out);
	if (fault)
		secret_clear(out);
	return fault;
}

static const char *decode_field(const struct field *f, const char *value, size_t len, void *to)
{
	char *member = (char *)to + f->at;
	const char *fault;

	if (f->kind == KIND_U32) {
		const unsigned char *be = (const unsigned char *)value;
		uint32_t v;

		if (len != 4)
			return "a number is not four bytes long";
		v = (uint32_t)be[0] << 24 | (uint32_t)be[1] << 16 | (uint32_t)be[2] << 8 | be[3];
		if (v > f->max)
			return "a number is larger than its limit";
		if (v == 0 && !f->required)
			return "a number that is 0 and not left out";
		memcpy(member, &v, sizeof v);
		return NULL;
	}
	fault = check_text(f, value, len);
	if (fault)
		return fault;
	memcpy(member, &value, sizeof value);
	if (f->kind == KIND_LIST)
		memcpy((char *)to + f->len_at, &len, sizeof len);
	return NULL;
}

static const char *decode_fields(const struct wire_message *message, const char *buf, size_t len,
				 void *to)
{
	bool seen[FIELD_COUNT_MAX] = { false };

	for (size_t pos = HEADER_LEN; pos < len;) {
		const unsigned char *head = (const unsigned char *)buf + pos;
		const char *fault;
		size_t i = 0, field_len;

		if (len - pos < FIELD_LEN)
			return "the message ends inside a field";
		field_len = (size_t)head[1] << 8 | head[2];
		pos += FIELD_LEN;
		if (field_len > len - pos)
			return "a field is longer than the message";
		while (message->field[i].tag && message->field[i].tag != head[0])
			i++;
		if (!message->field[i].tag)
			return "an unknown field";
		if (seen[i])
			return "a field is repeated";
		seen[i] = true;
		fault = decode_field(&message->field[i], buf + pos, field_len, to);
		if (fault)
			return fault;
		pos += field_len;
	}
	for (size_t i = 0; message->field[i].tag; i++)
		if (message->field[i].required && !seen[i])
			return "a required field is missing";
	return NULL;
}

bool wire_is_handle(const char *text)
{
	return strspn(text, "0123456789abcdef") == WIRE_SESSION_MAX - 1 &&
	       text[WIRE_SESSION_MAX - 1] == '\0';
}

bool wire_is(const struct wire_message *message, const char *buf, size_t len)
{
	return len >= HEADER_LEN && (unsigned char)buf[0] == WIRE_VERSION &&
	       (unsigned char)buf[1] == message->type;
}

const char *wire_decode(const struct wire_message *message, const char *buf, size_t len, void *to)
{
	const char *fault;

	memset(to, 0, message->struct_size);
	if (len < HEADER_LEN || len > WIRE_MESSAGE_MAX)
		return "the message is too short or too long";
	if ((unsigned char)buf[0] != WIRE_VERSION)
		return "another version of the protocol";
	if ((unsigned char)buf[1] != message->type)
		return "another type of message";
	fault = decode_fields(message, buf, len, to);
	if (fault)
		memset(to, 0, message->struct_size);
	return fault;
}

const char *wire_list_next(const char *list, size_t list_len, const char *previous)
{
	const char *next = previous ? previous + strlen(previous) + 1 : list;

	return next && next < list + list_len ? next : NULL;
}
