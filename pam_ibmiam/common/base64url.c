/* base64url, strict both ways.  See base64url.h. */
#include "base64url.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool base64url_encode(const void *bytes, size_t len, struct secret *out)
{
	const unsigned char *in = bytes;
	size_t need = len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0);

	if (need > out->cap - out->len)
		return false;
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)in[i] << 16;

		if (n > 1)
			v |= (uint32_t)in[i + 1] << 8;
		if (n > 2)
			v |= in[i + 2];
		for (size_t k = 0; k <= n; k++)
			out->data[out->len++] = alphabet[v >> (18 - 6 * k) & 63];
	}
	return true;
}

static int digit(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

bool base64url_decode(const char *text, size_t len, struct secret *out)
{
	size_t start = out->len, need = len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0);

	if (len % 4 == 1 || need > out->cap - out->len)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		size_t n = len - i < 4 ? len - i : 4;
		uint32_t v = 0;

		for (size_t k = 0; k < n; k++) {
			int d = digit(text[i + k]);

			if (d < 0)
				goto bad;
			v |= (uint32_t)d << (18 - 6 * k);
		}
		/* A second spelling of the same bytes is not accepted. */
		if (v & (UINT32_C(0xffffff) >> (8 * (n - 1))))
			goto bad;
		for (size_t k = 0; k + 1 < n; k++)
			out->data[out->len++] = (char)(v >> (16 - 8 * k) & 0xff);
	}
	return true;
bad:
	out->len = start;
	return false;
}
