/* base64url: every byte string has one spelling, and only that one is read. */
#include "base64url.h"
#include "fuzz.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode_and_back(const uint8_t *data, size_t len)
{
	size_t text_len = (len * 8 + 5) / 6;
	struct secret text = fuzz_tight(text_len), small = fuzz_tight(text_len - (len > 0));
	struct secret bytes = fuzz_tight(text_len / 4 * 3 + 3);

	MUST(base64url_encode(data, len, &text) && text.len == text_len);
	MUST(base64url_encode(data, len, &small) == (len == 0) && small.len == 0);
	for (size_t i = 0; i < text_len; i++)
		MUST(memchr(alphabet, text.data[i], sizeof alphabet - 1));
	MUST(base64url_decode(text.data, text.len, &bytes) && bytes.len == len);
	MUST(len == 0 || memcmp(bytes.data, data, len) == 0);
	fuzz_tight_free(&bytes);
	fuzz_tight_free(&small);
	fuzz_tight_free(&text);
}

static void decode_and_back(const char *text, size_t len)
{
	struct secret bytes = fuzz_tight(len + 3), again = fuzz_tight(len + 1);
	struct secret small = fuzz_tight(len * 6 / 8 - (len > 1));

	/* Something may stand in the buffer already; it stays. */
	MUST(secret_append(&bytes, "x", 1));
	if (base64url_decode(text, len, &bytes)) {
		MUST(bytes.len == 1 + len * 6 / 8);
		MUST(base64url_encode(bytes.data + 1, bytes.len - 1, &again));
		MUST(again.len == len && (len == 0 || memcmp(again.data, text, len) == 0));
	} else {
		MUST(bytes.len == 1);
	}
	MUST(bytes.data[0] == 'x');
	MUST(len < 2 || (!base64url_decode(text, len, &small) && small.len == 0));
	fuzz_tight_free(&small);
	fuzz_tight_free(&again);
	fuzz_tight_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	encode_and_back(data, len);
	decode_and_back((const char *)data, len);
	return 0;
}
