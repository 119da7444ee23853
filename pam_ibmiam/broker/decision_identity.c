/* Checks of the key and of the token that it is worth.  See decision_check.h. */
#include <string.h>
#include <time.h>

#include "decision_check.h"
#include "gate.h"
#include "iam_error.h"

#define PUBLIC_ISSUER "https://iam.cloud.ibm.com/identity"
#define IBMID_REALM "IBMid"

enum { DOMAIN_MAX = 254 };

static enum verdict judge_key(struct decision *d)
{
	const char *hint = gate_hint(d->request->key);
	struct iam_error e = iam_error_read(d->answer.http_status, d->answer.body.data,
					    d->answer.body.len);

	memcpy(d->code, e.code, sizeof e.code);
	if (!e.known && d->config->client_id && d->answer.http_status == 401)
		return check_refuse(d, IBMIAM_CONFIG_ERROR, "IAM answers 401 with a code that is not known "
				    "here; are client_id and client_secret right?");
	/* IAM, or the edge before it, may call a key malformed for its characters: an outage that
	 * whoever types can have at will is none. */
	if (e.result == IBMIAM_UNAVAILABLE && d->answer.http_status < 500 &&
	    d->answer.http_status != 429 && !gate_plain(d->request->key))
		e.result = IBMIAM_BROKER_ERROR;
	/* No less wrong for being a key of another account, or one that IAM does not even read. */
	if (d->limit && e.result == IBMIAM_KEY_REJECTED)
		limit_note_rejected(d->limit, d->request->user, d->request->key);
	else if (d->limit && e.result != IBMIAM_UNAVAILABLE)
		limit_note_denied(d->limit, d->request->user);
	if (e.result != IBMIAM_KEY_REJECTED)
		hint = NULL;
	return check_refuse(d, e.result, "%s%s%s", e.text, hint ? "; " : "", hint ? hint : "");
}

enum verdict check_key(struct decision *d)
{
	const char *fault;

	if (!d->answered)
		return check_ask(d, (struct iam_question){ .kind = IAM_TOKEN, .api_key = d->request->key });
	if (d->answer.fault[0])
		return check_refuse(d, d->answer.fault_result, "%s", d->answer.fault);
	if (d->answer.http_status != 200)
		return judge_key(d);
	fault = token_read(d->answer.body.data, d->answer.body.len, &d->identity);
	if (fault)
		return check_refuse(d, IBMIAM_UNAVAILABLE, "IAM's answer cannot be used: %s", fault);
	check_note(d, "%s", d->identity.iam_id);
	return GO_ON;
}

/* Without an `issuer` in the configuration: the endpoint's own name, or the public one,
 * which IAM's private endpoints may put into their tokens. */
static bool is_default_issuer(const struct config *c, const char *issuer)
{
	static const char ibm[] = ".iam.cloud.ibm.com";
	size_t base = strlen(c->endpoint);

	if (strncmp(issuer, c->endpoint, base) == 0 && strcmp(issuer + base, "/identity") == 0)
		return true;
	return base > sizeof ibm - 1 &&
	       strcmp(c->endpoint + base - (sizeof ibm - 1), ibm) == 0 &&
	       strcmp(issuer, PUBLIC_ISSUER) == 0;
}

static enum verdict issuer_is_trusted(struct decision *d, const struct token *t)
{
	bool trusted = config_list_len(d->config->issuer) > 0
			       ? config_list_has(d->config->issuer, t->issuer)
			       : is_default_issuer(d->config, t->issuer);

	return trusted ? GO_ON
		       : check_refuse(d, IBMIAM_DENIED, "the token's issuer \"%.100s\" is not configured",
				      t->issuer);
}

/* A fresh token that has expired means that a clock is wrong: an outage, not a no. */
static enum verdict token_is_current(struct decision *d, const struct token *t)
{
	int64_t late = (int64_t)time(NULL) - t->expiration;

	if (late <= TOKEN_SKEW_S)
		return GO_ON;
	return check_refuse(d, IBMIAM_UNAVAILABLE,
			    "the new token expired %lld s ago; is this host's clock right?",
			    (long long)late);
}

static enum verdict account_is_ours(struct decision *d, const struct token *t)
{
	if (!config_list_has(d->config->accounts, t->account))
		return check_refuse(d, IBMIAM_DENIED, "the %s belongs to an account that is not listed in accounts",
				    t == &d->identity ? "key" : "trusted profile");
	if (!t->account_valid)
		return check_refuse(d, IBMIAM_DENIED, "IAM says that the account is not valid");
	return GO_ON;
}

/* The profile's token is there already only if it is held; a new one: check_profiles(). */
static enum verdict of_both(struct decision *d, enum verdict (*check)(struct decision *d, const struct token *t))
{
	enum verdict v = check(d, &d->identity);

	return v == GO_ON && d->profile.access_token.data ? check(d, &d->profile) : v;
}

enum verdict check_issuer(struct decision *d)
{
	check_note(d, "%.100s", d->identity.issuer);
	return of_both(d, issuer_is_trusted);
}

/* Of the token that the session has: the person's own lives no longer than IAM's answer about the
 * profile needs it. */
enum verdict check_expiry(struct decision *d)
{
	return token_is_current(d, decision_token(d));
}

enum verdict check_account(struct decision *d)
{
	check_note(d, "%s", d->identity.account);
	return of_both(d, account_is_ours);
}

enum verdict check_claims(struct decision *d, const struct token *t)
{
	enum verdict v = issuer_is_trusted(d, t);

	if (v == GO_ON)
		v = token_is_current(d, t);
	return v == GO_ON ? account_is_ours(d, t) : v;
}

/* The e-mail address of an IBMid must be user@DOMAIN: the local part byte for byte, the domain
 * in ASCII without regard to case (RFC 4343). */
static bool find_domain(const struct decision *d, struct config_domain *ret, char name[DOMAIN_MAX + 1])
{
	const struct token *t = &d->identity;
	size_t user = strlen(d->request->user), len;

	if (strcmp(t->realm, IBMID_REALM) != 0 || strncmp(t->iam_id, "IBMid-", 6) != 0 ||
	    strncmp(t->email, d->request->user, user) != 0 || t->email[user] != '@')
		return false;
	len = strlen(t->email + user + 1);
	if (len == 0 || len > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i <= len; i++) {
		char c = t->email[user + 1 + i];

		name[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	return config_find_domain(d->config, name, ret);
}

static enum verdict check_domain(struct decision *d)
{
	struct config_domain domain;
	char name[DOMAIN_MAX + 1];

	if (!find_domain(d, &domain, name))
		return check_refuse(d, IBMIAM_DENIED, "the key's identity is no IBMid with the e-mail "
				    "address of this user in an email_domain");
	check_note(d, "email_domain %.120s", name);
	if (!check_is_listed(domain.services, d->request->service))
		return check_refuse(d, IBMIAM_DENIED, "the email_domain's rule does not list this service");
	d->user = (struct config_user){ .access_groups = domain.access_groups,
					.environment = domain.environment,
					.trusted_profile = domain.trusted_profile,
					.export = domain.export };
	return GO_ON;
}

enum verdict check_identity(struct decision *d)
{
	if (d->by_domain)
		return check_domain(d);
	check_note(d, "%s", d->identity.iam_id);
	if (config_list_has(d->user.iam_ids, d->identity.iam_id))
		return GO_ON;
	return check_refuse(d, IBMIAM_DENIED, "the key's iam_id is not among this user's iam_ids");
}
