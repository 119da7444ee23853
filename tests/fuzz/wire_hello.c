/* What a client reads before it trusts a resident broker with a key: its greeting. */
#include "fuzz_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct wire_message *message = &wire_hello_message;
	const struct secret *again;
	struct wire_hello a, b;

	if (!fuzz_wire_decode(message, data, len, &a, sizeof a))
		return 0;
	MUST(a.version && wire_is(message, (const char *)data, len));
	fuzz_wire_string(a.version, data, len, WIRE_ID_MAX);

	again = fuzz_wire_encode(message, &a, len);
	MUST(fuzz_wire_decode(message, again->data, again->len, &b, sizeof b));
	MUST(fuzz_wire_same(a.version, b.version));
	return 0;
}
