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

/* Ends the decision; always false, so that a check can return it. */
static bool __attribute__((format(printf, 3, 4)))
refuse(struct decision *d, enum ibmiam_result result, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(d->reason, sizeof d->reason, format, ap);
	va_end(ap);
	d->reply.result = result;
	return false;
}

static bool accounts_are_set(struct decision *d)
{
	if (config_list_len(d->config->accounts) > 0)
		return true;
	return refuse(d, IBMIAM_CONFIG_ERROR, "the configuration lists no accounts, so nobody may log in");
}

static bool uid_may_log_in(struct decision *d)
{
	uint32_t uid = d->request->uid;

	if (uid == 0 && !d->config->allow_root)
		return refuse(d, IBMIAM_USER_UNKNOWN, "uid 0 may not log in (allow_root is off)");
	if (uid != 0 && uid < d->config->minimum_uid)
		return refuse(d, IBMIAM_USER_UNKNOWN, "uid %u is under minimum_uid %u", uid,
			      d->config->minimum_uid);
	return true;
}

static bool user_has_rule(struct decision *d)
{
	if (config_find_user(d->config, d->request->user, &d->user))
		return true;
	return refuse(d, IBMIAM_USER_UNKNOWN, "the configuration has no rule for this user");
}

/* `su -` and `sudo -i` are PAM services of their own.  What the configuration says of su or
 * sudo holds for them too, unless it names them: an admin who thinks of one must not leave
 * the other open. */
static const char *plain_service(const char *service)
{
	static const struct {
		const char *login, *plain;
	} forms[] = { { "su-l", "su" }, { "sudo-i", "sudo" }, { "runuser-l", "runuser" } };

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (strcmp(service, forms[i].login) == 0)
			return forms[i].plain;
	return service;
}

static bool service_is_permitted(struct decision *d)
{
	const char *service = d->request->service, *plain = plain_service(service);

	if (!config_find_service(d->config, service, &d->service))
		(void)config_find_service(d->config, plain, &d->service);
	if (config_list_len(d->user.services) == 0 ||
	    config_list_has(d->user.services, service) || config_list_has(d->user.services, plain))
		return true;
	return refuse(d, IBMIAM_DENIED, "the user's rule does not list this service");
}

static bool answer_has_shape_of_key(struct decision *d)
{
	const char *fault = gate_fault(d->request->key);

	return fault ? refuse(d, IBMIAM_KEY_REJECTED, "%s", fault) : true;
}

static bool iam_accepts_key(struct decision *d)
{
	const char *hint = gate_hint(d->request->key);
	struct iam_error e;

	if (!iam_request_token(d->config, d->request->key, d->host_fd, d->deadline_ms, &d->answer))
		return refuse(d, d->answer.fault_result, "%s", d->answer.fault);
	if (d->answer.http_status == 200)
		return true;
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
	if (e.result != IBMIAM_KEY_REJECTED)
		hint = NULL;
	return refuse(d, e.result, "%s%s%s", e.text, hint ? "; " : "", hint ? hint : "");
}

static bool answer_is_a_token(struct decision *d)
{
	const char *fault = token_read(d->answer.body.data, d->answer.body.len, &d->token);

	return fault ? refuse(d, IBMIAM_UNAVAILABLE, "IAM's answer cannot be used: %s", fault) : true;
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

static bool issuer_is_trusted(struct decision *d)
{
	bool trusted = config_list_len(d->config->issuer) > 0
			       ? config_list_has(d->config->issuer, d->token.issuer)
			       : is_default_issuer(d->config, d->token.issuer);

	return trusted ? true
		       : refuse(d, IBMIAM_DENIED, "the token's issuer \"%.100s\" is not configured",
				d->token.issuer);
}

/* A fresh token that has expired means that a clock is wrong: an outage, not a no. */
static bool token_is_current(struct decision *d)
{
	int64_t late = (int64_t)time(NULL) - d->token.expiration;

	if (late <= TOKEN_SKEW_S)
		return true;
	return refuse(d, IBMIAM_UNAVAILABLE,
		      "the new token expired %lld s ago; is this host's clock right?", (long long)late);
}

static bool account_is_ours(struct decision *d)
{
	if (!config_list_has(d->config->accounts, d->token.account))
		return refuse(d, IBMIAM_DENIED, "the key belongs to an account that is not listed in accounts");
	if (!d->token.account_valid)
		return refuse(d, IBMIAM_DENIED, "IAM says that the account is not valid");
	return true;
}

static bool identity_is_the_users(struct decision *d)
{
	if (config_list_has(d->user.iam_ids, d->token.iam_id))
		return true;
	return refuse(d, IBMIAM_DENIED, "the key's iam_id is not among this user's iam_ids");
}

/* Exported is what everybody lets through; the nearest list of variables counts. */
static bool environment_is_rendered(struct decision *d)
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
		return true;
	for (size_t i = 1; i < sizeof lists / sizeof lists[0] && config_list_len(list) == 0; i++)
		list = lists[i];
	if (config_list_len(list) > 0 && !secret_init(&d->environment, WIRE_MESSAGE_MAX))
		return refuse(d, IBMIAM_BROKER_ERROR, "out of memory");
	for (size_t i = 0; i < config_list_len(list); i++)
		if (!environment_render(config_list_get(list, i), &values, &d->environment))
			return refuse(d, IBMIAM_CONFIG_ERROR, "the environment is over 64 KiB");
	return true;
}

/* In this order; the first that fails decides.  Above the line nothing leaves the host. */
static bool (*const checks[])(struct decision *d) = {
	accounts_are_set,
	uid_may_log_in,
	user_has_rule,
	service_is_permitted,
	answer_has_shape_of_key,
	/* ---- */
	iam_accepts_key,
	answer_is_a_token,
	issuer_is_trusted,
	token_is_current,
	account_is_ours,
	identity_is_the_users,
	environment_is_rendered,
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
	if (r->result != IBMIAM_ALLOWED || d->environment.len == 0)
		return;
	r->export_to = d->service.export == CONFIG_EXPORT_TARGET ? WIRE_EXPORT_TARGET
								 : WIRE_EXPORT_OWN;
	r->environment = d->environment.data;
	r->environment_len = d->environment.len;
}

void decision_make(struct decision *d, const struct config *config,
		   const struct wire_request *request, int host_fd, int64_t deadline_ms)
{
	bool go_on = true;

	*d = (struct decision){ .config = config, .request = request, .host_fd = host_fd,
				.deadline_ms = deadline_ms };
	d->reply.result = IBMIAM_BROKER_ERROR; /* until a check or the end says otherwise */
	for (size_t i = 0; i < sizeof checks / sizeof checks[0] && go_on; i++)
		go_on = checks[i](d);
	if (go_on) {
		d->reply.result = IBMIAM_ALLOWED;
		(void)snprintf(d->reason, sizeof d->reason, "the key's identity may log in as this user");
	}
	fill_reply(d);
}

void decision_free(struct decision *d)
{
	secret_free(&d->environment);
	token_free(&d->token);
	iam_answer_free(&d->answer);
	*d = (struct decision){ 0 };
}
