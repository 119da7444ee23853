/* Checks that need nobody but this host.  See decision_check.h. */
#include <string.h>

#include "config_network.h"
#include "decision_check.h"
#include "gate.h"

enum verdict check_accounts(struct decision *d)
{
	if (config_list_len(d->config->accounts) > 0)
		return GO_ON;
	return check_refuse(d, IBMIAM_CONFIG_ERROR,
			    "the configuration lists no accounts, so nobody may log in");
}

enum verdict check_uid(struct decision *d)
{
	uint32_t uid = d->request->uid;

	check_note(d, "uid %u", uid);
	if (uid == 0 && !d->config->allow_root)
		return check_refuse(d, IBMIAM_USER_UNKNOWN, "uid 0 may not log in (allow_root is off)");
	if (uid != 0 && uid < d->config->minimum_uid)
		return check_refuse(d, IBMIAM_USER_UNKNOWN, "uid %u is under minimum_uid %u", uid,
				    d->config->minimum_uid);
	return GO_ON;
}

/* Uids that are no person's, whatever the name: systemd's dynamic users, and nobody ("Users, Groups,
 * UIDs and GIDs on systemd Systems").  To name one takes a block. */
enum { SYSTEM_UID_FIRST = 61184, SYSTEM_UID_LAST = 65535 };

static bool is_persons(uint32_t uid)
{
	return uid != 0 && (uid < SYSTEM_UID_FIRST || uid > SYSTEM_UID_LAST);
}

/* A name that the local part of an e-mail address may be, byte for byte: no dots, no plus, no
 * upper case, nothing that looks like something else. */
static bool is_domain_name(const char *user)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz_";

	return user[0] && strchr(first, user[0]) &&
	       user[strspn(user, "abcdefghijklmnopqrstuvwxyz_0123456789-")] == '\0';
}

enum verdict check_rule(struct decision *d)
{
	const char *user = d->request->user;

	if (config_find_user(d->config, user, &d->user)) {
		check_note(d, "user %s", user);
		return GO_ON;
	}
	d->by_domain = config_has_domains(d->config) && is_persons(d->request->uid) && is_domain_name(user);
	if (!d->by_domain)
		return check_refuse(d, IBMIAM_USER_UNKNOWN, "the configuration has no rule for this user");
	check_note(d, "by email_domain");
	return GO_ON;
}

bool check_is_listed(struct config_list services, const char *service)
{
	return config_list_len(services) == 0 || config_list_has(services, service) ||
	       config_list_has(services, config_plain_service(service));
}

enum verdict check_service(struct decision *d)
{
	const struct wire_request *r = d->request;

	(void)config_find_service(d->config, r->service, &d->service);
	check_note(d, "%s", r->service);
	/* A domain's services are looked at when the domain is known: check_identity(). */
	if (!check_is_listed(d->user.services, r->service))
		return check_refuse(d, IBMIAM_DENIED, "the user's rule does not list this service");
	if (config_list_len(d->service.users) > 0 && !config_list_has(d->service.users, r->user))
		return check_refuse(d, IBMIAM_DENIED, "the service's rule does not list this user");
	return GO_ON;
}

enum verdict check_network(struct decision *d)
{
	const char *from = d->request->rhost ? d->request->rhost : "local";

	check_note(d, "%.100s", from);
	if (config_list_len(d->service.networks) == 0 ||
	    config_network_has(d->service.networks, d->request->rhost))
		return GO_ON;
	return check_refuse(d, IBMIAM_DENIED, "%.100s is in none of the service's networks", from);
}

enum verdict check_shape(struct decision *d)
{
	const char *fault = gate_fault(d->request->key);

	return fault ? check_refuse(d, IBMIAM_KEY_REJECTED, "%s", fault) : GO_ON;
}

enum verdict check_rejected(struct decision *d)
{
	if (!d->limit || !limit_key_is_rejected(d->limit, d->request->key))
		return GO_ON;
	return check_refuse(d, IBMIAM_KEY_REJECTED, "IAM has rejected this key within the last minute");
}

enum verdict check_tries(struct decision *d)
{
	if (!d->limit || limit_user_may_try(d->limit, d->request->user, d->request->key))
		return GO_ON;
	return check_refuse(d, IBMIAM_THROTTLED, "too many wrong keys for this user; the next try is "
			    "possible in %d s", LIMIT_USER_REFILL_S);
}
