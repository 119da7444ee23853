/* Who may log in.  See decision.h. */
#include "decision.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "environment.h"
#include "gate.h"
#include "iam_error.h"

#define PUBLIC_ISSUER "https://iam.cloud.ibm.com/identity"

/* What a check says. */
enum verdict { STOP, GO_ON, ASK };

/* Ends the decision. */
static enum verdict __attribute__((format(printf, 3, 4)))
refuse(struct decision *d, enum ibmiam_result result, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(d->reason, sizeof d->reason, format, ap);
	va_end(ap);
	d->reply.result = result;
	return STOP;
}

static enum verdict accounts_are_set(struct decision *d)
{
	if (config_list_len(d->config->accounts) > 0)
		return GO_ON;
	return refuse(d, IBMIAM_CONFIG_ERROR, "the configuration lists no accounts, so nobody may log in");
}

static enum verdict uid_may_log_in(struct decision *d)
{
	uint32_t uid = d->request->uid;

	if (uid == 0 && !d->config->allow_root)
		return refuse(d, IBMIAM_USER_UNKNOWN, "uid 0 may not log in (allow_root is off)");
	if (uid != 0 && uid < d->config->minimum_uid)
		return refuse(d, IBMIAM_USER_UNKNOWN, "uid %u is under minimum_uid %u", uid,
			      d->config->minimum_uid);
	return GO_ON;
}

static enum verdict user_has_rule(struct decision *d)
{
	if (config_find_user(d->config, d->request->user, &d->user))
		return GO_ON;
	return refuse(d, IBMIAM_USER_UNKNOWN, "the configuration has no rule for this user");
}

static enum verdict service_is_permitted(struct decision *d)
{
	const char *service = d->request->service, *plain = config_plain_service(service);

	(void)config_find_service(d->config, service, &d->service);
	if (config_list_len(d->user.services) == 0 ||
	    config_list_has(d->user.services, service) || config_list_has(d->user.services, plain))
		return GO_ON;
	return refuse(d, IBMIAM_DENIED, "the user's rule does not list this service");
}

static enum verdict answer_has_shape_of_key(struct decision *d)
{
	const char *fault = gate_fault(d->request->key);

	return fault ? refuse(d, IBMIAM_KEY_REJECTED, "%s", fault) : GO_ON;
}

static enum verdict key_was_not_just_rejected(struct decision *d)
{
	if (!d->limit || !limit_key_is_rejected(d->limit, d->request->key))
		return GO_ON;
	return refuse(d, IBMIAM_KEY_REJECTED, "IAM has rejected this key within the last minute");
}

static enum verdict tries_are_left(struct decision *d)
{
	if (!d->limit || limit_user_may_try(d->limit, d->request->user, d->request->key))
		return GO_ON;
	return refuse(d, IBMIAM_THROTTLED, "too many wrong keys for this user; the next try is possible "
		      "in %d s", LIMIT_USER_REFILL_S);
}

static enum verdict ask_for_token(struct decision *d)
{
	d->question = (struct iam_question){ .kind = IAM_TOKEN, .api_key = d->request->key };
	return ASK;
}

static enum verdict iam_accepts_key(struct decision *d)
{
	const char *hint = gate_hint(d->request->key);
	struct iam_error e;

	if (d->answer.fault[0])
		return refuse(d, d->answer.fault_result, "%s", d->answer.fault);
	if (d->answer.http_status == 200)
		return GO_ON;
	e = iam_error_read(d->answer.http_status, d->answer.body.data, d->answer.body.len);
	memcpy(d->code, e.code, sizeof e.code);
	if (!e.known && d->config->client_id && d->answer.http_status == 401)
		return refuse(d, IBMIAM_CONFIG_ERROR, "IAM answers 401 with a code that is not known here; "
			      "are client_id and client_secret right?");
	/* IAM, or the edge before it, may call a key malformed for its characters: an outage that
	 * whoever types can have at will is none. */
	if (e.result == IBMIAM_UNAVAILABLE && d->answer.http_status < 500 &&
	    d->answer.http_status != 429 && !gate_plain(d->request->key))
		e.result = IBMIAM_BROKER_ERROR;
	if (e.result == IBMIAM_KEY_REJECTED && d->limit)
		limit_note_rejected(d->limit, d->request->user, d->request->key);
	if (e.result != IBMIAM_KEY_REJECTED)
		hint = NULL;
	return refuse(d, e.result, "%s%s%s", e.text, hint ? "; " : "", hint ? hint : "");
}

static enum verdict answer_is_a_token(struct decision *d)
{
	const char *fault = token_read(d->answer.body.data, d->answer.body.len, &d->token);

	return fault ? refuse(d, IBMIAM_UNAVAILABLE, "IAM's answer cannot be used: %s", fault) : GO_ON;
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

static enum verdict issuer_is_trusted(struct decision *d)
{
	bool trusted = config_list_len(d->config->issuer) > 0
			       ? config_list_has(d->config->issuer, d->token.issuer)
			       : is_default_issuer(d->config, d->token.issuer);

	return trusted ? GO_ON
		       : refuse(d, IBMIAM_DENIED, "the token's issuer \"%.100s\" is not configured",
				d->token.issuer);
}

/* A fresh token that has expired means that a clock is wrong: an outage, not a no. */
static enum verdict token_is_current(struct decision *d)
{
	int64_t late = (int64_t)time(NULL) - d->token.expiration;

	if (late <= TOKEN_SKEW_S)
		return GO_ON;
	return refuse(d, IBMIAM_UNAVAILABLE,
		      "the new token expired %lld s ago; is this host's clock right?", (long long)late);
}

static enum verdict account_is_ours(struct decision *d)
{
	if (!config_list_has(d->config->accounts, d->token.account))
		return refuse(d, IBMIAM_DENIED, "the key belongs to an account that is not listed in accounts");
	if (!d->token.account_valid)
		return refuse(d, IBMIAM_DENIED, "IAM says that the account is not valid");
	return GO_ON;
}

static enum verdict identity_is_the_users(struct decision *d)
{
	if (config_list_has(d->user.iam_ids, d->token.iam_id))
		return GO_ON;
	return refuse(d, IBMIAM_DENIED, "the key's iam_id is not among this user's iam_ids");
}

/* Exported is what everybody lets through; the nearest list of variables counts. */
static enum verdict environment_is_rendered(struct decision *d)
{
	const struct config_list lists[] = { d->user.environment, d->service.environment,
					     d->config->environment };
	const struct environment_values values = {
		.token = d->token.access_token.data,
		.iam_id = d->token.iam_id,
		.account = d->token.account,
		.expiration = d->token.expiration,
	};
	struct config_list list = lists[0];

	if (d->user.export == CONFIG_EXPORT_NEVER || d->service.export == CONFIG_EXPORT_NEVER)
		return GO_ON;
	d->exported = true;
	for (size_t i = 1; i < sizeof lists / sizeof lists[0] && config_list_len(list) == 0; i++)
		list = lists[i];
	if (config_list_len(list) > 0 && !secret_init(&d->environment, WIRE_MESSAGE_MAX))
		return refuse(d, IBMIAM_BROKER_ERROR, "out of memory");
	for (size_t i = 0; i < config_list_len(list); i++)
		if (!environment_render(config_list_get(list, i), &values, &d->environment))
			return refuse(d, IBMIAM_CONFIG_ERROR, "the environment is over 64 KiB");
	return GO_ON;
}

/* In this order; the first that fails decides.  Above the line nothing leaves the host. */
static const struct {
	enum verdict (*check)(struct decision *d);
	bool fresh; /* only when IAM is asked, not about a token that is there already */
} checks[] = {
	{ accounts_are_set, false },
	{ uid_may_log_in, false },
	{ user_has_rule, false },
	{ service_is_permitted, false },
	{ answer_has_shape_of_key, true },
	{ key_was_not_just_rejected, true },
	{ tries_are_left, true },
	/* ---- */
	{ ask_for_token, true },
	{ iam_accepts_key, true },
	{ answer_is_a_token, true },
	{ issuer_is_trusted, false },
	{ token_is_current, false },
	{ account_is_ours, false },
	{ identity_is_the_users, false },
	{ environment_is_rendered, false },
};

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static void fill_reply(struct decision *d)
{
	struct wire_reply *r = &d->reply;

	r->reason = d->reason;
	r->iam_id = or_null(d->token.iam_id);
	r->account = or_null(d->token.account);
	r->api_code = or_null(d->code);
	r->transaction_id = or_null(d->answer.transaction_id);
	r->correlation_id = or_null(d->answer.correlation_id);
	r->http_status = (uint32_t)d->answer.http_status;
	if (r->result != IBMIAM_ALLOWED || !d->exported)
		return;
	r->export_to = d->service.export == CONFIG_EXPORT_TARGET ? WIRE_EXPORT_TARGET
								 : WIRE_EXPORT_OWN;
	r->environment = d->environment.len > 0 ? d->environment.data : NULL;
	r->environment_len = d->environment.len;
}

void decision_begin(struct decision *d, const struct config *config,
		    const struct wire_request *request, struct limit *limit)
{
	*d = (struct decision){ .config = config, .request = request, .limit = limit };
	d->reply.result = IBMIAM_BROKER_ERROR; /* until a check or the end says otherwise */
}

void decision_begin_held(struct decision *d, const struct config *config,
			 const struct wire_request *request, const struct token *token)
{
	decision_begin(d, config, request, NULL);
	d->held = true;
	d->token = *token;
}

/* A good key for the wrong user is a wrong try, too. */
static void note_end(struct decision *d)
{
	if (!d->limit || d->answer.http_status != 200)
		return;
	if (d->reply.result == IBMIAM_ALLOWED)
		limit_note_accepted(d->limit, d->request->user, d->request->key);
	else if (d->reply.result == IBMIAM_DENIED)
		limit_note_denied(d->limit, d->request->user);
}

bool decision_go_on(struct decision *d)
{
	enum verdict v = GO_ON;

	while (v == GO_ON && d->next < sizeof checks / sizeof checks[0]) {
		v = d->held && checks[d->next].fresh ? GO_ON : checks[d->next].check(d);
		d->next++;
	}
	if (v == ASK)
		return false;
	if (v == GO_ON) {
		d->reply.result = IBMIAM_ALLOWED;
		(void)snprintf(d->reason, sizeof d->reason, "the key's identity may log in as this user");
	}
	note_end(d);
	fill_reply(d);
	return true;
}

void decision_free(struct decision *d)
{
	secret_free(&d->environment);
	if (!d->held)
		token_free(&d->token);
	iam_answer_free(&d->answer);
	*d = (struct decision){ 0 };
}
