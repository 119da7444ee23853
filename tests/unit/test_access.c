/*
 * The evaluation order, row by row: for each check a login that fails there and nowhere else,
 * and what IAM was asked until then.
 */
#include "unit_access.h"

#include "memory.h"

/* Every check has something to do. */
#define FULL                                                                                   \
	USER("services = { \"sshd\", \"sudo\" }" P(PROFILE(1)) G(GROUP(1)))                   \
	P(PROFILE(3)) G(GROUP(3))                                                             \
	"service \"*\" { users = { \"alice\", \"bob\" } networks = { \"10.0.0.0/8\" }"         \
	P(PROFILE(2)) G(GROUP(2)) "}\n"

static const struct unit_row orders[] = {
	{ "allowed", FULL, { TOKEN(ALICE), ALICE_P(1), ALICE_P(2), ALICE_P(3), TOKEN(HOST), YES,
	  YES, YES }, IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K P1 P2 P3 D G1 G2 G3",
	  .profile = IS_PROFILE(1) },
	{ "accounts", "user alice { iam_ids = { \"IBMid-1\" } }", { STATUS(0) },
	  IBMIAM_CONFIG_ERROR, "accounts", "the configuration lists no accounts*", .asked = NULL },
	{ "uid", FULL, { STATUS(0) }, IBMIAM_USER_UNKNOWN, "uid",
	  "uid 999 is under minimum_uid 1000", .uid = 999 },
	{ "uid: root", FULL, { STATUS(0) }, IBMIAM_USER_UNKNOWN, "uid", "uid 0 may not log in*",
	  .root = true },
	{ "rule", FULL, { STATUS(0) }, IBMIAM_USER_UNKNOWN, "rule",
	  "the configuration has no rule for this user", .user = "bob" },
	{ "service", FULL, { STATUS(0) }, IBMIAM_DENIED, "service",
	  "the user's rule does not list this service", .service = "su" },
	{ "service: users", USER("") "service sshd { users = { \"bob\" } }", { STATUS(0) },
	  IBMIAM_DENIED, "service", "the service's rule does not list this user", .asked = NULL },
	{ "network", FULL, { STATUS(0) }, IBMIAM_DENIED, "network",
	  "192.0.2.1 is in none of the service's networks", .rhost = "192.0.2.1" },
	{ "shape", FULL, { STATUS(0) }, IBMIAM_KEY_REJECTED, "shape",
	  "the answer is under 32 characters*", .key = "correct horse battery" },
	{ "key", FULL, { { 400, .body = ERROR("BXNIM0415E") } }, IBMIAM_KEY_REJECTED, "key",
	  "IAM does not know this API key", .asked = "K" },
	{ "key: no answer", FULL, { { .fault = "no answer" } }, IBMIAM_UNAVAILABLE, "key",
	  "no answer", .asked = "K" },
	{ "issuer", FULL, { TOKEN(CLAIMS("IBMid-1", OTHER_ISSUER, LATE, BSS(UNIT_ACCOUNT), "")) },
	  IBMIAM_DENIED,
	  "issuer", "the token's issuer \"" OTHER_ISSUER "\" is not configured", .asked = "K" },
	{ "expiry", FULL, { TOKEN(CLAIMS("IBMid-1", ISSUER, "1000", BSS(UNIT_ACCOUNT), "")) },
	  IBMIAM_UNAVAILABLE, "expiry", "the new token expired *", .asked = "K" },
	{ "account", FULL, { TOKEN(CLAIMS("IBMid-1", ISSUER, LATE, BSS(UNIT_ACCOUNT2), "")) },
	  IBMIAM_DENIED,
	  "account", "the key belongs to an account that is not listed in accounts", .asked = "K" },
	{ "account: not valid", FULL,
	  { TOKEN(CLAIMS("IBMid-1", ISSUER, LATE, "{\"bss\":\"" UNIT_ACCOUNT "\",\"valid\":false}",
	  "")) },
	  IBMIAM_DENIED, "account", "IAM says that the account is not valid", .asked = "K" },
	{ "identity", FULL, { TOKEN(BOB) }, IBMIAM_DENIED, "identity",
	  "the key's iam_id is not among this user's iam_ids", .asked = "K" },
	{ "profile: the user's", FULL, { TOKEN(ALICE), MAY_NOT }, IBMIAM_DENIED, "profile",
	  "IAM does not let the key's identity assume the trusted profile \"" PROFILE(1)
	  "\" of this user", .asked = "K P1" },
	{ "profile: the service's", FULL, { TOKEN(ALICE), ALICE_P(1), MAY_NOT }, IBMIAM_DENIED,
	  "profile", "IAM does not let the key's identity assume the trusted profile \"" PROFILE(2)
	  "\" of this service", .asked = "K P1 P2", .profile = IS_PROFILE(1) },
	{ "profile: the host's", FULL, { TOKEN(ALICE), ALICE_P(1), ALICE_P(2), MAY_NOT },
	  IBMIAM_DENIED, "profile",
	  "IAM does not let the key's identity assume the trusted profile \"" PROFILE(3)
	  "\" of this host", .asked = "K P1 P2 P3", .profile = IS_PROFILE(1) },
	{ "groups: the user's", FULL, { TOKEN(ALICE), ALICE_P(1), ALICE_P(2), ALICE_P(3),
	  TOKEN(HOST), NO },
	  IBMIAM_DENIED, "groups", "the key's identity is in none of this user's access_groups",
	  .asked = "K P1 P2 P3 D G1", .profile = IS_PROFILE(1) },
	{ "groups: the service's", FULL, { TOKEN(ALICE), ALICE_P(1), ALICE_P(2), ALICE_P(3),
	  TOKEN(HOST), YES, NO },
	  IBMIAM_DENIED, "groups", "the key's identity is in none of this service's access_groups",
	  .asked = "K P1 P2 P3 D G1 G2", .profile = IS_PROFILE(1) },
	{ "groups: the host's", FULL,
	  { TOKEN(ALICE), ALICE_P(1), ALICE_P(2), ALICE_P(3), TOKEN(HOST), YES, YES, NO },
	  IBMIAM_DENIED, "groups", "the key's identity is in none of this host's access_groups",
	  .asked = "K P1 P2 P3 D G1 G2 G3", .profile = IS_PROFILE(1) },
	/* wrong in all that comes later too */
	{ "issuer before account and identity", FULL,
	  { TOKEN(CLAIMS("IBMid-2", OTHER_ISSUER, "1000", BSS(UNIT_ACCOUNT2), "")) }, IBMIAM_DENIED,
	  "issuer", "the token's issuer *", .asked = "K" },
	{ "expiry before account", FULL, { TOKEN(CLAIMS("IBMid-2", ISSUER, "1000",
	  BSS(UNIT_ACCOUNT2), "")) },
	  IBMIAM_UNAVAILABLE, "expiry", "the new token expired *", .asked = "K" },
	{ "account before identity", FULL, { TOKEN(CLAIMS("IBMid-2", ISSUER, LATE,
	  BSS(UNIT_ACCOUNT2), "")) },
	  IBMIAM_DENIED, "account", "the key belongs to *", .asked = "K" },
};

/* The two checks that rest on a memory, then the last one of all. */
static void is_refused_for_earlier_tries(void **state)
{
	static const struct unit_row rejected = { "", FULL, { STATUS(0) }, IBMIAM_KEY_REJECTED,
						  "rejected",
		"IAM has rejected this key within the last minute", .asked = NULL };
	static const struct unit_row tries = { "", FULL, { STATUS(0) }, IBMIAM_THROTTLED, "tries",
					       "too many wrong keys *", .asked = NULL };
	const struct wire_request request = unit_request(&rejected);
	struct limit *limit = limit_new();
	struct config config = { 0 };
	struct decision d;
	char asked[128];

	(void)state;
	assert_non_null(limit);
	unit_access_load(&config, FULL);
	limit_note_rejected(limit, "alice", KEY);
	decision_begin(&d, &(struct decision_basis){ .config = &config, .limit = limit }, &request);
	unit_drive(&d, rejected.said, asked);
	unit_check_reply(&d, &rejected);
	unit_check_steps(&d, "rejected");
	decision_free(&d);
	limit_free(limit);

	limit = limit_new();
	for (int i = 0; i < LIMIT_USER_TRIES; i++)
		limit_note_denied(limit, "alice");
	decision_begin(&d, &(struct decision_basis){ .config = &config, .limit = limit }, &request);
	unit_drive(&d, tries.said, asked);
	unit_check_reply(&d, &tries);
	unit_check_steps(&d, "tries");
	assert_string_equal(asked, "");
	decision_free(&d);
	limit_free(limit);
	config_free(&config);
}

/* What IAM makes of a key that whoever types can choose, and what counts as a wrong try. */
static void wrong_tries_are_counted(void **state)
{
	static const char odd[] = "' or 1=1; -- 0123456789 0123456789";
	static const struct {
		const char *key; /* NULL: KEY */
		struct unit_said said;
		bool counts;
	} rows[] = {
		{ NULL, { 400, .body = ERROR("BXNIM0415E") }, true },
		{ NULL, TOKEN(BOB), true },
		{ NULL, { 403, .body = ERROR("BXNIM0141E") }, true }, /* of an account that is not ours */
		{ odd, { 403, .body = "<html>no</html>" }, true },
		{ NULL, { 403, .body = "<html>no</html>" }, false },
		{ NULL, STATUS(503), false },
		{ NULL, { .fault = "no answer" }, false },
		{ NULL, TOKEN(ALICE), false },
	};
	struct config config = { 0 };

	(void)state;
	unit_access_load(&config, USER(""));
	for (size_t i = 0; i < UNIT_LEN(rows); i++) {
		const struct wire_request request = unit_request(&(struct unit_row){ .key = rows[i].key });
		struct limit *limit = limit_new();
		struct decision d;
		char asked[128];

		assert_non_null(limit);
		for (int k = 1; k < LIMIT_USER_TRIES; k++)
			limit_note_denied(limit, "alice"); /* but for one all are used up */
		decision_begin(&d, &(struct decision_basis){ .config = &config, .limit = limit }, &request);
		unit_drive(&d, &rows[i].said, asked);
		assert_string_equal(asked, "K");
		if (limit_user_may_try(limit, "alice", "another key") == rows[i].counts)
			fail_msg("row %zu: %s", i, d.reason);
		decision_free(&d);
		limit_free(limit);
	}
	config_free(&config);
}

static void is_refused_for_its_environment(void **state)
{
	static const struct unit_row r = { "", USER(""), { STATUS(0) }, IBMIAM_CONFIG_ERROR,
					   "environment",
		"the environment is over 64 KiB", .asked = "K" };
	const struct wire_request request = unit_request(&r);
	struct config config = { 0 };
	struct decision d;
	char asked[128], claims[12000], pad[10001];

	(void)state;
	memset(pad, 'x', sizeof pad - 1);
	pad[sizeof pad - 1] = '\0';
	(void)snprintf(claims, sizeof claims, CLAIMS("IBMid-1", ISSUER, LATE, BSS(UNIT_ACCOUNT),
						     ",\"pad\":\"%s\""), pad);
	unit_access_load(&config, USER("")
			 "environment = { \"A=%{token}\", \"B=%{token}\", \"C=%{token}\", "
			 "\"D=%{token}\", \"E=%{token}\" }");
	decision_begin(&d, &(struct decision_basis){ .config = &config }, &request);
	unit_drive(&d, &(struct unit_said){ 200, .claims = claims }, asked);
	unit_check_reply(&d, &r);
	unit_check_steps(&d, "environment");
	decision_free(&d);
	config_free(&config);
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	if (!memory_init_libraries())
		return EXIT_FAILURE;
	UNIT_ROWS(&s, unit_is_decided, orders);
	UNIT_TEST(&s, is_refused_for_earlier_tries);
	UNIT_TEST(&s, wrong_tries_are_counted);
	UNIT_TEST(&s, is_refused_for_its_environment);
	return unit_run(&s, "access");
}
