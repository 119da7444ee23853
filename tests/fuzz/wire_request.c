/* The broker's first foreign bytes: a request from whoever holds the other end of its socket. */
#include "fuzz_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct wire_message *message = &wire_request_message;
	const struct secret *again;
	struct wire_request a, b;

	if (!fuzz_wire_decode(message, data, len, &a, sizeof a))
		return 0;
	MUST(a.user && a.service && a.budget_ms <= 60000);
	fuzz_wire_string(a.user, data, len, WIRE_USER_MAX);
	fuzz_wire_string(a.service, data, len, WIRE_SERVICE_MAX);
	fuzz_wire_string(a.key, data, len, WIRE_KEY_MAX);
	fuzz_wire_string(a.session, data, len, WIRE_SESSION_MAX);
	fuzz_wire_string(a.rhost, data, len, WIRE_RHOST_MAX);

	again = fuzz_wire_encode(message, &a, len);
	MUST(fuzz_wire_decode(message, again->data, again->len, &b, sizeof b));
	MUST(fuzz_wire_same(a.user, b.user) && fuzz_wire_same(a.service, b.service));
	MUST(fuzz_wire_same(a.key, b.key) && a.uid == b.uid && a.budget_ms == b.budget_ms);
	MUST(fuzz_wire_same(a.session, b.session) && fuzz_wire_same(a.rhost, b.rhost));
	return 0;
}
