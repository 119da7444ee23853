/* Text from people: what was typed as a key, and what an admin wrote as a template for a
 * variable.  The input is taken for both. */
#include <locale.h>
#include <wchar.h>

#include "environment.h"
#include "fuzz.h"
#include "gate.h"

/* Values that look like placeholders: they must not be expanded a second time. */
static const struct environment_values values = {
	.token = "aaa.%{iam_id}.bbb",
	.iam_id = "%{token}%",
	.account = "%%",
	.expiration = 4000000000,
};

static const struct {
	const char *name, *value;
} known[] = {
	{ "%{token}", "aaa.%{iam_id}.bbb" },
	{ "%{iam_id}", "%{token}%" },
	{ "%{account}", "%%" },
	{ "%{expiration}", "4000000000" },
	{ "%%", "%" },
};

/* The characters by libc's reckoning, or -1 for what may not be in a line of text. */
static int count_printable(const char *text)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n;
	int count = 0;

	for (; (n = mbrtowc(&c, text, 6, &state)) != 0; text += n, count++)
		if (n > 6 || c < 0x20 || (c >= 0x7f && c <= 0x9f) || c > 0x10ffff ||
		    (c >= 0xd800 && c <= 0xdfff))
			return -1;
	return count;
}

static void check_key(const char *text)
{
	const char *fault = gate_fault(text);
	unsigned int count = 1000;
	bool printable = gate_printable(text, &count);

	MUST(count_printable(text) == (printable ? (int)count - 1000 : -1));
	MUST(printable || count == 1000);
	MUST(!fault == (printable && count >= 1032 && strlen(text) <= 510));
	(void)gate_hint(text);
}

/* What the template stands for, by its own words: the length of it. */
static size_t expect(const char *template, char *to, size_t size)
{
	char *start = to;

	while (*template) {
		size_t i = 0, n = 1;
		const char *value = template;

		while (i < sizeof known / sizeof known[0] &&
		       strncmp(template, known[i].name, strlen(known[i].name)) != 0)
			i++;
		if (i < sizeof known / sizeof known[0]) {
			value = known[i].value;
			n = strlen(value);
			template += strlen(known[i].name);
		} else {
			MUST(*template++ != '%');
		}
		MUST(size > n);
		memcpy(to, value, n);
		to += n;
		size -= n;
	}
	*to = '\0';
	return (size_t)(to - start);
}

static void check_template(const char *text)
{
	char expected[4096];
	size_t len, name_len = strcspn(text, "=");
	struct secret fits, small, half;

	if (environment_fault(text))
		return;
	MUST(environment_same_name(text, text));
	len = expect(text, expected, sizeof expected);
	MUST(name_len > 0 && text[name_len] == '=' && strncmp(expected, text, name_len + 1) == 0);
	fits = fuzz_tight(len + 1);
	small = fuzz_tight(len);
	half = fuzz_tight(len / 2);
	MUST(environment_render(text, &values, &fits) && fits.len == len + 1);
	MUST(memcmp(fits.data, expected, len + 1) == 0);
	MUST(!environment_render(text, &values, &small));
	MUST(!environment_render(text, &values, &half));
	fuzz_tight_free(&half);
	fuzz_tight_free(&small);
	fuzz_tight_free(&fits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool ready;
	char *text = fuzz_string(data, len);

	MUST(ready || setlocale(LC_CTYPE, "C.UTF-8"));
	ready = true;
	check_key(text);
	check_template(text);
	free(text);
	return 0;
}
