/* The grammar of a configuration: what it points at is in the text, what it lets through
 * is complete, holds no comment, and its verdict does not depend on what stands around. */
#include "config_syntax.h"

#include "fuzz.h"

/* Judges before + text + after, in memory of exactly that size; a fault without text means
 * that there is none. */
static struct config_syntax_fault judge(const char *before, const void *text, size_t len,
					const char *after)
{
	size_t before_len = strlen(before), all = before_len + len + strlen(after);
	struct config_syntax_fault fault = { .text = NULL };
	char *copy = malloc(all ? all : 1);
	unsigned int lines = 1;
	int rc;

	MUST(copy != NULL);
	for (size_t i = 0; i < all; i++) {
		copy[i] = i < before_len ? before[i]
			: i < before_len + len ? ((const char *)text)[i - before_len]
					       : after[i - before_len - len];
		lines += copy[i] == '\n';
	}
	rc = config_syntax_check(copy, all, &fault);
	MUST((rc == 0) == (fault.text == NULL));
	if (fault.text) {
		MUST(fault.line >= 1 && fault.line <= lines);
		MUST(fault.key >= copy && fault.key + fault.key_len <= copy + all);
		for (size_t i = 0; i < fault.key_len; i++)
			MUST(fault.key[i] > ' ' && fault.key[i] < 0x7f);
	} else { /* the comments are gone: nothing changes when it is judged again */
		MUST(config_syntax_check(copy, all, &fault) == 0);
	}
	free(copy);
	return fault;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config_syntax_fault later = judge("# a line\n", data, len, "");
	struct config_syntax_fault f = judge("", data, len, "");

	MUST(later.text == f.text);
	if (f.text) {
		MUST(later.line == f.line + 1 && later.key_len == f.key_len);
		return 0;
	}
	MUST(!judge("", data, len, "\n").text);
	MUST(!judge("", data, len, " # comment").text);
	MUST(judge("", data, len, "\n}").text);
	MUST(judge("", data, len, "\nuser x {").text);
	MUST(judge("", data, len, "\n\"").text);
	MUST(judge("x = 1\n", data, len, "\nx = 2").text);
	f = judge("user x {", data, len, "\n}");
	MUST(!f.text || strstr(f.text, "too deeply"));
	return 0;
}
