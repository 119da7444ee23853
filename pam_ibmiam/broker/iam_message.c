/* The words of a token request.  See iam_message.h. */
#include "iam_message.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define API_KEY_GRANT "urn:ibm:params:oauth:grant-type:apikey"

enum {
	FORM_MAX = 16 * 1024,      /* bytes; a key of 4096, each byte escaped, fits */
	TENANTS_MAX = 4096,        /* bytes of the ibm-cloud-tenant header */
};

bool iam_message_uuid(char ret[IAM_UUID_LEN + 1])
{
	unsigned char b[16];
	char *to = ret;

	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		return false;
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof b; i++)
		to += snprintf(to, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
	return true;
}

/* application/x-www-form-urlencoded, every byte that is not a letter or digit escaped:
 * a user-made key may hold anything. */
static bool append(struct secret *form, const char *name, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	if ((form->len > 0 && !secret_append(form, "&", 1)) ||
	    !secret_append(form, name, strlen(name)) || !secret_append(form, "=", 1))
		return false;
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;
		const char escaped[3] = { '%', hex[c >> 4], hex[c & 15] };
		bool as_is = strchr(plain, c) != NULL;

		if (!secret_append(form, as_is ? value : escaped, as_is ? 1 : 3))
			return false;
	}
	return true;
}

bool iam_message_form(const struct config *config, const char *api_key, struct secret *form)
{
	return secret_init(form, FORM_MAX) && append(form, "grant_type", API_KEY_GRANT) &&
	       append(form, "apikey", api_key) && append(form, "response_type", "cloud_iam") &&
	       (!config->scope || append(form, "scope", config->scope));
}

/* "ibm-cloud-tenant: id,id": IAM then issues a token only for one of our accounts.  Those
 * that do not fit are left out, with all others: the token's account is checked anyway. */
static void make_tenants(const struct config *config, char line[TENANTS_MAX])
{
	size_t len = (size_t)snprintf(line, TENANTS_MAX, "ibm-cloud-tenant: ");

	for (size_t i = 0; i < config_list_len(config->accounts); i++) {
		len += (size_t)snprintf(line + len, TENANTS_MAX - len, "%s%s", i > 0 ? "," : "",
					config_list_get(config->accounts, i));
		if (len >= TENANTS_MAX) {
			line[0] = '\0';
			return;
		}
	}
}

static bool add(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = line[0] ? curl_slist_append(*list, line) : *list;

	if (longer)
		*list = longer;
	return longer != NULL;
}

struct curl_slist *iam_message_headers(const struct config *config, const char *correlation_id)
{
	struct curl_slist *list = NULL;
	char correlation[IAM_UUID_LEN + 32], tenants[TENANTS_MAX];

	(void)snprintf(correlation, sizeof correlation, "X-Correlation-ID: %s", correlation_id);
	make_tenants(config, tenants);
	if (add(&list, "Content-Type: application/x-www-form-urlencoded") &&
	    add(&list, "Accept: application/json") && add(&list, "Expect:") &&
	    add(&list, correlation) && add(&list, tenants))
		return list;
	curl_slist_free_all(list);
	return NULL;
}
