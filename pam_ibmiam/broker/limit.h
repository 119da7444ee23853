/*
 * How often a host may ask IAM: a key that IAM has rejected is not tried again for a minute, a
 * user's wrong tries are limited, and so are all requests of the host together.  Only a resident
 * broker has a memory for that.  Keys and names are kept as keyed hashes, under a key of this
 * process, in a table of a fixed size: what does not fit pushes out what matters least, a
 * rejected key before an accepted one.
 */
#ifndef IBMIAM_LIMIT_H
#define IBMIAM_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	LIMIT_REJECTED_S = 60,   /* how long a rejected key is remembered */
	LIMIT_USER_TRIES = 30,   /* wrong tries of a user at once, */
	LIMIT_USER_REFILL_S = 2, /* and one more each so many seconds */
	LIMIT_OWN_LOGINS = 100,  /* of a user by himself at once, good or not; and more likewise */
};

struct limit;

/* NULL when there is no memory or no randomness. */
struct limit *limit_new(void);
void limit_free(struct limit *limit); /* takes NULL */

/* Has IAM rejected this key within the last minute? */
bool limit_key_is_rejected(struct limit *limit, const char *key);

/* May this key be tried for this user?  A key that was accepted for him before always may, so
 * that nobody locks him out then by wrong tries in his name. */
bool limit_user_may_try(struct limit *limit, const char *user, const char *key);

/* What came of a try: IAM has rejected the key; it is good, but not for this user; or all is well. */
void limit_note_rejected(struct limit *limit, const char *user, const char *key);
void limit_note_denied(struct limit *limit, const char *user);
void limit_note_accepted(struct limit *limit, const char *user, const char *key);

/* Counts a login that a user makes by himself (`ibmiam login`); false when he has made too many:
 * he alone, with a good key in a loop, must not use up the requests of the whole host. */
bool limit_take_own(struct limit *limit, uid_t uid);

/* Counts one request to IAM; false when this minute's are used up.  0 means no limit. */
bool limit_take_request(struct limit *limit, uint32_t per_minute);

#endif
