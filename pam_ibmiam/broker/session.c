/* Sessions by handle, in a tree of libc (tsearch(3)).  See session.h. */
#include "session.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "deadline.h"

struct sessions {
	void *by_handle;
	LIST_HEAD(, session) all;
	TAILQ_HEAD(session_queue, session) ending; /* those with an end_ms, the next one first */
	size_t count;
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct session *)a)->handle, ((const struct session *)b)->handle);
}

struct sessions *sessions_new(void)
{
	struct sessions *all = calloc(1, sizeof *all);

	if (!all)
		return NULL;
	LIST_INIT(&all->all);
	TAILQ_INIT(&all->ending);
	return all;
}

static void release(struct session *s)
{
	watch_close(&s->host);
	secret_free(&s->secret);
	free(s->user);
	free(s->service);
	free(s->rhost);
	free(s->owner);
	free(s->reason);
	free(s);
}

void sessions_free(struct sessions *all)
{
	struct session *s;

	while (all && (s = LIST_FIRST(&all->all)) != NULL)
		session_drop(s); /* NOLINT(clang-analyzer-unix.Malloc): it does not see LIST_REMOVE() work */
	free(all);
}

struct session *session_find(const struct sessions *all, const char *handle)
{
	struct session key;
	void *node;

	if (strlen(handle) >= sizeof key.handle)
		return NULL;
	memcpy(key.handle, handle, strlen(handle) + 1);
	node = tfind(&key, &all->by_handle, compare);
	return node ? *(struct session **)node : NULL;
}

static bool make_handle(char ret[WIRE_SESSION_MAX])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char random[(WIRE_SESSION_MAX - 1) / 2];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return false;
	for (size_t i = 0; i < sizeof random; i++) {
		ret[2 * i] = hex[random[i] >> 4];
		ret[2 * i + 1] = hex[random[i] & 15];
	}
	ret[WIRE_SESSION_MAX - 1] = '\0';
	return true;
}

/* Puts it among those that end by themselves; the queue stays in order. */
static void set_end(struct session *s, int64_t end_ms)
{
	struct session *before;

	if (s->end_ms)
		TAILQ_REMOVE(&s->sessions->ending, s, link);
	s->end_ms = end_ms;
	if (!end_ms)
		return;
	TAILQ_FOREACH_REVERSE(before, &s->sessions->ending, session_queue, link)
		if (before->end_ms <= end_ms)
			break;
	if (before)
		TAILQ_INSERT_AFTER(&s->sessions->ending, before, s, link);
	else
		TAILQ_INSERT_HEAD(&s->sessions->ending, s, link);
}

static bool fill(struct session *s, const char *handle, const struct wire_request *request)
{
	s->user = strdup(request->user);
	s->owner = strdup(request->user);
	s->service = strdup(request->service);
	s->rhost = request->rhost ? strdup(request->rhost) : NULL;
	s->user_uid = request->uid;
	s->owner_uid = request->uid;
	if (handle)
		memcpy(s->handle, handle, sizeof s->handle);
	return s->user && s->owner && s->service && (s->rhost || !request->rhost) &&
	       (handle || make_handle(s->handle));
}

/* One page for both: the key, then the token. */
static bool store(struct session *s, const char *key, const struct token *identity,
		  const struct token *token)
{
	const char *jwt = token->access_token.data;
	struct secret secret = { 0 };

	if (!secret_init(&secret, strlen(key) + strlen(jwt) + 2))
		return false;
	(void)secret_append(&secret, key, strlen(key) + 1);
	(void)secret_append(&secret, jwt, strlen(jwt) + 1);
	secret_free(&s->secret);
	s->secret = secret;
	s->identity = *identity;
	s->identity.access_token = (struct secret){ 0 };
	s->token = *token;
	s->token.access_token = (struct secret){ .data = secret.data + strlen(secret.data) + 1,
						 .len = strlen(jwt) + 1 };
	s->obtained = (int64_t)time(NULL);
	s->obtained_ms = deadline_now_ms();
	return true;
}

struct session *session_add(struct sessions *all, const char *handle,
			    const struct wire_request *request, const struct token *identity,
			    const struct token *token)
{
	struct session *s = all->count < SESSION_MAX ? calloc(1, sizeof *s) : NULL;

	if (!s)
		return NULL;
	s->host.fd = -1;
	s->sessions = all;
	if (!fill(s, handle, request) || session_find(all, s->handle) || !store(s, request->key, identity, token) ||
	    !tsearch(s, &all->by_handle, compare)) {
		release(s);
		return NULL;
	}
	LIST_INSERT_HEAD(&all->all, s, all);
	all->count++;
	set_end(s, deadline_now_ms() + SESSION_PENDING_MS);
	return s;
}

bool session_adopt(struct session *s, const char *owner, uid_t owner_uid)
{
	char *name = strdup(owner);

	if (!name)
		return false;
	free(s->owner);
	s->owner = name;
	s->owner_uid = owner_uid;
	s->adopted = true;
	set_end(s, s->host.fd >= 0 ? 0 : deadline_now_ms() + SESSION_UNWATCHED_MS);
	return true;
}

const char *session_key(const struct session *s)
{
	return s->secret.data;
}

bool session_renew(struct session *s, const struct token *identity, const struct token *token)
{
	return store(s, s->secret.data, identity, token);
}

void session_end(struct session *s, enum ibmiam_result why, const char *reason)
{
	secret_free(&s->secret);
	s->token.access_token = (struct secret){ 0 };
	s->ended = why;
	free(s->reason);
	s->reason = strdup(reason);
}

void session_drop(struct session *s)
{
	struct sessions *all = s->sessions;

	set_end(s, 0);
	(void)tdelete(s, &all->by_handle, compare);
	LIST_REMOVE(s, all);
	all->count--;
	release(s);
}

struct session *sessions_any(const struct sessions *all)
{
	return LIST_FIRST(&all->all);
}

struct session *sessions_next_end(const struct sessions *all)
{
	return TAILQ_FIRST(&all->ending);
}

size_t sessions_count(const struct sessions *all)
{
	return all->count;
}

size_t sessions_count_of(const struct sessions *all, uid_t owner_uid, const char *service)
{
	const struct session *s;
	size_t n = 0;

	LIST_FOREACH(s, &all->all, all)
		n += s->owner_uid == owner_uid && strcmp(s->service, service) == 0;
	return n;
}
