/* The forms of IAM's identifiers.  See config_identifier.h. */
#include "config_identifier.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
	ACCOUNT_LEN = 32,
	UUID_LEN = 36,
	IAM_ID_MAX = 200,
	DOMAIN_MAX = 253, /* RFC 1035, as text */
	LABEL_MAX = 63,
};

#define HEX "0123456789abcdef"

static bool is_account(const char *text, size_t len)
{
	return len == ACCOUNT_LEN && strspn(text, HEX) >= ACCOUNT_LEN;
}

static bool is_uuid(const char *text)
{
	for (size_t i = 0; i < UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (!text[i] || !strchr(dash ? "-" : HEX, text[i]))
			return false;
	}
	return text[UUID_LEN] == '\0';
}

/* Is it the prefix and then a UUID, and nothing else? */
static bool is_id(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 && is_uuid(text + len);
}

const char *config_identifier_account_fault(const char *value)
{
	if (!is_account(value, strlen(value)))
		return "expects an account id: 32 digits of 0-9 and a-f (ibmcloud account show)";
	return NULL;
}

const char *config_identifier_iam_id_fault(const char *value)
{
	if (strlen(value) > IAM_ID_MAX)
		return "is over 200 bytes";
	if (strchr(value, '@'))
		return "looks like an e-mail address; expects an IAM id such as IBMid-550000ABCD";
	if (strncmp(value, "ServiceId-", 10) == 0)
		return "lacks the realm: write iam-ServiceId-...";
	if (strncmp(value, "Profile-", 8) == 0 || strncmp(value, "iam-Profile-", 12) == 0)
		return "is a trusted profile, which has no API keys of its own";
	for (const char *p = value; *p; p++)
		if (*p <= ' ' || *p > '~')
			return "holds a space or a character outside ASCII";
	return NULL;
}

/* crn:v1:CNAME:CTYPE:iam-identity:LOCATION:a/ACCOUNT:INSTANCE:profile:Profile-UUID */
static bool is_profile_crn(const char *text)
{
	enum { VERSION = 1, CNAME, CTYPE, SERVICE, LOCATION, SCOPE, INSTANCE, TYPE, RESOURCE, PARTS };
	static const char *const fixed[PARTS] = {
		"crn", [VERSION] = "v1", [SERVICE] = "iam-identity", [TYPE] = "profile",
	};

	for (size_t i = 0; i < RESOURCE; i++) {
		size_t len = strcspn(text, ":");

		if (text[len] != ':' || strcspn(text, " ") < len)
			return false;
		if (fixed[i] && (strlen(fixed[i]) != len || memcmp(text, fixed[i], len) != 0))
			return false;
		if ((i == CNAME || i == CTYPE) && len == 0)
			return false;
		if (i == SCOPE && !(strncmp(text, "a/", 2) == 0 && is_account(text + 2, len - 2)))
			return false;
		text += len + 1;
	}
	return is_id(text, "Profile-");
}

const char *config_identifier_profile_fault(const char *value)
{
	static const char expected[] =
		"expects a trusted profile: Profile-UUID, its CRN (crn:v1:...), or NAME@ACCOUNT with the "
		"account's 32 digits (ibmcloud iam trusted-profiles)";
	const char *at = strrchr(value, '@');

	if (strncmp(value, "iam-Profile-", 12) == 0)
		return "is an iam_id; a trusted profile's id goes without iam-: Profile-...";
	if (strncmp(value, "crn:", 4) == 0)
		return is_profile_crn(value) ? NULL
					     : "is no CRN of a trusted profile: expects "
					       "crn:v1:bluemix:public:iam-identity::a/ACCOUNT::profile:Profile-UUID";
	if (!at)
		return is_id(value, "Profile-") ? NULL : expected;
	if (at == value || value[0] == ' ' || at[-1] == ' ' || !is_account(at + 1, strlen(at + 1)))
		return expected;
	return NULL;
}

const char *config_identifier_group_fault(const char *value)
{
	if (strcmp(value, "AccessGroupId-PublicAccess") == 0)
		return "is the group that everybody is in, so it would restrict nothing";
	if (!is_id(value, "AccessGroupId-"))
		return "expects an access group's id: AccessGroupId-UUID (ibmcloud iam access-groups "
		       "--output json)";
	return NULL;
}

/* A letter that only looks like the one of another domain could not be seen in a log. */
static bool is_foreign(const char *domain)
{
	for (const char *p = domain; *p; p++)
		if ((unsigned char)*p > '~')
			return true;
	return strncmp(domain, "xn--", 4) == 0 || strstr(domain, ".xn--");
}

static bool is_label(const char *text, size_t len)
{
	return len > 0 && len <= LABEL_MAX && text[0] != '-' && text[len - 1] != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") >= len;
}

const char *config_identifier_domain_fault(const char *value)
{
	static const char expected[] =
		"expects the domain of e-mail addresses in lower case, such as example.com";
	const char *p = value;
	size_t label;

	if (is_foreign(value))
		return "is not plain ASCII; only such domains can be used, because look-alikes from "
		       "other scripts cannot be told apart";
	if (strlen(value) > DOMAIN_MAX || !strchr(value, '.'))
		return expected;
	for (; is_label(p, label = strcspn(p, ".")); p += label + 1)
		if (p[label] == '\0')
			return NULL;
	return expected;
}
