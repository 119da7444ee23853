/*
 * IAM's answer to a token request: the JSON body, the access token in it, and the
 * token's claims.  The token comes straight from its issuer over verified TLS, so its
 * signature need not be checked (OpenID Connect Core 1.0, 3.1.3.7, rule 6); everything
 * that a decision rests on is.
 */
#ifndef IBMIAM_TOKEN_H
#define IBMIAM_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "secret.h"

enum {
	TOKEN_MAX = 16 * 1024,  /* bytes of an access token; IAM's have 1 to 2 KiB */
	TOKEN_SKEW_S = 60,      /* how far this host's clock may be wrong */
	TOKEN_ID_MAX = 200,
	TOKEN_REALM_MAX = 31,
};

struct token {
	struct secret access_token; /* terminated; characters of a JWT only */
	char iam_id[TOKEN_ID_MAX + 1];
	char authn[TOKEN_ID_MAX + 1];  /* authn.iam_id: who got it, also for a trusted profile */
	char realm[TOKEN_REALM_MAX + 1]; /* realmid; this and what follows is "" where it is missing */
	char email[TOKEN_ID_MAX + 1];  /* printable ASCII, else "" */
	char name[TOKEN_ID_MAX + 1];   /* for people to read: printable UTF-8 */
	char account[33];           /* account.bss */
	char issuer[TOKEN_ID_MAX + 1];
	int64_t expiration;         /* seconds since 1970: the earlier of exp and expiration */
	int64_t issued;             /* iat; 0 where it is missing or not before the expiration */
	bool account_valid;         /* false only where IAM says so */
};

/* Reads the body of a 200.  Returns NULL and fills *ret, to be released with
 * token_free(), or what is wrong with it (static text), *ret untouched. */
const char *token_read(const char *body, size_t len, struct token *ret);

/* Takes an all-zero struct too. */
void token_free(struct token *token);

#endif
