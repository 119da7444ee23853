/* The requests of ../PROTOCOL.md.  See request.h. */
#include "request.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "deadline.h"
#include "explain.h"
#include "hold.h"
#include "job.h"
#include "log.h"
#include "renewal.h"

enum { LATE_GRACE_MS = 1000 /* for a decision that does not end at its deadline; it always does */ };

static const uid_t ALL_REFUSED = (uid_t)-1; /* nobody's uid */
static const char too_many[] = "this user has as many credentials by ibmiam login as he may";

void request_refuse(struct client *c, enum ibmiam_result result, const char *reason)
{
	const struct wire_reply reply = { .result = result, .reason = reason };

	if (!client_reply(c, &reply))
		client_end(c);
}

static void allow(struct client *c, const struct session *s, const char *reason)
{
	const struct wire_reply reply = { .result = IBMIAM_ALLOWED, .reason = reason,
					  .iam_id = s->identity.iam_id, .account = s->identity.account };

	if (!client_reply(c, &reply))
		client_end(c);
}

static bool is_privileged(const struct client *c)
{
	return server_is_privileged(c->server, c->uid);
}

/* Is this name the client's own?  By name, so that a uid that was given to somebody else is not
 * the old user's. */
static bool is_own_name(const struct client *c, const char *name)
{
	const struct passwd *pw = getpwnam(name);

	return pw && pw->pw_uid == c->uid;
}

/* The session of this handle, if the client may know of it. */
static struct session *find_session(const struct client *c, const char *handle)
{
	struct session *s = session_find(c->server->sessions, handle);

	if (!s || is_privileged(c))
		return s;
	return s->adopted && s->owner_uid == c->uid && is_own_name(c, s->owner) ? s : NULL;
}

/* Root owns the host, and may; but not unseen. */
static void log_use(const struct client *c, const struct session *s)
{
	if (s->adopted && c->uid != s->owner_uid)
		log_line(LOG_NOTICE, "token session=" SESSION_SHOWN " user=%s by uid=%u pid=%d", s->handle,
			 s->owner, c->uid, c->pid);
}

/* authenticate */

/* Is this what the client is called?  By uid, so that nobody makes the broker look for names. */
static bool is_called(const struct client *c, const char *name)
{
	const struct passwd *pw = getpwuid(c->uid);

	return pw && strcmp(pw->pw_name, name) == 0;
}

/* Where somebody comes from is the host's to say: a user would name a network that may.  The
 * checks tell what is in the configuration, which is not for everybody to read. */
static bool may_authenticate(const struct client *c, const struct wire_request *r)
{
	return is_privileged(c) || (r->uid == c->uid && !r->rhost && !r->explain &&
				    strcmp(r->service, REQUEST_LOGIN_SERVICE) == 0 &&
				    is_called(c, r->user));
}

static void on_decision(struct job *job)
{
	static const struct wire_reply too_large = { .result = IBMIAM_CONFIG_ERROR,
		.reason = "the environment does not fit into 64 KiB" };
	static const struct wire_reply not_kept = { .result = IBMIAM_BROKER_ERROR,
		.reason = "the broker cannot hold another credential for this user" };
	static const struct wire_reply no_room = { .result = IBMIAM_NO_SESSION, .reason = too_many };
	static const struct wire_reply not_exported = { .result = IBMIAM_DENIED,
		.reason = "the configuration exports no token to this user" };
	struct client *c = job->client;
	struct decision *d = &job->decision;
	struct wire_reply *r = &d->reply;
	bool own = strcmp(job->request.service, REQUEST_LOGIN_SERVICE) == 0;
	struct session *s = NULL;
	SECRET_AUTO(steps);

	r->note = is_privileged(c) ? job->server->note : NULL; /* it quotes the configuration */
	if (job->request.explain && explain_put(job->explain, d, job->config, &steps)) {
		r->steps = steps.data;
		r->steps_len = steps.len;
		if (r->iam_id)
			r->expiration = (uint32_t)decision_token(d)->expiration;
	}
	if (job->server->sessions && r->result == IBMIAM_ALLOWED && d->exported)
		s = own ? hold_own(c, d) : hold_pending(c, d, NULL);
	r->session = s ? s->handle : NULL;
	if (job->server->sessions && own && !s && r->result == IBMIAM_ALLOWED)
		*r = !d->exported ? not_exported :
		     hold_has_room(job->server, &job->request) ? not_kept : no_room;
	if (job->server->sessions && own) /* there is no module to log it */
		log_line(r->result == IBMIAM_ALLOWED ? LOG_INFO : LOG_NOTICE,
			 "login user=%s uid=%u result=%s iam_id=%s check=%s reason=\"%s\" by uid=%u pid=%d",
			 job->request.user, job->request.uid, result_name(r->result),
			 r->iam_id ? r->iam_id : "-", r->check ? r->check : "-", log_quoted(r->reason), c->uid,
			 c->pid);
	if (client_reply(c, r))
		return;
	if (s) /* nobody knows its handle */
		hold_drop(job->server, s, "its login had no reply");
	/* An environment that does not fit into the reply must not look like a crash. */
	if (!r->environment || !client_reply(c, &too_large))
		client_end(c);
}

static void serve_authenticate(struct client *c)
{
	struct wire_request r;

	if (wire_decode(&wire_request_message, c->message.data, c->message.len, &r) ||
	    (r.session && !wire_is_handle(r.session))) {
		client_end(c);
		return;
	}
	c->server->requests++;
	if (!may_authenticate(c, &r)) {
		/* Who asked, before what he has made up; and no more often than by this bucket, lest
		 * journald drop lines of others for it. */
		if (limit_take_own(c->server->limit, ALL_REFUSED))
			log_line(LOG_NOTICE, "login refused by uid=%u pid=%d: asked for user=%s service=%s uid=%u",
				 c->uid, c->pid, r.user, r.service, r.uid);
		request_refuse(c, IBMIAM_DENIED, "only root may ask for others, for another service, "
			       "for the checks, or say from where");
		return;
	}
	/* Uids without a name (subuid(5)) never come here, and so cannot crowd the table. */
	if (!is_privileged(c) && !limit_take_own(c->server->limit, c->uid)) {
		request_refuse(c, IBMIAM_THROTTLED, "too many logins by this user himself");
		return;
	}
	/* IAM is not asked in vain.  Others of his may be under way: hold_own() looks again. */
	if (!is_privileged(c) && !hold_has_room(c->server, &r)) {
		request_refuse(c, IBMIAM_NO_SESSION, too_many);
		return;
	}
	c->deadline_ms = deadline_now_ms() + r.budget_ms;
	c->job = job_new(c->server, &r, c->deadline_ms, on_decision);
	c->deadline_ms += LATE_GRACE_MS;
	if (!c->job) {
		client_end(c); /* a login then runs one-shot */
		return;
	}
	c->job->client = c;
	job_run(c->job);
}

/* adopt, drop, token */

static void serve_adopt(struct client *c, const struct wire_session *r)
{
	struct session *s = is_privileged(c) ? find_session(c, r->session) : NULL;

	if (!s || s->adopted ||
	    (s->export_to == WIRE_EXPORT_OWN && strcmp(s->user, r->user) != 0)) {
		request_refuse(c, IBMIAM_NO_SESSION, "there is nothing to adopt under this handle");
		return;
	}
	if (hold_adopt(c, s, r->user, (uid_t)r->uid))
		allow(c, s, "adopted");
	else
		client_end(c);
}

static void serve_drop(struct client *c, const struct wire_session *r)
{
	struct server *server = c->server;
	struct session *s = find_session(c, r->session);
	char why[64];

	if (!s) {
		request_refuse(c, IBMIAM_NO_SESSION, "there is no credential under this handle");
		return;
	}
	(void)snprintf(why, sizeof why, "as asked by uid=%u pid=%d", c->uid, c->pid);
	allow(c, s, "dropped");
	hold_drop(server, s, why);
}

static void serve_token(struct client *c, const struct wire_session *r)
{
	struct session *s = find_session(c, r->session);

	if (!s) {
		request_refuse(c, IBMIAM_NO_SESSION, "there is no credential under this handle");
		return;
	}
	log_use(c, s);
	c->deadline_ms = deadline_now_ms() + r->budget_ms;
	renewal_serve(c, s);
}

static const struct {
	const struct wire_message *message;
	void (*serve)(struct client *c, const struct wire_session *r);
} about_sessions[] = {
	{ &wire_adopt_message, serve_adopt },
	{ &wire_drop_message, serve_drop },
	{ &wire_token_message, serve_token },
};

void request_serve(struct client *c)
{
	struct wire_session r;

	if (c->server->refresh)
		c->server->refresh(c);
	if (c->server->stop) {
		client_end(c); /* a login then runs one-shot */
		return;
	}
	if (wire_is(&wire_request_message, c->message.data, c->message.len)) {
		serve_authenticate(c);
		return;
	}
	for (size_t i = 0; c->server->sessions && i < sizeof about_sessions / sizeof about_sessions[0]; i++) {
		if (wire_decode(about_sessions[i].message, c->message.data, c->message.len, &r) ||
		    !wire_is_handle(r.session))
			continue;
		about_sessions[i].serve(c, &r);
		return;
	}
	client_end(c); /* no such message */
}

void request_cancel(struct client *c)
{
	job_free(c->job);
	c->job = NULL;
	c->session = NULL; /* its renewal goes on, for others */
}

void request_late(struct client *c)
{
	if (c->session)
		renewal_late(c);
	else
		client_end(c);
}
