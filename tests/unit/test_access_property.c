/*
 * What holds in every world: one more restriction never turns a no into a yes, nobody is let in
 * without a rule, tokens that are there already never get past what this host would refuse, and
 * a yes is one by all the rules.  Worlds are made up at random; the seed is printed, and
 * IBMIAM_TEST_SEED repeats it.
 */
#include "unit_access.h"

#include <sys/random.h>

#include "memory.h"

enum { WORLDS = 4000, NAMES = 3 };

static uint64_t state; /* of xorshift64 (Marsaglia, "Xorshift RNGs") */

static unsigned int roll(unsigned int sides)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)((state >> 32) % sides);
}

/* A set of up to three names, as bits; 0: no such key in the configuration. */
typedef unsigned int set;

static set any(unsigned int empty_of_ten)
{
	return roll(10) < empty_of_ten ? 0 : 1 + roll((1 << NAMES) - 1);
}

struct level {
	unsigned int profile; /* 1 to 3; 0: none */
	set groups;
	bool no_export;
};

enum { USER_LEVEL, DOMAIN_LEVEL, SERVICE_LEVEL, TOP_LEVEL, LEVELS };
enum block { NO_BLOCK, OWN, PLAIN, STAR, BLOCKS }; /* whose service block holds */

struct world {
	/* the configuration */
	set accounts;
	bool user, domain, allow_root;
	set iam_ids, user_services, domain_services, users, networks;
	enum block block;
	unsigned int minimum_uid;
	struct level level[LEVELS];
	/* the login */
	unsigned int uid, name, service, from;
	/* IAM: what is true, and what it says */
	unsigned int who, account, email;
	unsigned int profile_says[NAMES], group_says[NAMES], host_says;
};

static const char *const accounts[NAMES] = { UNIT_ACCOUNT, UNIT_ACCOUNT2,
					     "00000000000000000000000000000003" };
static const char *const names[NAMES] = { "alice", "bob", "carol" };
static const char *const ids[NAMES] = { "IBMid-1", "IBMid-2", "iam-ServiceId-3" };
static const char *const services[NAMES] = { "sshd", "su", "sudo" };
static const char *const forms[NAMES] = { "sshd", "su-l", "sudo-i" };
static const char *const networks[NAMES] = { "10.0.0.0/8", "local", "2001:db8::/32" };
static const char *const froms[NAMES + 1] = { "10.1.2.3", NULL, "2001:db8::1", "192.0.2.1" };
static const char *const emails[] = { "alice@example.com", "bob@EXAMPLE.com", "carol@example.com",
				      "alice@example.org", "Alice@example.com" };
static const unsigned int uids[] = { 1000, 1000, 2000, 500, 0 };
static const struct unit_said refusals[] = { { .status = 403, .body = ERROR("BXNIM0513E") },
	{ .status = 503 }, { .status = 200, .body = "<html>" }, { .status = 429 } };
static const long group_status[] = { 204, 204, 204, 404, 404, 403, 401, 500, 200 };

static bool has(set s, unsigned int i)
{
	return (s >> i & 1) != 0;
}

static void make_level(struct level *l)
{
	*l = (struct level){ .profile = roll(3) ? 0 : 1 + roll(NAMES), .groups = any(7),
			     .no_export = roll(8) == 0 };
}

static void make_world(struct world *w)
{
	*w = (struct world){
		.accounts = any(1), .user = roll(3) > 0, .domain = roll(2) > 0,
		       .allow_root = roll(2) > 0,
		.iam_ids = any(0), .user_services = any(5), .domain_services = any(5),
		       .users = any(6),
		.networks = any(6), .block = (enum block)roll(BLOCKS),
		       .minimum_uid = roll(3) ? 1000 : 0,
		.uid = uids[roll(UNIT_LEN(uids))], .name = roll(5) ? 0 : roll(NAMES),
		       .service = roll(2 * NAMES),
		.from = roll(UNIT_LEN(froms)), .who = roll(4) ? 0 : roll(NAMES),
		       .account = roll(4) ? 0 : roll(NAMES),
		.email = roll(3) ? 0 : roll(UNIT_LEN(emails)),
		       .host_says = roll(10) ? 0 : 1 + roll(UNIT_LEN(refusals)),
	};
	for (int i = 0; i < LEVELS; i++)
		make_level(&w->level[i]);
	for (int i = 0; i < NAMES; i++) {
		w->profile_says[i] = roll(3) ? 0 : 1 + roll(UNIT_LEN(refusals));
		w->group_says[i] = roll(UNIT_LEN(group_status));
	}
	if (w->block == NO_BLOCK) {
		w->users = w->networks = 0;
		w->level[SERVICE_LEVEL] = (struct level){ 0 };
	}
}

/* The world in words */

static void put_set(FILE *f, const char *key, const char *const *words, set s)
{
	const char *comma = "";

	if (!s)
		return;
	(void)fprintf(f, "\t%s = { ", key);
	for (unsigned int i = 0; i < NAMES; i++) {
		if (!has(s, i))
			continue;
		(void)fprintf(f, "%s\"%s\"", comma, words[i]);
		comma = ", ";
	}
	(void)fprintf(f, " }\n");
}

static void put_level(FILE *f, const struct level *l)
{
	static const char *const profiles[] = { PROFILE(1), PROFILE(2), PROFILE(3) };
	static const char *const groups[] = { GROUP(1), GROUP(2), GROUP(3) };

	if (l->profile)
		(void)fprintf(f, "\ttrusted_profile = \"%s\"\n", profiles[l->profile - 1]);
	put_set(f, "access_groups", groups, l->groups);
}

static void put_block(FILE *f, const struct level *l)
{
	put_level(f, l);
	(void)fprintf(f, "%s}\n", l->no_export ? "\texport = false\n" : "");
}

static const char *service_of(const struct world *w)
{
	return w->service < NAMES ? services[w->service] : forms[w->service - NAMES];
}

/* To be freed. */
static char *text_of(const struct world *w)
{
	const char *const titles[BLOCKS] = { NULL, service_of(w), services[w->service % NAMES],
					     "*" };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	put_set(f, "accounts", accounts, w->accounts);
	(void)fprintf(f, "minimum_uid = %u\nallow_root = %s\n", w->minimum_uid, w->allow_root ?
		      "true" : "false");
	put_level(f, &w->level[TOP_LEVEL]);
	if (w->user) {
		(void)fprintf(f, "user alice {\n");
		put_set(f, "iam_ids", ids, w->iam_ids);
		put_set(f, "services", services, w->user_services);
		put_block(f, &w->level[USER_LEVEL]);
	}
	if (w->domain) {
		(void)fprintf(f, "email_domain \"example.com\" {\n");
		put_set(f, "services", services, w->domain_services);
		put_block(f, &w->level[DOMAIN_LEVEL]);
	}
	if (w->block != NO_BLOCK) {
		(void)fprintf(f, "service \"%s\" {\n", titles[w->block]);
		put_set(f, "users", names, w->users);
		put_set(f, "networks", networks, w->networks);
		put_block(f, &w->level[SERVICE_LEVEL]);
	}
	(void)fclose(f);
	return text;
}

static char *identity_of(const struct world *w)
{
	char *claims = NULL;

	assert_true(asprintf(&claims, "{\"iam_id\":\"%s\",\"iss\":\"" ISSUER "\",\"exp\":" LATE
			     ",\"account\":{\"bss\":\"%s\"},"
			     "\"realmid\":\"%s\",\"email\":\"%s\"}", ids[w->who],
			  accounts[w->account],
			     w->who == 2 ? "iam" : "IBMid", emails[w->email]) > 0);
	return claims;
}

static unsigned int last_digit(const char *text)
{
	return (unsigned int)(text[strlen(text) - 1] - '0');
}

static void answer_as(const struct world *w, struct decision *d)
{
	const struct iam_question *q = &d->question;
	unsigned int says = 0;
	char *claims = NULL;

	if (q->kind == IAM_MEMBERSHIP) {
		says = w->group_says[last_digit(q->group) - 1];
		unit_answer(d, &(struct unit_said){ .status = group_status[says] });
		return;
	}
	if (q->kind == IAM_ASSUME)
		says = w->profile_says[last_digit(q->profile) - 1];
	else if (q->api_key != d->request->key)
		says = w->host_says;
	if (says > 0) {
		unit_answer(d, &refusals[says - 1]);
		return;
	}
	if (q->kind == IAM_ASSUME)
		assert_true(asprintf(&claims, "{\"iam_id\":\"iam-%s\",\"iss\":\"" ISSUER
				     "\",\"exp\":" LATE ",\"account\":"
				     "{\"bss\":\"%s\"},\"authn\":{\"iam_id\":\"%s\"}}", q->profile,
				     accounts[w->account], ids[w->who]) > 0);
	else
		claims = identity_of(w);
	unit_answer(d, &(struct unit_said){ .status = 200, .claims = claims });
	free(claims);
}

/* What comes of a world */

struct outcome {
	uint32_t result;
	bool exported;
	size_t local; /* the check that has refused before IAM was asked; else "key" or later */
	char check[16];
};

static size_t number_of(const char *check)
{
	size_t i = 0;

	while (check && i < UNIT_LEN(unit_checks) && strcmp(unit_checks[i], check) != 0)
		i++;
	return check ? i : UNIT_LEN(unit_checks);
}

static struct outcome outcome_of(const struct decision *d)
{
	struct outcome o = { .result = d->reply.result, .exported = d->reply.environment != NULL,
			     .local = number_of(d->reply.check) };

	(void)snprintf(o.check, sizeof o.check, "%s", d->reply.check ? d->reply.check : "");
	return o;
}

static struct wire_request login_of(const struct world *w)
{
	return (struct wire_request){ .user = names[w->name], .service = service_of(w),
				      .rhost = froms[w->from],
				      .uid = w->uid, .key = KEY };
}

static struct outcome decide_in(const struct world *w)
{
	const struct wire_request request = login_of(w);
	struct directory directory = { 0 };
	struct config config = { 0 };
	struct decision d;
	struct outcome o;
	char *text = text_of(w);

	unit_access_load(&config, text);
	decision_begin(&d, &(struct decision_basis){ .config = &config, .directory = &directory },
		       &request);
	while (!decision_go_on(&d))
		answer_as(w, &d);
	o = outcome_of(&d);
	decision_free(&d);
	directory_forget(&directory);
	config_free(&config);
	free(text);
	return o;
}

/* The same login's token, once more, as when its session asks for it. */
static struct outcome decide_held(const struct world *w)
{
	const struct wire_request request = login_of(w);
	struct decision source = { .request = &request, .question = { .kind = IAM_TOKEN,
								      .api_key = KEY } }, d;
	struct token identity;
	struct config config = { 0 };
	struct outcome o;
	char *text = text_of(w);

	source.question.api_key = request.key;
	answer_as(w, &source);
	assert_null(token_read(source.answer.body.data, source.answer.body.len, &identity));
	iam_answer_free(&source.answer);
	unit_access_load(&config, text);
	decision_begin_held(&d, &(struct decision_basis){ .config = &config }, &request, &identity,
			    &identity);
	assert_true(decision_go_on(&d));
	o = outcome_of(&d);
	decision_free(&d);
	token_free(&identity);
	config_free(&config);
	free(text);
	return o;
}

/* The rules, told in another way. */

static bool level_lets_in(const struct world *w, const struct level *l)
{
	bool member = l->groups == 0;

	for (unsigned int i = 0; i < NAMES && !member; i++) {
		if (!has(l->groups, i))
			continue;
		if (group_status[w->group_says[i]] != 204 && group_status[w->group_says[i]] != 404)
			return false; /* nobody can tell */
		member = group_status[w->group_says[i]] == 204;
	}
	return member && (l->groups == 0 || w->host_says == 0) &&
	       (l->profile == 0 || w->profile_says[l->profile - 1] == 0);
}

static bool his_rule_lets_in(const struct world *w)
{
	static const unsigned int owner[] = { 0, 1, 2, NAMES, NAMES };
	unsigned int service = w->service % NAMES;

	if (w->user && w->name == 0)
		return has(w->iam_ids, w->who) && (!w->user_services || has(w->user_services,
				service)) &&
		       level_lets_in(w, &w->level[USER_LEVEL]);
	return w->domain && w->uid != 0 && w->who != 2 && owner[w->email] == w->name &&
	       (!w->domain_services || has(w->domain_services, service)) &&
	       level_lets_in(w, &w->level[DOMAIN_LEVEL]);
}

static bool lets_in(const struct world *w)
{
	return has(w->accounts, w->account) &&
	       (w->uid == 0 ? w->allow_root : w->uid >= w->minimum_uid) &&
	       (!w->users || has(w->users, w->name)) &&
	       (!w->networks || (w->from < NAMES && has(w->networks, w->from))) &&
	  his_rule_lets_in(w) &&
	       level_lets_in(w, &w->level[SERVICE_LEVEL]) && level_lets_in(w, &w->level[TOP_LEVEL]);
}

/* Restrictions */

/* A new list, or one name fewer in an old one; never the last one. */
static void narrow(set *s)
{
	set less = *s & ~(1u << roll(NAMES));

	if (!*s)
		*s = any(0);
	else if (less)
		*s = less;
}

static void narrow_level(struct level *l)
{
	switch (roll(3)) {
	case 0:
		l->profile = l->profile ? l->profile : 1 + roll(NAMES);
		break;
	case 1:
		narrow(&l->groups);
		break;
	default:
		l->no_export = true;
	}
}

static void restrict_world(struct world *w)
{
	set *const lists[] = { &w->user_services, &w->domain_services, &w->users, &w->networks };
	unsigned int what = roll(9);

	/* Where there is no block one may be added; another would replace the one there is. */
	if (w->block == NO_BLOCK && (what == 2 || what == 3 || what == 8))
		w->block = (enum block)(OWN + roll(BLOCKS - OWN));
	if (what < 4)
		narrow(lists[what]);
	else if (what == 4)
		w->accounts &= ~(1u << roll(NAMES));
	else if (what == 5)
		narrow(&w->iam_ids);
	else if (what == 6)
		w->minimum_uid += 600 * roll(4);
	else if (what == 7)
		w->allow_root = false;
	else
		narrow_level(&w->level[SERVICE_LEVEL]);
	if (roll(2))
		narrow_level(&w->level[(unsigned int[]){ USER_LEVEL, DOMAIN_LEVEL,
							 TOP_LEVEL }[roll(3)]]);
}

static void fail_with(const struct world *w, const char *what, const struct outcome *a,
		      const struct outcome *b)
{
	char *text = text_of(w);

	fail_msg("%s: result %u at %s, then %u at %s; user %s uid %u service %s who %s in\n%s",
		 what, a->result,
		 a->check, b->result, b->check, names[w->name], w->uid, service_of(w), ids[w->who],
		       text);
}

static void worlds(unsigned int *yes, void (*look)(const struct world *w, const struct outcome *o))
{
	struct world w;

	*yes = 0;
	for (int i = 0; i < WORLDS; i++) {
		struct outcome o;

		make_world(&w);
		o = decide_in(&w);
		*yes += o.result == IBMIAM_ALLOWED;
		look(&w, &o);
	}
	/* Worlds in which nobody gets in would prove nothing. */
	assert_true(*yes > WORLDS / 50 && *yes < WORLDS * 9 / 10);
}

static void look_for_the_rules(const struct world *w, const struct outcome *o)
{
	const struct level *his = &w->level[w->user && w->name == 0 ? USER_LEVEL : DOMAIN_LEVEL];

	if ((o->result == IBMIAM_ALLOWED) != lets_in(w))
		fail_with(w, lets_in(w) ? "must be let in" : "must not be let in", o, o);
	if (o->exported != (o->result == IBMIAM_ALLOWED && !his->no_export &&
			    !w->level[SERVICE_LEVEL].no_export))
		fail_with(w, "exports", o, o);
}

/* A group that IAM cannot tell about is an outage, not a no: the list without it may be a yes. */
static bool is_refused(const struct outcome *o)
{
	return o->result != IBMIAM_ALLOWED &&
	       !(o->result == IBMIAM_UNAVAILABLE && strcmp(o->check, "groups") == 0);
}

static void look_at_less(const struct world *w, const struct outcome *o)
{
	struct world less = *w;
	struct outcome then;

	for (unsigned int n = 1 + roll(3); n > 0; n--)
		restrict_world(&less);
	then = decide_in(&less);
	if (then.result == IBMIAM_ALLOWED && (is_refused(o) || (then.exported &&
								o->result == IBMIAM_ALLOWED &&
								!o->exported)))
		fail_with(&less, "a restriction lets in", o, &then);
}

static void look_without_a_rule(const struct world *w, const struct outcome *o)
{
	struct world less = *w;
	struct outcome then;

	less.user = less.domain = false;
	then = decide_in(&less);
	if (then.result == IBMIAM_ALLOWED)
		fail_with(&less, "without a rule", o, &then);
}

static void look_at_held(const struct world *w, const struct outcome *o)
{
	struct outcome held = decide_held(w);

	if (o->local < number_of("key") && (held.result != o->result || strcmp(held.check,
			o->check) != 0))
		fail_with(w, "held, although this host refuses", o, &held);
	if (o->result == IBMIAM_ALLOWED && (held.result != IBMIAM_ALLOWED ||
					    held.exported != o->exported))
		fail_with(w, "not held, although it is allowed", o, &held);
}

static const struct property {
	const char *name;
	void (*look)(const struct world *w, const struct outcome *o);
} properties[] = {
	{ "a yes is one by all the rules", look_for_the_rules },
	{ "a restriction lets nobody in", look_at_less },
	{ "without a rule nobody is let in", look_without_a_rule },
	{ "held tokens get past no check of this host", look_at_held },
};

static void holds(void **row)
{
	unsigned int yes;

	worlds(&yes, ((const struct property *)*row)->look);
	print_message("# %u of %d worlds say yes\n", yes, WORLDS);
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };
	const char *seed = getenv("IBMIAM_TEST_SEED");

	if (seed)
		state = strtoull(seed, NULL, 10);
	else if (getrandom(&state, sizeof state, 0) != (ssize_t)sizeof state)
		return EXIT_FAILURE;
	if (state == 0)
		state = 1; /* the one that xorshift never leaves */
	print_message("# IBMIAM_TEST_SEED=%llu\n", (unsigned long long)state);
	if (!memory_init_libraries())
		return EXIT_FAILURE;
	UNIT_ROWS(&s, holds, properties);
	return unit_run(&s, "access_property");
}
