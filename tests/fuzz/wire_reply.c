/* What the module believes: a reply, should the broker have fallen to what it talks to. */
#include "fuzz_wire.h"
#include "result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct wire_message *message = &wire_reply_message;
	const struct secret *again;
	struct wire_reply a, b;

	if (!fuzz_wire_decode(message, data, len, &a, sizeof a))
		return 0;
	MUST(a.result < IBMIAM_RESULT_COUNT && a.reason && a.http_status <= 999 &&
	     a.export_to < WIRE_EXPORT_COUNT);
	again = fuzz_wire_encode(message, &a, len);
	MUST(fuzz_wire_decode(message, again->data, again->len, &b, sizeof b));
	const struct {
		const char *a, *b;
		size_t max;
	} text[] = {
		{ a.reason, b.reason, WIRE_REASON_MAX },
		{ a.iam_id, b.iam_id, WIRE_ID_MAX },
		{ a.account, b.account, WIRE_ID_MAX },
		{ a.api_code, b.api_code, WIRE_ID_MAX },
		{ a.transaction_id, b.transaction_id, WIRE_ID_MAX },
		{ a.correlation_id, b.correlation_id, WIRE_ID_MAX },
		{ a.note, b.note, WIRE_REASON_MAX },
		{ a.session, b.session, WIRE_SESSION_MAX },
		{ a.name, b.name, WIRE_ID_MAX },
		{ a.token, b.token, WIRE_TOKEN_MAX },
		{ a.profile, b.profile, WIRE_ID_MAX },
	};
	for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
		fuzz_wire_string(text[i].a, data, len, text[i].max);
		MUST(fuzz_wire_same(text[i].a, text[i].b));
	}
	fuzz_wire_list(a.environment, a.environment_len, data, len);
	MUST(fuzz_wire_same_list(a.environment, a.environment_len, b.environment,
				 b.environment_len));
	MUST(a.result == b.result && a.http_status == b.http_status && a.export_to == b.export_to);
	MUST(a.expiration == b.expiration && a.renewal == b.renewal);
	return 0;
}
