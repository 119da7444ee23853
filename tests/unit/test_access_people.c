/*
 * Who is let in without a line of his own (email_domain), by which services and from where; and
 * what is decided anew about tokens that are there already.
 */
#include "unit_access.h"

#include <time.h>

#include "memory.h"

#define SU_ONLY USER("") "service su { users = { \"bob\" } }\nservice \"*\" {" P(PROFILE(2)) "}\n"
#define NETWORKS(list) USER("") "service sshd { networks = { " list " } }\n"
#define OUTSIDE(what, list, from, why)                                                         \
	{ what, NETWORKS(list), { STATUS(0) }, IBMIAM_DENIED, "network", why, .rhost = from }
#define INSIDE(what, list, from)                                                               \
	{ what, NETWORKS(list), { TOKEN(ALICE) }, IBMIAM_ALLOWED, NULL, unit_allowed,           \
	  .asked = "K", .rhost = from }

static const struct unit_row services[] = {
	{ "no block", USER(""), { TOKEN(ALICE) }, IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K",
	  .service = "anything" },
	{ "its own block, and not *", SU_ONLY, { STATUS(0) }, IBMIAM_DENIED, "service",
	  "the service's rule does not list this user", .service = "su" },
	{ "its plain form's, and not *", SU_ONLY, { STATUS(0) }, IBMIAM_DENIED, "service",
	  "the service's rule does not list this user", .service = "su-l" },
	{ "*", SU_ONLY, { TOKEN(ALICE), ALICE_P(2) }, IBMIAM_ALLOWED, NULL, unit_allowed,
	  .asked = "K P2", .profile = IS_PROFILE(2), .service = "sudo" },
	{ "* for a login form", SU_ONLY, { TOKEN(ALICE), ALICE_P(2) }, IBMIAM_ALLOWED, NULL,
	  unit_allowed, .asked = "K P2", .profile = IS_PROFILE(2), .service = "sudo-i" },
	{ "* for what only begins like it", SU_ONLY, { TOKEN(ALICE), ALICE_P(2) }, IBMIAM_ALLOWED,
	  NULL, unit_allowed, .asked = "K P2", .profile = IS_PROFILE(2), .service = "su-x" },
	{ "sudo-i's own, and not sudo's", USER("") "service sudo {" P(PROFILE(1))
	  "}\nservice sudo-i {" P(PROFILE(2)) "}",
	  { TOKEN(ALICE), ALICE_P(2) }, IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K P2",
	  .profile = IS_PROFILE(2), .service = "sudo-i" },
	{ "sudo's for sudo-i", USER("") "service sudo {" P(PROFILE(1)) "}", { TOKEN(ALICE),
	  MAY_NOT }, IBMIAM_DENIED,
	  "profile", "IAM does not let *", .asked = "K P1", .service = "sudo-i" },
	{ "not sudo-i's for sudo", USER("") "service sudo-i {" P(PROFILE(1)) "}", { TOKEN(ALICE) },
	  IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K", .service = "sudo" },
	{ "a service called *", USER("") "service \"*\" { users = { \"bob\" } }", { STATUS(0) },
	  IBMIAM_DENIED, "service", "the service's rule does not list this user", .service = "*" },
	INSIDE("first address of a block", "\"10.0.0.0/8\"", "10.0.0.0"),
	INSIDE("last address of a block", "\"10.0.0.0/8\"", "10.255.255.255"),
	INSIDE("IPv6", "\"2001:db8::/32\"", "2001:db8:ffff::1"),
	INSIDE("IPv4 in IPv6 form", "\"10.0.0.0/8\"", "::ffff:10.1.2.3"),
	INSIDE("the second of a list", "\"192.0.2.0/24\", \"10.0.0.0/8\"", "10.1.2.3"),
	INSIDE("local, and from nowhere", "\"local\"", ""),
	OUTSIDE("one after the block", "\"10.0.0.0/8\"", "11.0.0.0", "11.0.0.0 is in none *"),
	OUTSIDE("from nowhere, but not local", "\"10.0.0.0/8\"", "", "local is in none *"),
	OUTSIDE("local is no address", "\"local\"", "127.0.0.1", "127.0.0.1 is in none *"),
	OUTSIDE("who says local", "\"local\"", "local", "local is in none *"),
	OUTSIDE("a name", "\"10.0.0.0/8\"", "host.example.com", "host.example.com is in none *"),
	OUTSIDE("an address with more", "\"10.0.0.0/8\"", "10.1.2.3 ", "10.1.2.3  is in none *"),
	OUTSIDE("an octal address", "\"10.0.0.0/8\"", "012.1.2.3", "012.1.2.3 is in none *"),
	OUTSIDE("a short address", "\"10.0.0.0/8\"", "10.1", "10.1 is in none *"),
	OUTSIDE("everything of the other family", "\"0.0.0.0/0\"", "2001:db8::1",
		 "2001:db8::1 is in none *"),
};

#define WHO(iam_id, realm, email)                                                               \
	TOKEN(CLAIMS(iam_id, ISSUER, LATE, BSS(UNIT_ACCOUNT),                                    \
		     ",\"realmid\":\"" realm "\",\"email\":\"" email "\""))
#define MAIL(email) WHO("IBMid-1", "IBMid", email)
#define DOMAIN(more) ACCOUNTS "email_domain \"example.com\" {" more "}\n"
#define NOBODY                                                                                 \
	"the key's identity is no IBMid with the e-mail address of this user in an email_domain"
#define LET_IN(what, user_name, email, ...)                                                        \
	{ what, DOMAIN(""), { MAIL(email) }, IBMIAM_ALLOWED, NULL, unit_allowed,               \
	  .asked = "K", .user = user_name, __VA_ARGS__ }
#define KEPT_OUT(what, user_name, ...)                                                          \
	{ what, DOMAIN(""), { __VA_ARGS__ }, IBMIAM_DENIED, "identity", NOBODY,                   \
	  .asked = "K", .user = user_name }
#define NO_NAME(what, user_name)                                                                \
	{ what, DOMAIN(""), { STATUS(0) }, IBMIAM_USER_UNKNOWN, "rule",                          \
	  "the configuration has no rule for this user", .user = user_name }
#define NO_UID(what, number)                                                                    \
	{ what, DOMAIN(""), { STATUS(0) }, IBMIAM_USER_UNKNOWN, "rule",                          \
	  "the configuration has no rule for this user", .uid = number }

static const struct unit_row domains[] = {
	LET_IN("user@domain", "alice", "alice@example.com"),
	LET_IN("digits, dash, underscore", "a_1-b", "a_1-b@example.com"),
	LET_IN("domain in upper case", "alice", "alice@EXAMPLE.Com"),
	KEPT_OUT("upper case before the @", "alice", MAIL("Alice@example.com")),
	KEPT_OUT("plus-addressing", "alice", MAIL("alice+ops@example.com")),
	KEPT_OUT("a dot", "alice", MAIL("al.ice@example.com")),
	KEPT_OUT("a longer name", "alice", MAIL("alice2@example.com")),
	KEPT_OUT("a shorter name", "alice", MAIL("alic@example.com")),
	KEPT_OUT("another name", "alice", MAIL("bob@example.com")),
	KEPT_OUT("a longer domain", "alice", MAIL("alice@example.com.evil.example")),
	KEPT_OUT("a part of the domain", "alice", MAIL("alice@com")),
	KEPT_OUT("a subdomain", "alice", MAIL("alice@mail.example.com")),
	KEPT_OUT("a dot at the end", "alice", MAIL("alice@example.com.")),
	KEPT_OUT("two @", "alice", MAIL("alice@evil.example@example.com")),
	KEPT_OUT("two @, the other way", "alice", MAIL("alice@example.com@evil.example")),
	KEPT_OUT("no domain", "alice", MAIL("alice@")),
	KEPT_OUT("no @", "alice", MAIL("alice")),
	KEPT_OUT("empty", "alice", MAIL("")),
	KEPT_OUT("a space before", "alice", MAIL(" alice@example.com")),
	KEPT_OUT("a space after", "alice", MAIL("alice@example.com ")),
	KEPT_OUT("a comment", "alice", MAIL("alice@example.com(x)")),
	KEPT_OUT("a line after", "alice", MAIL("alice@example.com\\n")),
	KEPT_OUT("a Cyrillic a", "alice", MAIL("\u0430lice@example.com")),
	KEPT_OUT("a Cyrillic a in the domain", "alice", MAIL("alice@ex\u0430mple.com")),
	KEPT_OUT("a Kelvin sign", "kate", MAIL("\u212aate@example.com")),
	KEPT_OUT("a wide @", "alice", MAIL("alice\uff20example.com")),
	KEPT_OUT("punycode", "alice", MAIL("alice@xn--exmple-cua.com")),
	KEPT_OUT("e-mail missing", "alice", TOKEN(ALICE)),
	KEPT_OUT("e-mail no string", "alice", TOKEN(CLAIMS("IBMid-1", ISSUER, LATE,
		 BSS(UNIT_ACCOUNT),
		 ",\"realmid\":\"IBMid\",\"email\":[\"alice@example.com\"]"))),
	KEPT_OUT("e-mail twice", "alice",
		 TOKEN(CLAIMS("IBMid-1", ISSUER, LATE, BSS(UNIT_ACCOUNT),
		 ",\"realmid\":\"IBMid\",\"email\":\"alice@example.com\""
		 ",\"email\":\"bob@example.com\""))),
	KEPT_OUT("in sub only", "alice", TOKEN(CLAIMS("IBMid-1", ISSUER, LATE, BSS(UNIT_ACCOUNT),
		 ",\"realmid\":\"IBMid\",\"sub\":\"alice@example.com\""))),
	KEPT_OUT("another realm", "alice", WHO("IBMid-1", "appid-1", "alice@example.com")),
	KEPT_OUT("the realm in another case", "alice", WHO("IBMid-1", "ibmid",
		 "alice@example.com")),
	KEPT_OUT("a longer realm", "alice", WHO("IBMid-1", "IBMid2", "alice@example.com")),
	KEPT_OUT("no realm", "alice", TOKEN(CLAIMS("IBMid-1", ISSUER, LATE, BSS(UNIT_ACCOUNT),
		 ",\"email\":\"alice@example.com\""))),
	KEPT_OUT("an iam_id of another realm", "alice", WHO("appid-1", "IBMid",
		 "alice@example.com")),
	KEPT_OUT("a service ID", "alice", WHO("iam-ServiceId-1", "iam", "alice@example.com")),
	KEPT_OUT("a service ID that says IBMid", "alice", WHO("iam-ServiceId-1", "IBMid",
		 "alice@example.com")),
	NO_UID("nobody", 65534),
	NO_UID("systemd's first dynamic user", 61184),
	LET_IN("the uid before", "alice", "alice@example.com", .uid = 61183),
	LET_IN("a directory's uid", "alice", "alice@example.com", .uid = 65536),
	NO_NAME("a name with a dot", "al.ice"),
	NO_NAME("a name with a plus", "alice+ops"),
	NO_NAME("a name in upper case", "Alice"),
	NO_NAME("a name with an @", "alice@example.com"),
	NO_NAME("a Cyrillic name", "\u0430lice"),
	NO_NAME("a name that begins with a digit", "1alice"),
	NO_NAME("a name that begins with a dash", "-alice"),
	NO_NAME("a computer's name", "alice$"),
	{ "a NUL after", DOMAIN(""), { MAIL("alice@example.com\\u0000") }, IBMIAM_UNAVAILABLE,
	  "key", "IAM's answer cannot be used: *", .asked = "K" },
	{ "root, by uid", DOMAIN("") "allow_root = true", { STATUS(0) }, IBMIAM_USER_UNKNOWN,
	  "rule", "the configuration has no rule for this user", .user = "root", .root = true },
	{ "root, without allow_root", DOMAIN(""), { STATUS(0) }, IBMIAM_USER_UNKNOWN, "uid",
	  "uid 0 may not *", .user = "root", .root = true },
	{ "alice with uid 0", DOMAIN("") "allow_root = true", { STATUS(0) }, IBMIAM_USER_UNKNOWN,
	  "rule", "the configuration has no rule for this user", .root = true },
	{ "a system account", DOMAIN("") "allow_root = true", { STATUS(0) }, IBMIAM_USER_UNKNOWN,
	  "uid", "uid 999 is under minimum_uid 1000", .user = "daemon", .uid = 999 },
	{ "no domain configured", ACCOUNTS "user bob { iam_ids = { \"IBMid-2\" } }", { STATUS(0) },
	  IBMIAM_USER_UNKNOWN, "rule", "the configuration has no rule for this user",
	  .asked = NULL },
	{ "of the second domain", DOMAIN("") "email_domain \"example.org\" {" P(PROFILE(2)) "}",
	  { MAIL("alice@example.org"), ALICE_P(2) }, IBMIAM_ALLOWED, NULL, unit_allowed,
	  .asked = "K P2", .profile = IS_PROFILE(2) },
	{ "a user block wins, and lets in", USER("") "email_domain \"example.com\" {" P(PROFILE(1))
	  "}", { MAIL("bob@example.org") }, IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K" },
	{ "a user block wins, and refuses the identity", ACCOUNTS
	  "user alice { iam_ids = { \"IBMid-2\" } }\n"
	  "email_domain \"example.com\" { }", { MAIL("alice@example.com") }, IBMIAM_DENIED,
	  "identity", "the key's iam_id is not among this user's iam_ids", .asked = "K" },
	{ "a user block wins, and refuses the service", USER("services = { \"su\" }")
	  "email_domain \"example.com\" { }",
	  { STATUS(0) }, IBMIAM_DENIED, "service", "the user's rule does not list this service",
	  .asked = NULL },
	{ "a service of the domain", DOMAIN("services = { \"sshd\" }"),
	  { MAIL("alice@example.com") }, IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K" },
	{ "the login form of one", DOMAIN("services = { \"su\" }"), { MAIL("alice@example.com") },
	  IBMIAM_ALLOWED, NULL, unit_allowed, .asked = "K", .service = "su-l" },
	{ "no service of the domain", DOMAIN("services = { \"su\" }"),
	  { MAIL("alice@example.com") }, IBMIAM_DENIED,
	  "identity", "the email_domain's rule does not list this service", .asked = "K" },
	{ "a service's users hold for it", DOMAIN("") "service sshd { users = { \"bob\" } }",
	  { STATUS(0) },
	  IBMIAM_DENIED, "service", "the service's rule does not list this user", .asked = NULL },
	{ "the domain's profile and groups", DOMAIN(P(PROFILE(1)) G(GROUP(1))),
	  { MAIL("alice@example.com"), ALICE_P(1), TOKEN(HOST), YES }, IBMIAM_ALLOWED, NULL,
	  unit_allowed, .asked = "K P1 D G1", .profile = IS_PROFILE(1) },
	{ "the domain's groups, without him", DOMAIN(G(GROUP(1))), { MAIL("alice@example.com"),
	  TOKEN(HOST), NO },
	  IBMIAM_DENIED, "groups", "the key's identity is in none of this user's access_groups",
	  .asked = "K D G1" },
};

/* What is decided anew about a session's tokens: nothing is asked, and what has become of the
 * configuration counts. */
static const struct held {
	const char *name;
	const char *config;
	bool profile;          /* the session has a profile's token */
	bool identity_expired;
	enum ibmiam_result result;
	const char *check;
} helds[] = {
	{ "allowed", USER(""), false, false, IBMIAM_ALLOWED, NULL },
	{ "allowed, a profile's", USER(P(PROFILE(1))), true, false, IBMIAM_ALLOWED, NULL },
	{ "the person's own token has expired, the profile's not", USER(P(PROFILE(1))), true, true,
	  IBMIAM_ALLOWED, NULL },
	{ "expired", USER(""), false, true, IBMIAM_UNAVAILABLE, "expiry" },
	{ "by domain", DOMAIN(""), false, false, IBMIAM_ALLOWED, NULL },
	{ "no accounts", "user alice { iam_ids = { \"IBMid-1\" } }", false, false,
	  IBMIAM_CONFIG_ERROR, "accounts" },
	{ "uid", USER("") "minimum_uid = 2000", false, false, IBMIAM_USER_UNKNOWN, "uid" },
	{ "no rule", ACCOUNTS, false, false, IBMIAM_USER_UNKNOWN, "rule" },
	{ "service", USER("services = { \"su\" }"), false, false, IBMIAM_DENIED, "service" },
	{ "users", USER("") "service sshd { users = { \"bob\" } }", false, false, IBMIAM_DENIED,
	  "service" },
	{ "network", USER("") "service \"*\" { networks = { \"192.0.2.0/24\" } }", false, false,
	  IBMIAM_DENIED, "network" },
	{ "issuer", USER("") "issuer = { \"https://iam.cloud.ibm.com/identity\" }", false, false,
	  IBMIAM_DENIED, "issuer" },
	{ "account", "accounts = { \"" UNIT_ACCOUNT2
	  "\" }\nuser alice { iam_ids = { \"IBMid-1\" } }", false, false,
	  IBMIAM_DENIED, "account" },
	{ "identity", ACCOUNTS "user alice { iam_ids = { \"IBMid-2\" } }", false, false,
	  IBMIAM_DENIED, "identity" },
	{ "identity, of the profile", ACCOUNTS "user alice { iam_ids = { \"iam-ServiceId-" ID(1)
	  "\" } }", true, false, IBMIAM_DENIED, "identity" },
	{ "the domain is another", ACCOUNTS "email_domain \"example.org\" { }", false, false,
	  IBMIAM_DENIED, "identity" },
};

static void make_token(struct token *t, const char *claims)
{
	struct decision d = { 0 };

	unit_answer(&d, &(struct unit_said){ 200, .claims = claims });
	assert_null(token_read(d.answer.body.data, d.answer.body.len, t));
	iam_answer_free(&d.answer);
}

static void is_decided_anew(void **state)
{
	static const struct unit_row row = { .name = "" };
	static const struct unit_said alice = MAIL("alice@example.com");
	const struct held *h = *state;
	const struct wire_request request = unit_request(&row);
	struct token identity, profile, *token = h->profile ? &profile : &identity;
	struct config config = { 0 };
	struct decision d;

	make_token(&identity, alice.claims);
	make_token(&profile, ASSUMED(1, "IBMid-1"));
	if (h->identity_expired)
		identity.expiration = time(NULL) - 1000;
	unit_access_load(&config, h->config);
	decision_begin_held(&d, &(struct decision_basis){ .config = &config }, &request, &identity,
			    token);
	assert_true(decision_go_on(&d));
	assert_int_equal(d.question.kind, IAM_NOTHING);
	assert_int_equal(d.reply.result, h->result);
	unit_check_text("check", d.reply.check, h->check);
	assert_ptr_equal(decision_token(&d)->access_token.data, token->access_token.data);
	unit_check_text("profile", d.reply.profile, h->profile ? IS_PROFILE(1) : NULL);
	if (h->result == IBMIAM_ALLOWED)
		unit_check_environment(&d);
	decision_free(&d); /* leaves the tokens to the caller */
	assert_non_null(strstr(token->access_token.data, "eyJ."));
	token_free(&identity);
	token_free(&profile);
	config_free(&config);
}

/* The wire lets no such name through; a decision without a name is none all the same. */
static void nobody_is_no_user(void **state)
{
	static const struct unit_row r = { "", DOMAIN(""), { MAIL("@example.com") },
					   IBMIAM_USER_UNKNOWN, "rule",
		"the configuration has no rule for this user", .user = "" };

	(void)state;
	unit_is_decided(&(void *){ (void *)(uintptr_t)&r });
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	if (!memory_init_libraries())
		return EXIT_FAILURE;
	UNIT_ROWS(&s, unit_is_decided, services);
	UNIT_ROWS(&s, unit_is_decided, domains);
	UNIT_ROWS(&s, is_decided_anew, helds);
	UNIT_TEST(&s, nobody_is_no_user);
	return unit_run(&s, "access_people");
}
