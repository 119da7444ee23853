/*
 * Identifiers of IAM as an admin may write them: the forms that IAM itself shows, and what is
 * easily taken for them.
 */
#include "unit.h"

#include "config_identifier.h"

#define UUID "11111111-2222-3333-4444-555555555555"
#define ACCOUNT "0123456789abcdef0123456789abcdef"
#define CRN(name, type, service, scope, kind, resource) \
	"crn:v1:" name ":" type ":" service "::" scope "::" kind ":" resource
#define PROFILE_CRN CRN("bluemix", "public", "iam-identity", "a/" ACCOUNT, "profile", "Profile-" UUID)

static const char no_profile[] = "expects a trusted profile: *";
static const char no_crn[] = "is no CRN of a trusted profile: *";
static const char no_group[] = "expects an access group's id: *";
static const char no_domain[] = "expects the domain of e-mail addresses in lower case, such as example.com";
static const char foreign[] = "is not plain ASCII; *";

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff012"

static const struct judged {
	const char *name;
	const char *(*judge)(const char *value);
	const char *value;
	const char *fault;
} judged[] = {
	{ "profile's id", config_identifier_profile_fault, "Profile-" UUID, NULL },
	{ "profile's CRN", config_identifier_profile_fault, PROFILE_CRN, NULL },
	{ "profile's CRN of another cloud", config_identifier_profile_fault,
	  CRN("staging", "dedicated", "iam-identity", "a/" ACCOUNT, "profile", "Profile-" UUID), NULL },
	{ "profile's name", config_identifier_profile_fault, "ops@" ACCOUNT, NULL },
	{ "name with spaces and signs", config_identifier_profile_fault, "on @ call, EU@" ACCOUNT, NULL },
	{ "name like an id", config_identifier_profile_fault, "Profile-" UUID "@" ACCOUNT, NULL },
	{ "profile's iam_id", config_identifier_profile_fault, "iam-Profile-" UUID, "is an iam_id; *" },
	{ "id in capitals", config_identifier_profile_fault, "Profile-11111111-2222-3333-4444-55555555555A",
	  no_profile },
	{ "id of another case", config_identifier_profile_fault, "profile-" UUID, no_profile },
	{ "id cut short", config_identifier_profile_fault, "Profile-1111111-2222-3333-4444-555555555555",
	  no_profile },
	{ "id with more behind it", config_identifier_profile_fault, "Profile-" UUID "0", no_profile },
	{ "id without dashes", config_identifier_profile_fault, "Profile-11111111222233334444555555555555",
	  no_profile },
	{ "service id", config_identifier_profile_fault, "ServiceId-" UUID, no_profile },
	{ "name without account", config_identifier_profile_fault, "ops", no_profile },
	{ "account without name", config_identifier_profile_fault, "@" ACCOUNT, no_profile },
	{ "name of a short account", config_identifier_profile_fault, "ops@0123", no_profile },
	{ "name of an account in capitals", config_identifier_profile_fault,
	  "ops@0123456789ABCDEF0123456789ABCDEF", no_profile },
	{ "name with a space before it", config_identifier_profile_fault, " ops@" ACCOUNT, no_profile },
	{ "name with a space behind it", config_identifier_profile_fault, "ops @" ACCOUNT, no_profile },
	{ "CRN of a service id", config_identifier_profile_fault,
	  CRN("bluemix", "public", "iam-identity", "a/" ACCOUNT, "serviceid", "ServiceId-" UUID), no_crn },
	{ "CRN of another service", config_identifier_profile_fault,
	  CRN("bluemix", "public", "iam-groups", "a/" ACCOUNT, "profile", "Profile-" UUID), no_crn },
	{ "CRN without account", config_identifier_profile_fault,
	  CRN("bluemix", "public", "iam-identity", "", "profile", "Profile-" UUID), no_crn },
	{ "CRN of an organisation", config_identifier_profile_fault,
	  CRN("bluemix", "public", "iam-identity", "o/" ACCOUNT, "profile", "Profile-" UUID), no_crn },
	{ "CRN with a part too many", config_identifier_profile_fault, PROFILE_CRN ":x", no_crn },
	{ "CRN cut short", config_identifier_profile_fault, "crn:v1:bluemix:public:iam-identity", no_crn },
	{ "CRN of version 2", config_identifier_profile_fault, "crn:v2:bluemix", no_crn },
	{ "CRN with a space", config_identifier_profile_fault,
	  CRN("blue mix", "public", "iam-identity", "a/" ACCOUNT, "profile", "Profile-" UUID), no_crn },
	{ "CRN without a cloud", config_identifier_profile_fault,
	  CRN("", "public", "iam-identity", "a/" ACCOUNT, "profile", "Profile-" UUID), no_crn },
	{ "group", config_identifier_group_fault, "AccessGroupId-" UUID, NULL },
	{ "everybody's group", config_identifier_group_fault, "AccessGroupId-PublicAccess",
	  "is the group that everybody is in, so it would restrict nothing" },
	{ "group's name", config_identifier_group_fault, "ops", no_group },
	{ "group's UUID alone", config_identifier_group_fault, UUID, no_group },
	{ "group with more behind it", config_identifier_group_fault, "AccessGroupId-" UUID "/members", no_group },
	{ "domain", config_identifier_domain_fault, "example.com", NULL },
	{ "shortest domain", config_identifier_domain_fault, "a.b", NULL },
	{ "domain of digits and dashes", config_identifier_domain_fault, "0-1.x--y.2a", NULL },
	{ "label of 63", config_identifier_domain_fault, L63 ".com", NULL },
	{ "label of 64", config_identifier_domain_fault, L63 "3.com", no_domain },
	{ "last label of 63", config_identifier_domain_fault, "a." L63, NULL },
	{ "last label of 64", config_identifier_domain_fault, "a." L63 "3", no_domain },
	{ "253 bytes", config_identifier_domain_fault,
	  L63 "." L63 "." L63 "." "0123456789012345678901234567890123456789012345678901234567890", NULL },
	{ "254 bytes", config_identifier_domain_fault,
	  L63 "." L63 "." L63 "." "01234567890123456789012345678901234567890123456789012345678901", no_domain },
	{ "one label", config_identifier_domain_fault, "localhost", no_domain },
	{ "dot behind it", config_identifier_domain_fault, "example.com.", no_domain },
	{ "dot before it", config_identifier_domain_fault, ".example.com", no_domain },
	{ "two dots", config_identifier_domain_fault, "example..com", no_domain },
	{ "only a dot", config_identifier_domain_fault, ".", no_domain },
	{ "dash first", config_identifier_domain_fault, "-example.com", no_domain },
	{ "dash last", config_identifier_domain_fault, "example-.com", no_domain },
	{ "capitals", config_identifier_domain_fault, "Example.com", no_domain },
	{ "underscore", config_identifier_domain_fault, "ex_ample.com", no_domain },
	{ "star", config_identifier_domain_fault, "*.example.com", no_domain },
	{ "address", config_identifier_domain_fault, "alice@example.com", no_domain },
	{ "at sign first", config_identifier_domain_fault, "@example.com", no_domain },
	{ "look-alike", config_identifier_domain_fault, "ex\xd0\xb0mple.com", foreign },
	{ "punycode", config_identifier_domain_fault, "xn--exmple-cua.com", foreign },
	{ "punycode below", config_identifier_domain_fault, "mail.xn--exmple-cua.com", foreign },
};

static void identifier_is_judged(void **state)
{
	const struct judged *j = *state;

	unit_check_text("fault", j->judge(j->value), j->fault);
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, identifier_is_judged, judged);
	return unit_run(&s, "config_identifier");
}
