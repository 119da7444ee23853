/* Serving and renewing tokens.  See renewal.h. */
#include "renewal.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "deadline.h"
#include "job.h"
#include "log.h"
#include "request.h"

enum {
	FRESH_PART = 5,     /* a fifth of its life */
	MARGIN_S = 10,      /* before its end a token is no longer served, */
	MARGIN_PART = 10,   /* or, when it lives for less than 100 s, a tenth of its life */
};

/* IAM's own clock says how long. */
static int64_t life_s(const struct session *s)
{
	int64_t life = s->token.expiration - (s->token.issued ? s->token.issued : s->obtained);

	return life > 0 ? life : 0;
}

/* By this host's clock, or by the time that has passed, which knows nothing of a clock that is
 * behind or was set back. */
static int64_t left_s(const struct session *s)
{
	int64_t by_clock = s->token.expiration - (int64_t)time(NULL);
	int64_t by_age = life_s(s) - (deadline_now_ms() - s->obtained_ms) / 1000;

	return by_clock < by_age ? by_clock : by_age;
}

static bool is_fresh(const struct session *s)
{
	return left_s(s) > 0 && left_s(s) * FRESH_PART >= life_s(s);
}

static bool is_usable(const struct session *s)
{
	int64_t margin = life_s(s) / MARGIN_PART < MARGIN_S ? life_s(s) / MARGIN_PART : MARGIN_S;

	return left_s(s) > margin;
}

static struct wire_request request_of(const struct session *s)
{
	return (struct wire_request){ .user = s->user, .service = s->service, .rhost = s->rhost,
				      .key = session_key(s), .uid = s->user_uid };
}

/* What a configuration says of this login, were its token still young. */
enum opinion { REFUSES, ASKS_FOR_MORE /* or for other profiles or groups */, ALLOWS };

static enum opinion opinion_of(const struct config_live *config, const struct session *s)
{
	const struct wire_request request = request_of(s);
	const struct decision_basis basis = { .config = &config->config };
	struct token identity = s->identity, token = s->token;
	struct decision d;
	enum opinion opinion = REFUSES;

	identity.expiration = token.expiration = INT64_MAX;
	decision_begin_held(&d, &basis, &request, &identity, &token);
	(void)decision_go_on(&d);
	if (d.reply.result == IBMIAM_ALLOWED)
		opinion = decision_requirements(&d) == s->requirements ? ALLOWS : ASKS_FOR_MORE;
	decision_free(&d);
	return opinion;
}

/* Does the configuration now ask for profiles or groups that this token was not given under? */
static bool is_outdated(const struct server *server, struct session *s)
{
	enum opinion opinion;

	if (s->config_number == server->config->number)
		return false;
	opinion = opinion_of(server->config, s);
	if (opinion == ALLOWS)
		s->config_number = server->config->number;
	return opinion == ASKS_FOR_MORE;
}

/* Has IAM changed its mind?  It alone rejects keys; of other refusals that is certain only if the
 * configuration has not: it may be half written just now. */
static bool is_final(const struct job *job, const struct session *s)
{
	const struct wire_reply *r = &job->decision.reply;

	return r->http_status != 0 &&
	       (r->result == IBMIAM_KEY_REJECTED ||
		(r->result == IBMIAM_DENIED && opinion_of(job->config, s) == ALLOWS));
}

static void refuse_ended(struct client *c, const struct session *s)
{
	request_refuse(c, s->ended, s->reason ? s->reason : "the credential has ended");
}

static void reply_token(struct client *c, struct session *s);

/* Answers all clients that wait for this session's renewal, of which this came. */
static void answer_all(struct server *server, struct session *s, const struct wire_reply *r)
{
	bool outdated = !s->ended && is_outdated(server, s);
	struct client *c;

	while ((c = server_find_waiting(server, s)) != NULL) {
		c->session = NULL;
		if (s->ended)
			refuse_ended(c, s);
		else if (is_usable(s) && !outdated)
			reply_token(c, s);
		else if (r->result == IBMIAM_ALLOWED)
			request_refuse(c, IBMIAM_UNAVAILABLE, "the configuration has changed meanwhile; try again");
		else if (!client_reply(c, r))
			client_end(c);
	}
}

/* Would a login now bring the token into this session? */
static bool is_exported(const struct decision *d, const struct session *s)
{
	return d->exported && (d->reply.export_to != WIRE_EXPORT_OWN || strcmp(s->owner, s->user) == 0);
}

/* The token at hand, with the environment that the configuration now makes of it, if it still
 * lets its owner have one. */
static void reply_token(struct client *c, struct session *s)
{
	static const struct wire_reply too_large = { .result = IBMIAM_CONFIG_ERROR,
		.reason = "token and environment together do not fit into 64 KiB" };
	const struct wire_request request = request_of(s);
	const struct decision_basis basis = { .config = &c->server->config->config };
	struct decision d;
	struct wire_reply *r = &d.reply;

	decision_begin_held(&d, &basis, &request, &s->identity, &s->token);
	(void)decision_go_on(&d);
	if (r->result == IBMIAM_ALLOWED && !is_exported(&d, s))
		*r = (struct wire_reply){ .result = IBMIAM_DENIED,
					  .reason = "the configuration no longer exports a token to this user" };
	if (r->result == IBMIAM_ALLOWED) {
		r->session = s->handle;
		r->token = s->token.access_token.data;
		r->expiration = (uint32_t)s->token.expiration;
		r->renewal = (uint32_t)(time(NULL) + left_s(s) - life_s(s) / FRESH_PART);
	}
	if (!client_reply(c, r) && !(r->token && client_reply(c, &too_large)))
		client_end(c);
	decision_free(&d);
}

static void note_renewal(const struct job *job, struct session *s, const struct wire_reply *r)
{
	bool renewed = r->result == IBMIAM_ALLOWED;

	if (renewed) {
		s->requirements = decision_requirements(&job->decision);
		s->config_number = job->config->number;
	} else {
		s->renew_after_ms = deadline_now_ms() + RENEWAL_RETRY_MS;
	}
	log_line(renewed ? LOG_INFO : LOG_WARNING,
		 "%s session=" SESSION_SHOWN " user=%s result=%s left_s=%lld http=%u code=%s transaction=%s "
		 "reason=\"%s\"", renewed ? "renewed" : "not renewed", s->handle, s->owner,
		 result_name(r->result), (long long)left_s(s), r->http_status,
		 r->api_code ? r->api_code : "-", r->transaction_id ? r->transaction_id : "-",
		 log_quoted(r->reason));
}

static void on_decision(struct job *job)
{
	static const struct wire_reply useless = { .result = IBMIAM_UNAVAILABLE,
		.reason = "IAM's new token has expired already (is this host's clock right?), or there is "
			  "no memory for it" };
	struct session *s = job->session;
	struct decision *d = &job->decision;
	const struct wire_reply *r = &d->reply;

	s->renewal = NULL;
	if (r->result == IBMIAM_ALLOWED &&
	    (!session_renew(s, &d->identity, decision_token(d)) || !is_usable(s)))
		r = &useless;
	if (is_final(job, s)) {
		log_line(LOG_NOTICE, "ended session=" SESSION_SHOWN " user=%s result=%s reason=\"%s\"",
			 s->handle, s->owner, result_name(r->result), log_quoted(r->reason));
		session_end(s, (enum ibmiam_result)r->result, r->reason);
	} else {
		note_renewal(job, s, r);
	}
	answer_all(job->server, s, r);
	job_free(job);
}

/* There is no token to serve; why there is no new one, either. */
static void refuse_for_now(struct client *c, bool outdated, const char *why)
{
	char reason[WIRE_REASON_MAX];

	(void)snprintf(reason, sizeof reason, "%s, and IAM %s", outdated ?
		       "the configuration asks for more than this token was given for" :
		       "the token has expired", why);
	request_refuse(c, IBMIAM_UNAVAILABLE, reason);
}

void renewal_serve(struct client *c, struct session *s)
{
	const struct wire_request request = request_of(s);
	bool may_ask = deadline_now_ms() >= s->renew_after_ms, outdated;

	if (s->ended) {
		refuse_ended(c, s);
		return;
	}
	outdated = is_outdated(c->server, s);
	if (!outdated && (is_fresh(s) || (is_usable(s) && !may_ask && !s->renewal))) {
		reply_token(c, s);
		return;
	}
	if (!s->renewal && !may_ask) {
		refuse_for_now(c, outdated, "gave no new one less than a minute ago");
		return;
	}
	c->session = s;
	if (s->renewal)
		return;
	s->renewal = job_new(c->server, &request, deadline_now_ms() + RENEWAL_TIMEOUT_MS, on_decision);
	if (!s->renewal) {
		client_end(c);
		return;
	}
	s->renewal->session = s;
	job_run(s->renewal);
}

void renewal_late(struct client *c)
{
	struct session *s = c->session;
	bool outdated = is_outdated(c->server, s);

	c->session = NULL;
	if (is_usable(s) && !outdated)
		reply_token(c, s);
	else
		refuse_for_now(c, outdated, "does not answer in time");
}
