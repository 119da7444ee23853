/*
 * The credentials of a resident broker: handles that nobody can guess, ends in their order,
 * and no key and no token left when a session has ended.
 */
#include "unit.h"

#include <malloc.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "deadline.h"
#include "session.h"

#define KEY "made-up-key-of-a-unit-test-0123456789"
#define HANDLE_A "00000000000000000000000000000001"
#define HANDLE_B "00000000000000000000000000000002"

static struct sessions *all;

static const struct wire_request request = { .user = "alice", .service = "sshd", .key = KEY,
					     .rhost = "192.0.2.7", .uid = 1000 };

static int make(void **state)
{
	(void)state;
	all = sessions_new();
	return all ? 0 : -1;
}

static int release(void **state)
{
	(void)state;
	sessions_free(all);
	return 0;
}

/* access_token is not copied here: it must live until the session has its copy. */
static struct token token_of(const char *jwt)
{
	struct token t = { .account_valid = true, .expiration = 4102444800 };

	(void)snprintf(t.iam_id, sizeof t.iam_id, "IBMid-550000ABCD");
	(void)snprintf(t.account, sizeof t.account, "0123456789abcdef0123456789abcdef");
	t.access_token = (struct secret){ .data = (char *)(uintptr_t)jwt, .len = strlen(jwt) + 1 };
	return t;
}

static struct session *add_as(const char *handle, const struct wire_request *r)
{
	struct token t = token_of("e30.e30.c2ln");
	struct session *s = session_add(all, handle, r, &t, &t);

	assert_non_null(s);
	return s;
}

static struct session *add(const char *handle)
{
	return add_as(handle, &request);
}

static void is_a_copy_of_what_was_given(void **state)
{
	char user[] = "alice", service[] = "sshd", rhost[] = "192.0.2.7", key[] = KEY, jwt[] = "e30.e30.c2ln";
	const struct wire_request r = { .user = user, .service = service, .rhost = rhost, .key = key,
					.uid = 1000 };
	struct token t = token_of(jwt);
	struct session *s = session_add(all, NULL, &r, &t, &t);

	(void)state;
	assert_non_null(s);
	memset(user, 'x', 5);
	memset(service, 'x', 4);
	memset(rhost, 'x', 9);
	memset(key, 'x', sizeof key - 1);
	memset(jwt, 'x', sizeof jwt - 1);
	assert_string_equal(s->user, "alice");
	assert_string_equal(s->owner, "alice");
	assert_string_equal(s->service, "sshd");
	assert_string_equal(s->rhost, "192.0.2.7");
	assert_string_equal(session_key(s), KEY);
	assert_string_equal(s->token.access_token.data, "e30.e30.c2ln");
	assert_string_equal(s->token.iam_id, "IBMid-550000ABCD");
	assert_int_equal(s->user_uid, 1000);
	assert_int_equal(s->owner_uid, 1000);
	assert_false(s->adopted);
	assert_int_equal(s->ended, IBMIAM_ALLOWED);
}

static void no_rhost_stays_none(void **state)
{
	struct wire_request r = request;

	(void)state;
	r.rhost = NULL;
	assert_null(add_as(NULL, &r)->rhost);
}

static int compare_handles(const void *a, const void *b)
{
	return memcmp(a, b, WIRE_SESSION_MAX);
}

/* So many: each found by its handle, no two alike, every hex digit used about equally often. */
static void ten_thousand_handles_are_random(void **state)
{
	enum { N = 10000 };
	static char handles[N][WIRE_SESSION_MAX];
	unsigned int digits[128] = { 0 };

	(void)state;
	for (int i = 0; i < N; i++) {
		const struct session *s = add(NULL);

		assert_true(wire_is_handle(s->handle));
		assert_ptr_equal(session_find(all, s->handle), s);
		memcpy(handles[i], s->handle, sizeof handles[i]);
		for (const char *p = s->handle; *p; p++)
			digits[(unsigned char)*p]++;
	}
	assert_int_equal(sessions_count(all), N);
	qsort(handles, N, sizeof handles[0], compare_handles);
	for (int i = 1; i < N; i++)
		assert_string_not_equal(handles[i - 1], handles[i]);
	for (const char *p = "0123456789abcdef"; *p; p++) /* of 20,000; the deviation is 137 */
		assert_in_range(digits[(unsigned char)*p], 19000, 21000);
}

static void is_found_by_its_whole_handle_only(void **state)
{
	static const char *const others[] = {
		"", "0", HANDLE_B, "0000000000000000000000000000000", HANDLE_A "0", HANDLE_A HANDLE_A,
		"00000000000000000000000000000001 ", "0000000000000000000000000000000G",
	};
	char longest[5000];
	struct session *s = add(HANDLE_A);

	(void)state;
	assert_ptr_equal(session_find(all, HANDLE_A), s);
	for (size_t i = 0; i < UNIT_LEN(others); i++)
		if (session_find(all, others[i]))
			fail_msg("found by \"%s\"", others[i]);
	memset(longest, '0', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_null(session_find(all, longest));
}

static void handle_in_use_is_refused(void **state)
{
	struct token t = token_of("other.other.other");
	struct session *s = add(HANDLE_A);

	(void)state;
	assert_null(session_add(all, HANDLE_A, &request, &t, &t));
	assert_int_equal(sessions_count(all), 1);
	assert_ptr_equal(session_find(all, HANDLE_A), s);
	assert_string_equal(s->token.access_token.data, "e30.e30.c2ln");
	session_drop(s);
	assert_non_null(add(HANDLE_A)); /* free again */
}

/* An ended session still has its handle: it must not become somebody else's. */
static void handle_of_an_ended_session_is_in_use(void **state)
{
	struct token t = token_of("other.other.other");

	(void)state;
	session_end(add(HANDLE_A), IBMIAM_DENIED, "no");
	assert_null(session_add(all, HANDLE_A, &request, &t, &t));
}

static void pending_sessions_end_in_their_order(void **state)
{
	struct session *a = add(NULL), *b = add(NULL), *c = add(NULL);
	int64_t now_ms = deadline_now_ms();

	(void)state;
	assert_in_range(a->end_ms, now_ms + SESSION_PENDING_MS - 5000, now_ms + SESSION_PENDING_MS);
	assert_ptr_equal(sessions_next_end(all), a);
	session_drop(b);
	assert_ptr_equal(sessions_next_end(all), a);
	session_drop(a);
	assert_ptr_equal(sessions_next_end(all), c);
	session_drop(c);
	assert_null(sessions_next_end(all));
	assert_null(sessions_any(all));
}

/* Its host is watched, so that it ends with that; else after half a day. */
static const struct host {
	const char *name;
	bool watched;
} hosts[] = { { "watched", true }, { "not watched", false } };

static void adopted_session_ends_with_its_host(void **state)
{
	const struct host *h = *state;
	struct session *s = add(NULL), *later = add(NULL);
	int64_t now_ms = deadline_now_ms();

	if (h->watched)
		s->host.fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (h->watched && s->host.fd < 0)
		UNIT_SKIP("no pidfd_open() here");
	assert_true(session_adopt(s, "bob", 1001));
	assert_true(s->adopted);
	assert_string_equal(s->owner, "bob");
	assert_int_equal(s->owner_uid, 1001);
	assert_string_equal(s->user, "alice"); /* whose rule applies */
	assert_int_equal(s->user_uid, 1000);
	assert_ptr_equal(sessions_next_end(all), later);
	session_drop(later);
	if (h->watched) {
		assert_int_equal(s->end_ms, 0);
		assert_null(sessions_next_end(all));
		return;
	}
	assert_ptr_equal(sessions_next_end(all), s);
	assert_in_range(s->end_ms, now_ms + SESSION_UNWATCHED_MS, now_ms + SESSION_UNWATCHED_MS + 5000);
}

/* A new pending one goes before those that end in half a day. */
static void ends_are_kept_in_order(void **state)
{
	struct session *s[6], *next;
	int64_t last_ms = 0;

	(void)state;
	for (size_t i = 0; i < UNIT_LEN(s); i++) {
		s[i] = add(NULL);
		if (i % 2 == 0)
			assert_true(session_adopt(s[i], "alice", 1000));
	}
	for (size_t i = 0; i < UNIT_LEN(s); i++) {
		next = sessions_next_end(all);
		assert_non_null(next);
		assert_ptr_equal(next, s[i < 3 ? 2 * i + 1 : 2 * (i - 3)]);
		assert_true(next->end_ms >= last_ms);
		last_ms = next->end_ms;
		session_drop(next);
	}
}

/* Looks at every mapping of this process: how many there are, and is this page in one? */
static unsigned int count_maps(const void *page, bool *ret_found)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	unsigned int n = 0;
	char line[512];

	assert_non_null(f);
	*ret_found = false;
	for (; fgets(line, sizeof line, f); n++)
		if (sscanf(line, "%lx-%lx", &from, &to) == 2)
			*ret_found = *ret_found || (from <= (unsigned long)page && (unsigned long)page < to);
	(void)fclose(f);
	return n;
}

/* Wiped, if it is still there: the broker keeps some pages (secret_keep_pages()). */
static bool is_wiped(const void *page)
{
	const char *bytes = page;
	bool found;

	(void)count_maps(page, &found);
	for (long i = 0; found && i < sysconf(_SC_PAGESIZE); i++)
		if (bytes[i])
			return false;
	return true;
}

/* The kernel lets a process have 65,530 mappings, and SESSION_MAX is twice that. */
static void sessions_share_mappings(void **state)
{
	bool found;
	unsigned int before = count_maps(NULL, &found);

	(void)state;
	for (int i = 0; i < 5000; i++)
		(void)add(NULL);
	assert_in_range(count_maps(NULL, &found), 1, before + 500);
}

static void renewal_replaces_the_token(void **state)
{
	static char longer[TOKEN_MAX + 1];
	struct session *s = add(NULL);
	const void *old = s->secret.data;
	struct token t;

	(void)state;
	memset(longer, 'a', sizeof longer - 1);
	t = token_of(longer);
	t.expiration = 4102444801;
	assert_true(session_renew(s, &t, &t));
	assert_string_equal(s->token.access_token.data, longer);
	assert_ptr_not_equal(s->token.access_token.data, longer);
	assert_string_equal(session_key(s), KEY);
	assert_int_equal(s->token.expiration, 4102444801);
	assert_in_range(s->obtained, time(NULL) - 5, time(NULL));
	assert_true(is_wiped(old));
	t = token_of("short");
	assert_true(session_renew(s, &t, &t));
	assert_string_equal(s->token.access_token.data, "short");
	assert_string_equal(session_key(s), KEY);
}

static void end_leaves_no_credential(void **state)
{
	char reason[] = "IAM says no";
	struct session *s = add(HANDLE_A);
	const void *page = s->secret.data;

	(void)state;
	assert_true(session_adopt(s, "alice", 1000));
	assert_false(is_wiped(page));
	session_end(s, IBMIAM_KEY_REJECTED, reason);
	reason[0] = 'x';
	assert_true(is_wiped(page));
	assert_null(session_key(s));
	assert_null(s->token.access_token.data);
	assert_int_equal(s->ended, IBMIAM_KEY_REJECTED);
	assert_string_equal(s->reason, "IAM says no");
	/* whoever asks must be told so, and only its owner */
	assert_ptr_equal(session_find(all, HANDLE_A), s);
	assert_string_equal(s->token.iam_id, "IBMid-550000ABCD");
	assert_string_equal(s->owner, "alice");
	assert_int_equal(s->owner_uid, 1000);
	assert_int_equal(sessions_count(all), 1);
	session_end(s, IBMIAM_DENIED, "once more");
	assert_int_equal(s->ended, IBMIAM_DENIED);
	assert_string_equal(s->reason, "once more");
}

static void drop_forgets(void **state)
{
	struct session *s = add(HANDLE_A), *other = add(HANDLE_B);
	const void *page = s->secret.data;

	(void)state;
	session_drop(s);
	assert_true(is_wiped(page));
	assert_null(session_find(all, HANDLE_A));
	assert_ptr_equal(session_find(all, HANDLE_B), other);
	assert_ptr_equal(sessions_any(all), other);
	assert_int_equal(sessions_count(all), 1);
}

static void counts_are_of_owners(void **state)
{
	struct session *s = add(NULL);

	(void)state;
	(void)add(NULL);
	assert_int_equal(sessions_count(all), 2);
	assert_int_equal(sessions_count_of(all, 1000, "sshd"), 2);
	assert_int_equal(sessions_count_of(all, 1000, "ibmiam"), 0);
	assert_int_equal(sessions_count_of(all, 0, "sshd"), 0);
	assert_true(session_adopt(s, "root", 0)); /* sudo: alice's credential in root's session */
	assert_int_equal(sessions_count_of(all, 1000, "sshd"), 1);
	assert_int_equal(sessions_count_of(all, 0, "sshd"), 1);
	session_drop(s);
	assert_int_equal(sessions_count_of(all, 0, "sshd"), 0);
	assert_int_equal(sessions_count(all), 1);
}

/* A broker runs for years: nothing grows. */
static void churn_leaves_nothing(void **state)
{
	size_t before = 0, after;

	(void)state;
	for (int round = 0; round < 3; round++) {
		if (round == 1)
			before = mallinfo2().uordblks;
		for (int i = 0; i < 1000; i++) {
			struct token t = token_of("new.new.new");
			struct session *s = add(NULL);

			assert_true(session_adopt(s, "alice", 1000));
			assert_true(session_renew(s, &t, &t));
			if (i % 2)
				session_end(s, IBMIAM_DENIED, "no");
			session_drop(s);
		}
	}
	after = mallinfo2().uordblks;
	if (after > before)
		fail_msg("%zu bytes are left", after - before);
}

int main(void)
{
	struct unit_suite s = { .setup = make, .teardown = release };

	secret_keep_pages(); /* as broker/main.c */
	UNIT_TEST(&s, is_a_copy_of_what_was_given);
	UNIT_TEST(&s, no_rhost_stays_none);
	UNIT_TEST(&s, ten_thousand_handles_are_random);
	UNIT_TEST(&s, is_found_by_its_whole_handle_only);
	UNIT_TEST(&s, handle_in_use_is_refused);
	UNIT_TEST(&s, handle_of_an_ended_session_is_in_use);
	UNIT_TEST(&s, pending_sessions_end_in_their_order);
	UNIT_ROWS(&s, adopted_session_ends_with_its_host, hosts);
	UNIT_TEST(&s, ends_are_kept_in_order);
	UNIT_TEST(&s, sessions_share_mappings);
	UNIT_TEST(&s, renewal_replaces_the_token);
	UNIT_TEST(&s, end_leaves_no_credential);
	UNIT_TEST(&s, drop_forgets);
	UNIT_TEST(&s, counts_are_of_owners);
	UNIT_TEST(&s, churn_leaves_nothing);
	return unit_run(&s, "session");
}
