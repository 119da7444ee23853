/*
 * IAM's answer to a token request, and JSON as it is read everywhere.  An input is read
 * three ways: as the whole answer; as the claims of a token inside a good answer; and as
 * a JSON object of which every member is looked up.
 */
#include "token.h"

#include <cjson/cJSON.h>

#include "base64url.h"
#include "fuzz.h"
#include "json.h"
#include "wrap.h"

enum { MEMBERS_MAX = 32 };
#define FAR_AWAY 4000000000

/* Reads the answer, with the n-th call failing.  Returns false when it is refused. */
static bool read_answer(const char *body, size_t len, unsigned int fail, struct token *t)
{
	struct token untouched = { 0 };
	size_t mapped = wrap_mapped();
	const char *fault;

	memset(t, 0x55, sizeof *t);
	untouched = *t;
	wrap_fail(fail);
	fault = token_read(body, len, t);
	MUST(!wrap_failed() || fault);
	MUST(!fault || (memcmp(t, &untouched, sizeof *t) == 0 && wrap_mapped() == mapped));
	return !fault;
}

static void check_token(struct token *t)
{
	static const char jwt[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	size_t len = strlen(t->access_token.data);

	MUST(len + 1 == t->access_token.len && len <= TOKEN_MAX);
	MUST(strspn(t->access_token.data, jwt) == len);
	MUST(fuzz_is_plain_word(t->iam_id, TOKEN_ID_MAX));
	MUST(fuzz_is_plain_word(t->account, 32));
	MUST(fuzz_is_plain_word(t->issuer, TOKEN_ID_MAX));
	MUST(t->expiration > 0);
}

static void check_answer(const void *body, size_t len)
{
	struct token t;

	for (unsigned int fail = 0; fail <= 2; fail++) {
		if (read_answer(body, len, fail, &t)) {
			MUST(fail == 0);
			check_token(&t);
			token_free(&t);
		}
	}
}

/* Whatever a decision rests on is what the claims say. */
static void compare(const struct token *t, const void *claims, size_t len)
{
	struct cJSON *json = json_parse_object(claims, len);
	const struct cJSON *account;
	const char *text;
	int64_t exp;

	MUST(json_string(json, "iam_id", &text) == JSON_FOUND && strcmp(text, t->iam_id) == 0);
	MUST(json_string(json, "iss", &text) == JSON_FOUND && strcmp(text, t->issuer) == 0);
	MUST(json_integer(json, "exp", &exp) == JSON_FOUND);
	MUST(t->expiration == (exp < FAR_AWAY ? exp : FAR_AWAY));
	MUST(json_object(json, "account", &account) == JSON_FOUND);
	MUST(json_string(account, "bss", &text) == JSON_FOUND && strcmp(text, t->account) == 0);
	json_cleanup(&json);
}

static void check_claims(const void *claims, size_t len)
{
	static const char head[] = "{\"expiration\":4000000000,\"access_token\": \"e30.";
	static struct secret body;
	size_t mapped = 0;
	struct token t;

	MUST(body.data || secret_init(&body, 3 * TOKEN_MAX));
	secret_clear(&body);
	if (len > 2 * TOKEN_MAX || !secret_append(&body, head, sizeof head - 1) ||
	    !base64url_encode(claims, len, &body) || !secret_append(&body, ".c2ln\"}", 7))
		return;
	mapped = wrap_mapped();
	if (!read_answer(body.data, body.len, 0, &t))
		return;
	check_token(&t);
	compare(&t, claims, len);
	token_free(&t);
	MUST(wrap_mapped() == mapped);
}

static void check_json(const char *text, size_t len)
{
	struct cJSON *json = json_parse_object(text, len);
	const struct cJSON *member, *object;
	const char *string;
	unsigned int members = 0;
	int64_t n = -1;
	bool yes;

	cJSON_ArrayForEach(member, json) {
		const char *name = member->string;
		enum json_found found[] = {
			json_string(json, name, &string), json_integer(json, name, &n),
			json_bool(json, name, &yes), json_object(json, name, &object),
			json_array(json, name, &object),
		};
		unsigned int count[JSON_WRONG + 1] = { 0 }, same = 0;

		if (++members > MEMBERS_MAX) /* each look-up walks them all */
			break;
		cJSON_ArrayForEach(object, json)
			same += strcmp(object->string, name) == 0;
		for (size_t i = 0; i < sizeof found / sizeof found[0]; i++)
			count[found[i]]++;
		/* One type fits, or none does, as for a name that is there twice; null is
		 * as good as absent. */
		MUST(same == 1 || count[JSON_WRONG] == 5);
		MUST(count[JSON_FOUND] <= 1);
		MUST(count[JSON_ABSENT] == 0 || count[JSON_ABSENT] == 5);
		MUST(found[0] != JSON_FOUND || strlen(string) <= len);
		MUST(found[1] != JSON_FOUND || (n >= -9000000000000000 && n <= 9000000000000000));
	}
	while (json && len > 0 && memchr(" \t\r\n", text[len - 1], 4))
		len--;
	MUST(!json || (len > 1 && text[len - 1] == '}' && !memchr(text, '\0', len)));
	json_cleanup(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	check_answer(data, len);
	check_claims(data, len);
	check_json((const char *)data, len);
	return 0;
}
