/*
 * What holds for every message of wire.h, whichever its struct: the targets wire_request,
 * wire_reply, wire_stash, wire_hello and wire_session differ only in the values they compare.
 */
#ifndef IBMIAM_FUZZ_WIRE_H
#define IBMIAM_FUZZ_WIRE_H

#include "fuzz.h"
#include "wire.h"

enum { FUZZ_WIRE_STRUCT_MAX = 256 };

/* Decodes the input into *to.  Returns false when it is refused; *to is then zero. */
static inline bool fuzz_wire_decode(const struct wire_message *message, const void *data,
				    size_t len, void *to, size_t to_size)
{
	static const char zero[FUZZ_WIRE_STRUCT_MAX];
	const char *fault = wire_decode(message, data, len, to);

	MUST(to_size <= sizeof zero && (!fault || memcmp(to, zero, to_size) == 0));
	return !fault;
}

/* Encodes what was decoded.  The order of the fields is the only freedom that a sender
 * has, so the length must be the input's. */
static inline const struct secret *fuzz_wire_encode(const struct wire_message *message,
						    const void *from, size_t len)
{
	static struct secret out; /* kept for the next input: making one costs more than the rest */

	MUST(out.data || secret_init(&out, WIRE_MESSAGE_MAX));
	MUST(!wire_encode(message, from, &out) && out.len == len);
	return &out;
}

/* A string that was decoded from the input: absent, or inside it with its end. */
static inline void fuzz_wire_string(const char *text, const void *data, size_t len, size_t max)
{
	const char *buf = data;

	if (!text)
		return;
	MUST(text >= buf && text < buf + len);
	MUST(memchr(text, '\0', len - (size_t)(text - buf)));
	MUST(strlen(text) > 0 && strlen(text) < max);
}

/* A list likewise: its entries, as they are walked, fill it and are not empty. */
static inline void fuzz_wire_list(const char *list, size_t list_len, const void *data, size_t len)
{
	const char *buf = data, *entry = NULL;
	size_t sum = 0;

	MUST(list ? list_len > 1 : list_len == 0);
	MUST(!list || (list >= buf && list_len <= len - (size_t)(list - buf)));
	while ((entry = wire_list_next(list, list_len, entry)) != NULL) {
		fuzz_wire_string(entry, list, list_len, list_len + 1);
		sum += strlen(entry) + 1;
	}
	MUST(sum == list_len);
}

static inline bool fuzz_wire_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static inline bool fuzz_wire_same_list(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

#endif
