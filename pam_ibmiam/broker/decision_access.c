/*
 * Checks that IBM Cloud's own console decides: who may assume a trusted profile, who is in an
 * access group.  Each level (the user or his domain, the service, the top) that names some is a
 * condition of its own: a further line never lets more people in.  See decision_check.h.
 */
#include <string.h>

#include "decision_check.h"
#include "iam_error.h"

static const char *const level_name[DECISION_LEVELS] = { "user", "service", "host" };

static struct config_profile profile_at(const struct decision *d, size_t level)
{
	const struct config_profile at[DECISION_LEVELS] = { d->user.trusted_profile,
							    d->service.trusted_profile,
							    d->config->trusted_profile };

	return at[level];
}

static struct config_list groups_at(const struct decision *d, size_t level)
{
	const struct config_list at[DECISION_LEVELS] = { d->user.access_groups, d->service.access_groups,
							 d->config->access_groups };

	return at[level];
}

static bool same_profile(struct config_profile a, struct config_profile b)
{
	return a.kind == b.kind && strcmp(a.value, b.value) == 0 &&
	       strcmp(a.account ? a.account : "", b.account ? b.account : "") == 0;
}

/* FNV-1a: nobody gains by a collision but whoever writes the configuration. */
static void mix(uint64_t *hash, const char *text)
{
	do
		*hash = (*hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	while (*text++);
}

uint64_t decision_requirements(const struct decision *d)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t level = 0; level < DECISION_LEVELS; level++) {
		struct config_profile p = profile_at(d, level);
		struct config_list groups = groups_at(d, level);

		mix(&hash, level_name[level]);
		mix(&hash, p.kind == CONFIG_PROFILE_NONE ? "" : p.value);
		mix(&hash, p.kind == CONFIG_PROFILE_NONE || !p.account ? "" : p.account);
		for (size_t i = 0; i < config_list_len(groups); i++)
			mix(&hash, config_list_get(groups, i));
	}
	return hash;
}

/* Is there a profile to assume at this level that was not assumed before? */
static bool is_wanted(const struct decision *d, size_t level)
{
	struct config_profile p = profile_at(d, level);

	for (size_t i = 0; i < level; i++)
		if (p.kind != CONFIG_PROFILE_NONE && profile_at(d, i).kind != CONFIG_PROFILE_NONE &&
		    same_profile(p, profile_at(d, i)))
			return false;
	return p.kind != CONFIG_PROFILE_NONE;
}

static enum verdict ask_to_assume(struct decision *d, struct config_profile p)
{
	static const char *const field[] = { [CONFIG_PROFILE_ID] = "profile_id",
					     [CONFIG_PROFILE_CRN] = "profile_crn",
					     [CONFIG_PROFILE_NAME] = "profile_name" };

	return check_ask(d, (struct iam_question){
		.kind = IAM_ASSUME, .access_token = d->identity.access_token.data,
		.profile_field = field[p.kind], .profile = p.value, .account = p.account });
}

/* IAM does not let this identity assume the profile, or cannot say. */
static enum verdict judge_refusal(struct decision *d, struct config_profile p, size_t level)
{
	struct iam_error e = iam_error_read(d->answer.http_status, d->answer.body.data,
					    d->answer.body.len);

	memcpy(d->code, e.code, sizeof e.code);
	if (e.result == IBMIAM_KEY_REJECTED || e.result == IBMIAM_DENIED)
		return check_refuse(d, IBMIAM_DENIED, "IAM does not let the key's identity assume the "
				    "trusted profile \"%.120s\" of this %s", p.value, level_name[level]);
	return check_refuse(d, e.result, "the trusted profile \"%.120s\" cannot be assumed: %s", p.value,
			    e.text);
}

/* Is the token one of this profile?  Of a name only the account can be told. */
static bool is_profiles_own(struct config_profile p, const struct token *t)
{
	static const char start[] = "iam-";
	const char *id = p.value, *colon;

	if (strncmp(t->iam_id, "iam-Profile-", 12) != 0)
		return false;
	if (p.kind == CONFIG_PROFILE_NAME)
		return strcmp(t->account, p.account) == 0;
	if (p.kind == CONFIG_PROFILE_CRN && (colon = strrchr(p.value, ':')) != NULL)
		id = colon + 1;
	return strcmp(t->iam_id + sizeof start - 1, id) == 0;
}

/* The profile's token must be for the profile that was asked for, assumed by who has the key. */
static enum verdict take_token(struct decision *d, struct config_profile p)
{
	__attribute__((cleanup(token_free))) struct token t = { 0 };
	const char *fault = token_read(d->answer.body.data, d->answer.body.len, &t);
	enum verdict v;

	if (fault)
		return check_refuse(d, IBMIAM_UNAVAILABLE, "IAM's answer about the trusted profile cannot "
				    "be used: %s", fault);
	if (!is_profiles_own(p, &t))
		return check_refuse(d, IBMIAM_UNAVAILABLE, "IAM's token is not of the trusted profile "
				    "\"%.120s\"", p.value);
	if (strcmp(t.authn, d->identity.iam_id) != 0)
		return check_refuse(d, IBMIAM_UNAVAILABLE, "the trusted profile's token does not say that "
				    "the key's identity has assumed it");
	v = check_claims(d, &t);
	if (v != GO_ON || d->profile.access_token.data)
		return v;
	check_note(d, "%s", t.iam_id);
	d->profile = t; /* the nearest; the others were only conditions */
	t = (struct token){ 0 };
	return GO_ON;
}

static enum verdict read_profile(struct decision *d)
{
	struct config_profile p = profile_at(d, d->level);

	d->answered = false;
	if (d->answer.fault[0])
		return check_refuse(d, d->answer.fault_result, "%s", d->answer.fault);
	if (d->answer.http_status != 200)
		return judge_refusal(d, p, d->level);
	return take_token(d, p);
}

enum verdict check_profiles(struct decision *d)
{
	if (d->answered) {
		enum verdict v = read_profile(d);

		if (v != GO_ON)
			return v;
		d->level++;
	}
	for (; d->level < DECISION_LEVELS; d->level++)
		if (is_wanted(d, d->level))
			return ask_to_assume(d, profile_at(d, d->level));
	return GO_ON;
}

/* The token of the host's own service ID, which may look at the groups: people often may not.
 * ASK while it is not there. */
static enum verdict get_directory_token(struct decision *d)
{
	__attribute__((cleanup(token_free))) struct token t = { 0 };
	const struct secret *jwt = &d->directory->token.access_token;
	struct iam_error e;
	const char *fault;

	if (d->answered) {
		d->answered = false;
		if (d->answer.fault[0])
			return check_refuse(d, d->answer.fault_result, "%s", d->answer.fault);
		if (d->answer.http_status != 200) {
			e = iam_error_read(d->answer.http_status, d->answer.body.data, d->answer.body.len);
			memcpy(d->code, e.code, sizeof e.code);
			return check_refuse(d, e.result == IBMIAM_UNAVAILABLE ? IBMIAM_UNAVAILABLE : IBMIAM_CONFIG_ERROR,
					    "the key in directory_key_file: %s", e.text);
		}
		fault = token_read(d->answer.body.data, d->answer.body.len, &t);
		if (fault)
			return check_refuse(d, IBMIAM_UNAVAILABLE, "IAM's answer about the key in "
					    "directory_key_file cannot be used: %s", fault);
		directory_keep(d->directory, &t);
	} else if (!directory_is_fresh(d->directory)) {
		return check_ask(d, (struct iam_question){ .kind = IAM_TOKEN,
							   .api_key = d->config->directory_key.data });
	}
	if (!secret_init(&d->directory_token, jwt->len) ||
	    !secret_append(&d->directory_token, jwt->data, jwt->len))
		return check_refuse(d, IBMIAM_BROKER_ERROR, "out of memory");
	return GO_ON;
}

/* 204 yes, 404 no; anything else is neither. */
static enum verdict read_membership(struct decision *d, const char *group, bool *ret_member)
{
	long status = d->answer.http_status;

	d->answered = false;
	*ret_member = status == 204;
	if (d->answer.fault[0])
		return check_refuse(d, d->answer.fault_result, "%s", d->answer.fault);
	if (status == 204 || status == 404)
		return GO_ON;
	if (status == 401)
		directory_forget(d->directory);
	return check_refuse(d, IBMIAM_UNAVAILABLE, status == 403 ?
			    "the service ID of directory_key_file may not view the access group \"%.100s\" (403)" :
			    "IAM does not say who is in the access group \"%.100s\"", group);
}

/* The list at this level, one group after the other, until one is his. */
static enum verdict check_list(struct decision *d, struct config_list groups)
{
	bool member = false;
	enum verdict v;

	if (d->answered) {
		const char *group = config_list_get(groups, d->item);

		v = read_membership(d, group, &member);
		if (v != GO_ON)
			return v;
		if (member) {
			check_note(d, "%s", group);
			return GO_ON;
		}
		d->item++;
	}
	if (d->item < config_list_len(groups))
		return check_ask(d, (struct iam_question){
			.kind = IAM_MEMBERSHIP, .access_token = d->directory_token.data,
			.group = config_list_get(groups, d->item), .iam_id = d->identity.iam_id });
	return check_refuse(d, IBMIAM_DENIED, "the key's identity is in none of this %s's access_groups",
			    level_name[d->level]);
}

enum verdict check_groups(struct decision *d)
{
	enum verdict v;

	for (; d->level < DECISION_LEVELS; d->level++, d->item = 0) {
		struct config_list groups = groups_at(d, d->level);

		if (config_list_len(groups) == 0)
			continue;
		v = d->directory_token.data ? GO_ON : get_directory_token(d);
		if (v == GO_ON)
			v = check_list(d, groups);
		if (v != GO_ON)
			return v;
	}
	return GO_ON;
}
