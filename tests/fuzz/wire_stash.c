/* The stash as it comes back from a PAM environment variable: first its base64url, then
 * the message, as state_publish() reads them.  And as state_remember() writes it, from
 * whatever a reply may hold. */
#include "base64url.h"
#include "fuzz_wire.h"

static void check(const void *data, size_t len)
{
	const struct wire_message *message = &wire_stash_message;
	const struct secret *again;
	struct wire_stash a, b;

	if (!fuzz_wire_decode(message, data, len, &a, sizeof a))
		return;
	MUST(a.user && a.export_to < WIRE_EXPORT_COUNT);
	fuzz_wire_string(a.user, data, len, WIRE_USER_MAX);
	fuzz_wire_string(a.session, data, len, WIRE_SESSION_MAX);
	if (a.environment)
		fuzz_wire_list(a.environment, a.environment_len, data, len);

	again = fuzz_wire_encode(message, &a, len);
	MUST(fuzz_wire_decode(message, again->data, again->len, &b, sizeof b));
	MUST(fuzz_wire_same(a.user, b.user) && a.export_to == b.export_to);
	MUST(fuzz_wire_same(a.session, b.session));
	MUST(fuzz_wire_same_list(a.environment, a.environment_len, b.environment,
				 b.environment_len));
}

/* Nothing is sent that would not be read as what was meant. */
static void check_encode(const uint8_t *data, size_t len)
{
	static struct secret out;
	char *user = fuzz_string(data, len);
	size_t user_len = strlen(user);
	const char *rest = user_len < len ? (const char *)data + user_len + 1 : NULL;
	const struct wire_stash a = {
		.user = user,
		.export_to = len > 0 ? data[0] % 3 : 0,
		.environment = rest,
		.environment_len = rest ? len - user_len - 1 : 0,
	};
	struct wire_stash b;

	MUST(out.data || secret_init(&out, WIRE_MESSAGE_MAX));
	if (wire_encode(&wire_stash_message, &a, &out)) {
		MUST(out.len == 0);
	} else {
		MUST(fuzz_wire_decode(&wire_stash_message, out.data, out.len, &b, sizeof b));
		MUST(fuzz_wire_same(a.user, b.user) && a.export_to == b.export_to);
		MUST(fuzz_wire_same_list(a.environment, a.environment_len, b.environment,
					 b.environment_len));
	}
	free(user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct secret bytes = fuzz_tight(len / 4 * 3 + 3);

	check(data, len);
	check_encode(data, len);
	if (base64url_decode((const char *)data, len, &bytes))
		check(bytes.data, bytes.len);
	fuzz_tight_free(&bytes);
	return 0;
}
