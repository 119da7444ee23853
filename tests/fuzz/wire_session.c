/* What any user of the host may send to a resident broker: adopt, drop and token.  An input is
 * at most one of them. */
#include "fuzz_wire.h"

static const struct {
	const struct wire_message *message;
	bool has_user, has_budget;
} kinds[] = {
	{ &wire_adopt_message, true, false },
	{ &wire_drop_message, false, false },
	{ &wire_token_message, false, true },
};

static bool check(size_t kind, const void *data, size_t len)
{
	const struct wire_message *message = kinds[kind].message;
	const struct secret *again;
	struct wire_session a, b;

	if (!fuzz_wire_decode(message, data, len, &a, sizeof a))
		return false;
	MUST(wire_is(message, data, len) && a.session);
	MUST(kinds[kind].has_user ? a.user != NULL : !a.user && a.uid == 0);
	MUST(kinds[kind].has_budget ? a.budget_ms <= WIRE_BUDGET_MAX_MS : a.budget_ms == 0);
	fuzz_wire_string(a.session, data, len, WIRE_SESSION_MAX);
	fuzz_wire_string(a.user, data, len, WIRE_USER_MAX);
	if (wire_is_handle(a.session))
		MUST(strlen(a.session) == 32 && !strpbrk(a.session, "=\n"));

	again = fuzz_wire_encode(message, &a, len);
	MUST(fuzz_wire_decode(message, again->data, again->len, &b, sizeof b));
	MUST(fuzz_wire_same(a.session, b.session) && fuzz_wire_same(a.user, b.user));
	MUST(a.uid == b.uid && a.budget_ms == b.budget_ms);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		count += check(i, data, len);
	MUST(count <= 1);
	return 0;
}
