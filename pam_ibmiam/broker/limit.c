/* Tables of keyed hashes.  See limit.h. */
#include "limit.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "deadline.h"
#include "secret.h"
#include "wire.h"

enum {
	SECRET_LEN = 32,
	HASH_LEN = 32, /* SHA-256 */
	WAYS = 4,      /* entries among which a new one pushes out that which matters least */
	SETS = 1024,
	ACCEPTED_S = 30 * 24 * 3600,
};

/* What is hashed along, so that a key is never taken for a name. */
enum kind { REJECTED = 1, ACCEPTED, TRIES, OWN };

struct entry {
	unsigned char hash[HASH_LEN];
	int64_t at_ms; /* when it was last written; 0: free */
	int64_t matters_until_ms; /* so that wrong keys do not push out the good ones */
	double tokens; /* TRIES, OWN: what is left of the bucket */
};

struct limit {
	unsigned char secret[SECRET_LEN];
	struct secret text; /* what is being hashed, else empty */
	struct entry entries[SETS][WAYS];
	double requests; /* the bucket of the whole host */
	int64_t requests_at_ms;
};

struct limit *limit_new(void)
{
	struct limit *limit = calloc(1, sizeof *limit);

	if (limit && secret_init(&limit->text, 1 + WIRE_USER_MAX + WIRE_KEY_MAX) &&
	    getrandom(limit->secret, sizeof limit->secret, 0) == (ssize_t)sizeof limit->secret)
		return limit;
	limit_free(limit);
	return NULL;
}

void limit_free(struct limit *limit)
{
	if (!limit)
		return;
	secret_free(&limit->text);
	explicit_bzero(limit, sizeof *limit);
	free(limit);
}

/* The hash of kind, user and key; both may be NULL.  False when it cannot be made: then nothing
 * is known of the key, and nothing is kept. */
static bool make_hash(struct limit *limit, enum kind kind, const char *user, const char *key,
		      unsigned char ret[HASH_LEN])
{
	struct secret *text = &limit->text;
	const char start = (char)kind;
	unsigned int len = 0;
	bool ok = secret_append(text, &start, 1) &&
		  secret_append(text, user ? user : "", user ? strlen(user) + 1 : 1) &&
		  secret_append(text, key ? key : "", key ? strlen(key) : 0) &&
		  HMAC(EVP_sha256(), limit->secret, SECRET_LEN, (const unsigned char *)text->data,
		       text->len, ret, &len) && len == HASH_LEN;

	secret_clear(text);
	return ok;
}

static struct entry *set_of(struct limit *limit, const unsigned char hash[HASH_LEN])
{
	return limit->entries[((size_t)hash[0] << 8 | hash[1]) % SETS];
}

static struct entry *find(struct limit *limit, const unsigned char hash[HASH_LEN])
{
	struct entry *set = set_of(limit, hash);

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].at_ms && memcmp(set[i].hash, hash, HASH_LEN) == 0)
			return &set[i];
	return NULL;
}

static struct entry *find_or_make(struct limit *limit, const unsigned char hash[HASH_LEN])
{
	struct entry *set = set_of(limit, hash), *e = find(limit, hash), *least = set;

	for (size_t i = 1; i < WAYS && !e; i++)
		if (set[i].matters_until_ms < least->matters_until_ms)
			least = &set[i];
	if (e)
		return e;
	*least = (struct entry){ 0 };
	memcpy(least->hash, hash, HASH_LEN);
	return least;
}

static void touch(struct entry *e, int64_t matters_s)
{
	e->at_ms = deadline_now_ms();
	e->matters_until_ms = e->at_ms + matters_s * 1000;
}

static void remember(struct limit *limit, enum kind kind, const char *user, const char *key,
		     int64_t matters_s)
{
	unsigned char hash[HASH_LEN];

	if (make_hash(limit, kind, user, key, hash))
		touch(find_or_make(limit, hash), matters_s);
}

static const struct entry *recall(struct limit *limit, enum kind kind, const char *user,
				  const char *key)
{
	unsigned char hash[HASH_LEN];

	return make_hash(limit, kind, user, key, hash) ? find(limit, hash) : NULL;
}

bool limit_key_is_rejected(struct limit *limit, const char *key)
{
	const struct entry *e = recall(limit, REJECTED, NULL, key);

	return e && deadline_now_ms() - e->at_ms < LIMIT_REJECTED_S * INT64_C(1000);
}

static double refilled(double tokens, int64_t since_ms, double per_s, double most)
{
	tokens += (double)(deadline_now_ms() - since_ms) / 1000.0 * per_s;
	return tokens > most ? most : tokens;
}

bool limit_user_may_try(struct limit *limit, const char *user, const char *key)
{
	const struct entry *e = recall(limit, TRIES, user, NULL);

	return !e || recall(limit, ACCEPTED, user, key) ||
	       refilled(e->tokens, e->at_ms, 1.0 / LIMIT_USER_REFILL_S, LIMIT_USER_TRIES) >= 1;
}

/* The bucket of a user, as it is now; NULL when there is no memory. */
static struct entry *bucket(struct limit *limit, enum kind kind, const char *user, int size)
{
	unsigned char hash[HASH_LEN];
	struct entry *e;

	if (!make_hash(limit, kind, user, NULL, hash))
		return NULL;
	e = find_or_make(limit, hash);
	e->tokens = e->at_ms ? refilled(e->tokens, e->at_ms, 1.0 / LIMIT_USER_REFILL_S, size) : size;
	touch(e, (int64_t)size * LIMIT_USER_REFILL_S); /* it is full again then */
	return e;
}

void limit_note_denied(struct limit *limit, const char *user)
{
	struct entry *e = bucket(limit, TRIES, user, LIMIT_USER_TRIES);

	if (e)
		e->tokens = e->tokens > 1 ? e->tokens - 1 : 0;
}

bool limit_take_own(struct limit *limit, uid_t uid)
{
	struct entry *e;
	char name[24];

	(void)snprintf(name, sizeof name, "%lu", (unsigned long)uid);
	e = bucket(limit, OWN, name, LIMIT_OWN_LOGINS);
	if (e && e->tokens < 1)
		return false;
	if (e)
		e->tokens -= 1;
	return true;
}

void limit_note_rejected(struct limit *limit, const char *user, const char *key)
{
	limit_note_denied(limit, user);
	remember(limit, REJECTED, NULL, key, LIMIT_REJECTED_S);
}

void limit_note_accepted(struct limit *limit, const char *user, const char *key)
{
	remember(limit, ACCEPTED, user, key, ACCEPTED_S);
}

bool limit_take_request(struct limit *limit, uint32_t per_minute)
{
	if (per_minute == 0)
		return true;
	limit->requests = limit->requests_at_ms ?
		refilled(limit->requests, limit->requests_at_ms, per_minute / 60.0, per_minute) :
		per_minute;
	limit->requests_at_ms = deadline_now_ms();
	if (limit->requests < 1)
		return false;
	limit->requests -= 1;
	return true;
}
