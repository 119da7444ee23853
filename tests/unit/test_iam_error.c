/*
 * What IAM's errors mean for a login.  "Rejected" and "unreachable" must never be taken
 * for each other: a bad key must not fall through to another module as an outage, an
 * outage must not look like a bad key.
 */
#include "unit.h"

#include "iam_error.h"

/* As IAM answers, with the members that must not be read. */
#define BODY(code) UNIT_BYTES("{\"errorCode\":\"" code "\",\"errorMessage\":\"" SECRET "\"," \
	"\"errorDetails\":\"apikey=" SECRET "\",\"context\":{\"requestId\":\"abc\"}}")
#define V2(code) UNIT_BYTES("{\"trace\":\"abc\",\"status_code\":400,\"errors\":[{\"code\":\"" code \
	"\",\"message\":\"" SECRET "\"}]}")
#define SECRET "0123456789abcdef0123456789abcdef"

static const char unknown_code[] = "IAM rejects the API key with a code that is not known here";
static const char not_iams[] = "the answer is not one of IAM's";
static const char fails[] = "IAM fails";
static const char fewer[] = "IAM asks for fewer requests";

static const struct answer {
	const char *name;
	long status;
	const char *body;
	size_t len;
	enum ibmiam_result result;
	const char *code;
	const char *text;
} answers[] = {
	/* the table of IBM's errors */
	{ "unknown or deleted key", 400, BODY("BXNIM0415E"), IBMIAM_KEY_REJECTED, "BXNIM0415E",
	  "IAM does not know this API key" },
	{ "a parameter is missing", 400, BODY("BXNIM0109E"), IBMIAM_UNAVAILABLE, "BXNIM0109E",
	  "IAM misses a parameter: this is a bug of pam_ibmiam" },
	{ "bad response_type", 400, BODY("BXNIM0106E"), IBMIAM_UNAVAILABLE, "BXNIM0106E",
	  "IAM dislikes response_type: this is a bug of pam_ibmiam" },
	{ "disabled key with 400", 400, BODY("BXNIM0462E"), IBMIAM_KEY_REJECTED, "BXNIM0462E",
	  "the API key is disabled" },
	{ "disabled key with 401", 401, BODY("BXNIM0462E"), IBMIAM_KEY_REJECTED, "BXNIM0462E",
	  "the API key is disabled" },
	{ "disabled key with 403", 403, BODY("BXNIM0462E"), IBMIAM_KEY_REJECTED, "BXNIM0462E",
	  "the API key is disabled" },
	{ "user not active", 400, BODY("BXNIM0410E"), IBMIAM_KEY_REJECTED, "BXNIM0410E",
	  "the key's user is not found or not active in its account" },
	{ "user suspended", 401, BODY("BXNIM0436E"), IBMIAM_KEY_REJECTED, "BXNIM0436E",
	  "the key's user is suspended in its account" },
	{ "not a member", 400, BODY("BXNIM0141E"), IBMIAM_DENIED, "BXNIM0141E",
	  "the key's user is not a member of a permitted account" },
	{ "locked out", 401,
	  UNIT_BYTES("{\"errorCode\":\"BXNIM0400E\",\"requirements\":{\"code\":\"x\"}}"),
	  IBMIAM_KEY_REJECTED, "BXNIM0400E", "the key's user is locked out" },
	{ "wrong method", 405, BODY("BXNIM0060E"), IBMIAM_UNAVAILABLE, "BXNIM0060E",
	  "IAM dislikes the method: this is a bug of pam_ibmiam" },
	{ "backend failure with 500", 500, BODY("BXNIM0050E"), IBMIAM_UNAVAILABLE, "BXNIM0050E",
	  "IAM reports a failure of its backend" },
	{ "backend failure with 400", 400, BODY("BXNIM0050E"), IBMIAM_UNAVAILABLE, "BXNIM0050E",
	  "IAM reports a failure of its backend" },
	{ "too many requests", 429, BODY("BXNIM0999E"), IBMIAM_UNAVAILABLE, "BXNIM0999E", fewer },
	{ "too many requests, of a key that is none", 429, BODY("BXNIM0415E"), IBMIAM_UNAVAILABLE,
	  "BXNIM0415E", fewer },
	{ "too many requests, without a body", 429, UNIT_BYTES(""), IBMIAM_UNAVAILABLE, "", fewer },
	{ "too many requests, in HTML", 429, UNIT_BYTES("<html>slow down</html>"),
	  IBMIAM_UNAVAILABLE, "", fewer },
	/* codes that IBM has not told us */
	{ "unknown code with 400", 400, BODY("BXNIM9999E"), IBMIAM_KEY_REJECTED, "BXNIM9999E",
	  unknown_code },
	{ "unknown code with 401", 401, BODY("BXNIM9999E"), IBMIAM_KEY_REJECTED, "BXNIM9999E",
	  unknown_code },
	{ "unknown code with 500", 500, BODY("BXNIM9999E"), IBMIAM_UNAVAILABLE, "BXNIM9999E",
	  fails },
	{ "unknown code with 503", 503, BODY("BXNIM9999E"), IBMIAM_UNAVAILABLE, "BXNIM9999E",
	  fails },
	{ "known code in lower case", 400, BODY("bxnim0141e"), IBMIAM_KEY_REJECTED, "bxnim0141e",
	  unknown_code },
	{ "begin of a known code", 400, BODY("BXNIM0141"), IBMIAM_KEY_REJECTED, "BXNIM0141",
	  unknown_code },
	/* the newer APIs' form */
	{ "newer form, known code", 400, V2("BXNIM0415E"), IBMIAM_KEY_REJECTED, "BXNIM0415E",
	  "IAM does not know this API key" },
	{ "newer form, not a member", 400, V2("BXNIM0141E"), IBMIAM_DENIED, "BXNIM0141E",
	  "the key's user is not a member of a permitted account" },
	{ "newer form, unknown code", 400, V2("invalid_token"), IBMIAM_KEY_REJECTED,
	  "invalid_token", unknown_code },
	{ "newer form with 500", 500, V2("internal_error"), IBMIAM_UNAVAILABLE, "internal_error",
	  fails },
	{ "newer form, no errors", 400, UNIT_BYTES("{\"trace\":\"abc\",\"errors\":[]}"),
	  IBMIAM_UNAVAILABLE, "", not_iams },
	{ "newer form, error without a code", 400, UNIT_BYTES("{\"errors\":[{\"message\":\"x\"}]}"),
	  IBMIAM_UNAVAILABLE, "", not_iams },
	{ "newer form, error is a string", 400, UNIT_BYTES("{\"errors\":[\"x\"]}"),
	  IBMIAM_UNAVAILABLE, "", not_iams },
	{ "newer form, errors is an object", 400, UNIT_BYTES("{\"errors\":{\"code\":\"x\"}}"),
	  IBMIAM_UNAVAILABLE, "", not_iams },
	/* the edge network in front of IAM speaks for itself, not about keys */
	{ "HTML with 400", 400, UNIT_BYTES("<html><h1>Bad Request</h1></html>"),
	  IBMIAM_UNAVAILABLE, "", not_iams },
	{ "HTML with 401", 401, UNIT_BYTES("<html></html>"), IBMIAM_UNAVAILABLE, "", not_iams },
	{ "HTML with 403", 403, UNIT_BYTES("<html>Access Denied</html>"), IBMIAM_UNAVAILABLE, "",
	  not_iams },
	{ "HTML with 404", 404, UNIT_BYTES("<html></html>"), IBMIAM_UNAVAILABLE, "", not_iams },
	{ "HTML with 502", 502, UNIT_BYTES("<html></html>"), IBMIAM_UNAVAILABLE, "", fails },
	{ "HTML that names a code", 400, UNIT_BYTES("<p>BXNIM0415E</p>"), IBMIAM_UNAVAILABLE, "",
	  not_iams },
	{ "nothing with 400", 400, UNIT_BYTES(""), IBMIAM_UNAVAILABLE, "", not_iams },
	{ "nothing with 401", 401, UNIT_BYTES(""), IBMIAM_UNAVAILABLE, "", not_iams },
	{ "nothing with 500", 500, UNIT_BYTES(""), IBMIAM_UNAVAILABLE, "", fails },
	{ "nothing with 501", 501, UNIT_BYTES(""), IBMIAM_UNAVAILABLE, "", fails },
	{ "nothing with 504", 504, UNIT_BYTES(""), IBMIAM_UNAVAILABLE, "", fails },
	{ "redirect", 302, UNIT_BYTES(""), IBMIAM_UNAVAILABLE, "", not_iams },
	{ "redirect with a code", 302, BODY("BXNIM0415E"), IBMIAM_UNAVAILABLE, "BXNIM0415E",
	  not_iams },
	{ "204", 204, UNIT_BYTES(""), IBMIAM_UNAVAILABLE, "", not_iams },
	{ "status 0", 0, UNIT_BYTES(""), IBMIAM_UNAVAILABLE, "", not_iams },
	{ "JSON of somebody else", 400, UNIT_BYTES("{\"error\":\"invalid_grant\"}"),
	  IBMIAM_UNAVAILABLE, "", not_iams },
	{ "array", 400, UNIT_BYTES("[{\"errorCode\":\"BXNIM0415E\"}]"), IBMIAM_UNAVAILABLE, "",
	  not_iams },
	{ "code further inside", 400, UNIT_BYTES("{\"x\":{\"errorCode\":\"BXNIM0415E\"}}"),
	  IBMIAM_UNAVAILABLE, "", not_iams },
	{ "cut off", 400, UNIT_BYTES("{\"errorCode\":\"BXNIM0415E\""), IBMIAM_UNAVAILABLE, "",
	  not_iams },
	{ "text after it", 400, UNIT_BYTES("{\"errorCode\":\"BXNIM0415E\"}x"), IBMIAM_UNAVAILABLE,
	  "", not_iams },
	{ "two codes", 400,
	  UNIT_BYTES("{\"errorCode\":\"BXNIM0415E\",\"errorCode\":\"BXNIM0050E\"}"),
	  IBMIAM_UNAVAILABLE, "", not_iams },
	/* a code goes into the log and over the wire: one plain word */
	{ "code is a number", 400, UNIT_BYTES("{\"errorCode\":415}"), IBMIAM_UNAVAILABLE, "",
	  not_iams },
	{ "code is empty", 400, BODY(""), IBMIAM_UNAVAILABLE, "", not_iams },
	{ "code of 32 characters", 400, BODY("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"),
	  IBMIAM_KEY_REJECTED, "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", unknown_code },
	{ "code of 33 characters", 400, BODY("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456"),
	  IBMIAM_UNAVAILABLE, "", not_iams },
	{ "code with a newline", 400, BODY("BXNIM0415E\\nfake: log line"), IBMIAM_UNAVAILABLE, "",
	  not_iams },
	{ "code with a space", 400, BODY("BXNIM0415E "), IBMIAM_UNAVAILABLE, "", not_iams },
	{ "code with a percent sign", 400, BODY("%s%n"), IBMIAM_UNAVAILABLE, "", not_iams },
	{ "code in UTF-8", 400, BODY("caf\xc3\xa9"), IBMIAM_UNAVAILABLE, "", not_iams },
	{ "code with a NUL", 400, BODY("BXNIM0415E\\u0000x"), IBMIAM_UNAVAILABLE, "", not_iams },
};

static void means(void **state)
{
	const struct answer *a = *state;
	const struct iam_error e = iam_error_read(a->status, a->body, a->len);

	assert_int_equal(e.result, a->result);
	assert_string_equal(e.code, a->code);
	unit_check_text("text", e.text, a->text);
}

/* errorMessage and errorDetails have been seen to repeat the key. */
static void repeats_nothing_of_the_body(void **state)
{
	const struct answer *a = *state;
	const struct iam_error e = iam_error_read(a->status, a->body, a->len);

	assert_null(strstr(e.text, SECRET));
	assert_null(memmem(e.code, sizeof e.code, SECRET, sizeof SECRET - 1));
	for (size_t i = strlen(e.code); i < sizeof e.code; i++)
		assert_int_equal(e.code[i], 0);
}

static void never_allows(void **state)
{
	const struct answer *a = *state;

	for (long status = -1; status < 1000; status++) {
		const struct iam_error e = iam_error_read(status, a->body, a->len);

		if (e.result == IBMIAM_ALLOWED || !e.text || !e.text[0])
			fail_msg("status %ld", status);
		if ((status == 429 || status < 400) && e.result != IBMIAM_UNAVAILABLE)
			fail_msg("status %ld is no outage", status);
	}
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, means, answers);
	UNIT_ROWS(&s, repeats_nothing_of_the_body, answers);
	UNIT_ROWS(&s, never_allows, answers);
	return unit_run(&s, "iam_error");
}
