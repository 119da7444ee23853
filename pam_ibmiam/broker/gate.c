/* The shape of an API key.  See gate.h. */
#include "gate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "utf8.h"

bool gate_printable(const char *text, unsigned int *count)
{
	unsigned int characters = 0;
	uint32_t c = 0;

	while (*text) {
		size_t n = utf8_decode(text, &c);

		if (n == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f))
			return false;
		text += n;
		characters++;
	}
	if (count)
		*count += characters;
	return true;
}

/* IAM calls a blank key a missing parameter, as if the mistake were ours. */
static bool is_blank(const char *text)
{
	uint32_t c = 0;

	while (*text) {
		text += utf8_decode(text, &c);
		if (c != ' ' && c != 0xa0 && c != 0x1680 && !(c >= 0x2000 && c <= 0x200f) &&
		    c != 0x2028 && c != 0x2029 && c != 0x202f && c != 0x205f && c != 0x2060 &&
		    c != 0x3000 && c != 0xfeff)
			return false;
	}
	return true;
}

const char *gate_fault(const char *answer)
{
	unsigned int characters = 0;

	if (!answer || !answer[0])
		return "the answer is empty";
	if (strlen(answer) > GATE_BYTES_MAX)
		return "the answer is over 510 bytes, which PAM may have cut";
	if (!gate_printable(answer, &characters))
		return "the answer holds control characters or is not UTF-8, so it is no API key";
	if (characters < GATE_CHARACTERS_MIN)
		return "the answer is under 32 characters, so it is no API key";
	if (is_blank(answer))
		return "the answer is blank, so it is no API key";
	return NULL;
}

bool gate_plain(const char *key)
{
	return key[strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

const char *gate_hint(const char *key)
{
	size_t len = strlen(key);

	if (len == 0)
		return NULL;
	if (strncmp(key, "ApiKey-", 7) == 0)
		return "it looks like the id of a key (ApiKey-...), not like its value";
	if (strchr("{\"", key[0]) || strchr("}\"", key[len - 1]))
		return "it begins or ends with a brace or quote, as if pasted from a file";
	if (key[0] == ' ' || key[len - 1] == ' ')
		return "it begins or ends with a space";
	return NULL;
}
