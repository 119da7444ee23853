/*
 * IAM's answer to a token request, down to the claims that a decision rests on.  What is
 * missing, doubled, of another type or too long must be refused, not guessed.
 */
#include "unit.h"

#include "base64url.h"
#include "token.h"

#define ACCOUNT "0123456789abcdef0123456789abcdef"
#define HEADER "{\"alg\":\"RS256\",\"kid\":\"20200101\"}"

/* Claims as IAM makes them; each case replaces one. */
#define IAM_ID "\"iam_id\":\"IBMid-550000ABCD\""
#define ISS "\"iss\":\"https://iam.cloud.ibm.com/identity\""
#define EXP "\"exp\":1727305164"
#define BSS "\"bss\":\"" ACCOUNT "\""
#define IN_ACCOUNT "\"account\":{\"valid\":true," BSS ",\"frozen\":true}"
#define REST "\"id\":\"IBMid-550000ABCD\",\"realmid\":\"IBMid\",\"email\":\"a@example.com\"," \
	"\"authn\":{\"iam_id\":\"IBMid-OTHER\"},\"amr\":[\"pwd\"],\"acr\":1"
#define CLAIMS "{" REST "," IAM_ID "," ISS "," EXP "," IN_ACCOUNT "}"

static void append(struct secret *s, const char *text)
{
	assert_true(secret_append(s, text, strlen(text)));
}

/* The answer with a JWT of these claims; rest stands behind it in the object. */
static void make_body(struct secret *body, const char *header, const char *claims, const char *rest)
{
	assert_true(secret_init(body, 64 * 1024));
	append(body, "{\"access_token\":\"");
	assert_true(base64url_encode(header, strlen(header), body));
	append(body, ".");
	assert_true(base64url_encode(claims, strlen(claims), body));
	append(body, ".c2lnbmF0dXJl\"");
	append(body, rest);
	append(body, "}");
}

/* A refusal must leave *t alone. */
static const char *read_token(const struct secret *body, struct token *t)
{
	struct token before;
	const char *fault;

	memset(t, 0x5a, sizeof *t);
	memcpy(&before, t, sizeof before);
	fault = token_read(body->data, body->len, t);
	if (fault && memcmp(t, &before, sizeof before) != 0)
		fail_msg("refused (%s), but the struct is changed", fault);
	return fault;
}

static const char no_account[] = "the token names no account";
static const char no_iam_id[] = "the token names no iam_id";
static const char no_issuer[] = "the token names no issuer";
static const char no_expiry[] = "the token has no expiry";
static const char not_object[] = "the token's claims are not a JSON object";
static const char bad_valid[] = "the token's account.valid is not a boolean";

#define T(n) "tttttttttttttttttttttttttttttttttttttttt" n
#define ID_199 T(T(T(T("ttttttttttttttttttttttttttttttttttttttt"))))
#define WITH_IAM_ID(id) "{" ISS "," EXP "," IN_ACCOUNT ",\"iam_id\":" id "}"
#define WITH_ISS(iss) "{" IAM_ID "," EXP "," IN_ACCOUNT ",\"iss\":" iss "}"
#define WITH_EXP(exp) "{" IAM_ID "," ISS "," IN_ACCOUNT ",\"exp\":" exp "}"
#define WITH_ACCOUNT(account) "{" IAM_ID "," ISS "," EXP ",\"account\":" account "}"

static const struct claims {
	const char *name;
	const char *claims;
	const char *fault;
} claims[] = {
	{ "as IAM makes them", CLAIMS, NULL },
	{ "only what is needed", "{" IAM_ID "," ISS "," EXP ",\"account\":{" BSS "}}", NULL },
	{ "nothing", "", not_object },
	{ "empty object", "{}", no_iam_id },
	{ "array", "[" CLAIMS "]", not_object },
	{ "string", "\"x\"", not_object },
	{ "text after the object", CLAIMS "x", not_object },
	{ "cut off", "{" IAM_ID "," ISS, not_object },
	{ "\\u0000 in a claim", WITH_IAM_ID("\"IBMid-550000ABCD\\u0000x\""), not_object },
	{ "\\u0000 in a claim that nobody reads",
	  "{\"x\":\"\\u0000\"," IAM_ID "," ISS "," EXP "," IN_ACCOUNT "}", not_object },
	{ "no iam_id", "{" ISS "," EXP "," IN_ACCOUNT "}", no_iam_id },
	{ "iam_id is null", WITH_IAM_ID("null"), no_iam_id },
	{ "iam_id is empty", WITH_IAM_ID("\"\""), no_iam_id },
	{ "iam_id is a number", WITH_IAM_ID("550000"), no_iam_id },
	{ "iam_id is a list", WITH_IAM_ID("[\"IBMid-550000ABCD\"]"), no_iam_id },
	{ "iam_id twice", "{" IAM_ID "," IAM_ID "," ISS "," EXP "," IN_ACCOUNT "}", no_iam_id },
	{ "iam_id twice by an escape", "{" IAM_ID ",\"iam\\u005fid\":\"x\"," ISS "," EXP ","
	  IN_ACCOUNT "}", no_iam_id },
	{ "iam_id in other case only", "{\"IAM_ID\":\"x\"," ISS "," EXP "," IN_ACCOUNT "}",
	  no_iam_id },
	{ "iam_id only in authn", "{\"authn\":{" IAM_ID "}," ISS "," EXP "," IN_ACCOUNT "}",
	  no_iam_id },
	{ "iam_id of 200 bytes", WITH_IAM_ID("\"" ID_199 "t\""), NULL },
	{ "iam_id of 201 bytes", WITH_IAM_ID("\"" ID_199 "tt\""), no_iam_id },
	{ "iam_id with a space", WITH_IAM_ID("\"IBMid 1\""), no_iam_id },
	{ "iam_id with a newline", WITH_IAM_ID("\"IBMid-1\\nx\""), no_iam_id },
	{ "iam_id with a raw control character", WITH_IAM_ID("\"IBMid-1\1\""), no_iam_id },
	{ "iam_id with DEL", WITH_IAM_ID("\"IBMid-1\\u007f\""), no_iam_id },
	{ "iam_id in UTF-8", WITH_IAM_ID("\"IBMid-\\u00e9\""), no_iam_id },
	{ "no iss", "{" IAM_ID "," EXP "," IN_ACCOUNT "}", no_issuer },
	{ "iss is a number", WITH_ISS("1"), no_issuer },
	{ "iss is empty", WITH_ISS("\"\""), no_issuer },
	{ "iss twice", "{" ISS "," ISS "," IAM_ID "," EXP "," IN_ACCOUNT "}", no_issuer },
	{ "iss of 201 bytes", WITH_ISS("\"" ID_199 "tt\""), no_issuer },
	{ "no exp", "{" IAM_ID "," ISS "," IN_ACCOUNT "}", no_expiry },
	{ "exp is zero", WITH_EXP("0"), no_expiry },
	{ "exp is negative", WITH_EXP("-1"), no_expiry },
	{ "exp is a string", WITH_EXP("\"1727305164\""), no_expiry },
	{ "exp is a fraction", WITH_EXP("1727305164.5"), no_expiry },
	{ "exp is huge", WITH_EXP("1e300"), no_expiry },
	{ "exp is infinite", WITH_EXP("1e999"), no_expiry },
	{ "exp is true", WITH_EXP("true"), no_expiry },
	{ "exp twice", "{" EXP ",\"exp\":9999999999," IAM_ID "," ISS "," IN_ACCOUNT "}",
	  no_expiry },
	{ "no account", "{" IAM_ID "," ISS "," EXP "}", no_account },
	{ "account is a string", WITH_ACCOUNT("\"" ACCOUNT "\""), no_account },
	{ "account is null", WITH_ACCOUNT("null"), no_account },
	{ "account is a list", WITH_ACCOUNT("[{" BSS "}]"), no_account },
	{ "account is empty", WITH_ACCOUNT("{}"), no_account },
	{ "account twice", "{" IN_ACCOUNT "," IN_ACCOUNT "," IAM_ID "," ISS "," EXP "}",
	  no_account },
	{ "bss is a number", WITH_ACCOUNT("{\"bss\":1}"), no_account },
	{ "bss is null", WITH_ACCOUNT("{\"bss\":null}"), no_account },
	{ "bss is empty", WITH_ACCOUNT("{\"bss\":\"\"}"), no_account },
	{ "bss twice", WITH_ACCOUNT("{" BSS ",\"bss\":\"x\"}"), no_account },
	{ "bss of 33 characters", WITH_ACCOUNT("{\"bss\":\"" ACCOUNT "0\"}"), no_account },
	{ "bss outside of account", "{" BSS ",\"account\":{}," IAM_ID "," ISS "," EXP "}",
	  no_account },
	{ "valid is a string", WITH_ACCOUNT("{" BSS ",\"valid\":\"true\"}"), bad_valid },
	{ "valid is 1", WITH_ACCOUNT("{" BSS ",\"valid\":1}"), bad_valid },
	{ "valid twice", WITH_ACCOUNT("{" BSS ",\"valid\":true,\"valid\":true}"), bad_valid },
};

static void claims_are_read(void **state)
{
	const struct claims *c = *state;
	SECRET_AUTO(body);
	struct token t;
	const char *fault;

	make_body(&body, HEADER, c->claims, "");
	fault = read_token(&body, &t);
	unit_check_text("fault", fault, c->fault);
	if (!fault)
		token_free(&t);
}

static const struct valid {
	const char *name;
	const char *account;
	bool valid;
} valids[] = {
	{ "true", "{" BSS ",\"valid\":true}", true },
	{ "false", "{" BSS ",\"valid\":false}", false },
	{ "not there", "{" BSS "}", true },
	/* stands in ordinary tokens */
	{ "frozen", "{" BSS ",\"valid\":true,\"frozen\":true}", true },
	{ "frozen, and nothing else", "{" BSS ",\"frozen\":true}", true },
	{ "frozen is a string", "{" BSS ",\"valid\":true,\"frozen\":\"yes\"}", true },
	{ "neither", "{" BSS ",\"valid\":false,\"frozen\":false}", false },
};

static void account_is_valid(void **state)
{
	const struct valid *v = *state;
	char text[512];
	SECRET_AUTO(body);
	struct token t;

	(void)snprintf(text, sizeof text, "{" IAM_ID "," ISS "," EXP ",\"account\":%s}", v->account);
	make_body(&body, HEADER, text, "");
	assert_null(read_token(&body, &t));
	assert_int_equal(t.account_valid, v->valid);
	token_free(&t);
}

static void all_is_taken_over(void **state)
{
	SECRET_AUTO(body);
	const char *jwt, *end;
	struct token t;

	(void)state;
	make_body(&body, HEADER, CLAIMS, "");
	jwt = body.data + strlen("{\"access_token\":\"");
	end = strchr(jwt, '"');
	assert_null(read_token(&body, &t));
	assert_string_equal(t.iam_id, "IBMid-550000ABCD"); /* not the one in authn */
	assert_string_equal(t.account, ACCOUNT);
	assert_string_equal(t.issuer, "https://iam.cloud.ibm.com/identity");
	assert_true(t.expiration == 1727305164);
	assert_true(t.account_valid);
	assert_int_equal(t.access_token.len, (size_t)(end - jwt) + 1);
	assert_memory_equal(t.access_token.data, jwt, t.access_token.len - 1);
	assert_int_equal(t.access_token.data[t.access_token.len - 1], '\0');
	token_free(&t);
	assert_null(t.access_token.data);
	assert_int_equal(t.iam_id[0], 0);
	token_free(&t); /* once more is harmless */
}

/* What stands beside the token in the answer; exp is 1727305164. */
static const struct rest {
	const char *name;
	const char *rest;
	const char *fault;
	int64_t expiration;
} rests[] = {
	{ "nothing", "", NULL, 1727305164 },
	{ "as IAM answers",
	  ",\"refresh_token\":\"not_supported\",\"ims_user_id\":118000090,\"token_type\":"
	  "\"Bearer\",\"expires_in\":3600,\"expiration\":1727305164,\"scope\":\"ibm openid\"", NULL,
	  1727305164 },
	{ "expiration is earlier", ",\"expiration\":1727305000", NULL, 1727305000 },
	{ "expiration is later", ",\"expiration\":1727309999", NULL, 1727305164 },
	{ "expiration is null", ",\"expiration\":null", NULL, 1727305164 },
	{ "expiration is a string", ",\"expiration\":\"1727305164\"",
	  "its expiration is not a number", 0 },
	{ "expiration is a fraction", ",\"expiration\":1.5", "its expiration is not a number", 0 },
	{ "expiration is infinite", ",\"expiration\":1e999", "its expiration is not a number", 0 },
	{ "expiration twice", ",\"expiration\":1,\"expiration\":2",
	  "its expiration is not a number", 0 },
	{ "expiration is zero", ",\"expiration\":0", "its expiration is not a time", 0 },
	{ "expiration is negative", ",\"expiration\":-5", "its expiration is not a time", 0 },
	{ "bearer in lower case", ",\"token_type\":\"bearer\"", NULL, 1727305164 },
	{ "token_type is null", ",\"token_type\":null", NULL, 1727305164 },
	{ "another token_type", ",\"token_type\":\"DPoP\"", "its token_type is not Bearer", 0 },
	{ "longer token_type", ",\"token_type\":\"Bearer2\"", "its token_type is not Bearer", 0 },
	{ "token_type is empty", ",\"token_type\":\"\"", "its token_type is not Bearer", 0 },
	{ "token_type is a number", ",\"token_type\":1", "its token_type is not a string", 0 },
	{ "token_type twice", ",\"token_type\":\"Bearer\",\"token_type\":\"Bearer\"",
	  "its token_type is not a string", 0 },
	{ "unknown members", ",\"new\":{\"a\":[1,2,3]},\"exp\":1,\"iam_id\":\"x\"", NULL,
	  1727305164 },
	{ "another access_token", ",\"access_token\":\"a.b.c\"", "there is no access_token in it",
	  0 },
	{ "text after the object", "} x {", "it is not a JSON object", 0 },
	{ "cut off in a string", ",\"scope\":\"ibm", "it is not a JSON object", 0 },
	{ "\\u0000 somewhere", ",\"scope\":\"\\u0000\"", "it is not a JSON object", 0 },
};

static void answer_is_read(void **state)
{
	const struct rest *r = *state;
	SECRET_AUTO(body);
	struct token t;
	const char *fault;

	make_body(&body, HEADER, CLAIMS, r->rest);
	fault = read_token(&body, &t);
	unit_check_text("fault", fault, r->fault);
	if (fault)
		return;
	assert_true(t.expiration == r->expiration);
	token_free(&t);
}

/* The token comes from its issuer over TLS: its header says nothing that matters. */
static const struct header {
	const char *name;
	const char *header;
} headers[] = {
	{ "RS256", HEADER },
	{ "none", "{\"alg\":\"none\"}" },
	{ "HS256", "{\"alg\":\"HS256\"}" },
	{ "no JSON", "x" },
};

static void algorithm_does_not_matter(void **state)
{
	const struct header *h = *state;
	SECRET_AUTO(body);
	struct token t;

	make_body(&body, h->header, CLAIMS, "");
	assert_null(read_token(&body, &t));
	token_free(&t);
}

static const char not_jwt[] = "the token is not a JWT of three parts";
static const char bad_character[] = "the token holds characters that no JWT has";
static const char bad_claims[] = "the token's claims are not base64url";

/* Whole answers; "e30" is "{}". */
static const struct answer {
	const char *name;
	const char *body;
	size_t len;
	const char *fault;
} answers[] = {
	{ "nothing", UNIT_BYTES(""), "it is not a JSON object" },
	{ "HTML", UNIT_BYTES("<html></html>"), "it is not a JSON object" },
	{ "empty object", UNIT_BYTES("{}"), "there is no access_token in it" },
	{ "token is null", UNIT_BYTES("{\"access_token\":null}"),
	  "there is no access_token in it" },
	{ "token is a number", UNIT_BYTES("{\"access_token\":1}"),
	  "there is no access_token in it" },
	{ "token is an object", UNIT_BYTES("{\"access_token\":{}}"),
	  "there is no access_token in it" },
	{ "token is empty", UNIT_BYTES("{\"access_token\":\"\"}"), not_jwt },
	{ "one part", UNIT_BYTES("{\"access_token\":\"e30\"}"), not_jwt },
	{ "two parts", UNIT_BYTES("{\"access_token\":\"e30.e30\"}"), not_jwt },
	{ "four parts", UNIT_BYTES("{\"access_token\":\"e30.e30.e30.e30\"}"), not_jwt },
	{ "five parts, as of an encrypted one", UNIT_BYTES("{\"access_token\":\"a.b.c.d.e\"}"),
	  not_jwt },
	{ "no header", UNIT_BYTES("{\"access_token\":\".e30.e30\"}"), not_jwt },
	{ "no signature", UNIT_BYTES("{\"access_token\":\"e30.e30.\"}"), not_jwt },
	{ "no claims", UNIT_BYTES("{\"access_token\":\"e30..e30\"}"), not_object },
	{ "dots", UNIT_BYTES("{\"access_token\":\"..\"}"), not_jwt },
	{ "padding", UNIT_BYTES("{\"access_token\":\"e30.e30=.e30\"}"), bad_character },
	{ "base64 of another kind", UNIT_BYTES("{\"access_token\":\"e30.e3+/.e30\"}"),
	  bad_character },
	{ "space", UNIT_BYTES("{\"access_token\":\"e30.e30.e30 \"}"), bad_character },
	{ "with its type before it", UNIT_BYTES("{\"access_token\":\"Bearer e30.e30.e30\"}"),
	  bad_character },
	{ "newline in the signature", UNIT_BYTES("{\"access_token\":\"e30.e30.e30\\nX=1\"}"),
	  bad_character },
	{ "quote in the signature", UNIT_BYTES("{\"access_token\":\"e30.e30.e\\\"30\"}"),
	  bad_character },
	{ "UTF-8 in the header", UNIT_BYTES("{\"access_token\":\"\xc3\xa9.e30.e30\"}"),
	  bad_character },
	{ "claims of an impossible length", UNIT_BYTES("{\"access_token\":\"e30.e3000.e30\"}"),
	  bad_claims },
	{ "claims in a second spelling", UNIT_BYTES("{\"access_token\":\"e30.e31.e30\"}"),
	  bad_claims },
};

static void answer_is_refused(void **state)
{
	const struct answer *a = *state;
	SECRET_AUTO(body);
	struct token t;

	assert_true(secret_init(&body, 1000));
	assert_true(secret_append(&body, a->body, a->len));
	unit_check_text("fault", read_token(&body, &t), a->fault);
}

static const struct size {
	const char *name;
	size_t len; /* of the token */
	const char *fault;
} sizes[] = {
	{ "16 KiB less one", 16 * 1024 - 1, NULL },
	{ "16 KiB", 16 * 1024, NULL },
	{ "16 KiB and one", 16 * 1024 + 1, "the token is over 16 KiB" },
	{ "60 KB", 60000, "the token is over 16 KiB" },
};

/* All in the signature: the claims stay as they are. */
static void token_has_a_limit(void **state)
{
	const struct size *z = *state;
	SECRET_AUTO(body);
	struct token t;
	const char *fault;
	size_t start = strlen("{\"access_token\":\"");

	make_body(&body, HEADER, CLAIMS, "");
	body.len -= 2; /* "} */
	while (body.len < start + z->len)
		append(&body, "x");
	append(&body, "\"}");
	fault = read_token(&body, &t);
	unit_check_text("fault", fault, z->fault);
	if (fault)
		return;
	assert_int_equal(t.access_token.len, z->len + 1);
	token_free(&t);
}

/* All in the claims: about as many as a token of 16 KiB can hold. */
static void claims_may_fill_the_token(void **state)
{
	char text[12240 + 1];
	SECRET_AUTO(body);
	struct token t;

	(void)state;
	memset(text, ' ', sizeof text);
	memcpy(text + sizeof text - sizeof CLAIMS, CLAIMS, sizeof CLAIMS);
	make_body(&body, HEADER, text, "");
	assert_null(read_token(&body, &t));
	assert_in_range(t.access_token.len, TOKEN_MAX - 20, TOKEN_MAX + 1);
	token_free(&t);
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, claims_are_read, claims);
	UNIT_ROWS(&s, account_is_valid, valids);
	UNIT_TEST(&s, all_is_taken_over);
	UNIT_ROWS(&s, answer_is_read, rests);
	UNIT_ROWS(&s, algorithm_does_not_matter, headers);
	UNIT_ROWS(&s, answer_is_refused, answers);
	UNIT_ROWS(&s, token_has_a_limit, sizes);
	UNIT_TEST(&s, claims_may_fill_the_token);
	return unit_run(&s, "token");
}
