/* Strict UTF-8.  See utf8.h. */
#include "utf8.h"

size_t utf8_decode(const char *text, uint32_t *ret)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t min;
	} form[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 },
		     { 0xf8, 0xf0, 0x10000 } };
	const unsigned char *s = (const unsigned char *)text;

	for (size_t n = 0; n < sizeof form / sizeof form[0]; n++) {
		uint32_t c = s[0] & (unsigned char)~form[n].mask;

		if ((s[0] & form[n].mask) != form[n].lead)
			continue;
		for (size_t i = 1; i <= n; i++) {
			if ((s[i] & 0xc0) != 0x80) /* a NUL ends it here too */
				return 0;
			c = c << 6 | (s[i] & 0x3f);
		}
		if (c < form[n].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return 0;
		*ret = c;
		return n + 1;
	}
	return 0;
}
