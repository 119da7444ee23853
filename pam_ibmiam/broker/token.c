/* Access tokens and their claims.  See token.h. */
#include "token.h"

#include <string.h>
#include <strings.h>

#include "base64url.h"
#include "gate.h"
#include "json.h"

#define JSON_AUTO __attribute__((cleanup(json_cleanup))) struct cJSON *

/* Copies an identifier that will be compared, logged and exported: one plain word. */
static bool copy_id(const char *from, char *to, size_t size)
{
	size_t len = strlen(from);

	if (len == 0 || len >= size)
		return false;
	for (size_t i = 0; i < len; i++)
		if (from[i] <= ' ' || from[i] > '~')
			return false;
	memcpy(to, from, len + 1);
	return true;
}

/* What no decision rests on unless the configuration says so: left out when it is odd. */
static void read_optional(const struct cJSON *claims, struct token *t)
{
	const struct cJSON *authn = NULL;
	const char *text = NULL;

	if (json_object(claims, "authn", &authn) == JSON_FOUND &&
	    json_string(authn, "iam_id", &text) == JSON_FOUND)
		(void)copy_id(text, t->authn, sizeof t->authn);
	if (json_integer(claims, "iat", &t->issued) != JSON_FOUND || t->issued < 0 ||
	    t->issued >= t->expiration)
		t->issued = 0;
	if (json_string(claims, "realmid", &text) == JSON_FOUND)
		(void)copy_id(text, t->realm, sizeof t->realm);
	if (json_string(claims, "email", &text) == JSON_FOUND)
		(void)copy_id(text, t->email, sizeof t->email);
	if (json_string(claims, "name", &text) == JSON_FOUND && strlen(text) < sizeof t->name &&
	    gate_printable(text, NULL))
		memcpy(t->name, text, strlen(text) + 1);
}

static const char *read_account(const struct cJSON *claims, struct token *t)
{
	const struct cJSON *account = NULL;
	const char *bss = NULL;

	if (json_object(claims, "account", &account) != JSON_FOUND ||
	    json_string(account, "bss", &bss) != JSON_FOUND ||
	    !copy_id(bss, t->account, sizeof t->account))
		return "the token names no account";
	t->account_valid = true;
	if (json_bool(account, "valid", &t->account_valid) == JSON_WRONG)
		return "the token's account.valid is not a boolean";
	return NULL;
}

static const char *read_claims(struct secret *payload, struct token *t)
{
	JSON_AUTO claims = json_parse_object(payload->data, payload->len);
	const char *text = NULL;

	if (!claims)
		return "the token's claims are not a JSON object";
	if (json_string(claims, "iam_id", &text) != JSON_FOUND ||
	    !copy_id(text, t->iam_id, sizeof t->iam_id))
		return "the token names no iam_id";
	if (json_string(claims, "iss", &text) != JSON_FOUND ||
	    !copy_id(text, t->issuer, sizeof t->issuer))
		return "the token names no issuer";
	if (json_integer(claims, "exp", &t->expiration) != JSON_FOUND || t->expiration <= 0)
		return "the token has no expiry";
	read_optional(claims, t);
	return read_account(claims, t);
}

/* A JWT in compact form (RFC 7519): three parts of base64url, joined by dots. */
static const char *read_jwt(const char *jwt, struct token *t)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	SECRET_AUTO(payload);
	size_t len = strlen(jwt);
	const char *first = strchr(jwt, '.');
	const char *second = first ? strchr(first + 1, '.') : NULL;

	if (len > TOKEN_MAX)
		return "the token is over 16 KiB";
	if (strspn(jwt, alphabet) != len)
		return "the token holds characters that no JWT has";
	if (!second || strchr(second + 1, '.') || first == jwt || !second[1])
		return "the token is not a JWT of three parts";
	if (!secret_init(&payload, TOKEN_MAX) || !secret_init(&t->access_token, TOKEN_MAX + 1))
		return "out of memory";
	if (!base64url_decode(first + 1, (size_t)(second - first - 1), &payload))
		return "the token's claims are not base64url";
	(void)secret_append(&t->access_token, jwt, len + 1);
	return read_claims(&payload, t);
}

static const char *read_body(const struct cJSON *answer, struct token *t)
{
	const char *jwt = NULL, *type = NULL, *fault;
	int64_t expiration = 0;

	if (json_string(answer, "access_token", &jwt) != JSON_FOUND)
		return "there is no access_token in it";
	switch (json_string(answer, "token_type", &type)) {
	case JSON_FOUND:
		if (strcasecmp(type, "Bearer") != 0)
			return "its token_type is not Bearer";
		break;
	case JSON_WRONG:
		return "its token_type is not a string";
	case JSON_ABSENT:
		break;
	}
	fault = read_jwt(jwt, t);
	if (fault)
		return fault;
	switch (json_integer(answer, "expiration", &expiration)) {
	case JSON_FOUND:
		if (expiration <= 0)
			return "its expiration is not a time";
		if (expiration < t->expiration)
			t->expiration = expiration;
		break;
	case JSON_WRONG:
		return "its expiration is not a number";
	case JSON_ABSENT:
		break;
	}
	return NULL;
}

const char *token_read(const char *body, size_t len, struct token *ret)
{
	JSON_AUTO answer = json_parse_object(body, len);
	struct token t = { 0 };
	const char *fault;

	if (!answer)
		return "it is not a JSON object";
	fault = read_body(answer, &t);
	if (fault) {
		token_free(&t);
		return fault;
	}
	*ret = t;
	return NULL;
}

void token_free(struct token *token)
{
	secret_free(&token->access_token);
	*token = (struct token){ 0 };
}
