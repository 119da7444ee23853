/* Any other answer of IAM's, or of whatever stands in front of it: three digits of an HTTP
 * status, then the body.  No such answer lets anybody in. */
#include "iam_error.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct iam_error e;
	long status;

	if (len < 3)
		return 0;
	status = (data[0] - '0') * 100 + (data[1] - '0') * 10 + (data[2] - '0');
	e = iam_error_read(status, (const char *)data + 3, len - 3);
	MUST(e.result == IBMIAM_KEY_REJECTED || e.result == IBMIAM_DENIED ||
	     e.result == IBMIAM_UNAVAILABLE);
	MUST(e.text && e.text[0]);
	MUST(!e.code[0] || fuzz_is_plain_word(e.code, IAM_ERROR_CODE_MAX));
	MUST(!strpbrk(e.code, " \"\\="));
	/* Rejected and unreachable are never confused: only IAM rejects, and says so. */
	MUST(e.result == IBMIAM_UNAVAILABLE || (e.code[0] && status >= 400 && status != 429));
	/* The code is in the body, as it is or escaped. */
	MUST(memchr(data, '\\', len) || memmem(data + 3, len - 3, e.code, strlen(e.code)));
	return 0;
}
