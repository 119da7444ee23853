/* IAM's errors.  See iam_error.h. */
#include "iam_error.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <string.h>

#include "json.h"

static const struct {
	const char *code;
	enum ibmiam_result result;
	const char *text;
} table[] = {
	{ "BXNIM0415E", IBMIAM_KEY_REJECTED, "IAM does not know this API key" },
	{ "BXNIM0462E", IBMIAM_KEY_REJECTED, "the API key is disabled" },
	{ "BXNIM0410E", IBMIAM_KEY_REJECTED, "the key's user is not found or not active in its account" },
	{ "BXNIM0436E", IBMIAM_KEY_REJECTED, "the key's user is suspended in its account" },
	{ "BXNIM0400E", IBMIAM_KEY_REJECTED, "the key's user is locked out" },
	{ "BXNIM0141E", IBMIAM_DENIED, "the key's user is not a member of a permitted account" },
	{ "BXNIM0050E", IBMIAM_UNAVAILABLE, "IAM reports a failure of its backend" },
	{ "BXNIM0109E", IBMIAM_UNAVAILABLE, "IAM misses a parameter: this is a bug of pam_ibmiam" },
	{ "BXNIM0106E", IBMIAM_UNAVAILABLE, "IAM dislikes response_type: this is a bug of pam_ibmiam" },
	{ "BXNIM0060E", IBMIAM_UNAVAILABLE, "IAM dislikes the method: this is a bug of pam_ibmiam" },
};

/* Takes over the errorCode if it is one plain word. */
static bool copy_code(const char *from, char to[IAM_ERROR_CODE_MAX + 1])
{
	size_t len = strlen(from);

	if (len == 0 || len > IAM_ERROR_CODE_MAX ||
	    strspn(from, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") != len)
		return false;
	memcpy(to, from, len + 1);
	return true;
}

static bool find_code(const char *body, size_t len, char to[IAM_ERROR_CODE_MAX + 1])
{
	__attribute__((cleanup(json_cleanup))) struct cJSON *json = json_parse_object(body, len);
	const struct cJSON *errors = NULL;
	const char *code = NULL;

	if (json_string(json, "errorCode", &code) == JSON_FOUND)
		return copy_code(code, to);
	/* The shape of IBM's newer APIs. */
	if (json_array(json, "errors", &errors) == JSON_FOUND &&
	    json_string(cJSON_GetArrayItem(errors, 0), "code", &code) == JSON_FOUND)
		return copy_code(code, to);
	return false;
}

/* Without a code that we know, the status decides.  Only an answer in IBM's own form, with a
 * status that speaks of credentials, rejects a key: the edge network in front of IAM sends
 * 4xx of its own, and 404 or 405 are our mistake. */
static void judge_status(long status, bool from_iam, struct iam_error *e)
{
	if (status == 429) {
		e->result = IBMIAM_UNAVAILABLE;
		e->text = "IAM asks for fewer requests";
	} else if (from_iam && (status == 400 || status == 401 || status == 403)) {
		e->result = IBMIAM_KEY_REJECTED;
		e->text = "IAM rejects the API key with a code that is not known here";
	} else if (status >= 500) {
		e->result = IBMIAM_UNAVAILABLE;
		e->text = "IAM fails";
	} else {
		e->result = IBMIAM_UNAVAILABLE;
		e->text = "the answer is not one of IAM's";
	}
}

struct iam_error iam_error_read(long http_status, const char *body, size_t len)
{
	struct iam_error e = { .code = "" };
	bool from_iam = find_code(body, len, e.code);

	judge_status(http_status, from_iam, &e);
	if (!from_iam || http_status == 429 || http_status < 400)
		return e;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (strcmp(table[i].code, e.code) == 0) {
			e.known = true;
			e.result = table[i].result;
			e.text = table[i].text;
		}
	}
	return e;
}
