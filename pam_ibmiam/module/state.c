/* The module's memory between calls.  See state.h. */
#include "state.h"

#include <security/pam_ext.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64url.h"
#include "item.h"
#include "report.h"
#include "session.h"

#define DATA_NAME "pam_ibmiam"
#define STASH_VARIABLE "PAM_IBMIAM_STASH" /* never outlives setcred or open_session */

static const char session_assign[] = "IBMIAM_SESSION=";

enum { STASH_TEXT_MAX = WIRE_MESSAGE_MAX / 3 * 4 + 64 };

struct state {
	char *user;              /* whom authenticate allowed, NULL for nobody */
	struct secret stash;     /* a wire_stash message, empty without one */
	char *published;         /* NUL-terminated names, one after the other */
	size_t published_len;
	char *published_to;      /* the only user who may have them, NULL for any */
	struct session session;  /* the credential that they were made from, where one is held */
};

static void forget(pam_handle_t *pamh, void *data, int error_status)
{
	struct state *s = data;

	(void)pamh;
	(void)error_status;
	secret_free(&s->stash);
	free(s->published);
	free(s->published_to);
	free(s->user);
	free(s);
}

static struct state *get_state(pam_handle_t *pamh)
{
	const void *data = NULL;

	if (pam_get_data(pamh, DATA_NAME, &data) != PAM_SUCCESS)
		return NULL;
	return (struct state *)(uintptr_t)data;
}

static struct state *make_state(pam_handle_t *pamh)
{
	struct state *s = get_state(pamh);

	if (s)
		return s;
	s = calloc(1, sizeof *s);
	if (s && pam_set_data(pamh, DATA_NAME, s, forget) != PAM_SUCCESS) {
		free(s);
		return NULL;
	}
	return s;
}

/* Is this a host through which somebody who is already logged in becomes another? */
static bool switches_user(pam_handle_t *pamh)
{
	const char *ruser = item_get(pamh, PAM_RUSER);

	return ruser && ruser[0];
}

static void drop_stash(pam_handle_t *pamh)
{
	struct state *s = get_state(pamh);

	if (s)
		secret_free(&s->stash);
	if (pam_getenv(pamh, STASH_VARIABLE))
		(void)pam_putenv(pamh, STASH_VARIABLE); /* libpam wipes the value */
}

static void unset_published(pam_handle_t *pamh, struct state *s)
{
	for (const char *name = NULL;
	     (name = wire_list_next(s->published, s->published_len, name)) != NULL;)
		if (pam_getenv(pamh, name))
			(void)pam_putenv(pamh, name);
	free(s->published);
	free(s->published_to);
	s->published = s->published_to = NULL;
	s->published_len = 0;
	session_drop(pamh, &s->session);
}

void state_reset(pam_handle_t *pamh)
{
	struct state *s = get_state(pamh);

	drop_stash(pamh);
	if (s) {
		unset_published(pamh, s);
		free(s->user);
		s->user = NULL;
	}
}

static bool put_variable(pam_handle_t *pamh, const struct secret *stash)
{
	static const char assign[] = STASH_VARIABLE "=";
	SECRET_AUTO(text);

	return secret_init(&text, STASH_TEXT_MAX) &&
	       secret_append(&text, assign, sizeof assign - 1) &&
	       base64url_encode(stash->data, stash->len, &text) && secret_append(&text, "", 1) &&
	       pam_putenv(pamh, text.data) == PAM_SUCCESS;
}

static bool keep_stash(pam_handle_t *pamh, struct state *s, const struct wire_stash *stash)
{
	return secret_init(&s->stash, WIRE_MESSAGE_MAX) &&
	       !wire_encode(&wire_stash_message, stash, &s->stash) &&
	       (switches_user(pamh) || put_variable(pamh, &s->stash));
}

bool state_remember(pam_handle_t *pamh, const char *user, const struct wire_reply *reply)
{
	struct state *s = make_state(pamh);
	const struct wire_stash stash = {
		.user = user,
		.export_to = reply->export_to,
		.environment = reply->environment,
		.environment_len = reply->environment_len,
		.session = reply->session,
	};

	if (!s)
		return false;
	state_reset(pamh);
	s->user = strdup(user);
	if (s->user && ((!reply->environment && !reply->session) || keep_stash(pamh, s, &stash)))
		return true;
	state_reset(pamh);
	return false;
}

bool state_authenticated(pam_handle_t *pamh)
{
	const struct state *s = get_state(pamh);
	const char *user = item_get(pamh, PAM_USER);

	return s && s->user && user && strcmp(s->user, user) == 0;
}

/* Brings a stash that came through the environment into *to, if there is one.  False when
 * there is and it cannot be read. */
static bool take_variable(pam_handle_t *pamh, struct secret *to)
{
	const char *text = switches_user(pamh) ? NULL : pam_getenv(pamh, STASH_VARIABLE);

	return !text || (secret_init(to, WIRE_MESSAGE_MAX + 64) &&
	       base64url_decode(text, strlen(text), to) && to->len > 0);
}

/* Remembers the name in "NAME=value" for withdraw. */
static bool note_name(struct state *s, const char *entry)
{
	size_t len = strcspn(entry, "=");
	char *longer = realloc(s->published, s->published_len + len + 1);

	if (!longer)
		return false;
	s->published = longer;
	memcpy(longer + s->published_len, entry, len);
	longer[s->published_len + len] = '\0';
	s->published_len += len + 1;
	return true;
}

static bool put_entry(pam_handle_t *pamh, struct state *s, const char *entry)
{
	return strchr(entry, '=') > entry && note_name(s, entry) &&
	       pam_putenv(pamh, entry) == PAM_SUCCESS;
}

/* All of it, or nothing and -1. */
static int put_environment(pam_handle_t *pamh, struct state *s, const struct wire_stash *stash)
{
	int count = 0;

	unset_published(pamh, s);
	if (stash->export_to == WIRE_EXPORT_OWN && !(s->published_to = strdup(stash->user)))
		return -1;
	for (const char *entry = NULL;
	     (entry = wire_list_next(stash->environment, stash->environment_len, entry)) != NULL;) {
		if (strncmp(entry, session_assign, sizeof session_assign - 1) == 0)
			continue; /* ours to say, and only of a credential that is held */
		if (!put_entry(pamh, s, entry)) {
			unset_published(pamh, s);
			return -1;
		}
		count++;
	}
	return count;
}

/* The environment is exported; the credential that it was made from follows it, if it can. */
static int put_session(pam_handle_t *pamh, struct state *s, const char *socket, const char *handle,
		       const char *user)
{
	char entry[sizeof session_assign + WIRE_SESSION_MAX];

	if (!session_adopt(pamh, socket, handle, user, &s->session))
		return 0;
	(void)snprintf(entry, sizeof entry, "%s%s", session_assign, handle);
	if (put_entry(pamh, s, entry))
		return 1;
	report_session(pamh, "the session starts without IBMIAM_SESSION", "out of memory");
	session_drop(pamh, &s->session);
	return 0;
}

/* Whatever is not exported leaves no credential that nobody would drop. */
static int put_stash(pam_handle_t *pamh, const char *socket, const struct wire_stash *stash,
		     const char *user)
{
	bool may = strcmp(stash->user, user) == 0 || stash->export_to == WIRE_EXPORT_TARGET;
	struct state *s = may ? make_state(pamh) : NULL;
	int count = may ? -1 : 0;

	if (s)
		count = put_environment(pamh, s, stash);
	if (stash->session && s && count >= 0)
		count += put_session(pamh, s, socket, stash->session, user);
	else if (stash->session)
		session_discard(pamh, socket, stash->session);
	return count;
}

int state_publish(pam_handle_t *pamh, const char *socket)
{
	SECRET_AUTO(message);
	struct state *s = get_state(pamh);
	const char *user = item_get(pamh, PAM_USER);
	struct wire_stash stash;
	int count = 0;

	if (s && s->published_to && (!user || strcmp(s->published_to, user) != 0))
		unset_published(pamh, s);
	if (s && s->stash.len > 0) {
		message = s->stash; /* taken over: wiped at the end of this function */
		s->stash = (struct secret){ 0 };
	} else if (!take_variable(pamh, &message)) {
		count = -1;
	}
	if (message.len > 0 && count == 0) {
		if (wire_decode(&wire_stash_message, message.data, message.len, &stash) || !user ||
		    (stash.session && !wire_is_handle(stash.session)))
			count = -1;
		else
			count = put_stash(pamh, socket, &stash, user);
	}
	drop_stash(pamh);
	return count;
}

void state_withdraw(pam_handle_t *pamh)
{
	struct state *s = get_state(pamh);

	drop_stash(pamh);
	if (s)
		unset_published(pamh, s);
}
