/*
 * What IAM decides about a login: who may assume a trusted profile, who is in an access group.
 * An answer that is neither yes nor no is an outage.
 */
#include "unit_access.h"

#include <time.h>

#include "memory.h"

#define ONE USER(P(PROFILE(1)))
#define CANNOT "the trusted profile \"" PROFILE(1) "\" cannot be assumed: "
#define UNAVAILABLE(what, why, ...)                                                            \
	{ what, ONE, { TOKEN(ALICE), __VA_ARGS__ }, IBMIAM_UNAVAILABLE, "profile", why,           \
	  .asked = "K P1" }

static const struct unit_row profiles[] = {
	{ "none", USER(""), { TOKEN(ALICE) }, IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K" },
	{ "the user's", ONE, { TOKEN(ALICE), ALICE_P(1) }, IBMIAM_ALLOWED, NULL, unit_allowed,
	  .asked = "K P1", .profile = IS_PROFILE(1) },
	{ "the service's", USER("") "service sshd {" P(PROFILE(2)) "}", { TOKEN(ALICE),
	  ALICE_P(2) }, IBMIAM_ALLOWED,
	  NULL, unit_allowed, .asked = "K P2", .profile = IS_PROFILE(2) },
	{ "the top's", USER("") P(PROFILE(3)), { TOKEN(ALICE), ALICE_P(3) }, IBMIAM_ALLOWED, NULL,
	  unit_allowed, .asked = "K P3", .profile = IS_PROFILE(3) },
	{ "service before top", USER("") P(PROFILE(3)) "service sshd {" P(PROFILE(2)) "}",
	  { TOKEN(ALICE), ALICE_P(2), ALICE_P(3) }, IBMIAM_ALLOWED, NULL, unit_allowed,
	  .asked = "K P2 P3", .profile = IS_PROFILE(2) },
	{ "the same at each level", ONE P(PROFILE(1)) "service sshd {" P(PROFILE(1)) "}",
	  { TOKEN(ALICE), ALICE_P(1) }, IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K P1",
	  .profile = IS_PROFILE(1) },
	{ "the same at user and top, another between", ONE P(PROFILE(1)) "service sshd {"
	  P(PROFILE(2)) "}",
	  { TOKEN(ALICE), ALICE_P(1), ALICE_P(2) }, IBMIAM_ALLOWED, NULL, unit_allowed,
	  .asked = "K P1 P2", .profile = IS_PROFILE(1) },
	{ "of another service", ONE "service sudo {" P(PROFILE(2)) "}", { TOKEN(ALICE),
	  ALICE_P(1) }, IBMIAM_ALLOWED,
	  NULL, unit_allowed, .asked = "K P1", .profile = IS_PROFILE(1) },
	{ "by CRN", USER(P(CRN(1))), { TOKEN(ALICE), ALICE_P(1) }, IBMIAM_ALLOWED, NULL,
	  unit_allowed, .asked = "K P1", .profile = IS_PROFILE(1) },
	{ "by name", USER(P("ops 9@" UNIT_ACCOUNT)), { TOKEN(ALICE), ALICE_P(1) }, IBMIAM_ALLOWED,
	  NULL, unit_allowed, .asked = "K P9", .profile = IS_PROFILE(1) },
	{ "by CRN, another's token", USER(P(CRN(1))), { TOKEN(ALICE), ALICE_P(2) },
	  IBMIAM_UNAVAILABLE, "profile",
	  "IAM's token is not of the trusted profile \"crn:*", .asked = "K P1" },
	{ "by name, a token of another account", ACCOUNTS "accounts += { \"" UNIT_ACCOUNT2 "\" }\n"
	  "user alice { iam_ids = { \"IBMid-1\" }" P("ops 9@" UNIT_ACCOUNT) "}",
	  { TOKEN(ALICE), TOKEN(CLAIMS(IS_PROFILE(1), ISSUER, LATE, BSS(UNIT_ACCOUNT2),
	  AUTHN("IBMid-1"))) },
	  IBMIAM_UNAVAILABLE, "profile", "IAM's token is not of the trusted profile \"ops 9\"",
	  .asked = "K P9" },
	{ "by name, no profile's token", USER(P("ops 9@" UNIT_ACCOUNT)),
	  { TOKEN(ALICE), TOKEN(CLAIMS("IBMid-1", ISSUER, LATE, BSS(UNIT_ACCOUNT),
	  AUTHN("IBMid-1"))) },
	  IBMIAM_UNAVAILABLE, "profile", "IAM's token is not of the trusted profile \"ops 9\"",
	  .asked = "K P9" },

	{ "may not", ONE, { TOKEN(ALICE), MAY_NOT }, IBMIAM_DENIED, "profile", "IAM does not let *",
	  .asked = "K P1" },
	{ "may not, unknown code", ONE, { TOKEN(ALICE), { 400, .body = ERROR("BXNIM9999E") } },
	  IBMIAM_DENIED, "profile", "IAM does not let *", .asked = "K P1" },
	UNAVAILABLE("429", CANNOT "IAM asks for fewer requests", { 429,
		 .body = ERROR("BXNIM0513E") }),
	UNAVAILABLE("500", CANNOT "IAM fails", { 500, .body = ERROR("BXNIM9999E") }),
	UNAVAILABLE("503", CANNOT "IAM fails", STATUS(503)),
	UNAVAILABLE("HTML 403", CANNOT "the answer is not one of IAM's", { 403, .body =
		 "<html>no</html>" }),
	UNAVAILABLE("HTML 200",
		 "IAM's answer about the trusted profile cannot be used: it is not a JSON object",
		    { 200, .body = "<html>yes</html>" }),
	UNAVAILABLE("nothing 200", "IAM's answer about the trusted profile cannot be used: *",
		 STATUS(200)),
	UNAVAILABLE("201", CANNOT "the answer is not one of IAM's", { 201, .claims = ASSUMED(1,
		 "IBMid-1") }),
	UNAVAILABLE("204", CANNOT "the answer is not one of IAM's", STATUS(204)),
	UNAVAILABLE("302", CANNOT "the answer is not one of IAM's", STATUS(302)),
	UNAVAILABLE("no answer", "no answer from there", { .fault = "no answer from there" }),
	UNAVAILABLE("no answer, but a status", "too long", { 200, .claims = ASSUMED(1, "IBMid-1"),
		 .fault = "too long" }),
	UNAVAILABLE("0109", CANNOT "IAM misses a parameter*", { 400, .body = ERROR("BXNIM0109E") }),
	UNAVAILABLE("another profile's token", "IAM's token is not of the trusted profile \""
		 PROFILE(1) "\"",
		    TOKEN(ASSUMED(2, "IBMid-1"))),
	UNAVAILABLE("the person's own token", "IAM's token is not of the trusted profile \""
		 PROFILE(1) "\"",
		    TOKEN(ALICE)),
	UNAVAILABLE("a longer profile's token", "IAM's token is not of the trusted profile *",
		    TOKEN(CLAIMS(IS_PROFILE(1) "0", ISSUER, LATE, BSS(UNIT_ACCOUNT),
		  AUTHN("IBMid-1")))),
	UNAVAILABLE("no iam-", "IAM's token is not of the trusted profile *",
		    TOKEN(CLAIMS(PROFILE(1), ISSUER, LATE, BSS(UNIT_ACCOUNT), AUTHN("IBMid-1")))),
	UNAVAILABLE("assumed by somebody else",
		 "the trusted profile's token does not say that the key's identity*",
		    TOKEN(ASSUMED(1, "IBMid-2"))),
	UNAVAILABLE("assumed by nobody", "the trusted profile's token does not say *",
		    TOKEN(PERSON(IS_PROFILE(1)))),
	UNAVAILABLE("assumed by itself", "the trusted profile's token does not say *",
		    TOKEN(ASSUMED(1, IS_PROFILE(1)))),
	UNAVAILABLE("expired", "the new token expired *",
		    TOKEN(CLAIMS(IS_PROFILE(1), ISSUER, "1000", BSS(UNIT_ACCOUNT),
		  AUTHN("IBMid-1")))),
	{ "of another issuer", ONE,
	  { TOKEN(ALICE), TOKEN(CLAIMS(IS_PROFILE(1), OTHER_ISSUER, LATE, BSS(UNIT_ACCOUNT),
	  AUTHN("IBMid-1"))) },
	  IBMIAM_DENIED, "profile", "the token's issuer \"" OTHER_ISSUER "\" is not configured",
	  .asked = "K P1" },
	{ "of another account", ONE,
	  { TOKEN(ALICE), TOKEN(CLAIMS(IS_PROFILE(1), ISSUER, LATE, BSS(UNIT_ACCOUNT2),
	  AUTHN("IBMid-1"))) }, IBMIAM_DENIED, "profile",
	  "the trusted profile belongs to an account that is not listed in accounts",
	  .asked = "K P1" },
	{ "nothing after the first refusal", ONE P(PROFILE(3)) G(GROUP(3)), { TOKEN(ALICE),
	  MAY_NOT }, IBMIAM_DENIED, "profile", "IAM does not let *", .asked = "K P1" },
	{ "nothing after the first outage", ONE P(PROFILE(3)) G(GROUP(3)), { TOKEN(ALICE),
	  STATUS(503) }, IBMIAM_UNAVAILABLE, "profile", CANNOT "IAM fails", .asked = "K P1" },
};

#define ONE_GROUP USER(G(GROUP(1)))
#define UNCLEAR(what, why, ...)                                                                \
	{ what, ONE_GROUP, { TOKEN(ALICE), TOKEN(HOST), __VA_ARGS__ }, IBMIAM_UNAVAILABLE,   \
	  "groups", why, .asked = "K D G1" }
#define HOSTS_KEY(what, result, why, ...)                                                      \
	{ what, ONE_GROUP, { TOKEN(ALICE), __VA_ARGS__ }, result, "groups", why, .asked = "K D" }
#define NOT_SAID "IAM does not say who is in the access group \"" GROUP(1) "\""

static const struct unit_row groups[] = {
	{ "member", ONE_GROUP, { TOKEN(ALICE), TOKEN(HOST), YES }, IBMIAM_ALLOWED, NULL,
	  unit_allowed, .asked = "K D G1" },
	{ "no member", ONE_GROUP, { TOKEN(ALICE), TOKEN(HOST), NO }, IBMIAM_DENIED, "groups",
	  "the key's identity is in none of this user's access_groups", .asked = "K D G1" },
	{ "of the first of a list", USER(G2(GROUP(1), GROUP(2))), { TOKEN(ALICE), TOKEN(HOST),
	  YES }, IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K D G1" },
	{ "of the second of a list", USER(G2(GROUP(1), GROUP(2))), { TOKEN(ALICE), TOKEN(HOST), NO,
	  YES }, IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K D G1 G2" },
	{ "of none of a list", USER(G2(GROUP(1), GROUP(2))), { TOKEN(ALICE), TOKEN(HOST), NO, NO },
	  IBMIAM_DENIED, "groups", "the key's identity is in none *", .asked = "K D G1 G2" },
	{ "lists at two levels, both", USER(G2(GROUP(1), GROUP(2))) G2(GROUP(3), GROUP(4)),
	  { TOKEN(ALICE), TOKEN(HOST), NO, YES, NO, YES }, IBMIAM_ALLOWED, NULL, unit_allowed,
	  .asked = "K D G1 G2 G3 G4" },
	{ "lists at two levels, the nearer only", USER(G2(GROUP(1), GROUP(2))) G2(GROUP(3),
	  GROUP(4)), { TOKEN(ALICE), TOKEN(HOST), YES, NO, NO }, IBMIAM_DENIED, "groups",
	  "the key's identity is in none of this host's access_groups", .asked = "K D G1 G3 G4" },
	{ "lists at two levels, the farther only", USER(G2(GROUP(1), GROUP(2))) G2(GROUP(3),
	  GROUP(4)), { TOKEN(ALICE), TOKEN(HOST), NO, NO }, IBMIAM_DENIED, "groups",
	  "the key's identity is in none of this user's access_groups", .asked = "K D G1 G2" },
	{ "an unclear answer before a yes", USER(G2(GROUP(1), GROUP(2))), { TOKEN(ALICE),
	  TOKEN(HOST), STATUS(403) },
	  IBMIAM_UNAVAILABLE, "groups", "the service ID of directory_key_file may not view *",
	  .asked = "K D G1" },
	{ "after the profile", USER(P(PROFILE(1)) G(GROUP(1))), { TOKEN(ALICE), ALICE_P(1),
	  TOKEN(HOST), YES },
	  IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K P1 D G1", .profile = IS_PROFILE(1) },
	UNCLEAR("403", "the service ID of directory_key_file may not view the access group \""
		 GROUP(1) "\" (403)", STATUS(403)),
	UNCLEAR("401", NOT_SAID, STATUS(401)),
	UNCLEAR("200", NOT_SAID, STATUS(200)),
	UNCLEAR("200 with a token", NOT_SAID, TOKEN(ALICE)),
	UNCLEAR("201", NOT_SAID, STATUS(201)),
	UNCLEAR("302", NOT_SAID, STATUS(302)),
	UNCLEAR("400", NOT_SAID, { 400, .body = ERROR("BXNIM0415E") }),
	UNCLEAR("410", NOT_SAID, STATUS(410)),
	UNCLEAR("429", NOT_SAID, STATUS(429)),
	UNCLEAR("500", NOT_SAID, STATUS(500)),
	UNCLEAR("no status", NOT_SAID, STATUS(0)),
	UNCLEAR("no answer", "nobody there", { .fault = "nobody there" }),
	UNCLEAR("no answer, but 204", "cut off", { 204, .fault = "cut off" }),
	UNCLEAR("no answer, but 404", "cut off", { 404, .fault = "cut off" }),
	HOSTS_KEY("host's key: unknown", IBMIAM_CONFIG_ERROR,
		  "the key in directory_key_file: IAM does not know this API key", { 400,
		  .body = ERROR("BXNIM0415E") }),
	HOSTS_KEY("host's key: disabled", IBMIAM_CONFIG_ERROR,
		 "the key in directory_key_file: the API key is disabled",
		  { 400, .body = ERROR("BXNIM0462E") }),
	HOSTS_KEY("host's key: of another account", IBMIAM_CONFIG_ERROR,
		 "the key in directory_key_file: *",
		  { 400, .body = ERROR("BXNIM0141E") }),
	HOSTS_KEY("host's key: unknown code", IBMIAM_CONFIG_ERROR,
		 "the key in directory_key_file: *",
		  { 401, .body = ERROR("BXNIM9999E") }),
	HOSTS_KEY("host's key: 429", IBMIAM_UNAVAILABLE,
		 "the key in directory_key_file: IAM asks for fewer requests", STATUS(429)),
	HOSTS_KEY("host's key: 500", IBMIAM_UNAVAILABLE, "the key in directory_key_file: IAM fails",
		 STATUS(500)),
	HOSTS_KEY("host's key: HTML", IBMIAM_UNAVAILABLE,
		 "the key in directory_key_file: the answer is not one of IAM's",
		  { 403, .body = "<html>" }),
	HOSTS_KEY("host's key: a useless answer", IBMIAM_UNAVAILABLE,
		  "IAM's answer about the key in directory_key_file cannot be used: *", { 200,
		  .body = "{}" }),
	HOSTS_KEY("host's key: no answer", IBMIAM_UNAVAILABLE, "nobody there",
		    { .fault = "nobody there" }),
};

/* The host's own token, over several logins. */
static void login(struct directory *directory, const struct unit_said *said, const char *want)
{
	static const struct unit_row r = { .name = "" };
	const struct wire_request request = unit_request(&r);
	struct config config = { 0 };
	struct decision d;
	char asked[128];

	unit_access_load(&config, ONE_GROUP);
	decision_begin(&d, &(struct decision_basis){ .config = &config, .directory = directory },
		       &request);
	unit_drive(&d, said, asked);
	assert_string_equal(asked, want);
	decision_free(&d);
	config_free(&config);
}

static void hosts_token_is_kept(void **state)
{
	static const struct unit_said with[] = { TOKEN(ALICE), TOKEN(HOST), YES },
	       without[] = { TOKEN(ALICE), YES };
	struct directory directory = { 0 };
	int64_t life;

	(void)state;
	login(&directory, with, "K D G1");
	for (int i = 0; i < 5; i++)
		login(&directory, without, "K G1");
	life = directory.token.expiration - (int64_t)time(NULL);
	/* not quite four fifths ago */
	directory.obtained = directory.token.expiration - 5 * life + 50;
	login(&directory, without, "K G1");
	directory.obtained -= 100;
	login(&directory, with, "K D G1");
	assert_true((int64_t)time(NULL) - directory.obtained < 5);
	login(&directory, without, "K G1");
	directory_forget(&directory);
}

static void hosts_token_is_thrown_away(void **state)
{
	static const struct unit_said with[] = { TOKEN(ALICE), TOKEN(HOST), YES },
	       without[] = { TOKEN(ALICE), YES },
		refused[] = { TOKEN(ALICE), STATUS(401) }, no_host[] = { TOKEN(ALICE), { 400,
				.body = ERROR("BXNIM0415E") } },
		fails[] = { TOKEN(ALICE), STATUS(403) };
	struct directory directory = { 0 };

	(void)state;
	login(&directory, no_host, "K D");
	assert_false(directory_is_fresh(&directory));
	login(&directory, with, "K D G1");
	login(&directory, fails, "K G1"); /* which says nothing of the token */
	login(&directory, without, "K G1");
	login(&directory, refused, "K G1");
	assert_null(directory.token.access_token.data);
	login(&directory, with, "K D G1");
	directory_forget(&directory);
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	if (!memory_init_libraries())
		return EXIT_FAILURE;
	UNIT_ROWS(&s, unit_is_decided, profiles);
	UNIT_ROWS(&s, unit_is_decided, groups);
	UNIT_TEST(&s, hosts_token_is_kept);
	UNIT_TEST(&s, hosts_token_is_thrown_away);
	return unit_run(&s, "access_iam");
}
