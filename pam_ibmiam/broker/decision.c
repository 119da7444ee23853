/* Who may log in.  See decision.h. */
#include "decision.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "deadline.h"
#include "decision_check.h"
#include "environment.h"

enum verdict check_refuse(struct decision *d, enum ibmiam_result result, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(d->reason, sizeof d->reason, format, ap);
	va_end(ap);
	d->reply.result = result;
	return STOP;
}

void check_note(struct decision *d, const char *format, ...)
{
	struct decision_step *step = &d->step[d->steps];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(step->detail, sizeof step->detail, format, ap);
	va_end(ap);
}

enum verdict check_ask(struct decision *d, struct iam_question question)
{
	d->question = question;
	return ASK;
}

const struct token *decision_token(const struct decision *d)
{
	return d->profile.access_token.data ? &d->profile : &d->identity;
}

/* Exported is what everybody lets through; the nearest list of variables counts. */
static enum verdict check_environment(struct decision *d)
{
	const struct token *t = decision_token(d);
	const struct config_list lists[] = { d->user.environment, d->service.environment,
					     d->config->environment };
	const struct environment_values values = {
		.token = t->access_token.data,
		.iam_id = d->identity.iam_id,
		.account = t->account,
		.profile = t == &d->profile ? t->iam_id : NULL,
		.expiration = t->expiration,
	};
	struct config_list list = lists[0];

	if (d->user.export == CONFIG_EXPORT_NEVER || d->service.export == CONFIG_EXPORT_NEVER)
		return GO_ON;
	d->exported = true;
	for (size_t i = 1; i < sizeof lists / sizeof lists[0] && config_list_len(list) == 0; i++)
		list = lists[i];
	if (config_list_len(list) > 0 && !secret_init(&d->environment, WIRE_MESSAGE_MAX))
		return check_refuse(d, IBMIAM_BROKER_ERROR, "out of memory");
	for (size_t i = 0; i < config_list_len(list); i++)
		if (!environment_render(config_list_get(list, i), &values, &d->environment))
			return check_refuse(d, IBMIAM_CONFIG_ERROR, "the environment is over 64 KiB");
	return GO_ON;
}

/* In this order; the first that fails decides.  Above the line nothing leaves the host.  README
 * has the same table. */
static const struct {
	const char *name;
	enum verdict (*check)(struct decision *d);
	bool fresh; /* only when IAM is asked, not about tokens that are there already */
} checks[] = {
	{ "accounts", check_accounts, false },
	{ "uid", check_uid, false },
	{ "rule", check_rule, false },
	{ "service", check_service, false },
	{ "network", check_network, false },
	{ "shape", check_shape, true },
	{ "rejected", check_rejected, true },
	{ "tries", check_tries, true },
	/* ---- */
	{ "key", check_key, true },
	{ "issuer", check_issuer, false },
	{ "expiry", check_expiry, false },
	{ "account", check_account, false },
	{ "identity", check_identity, false },
	{ "profile", check_profiles, true },
	{ "groups", check_groups, true },
	{ "environment", check_environment, false },
};
#define CHECKS (sizeof checks / sizeof checks[0])
_Static_assert(CHECKS <= DECISION_STEPS_MAX, "a step each");

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static void fill_reply(struct decision *d)
{
	struct wire_reply *r = &d->reply;

	r->reason = d->reason;
	r->check = d->steps > 0 && r->result != IBMIAM_ALLOWED ? d->step[d->steps - 1].check : NULL;
	r->iam_id = or_null(d->identity.iam_id);
	r->account = or_null(d->identity.account);
	r->name = or_null(d->identity.name);
	r->profile = or_null(d->profile.iam_id);
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

void decision_begin(struct decision *d, const struct decision_basis *basis,
		    const struct wire_request *request)
{
	*d = (struct decision){ .config = basis->config, .limit = basis->limit,
				.directory = basis->directory, .request = request };
	d->reply.result = IBMIAM_BROKER_ERROR; /* until a check or the end says otherwise */
}

void decision_begin_held(struct decision *d, const struct decision_basis *basis,
			 const struct wire_request *request, const struct token *identity,
			 const struct token *token)
{
	decision_begin(d, basis, request);
	d->held = true;
	d->identity = *identity;
	if (strcmp(identity->iam_id, token->iam_id) == 0)
		d->identity.access_token = token->access_token;
	else
		d->profile = *token;
}

/* A good key for the wrong user is a wrong try, too. */
static void note_end(struct decision *d)
{
	if (!d->limit || d->held || !d->identity.access_token.data)
		return;
	if (d->reply.result == IBMIAM_ALLOWED)
		limit_note_accepted(d->limit, d->request->user, d->request->key);
	else if (d->reply.result == IBMIAM_DENIED)
		limit_note_denied(d->limit, d->request->user);
}

/* One check, which may have to be called again. */
static enum verdict run_check(struct decision *d)
{
	struct decision_step *step = &d->step[d->steps];
	enum verdict v;

	if (d->held && checks[d->next].fresh) {
		d->next++;
		return GO_ON;
	}
	if (!step->check)
		*step = (struct decision_step){ .check = checks[d->next].name,
						.begun_ms = deadline_now_ms() };
	v = checks[d->next].check(d);
	step->outcome = v == GO_ON ? STEP_PASSED : v == ASK ? STEP_ASKS : STEP_FAILED;
	step->ended_ms = deadline_now_ms();
	if (v == ASK)
		return v;
	d->steps++;
	d->next++;
	d->answered = false;
	d->level = 0;
	d->item = 0;
	return v;
}

bool decision_go_on(struct decision *d)
{
	enum verdict v = GO_ON;

	d->answered = d->question.kind != IAM_NOTHING;
	while (v == GO_ON && d->next < CHECKS)
		v = run_check(d);
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
	secret_free(&d->directory_token);
	if (!d->held) {
		token_free(&d->identity);
		token_free(&d->profile);
	}
	iam_answer_free(&d->answer);
	*d = (struct decision){ 0 };
}
