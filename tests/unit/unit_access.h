/*
 * Decisions without a network: IAM's answers are made up by the test, and what it was asked is
 * noted, as one word each: K for the key's token, D for the host's own, P and G with the last
 * character of the trusted profile or access group.
 */
#ifndef UNIT_ACCESS_H
#define UNIT_ACCESS_H

#include "unit_config.h"

#include "base64url.h"
#include "decision.h"

#define ISSUER "https://iam.example/identity"
#define KEY "0123456789-0123456789-0123456789-0123456789a"
#define HOST_KEY "host-key-that-no-real-service-id-has-0123456"
#define LATE "4102444800" /* in the year 2100 */

#define ID(n) "00000000-0000-0000-0000-00000000000" #n
#define PROFILE(n) "Profile-" ID(n)
#define IS_PROFILE(n) "iam-" PROFILE(n) /* its iam_id */
#define GROUP(n) "AccessGroupId-" ID(n)
#define CRN(n) "crn:v1:bluemix:public:iam-identity::a/" UNIT_ACCOUNT "::profile:" PROFILE(n)
#define BSS(account) "{\"bss\":\"" account "\"}"

/* What a token says. */
#define CLAIMS(iam_id, issuer, expiry, account, more)                                    \
	"{\"iam_id\":\"" iam_id "\",\"iss\":\"" issuer "\",\"exp\":" expiry               \
	",\"account\":" account more "}"
#define PERSON(iam_id) CLAIMS(iam_id, ISSUER, LATE, BSS(UNIT_ACCOUNT), "")
#define AUTHN(iam_id) ",\"authn\":{\"iam_id\":\"" iam_id "\"}"
#define ASSUMED(n, who) CLAIMS(IS_PROFILE(n), ISSUER, LATE, BSS(UNIT_ACCOUNT), AUTHN(who))
#define ERROR(code) "{\"errorCode\":\"" code "\",\"errorMessage\":\"x\"}"

/* One answer of IAM's. */
struct unit_said {
	long status;
	const char *claims; /* of the token in it; NULL: the body is */
	const char *body;
	const char *fault;  /* or there was none */
};

static inline void unit_put(struct secret *to, const char *text)
{
	assert_true(secret_append(to, text, strlen(text)));
}

static inline void unit_answer(struct decision *d, const struct unit_said *said)
{
	struct secret *body = &d->answer.body;

	iam_answer_free(&d->answer);
	d->answer.http_status = said->status;
	d->answer.fault_result = IBMIAM_UNAVAILABLE;
	(void)snprintf(d->answer.fault, sizeof d->answer.fault, "%s",
		       said->fault ? said->fault : "");
	assert_true(secret_init(body, IAM_BODY_MAX));
	if (said->body)
		unit_put(body, said->body);
	if (!said->claims)
		return;
	unit_put(body, "{\"access_token\":\"eyJ.");
	assert_true(base64url_encode(said->claims, strlen(said->claims), body));
	unit_put(body, ".c2ln\",\"token_type\":\"Bearer\"}");
}

/* Appends the question's word. */
static inline void unit_note_question(const struct decision *d, char *asked, size_t size)
{
	const struct iam_question *q = &d->question;
	const char *about = q->kind == IAM_ASSUME ? q->profile : q->group;
	bool key = q->kind == IAM_TOKEN && strcmp(q->api_key, d->request->key) == 0;
	size_t len = strlen(asked);

	if (q->kind == IAM_TOKEN)
		(void)snprintf(asked + len, size - len, "%s%s", len ? " " : "", key ? "K" : "D");
	else
		(void)snprintf(asked + len, size - len, " %c%c", q->kind == IAM_ASSUME ? 'P' : 'G',
			       about[strlen(about) - 1]);
}

/* Loads this text, after an endpoint and the host's key. */
static inline void unit_access_load(struct config *c, const char *text)
{
	char *whole = NULL;

	unit_write("host.key", 0600, HOST_KEY "\n", sizeof HOST_KEY);
	assert_true(asprintf(&whole, "endpoint = \"https://iam.example\"\n"
			     "directory_key_file = \"%s/host.key\"\n%s", unit_folder, text) > 0);
	unit_write("ibmiam.conf", 0600, whole, strlen(whole));
	free(whole);
	unit_config_loaded(c);
}

/* All checks, in their order. */
static const char *const unit_checks[] = {
	"accounts", "uid", "rule", "service", "network", "shape", "rejected", "tries", "key",
	"issuer", "expiry", "account", "identity", "profile", "groups", "environment",
};

/* The decision has made these checks, the last one being this, and no other. */
static inline void unit_check_steps(const struct decision *d, const char *last)
{
	assert_true(d->steps > 0 && d->steps <= UNIT_LEN(unit_checks));
	for (size_t i = 0; i < d->steps; i++) {
		bool failed = last && i == d->steps - 1;

		assert_string_equal(d->step[i].check, unit_checks[i]);
		assert_int_equal(d->step[i].outcome, failed ? STEP_FAILED : STEP_PASSED);
		assert_true(d->step[i].ended_ms >= d->step[i].begun_ms);
	}
	if (last)
		assert_string_equal(d->step[d->steps - 1].check, last);
	else
		assert_int_equal(d->steps, UNIT_LEN(unit_checks));
}

#define ALICE PERSON("IBMid-1")
#define BOB PERSON("IBMid-2")
#define HOST PERSON("iam-ServiceId-1")
#define OTHER_ISSUER "https://iam.evil.example/identity"
#define MAY_NOT { .status = 403, .body = ERROR("BXNIM0513E") }
#define YES { .status = 204 }
#define NO { .status = 404 }
#define STATUS(number) { .status = (number) }
#define TOKEN(text) { .status = 200, .claims = (text) }
#define ALICE_P(n) TOKEN(ASSUMED(n, "IBMid-1"))

#define ACCOUNTS "accounts = { \"" UNIT_ACCOUNT "\" }\n"
#define USER(more) ACCOUNTS "user alice { iam_ids = { \"IBMid-1\" } " more " }\n"
#define P(profile) " trusted_profile = \"" profile "\"\n"
#define G(group) " access_groups = { \"" group "\" }\n"
#define G2(a, b) " access_groups = { \"" a "\", \"" b "\" }\n"
static const char unit_allowed[] = "the key's identity may log in as this user";

/* A login, what IAM answers, and what comes of it. */
struct unit_row {
	const char *name;
	const char *config;
	struct unit_said said[9];
	enum ibmiam_result result;
	const char *check; /* NULL: allowed */
	const char *reason;
	const char *asked;   /* NULL: nothing */
	const char *profile; /* whose token the session gets; NULL: the person's own */
	const char *user, *service, *rhost, *key; /* NULL: alice, sshd, 10.1.2.3, KEY */
	uint32_t uid; /* 0: 1000 */
	bool root;    /* uid 0 */
};

static inline struct wire_request unit_request(const struct unit_row *r)
{
	return (struct wire_request){
		.user = r->user ? r->user : "alice", .service = r->service ? r->service : "sshd",
		.rhost = !r->rhost ? "10.1.2.3" : r->rhost[0] ? r->rhost : NULL,
		.key = r->key ? r->key : KEY, .uid = r->root ? 0 : r->uid ? r->uid : 1000,
	};
}

/* Each question says all that it needs, about the right one, in the right name. */
static inline void unit_check_question(const struct decision *d)
{
	const struct iam_question *q = &d->question;

	if (q->kind == IAM_ASSUME) {
		assert_ptr_equal(q->access_token, d->identity.access_token.data);
		assert_int_equal(strcmp(q->profile_field, "profile_name") == 0, q->account != NULL);
		if (strncmp(q->profile, "crn:", 4) == 0)
			assert_string_equal(q->profile_field, "profile_crn");
		if (strncmp(q->profile, "Profile-", 8) == 0)
			assert_string_equal(q->profile_field, "profile_id");
		if (q->account)
			assert_string_equal(q->account, UNIT_ACCOUNT);
	}
	if (q->kind == IAM_MEMBERSHIP) {
		assert_string_equal(q->access_token, d->directory->token.access_token.data);
		assert_string_not_equal(q->access_token, d->identity.access_token.data);
		assert_string_equal(q->iam_id, d->identity.iam_id);
	}
	if (q->kind == IAM_TOKEN && q->api_key != d->request->key)
		assert_string_equal(q->api_key, HOST_KEY);
}

static inline void unit_drive(struct decision *d, const struct unit_said *said, char asked[128])
{
	asked[0] = '\0';
	while (!decision_go_on(d)) {
		unit_note_question(d, asked, 128);
		unit_check_question(d);
		unit_answer(d, said++);
	}
}

static inline void unit_check_reply(const struct decision *d, const struct unit_row *r)
{
	SECRET_AUTO(message);

	unit_check_text("reason", d->reply.reason, r->reason);
	assert_int_equal(d->reply.result, r->result);
	unit_check_text("check", d->reply.check, r->check);
	unit_check_text("profile", d->reply.profile, r->profile);
	assert_int_equal(d->reply.environment != NULL, r->result == IBMIAM_ALLOWED);
	assert_true(secret_init(&message, WIRE_MESSAGE_MAX));
	assert_null(wire_encode(&wire_reply_message, &d->reply, &message));
}

/* The session's variables: the profile's token, and whose it is. */
static inline void unit_check_environment(const struct decision *d)
{
	const char *token = decision_token(d)->access_token.data, *entry = NULL;
	bool found = false;

	assert_string_equal(d->reply.iam_id, d->identity.iam_id);
	assert_string_equal(decision_token(d)->iam_id,
			    d->reply.profile ? d->reply.profile : d->reply.iam_id);
	while ((entry = wire_list_next(d->reply.environment, d->reply.environment_len,
				       entry)) != NULL) {
		if (strncmp(entry, "IBMIAM_TOKEN=", 13) == 0) {
			assert_string_equal(entry + 13, token);
			found = true;
		}
		if (strncmp(entry, "IBMIAM_IAM_ID=", 14) == 0)
			assert_string_equal(entry + 14, d->identity.iam_id);
	}
	assert_true(found);
}

static inline void unit_is_decided(void **state)
{
	const struct unit_row *r = *state;
	const struct wire_request request = unit_request(r);
	struct config config = { 0 };
	struct directory directory = { 0 };
	struct decision d;
	char asked[128];

	unit_access_load(&config, r->config);
	decision_begin(&d, &(struct decision_basis){ .config = &config, .directory = &directory },
		       &request);
	unit_drive(&d, r->said, asked);
	unit_check_reply(&d, r);
	assert_string_equal(asked, r->asked ? r->asked : "");
	unit_check_steps(&d, r->check);
	if (r->result == IBMIAM_ALLOWED)
		unit_check_environment(&d);
	decision_free(&d);
	directory_forget(&directory);
	config_free(&config);
}

#endif
