/* The words of a request.  See iam_message.h. */
#include "iam_message.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "token.h"

#define API_KEY_GRANT "urn:ibm:params:oauth:grant-type:apikey"
#define ASSUME_GRANT "urn:ibm:params:oauth:grant-type:assume"

enum {
	FORM_MAX = 16 * 1024,        /* bytes; a key of 4096, each byte escaped, fits */
	ASSUME_FORM_MAX = 64 * 1024, /* and a token of 16 KiB */
	TENANTS_MAX = 4096,          /* bytes of the ibm-cloud-tenant header */
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

bool iam_message_url(const struct config *config, const struct iam_question *q, char *ret,
		     size_t size)
{
	char *group, *iam_id;
	int len = -1;

	if (q->kind != IAM_MEMBERSHIP)
		return (size_t)snprintf(ret, size, "%s/identity/token", config->endpoint) < size;
	group = curl_easy_escape(NULL, q->group, 0);
	iam_id = curl_easy_escape(NULL, q->iam_id, 0);
	if (group && iam_id)
		len = snprintf(ret, size, "%s/v2/groups/%s/members/%s", config->endpoint, group, iam_id);
	curl_free(group);
	curl_free(iam_id);
	return len >= 0 && (size_t)len < size;
}

/* application/x-www-form-urlencoded, every byte that is not a letter or digit escaped:
 * a user-made key may hold anything.  A value that is not set is left out. */
static bool append(struct secret *form, const char *name, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	if (!value)
		return true;
	if ((form->len > 0 && !secret_append(form, "&", 1)) ||
	    !secret_append(form, name, strlen(name)) || !secret_append(form, "=", 1))
		return false;
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;
		const char escaped[3] = { '%', hex[c >> 4], hex[c & 15] };
		bool as_is = strchr(plain, c) != NULL;

		if (!secret_append(form, as_is ? value : escaped, as_is ? 1 : sizeof escaped))
			return false;
	}
	return true;
}

bool iam_message_form(const struct config *config, const struct iam_question *q, struct secret *form)
{
	if (!secret_init(form, q->kind == IAM_ASSUME ? ASSUME_FORM_MAX : FORM_MAX))
		return false;
	switch (q->kind) {
	case IAM_TOKEN:
		return append(form, "grant_type", API_KEY_GRANT) && append(form, "apikey", q->api_key) &&
		       append(form, "response_type", "cloud_iam") && append(form, "scope", config->scope);
	case IAM_ASSUME:
		return append(form, "grant_type", ASSUME_GRANT) &&
		       append(form, "access_token", q->access_token) &&
		       append(form, q->profile_field, q->profile) && append(form, "account", q->account);
	case IAM_MEMBERSHIP:
	case IAM_NOTHING:
		break;
	}
	return true;
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

static bool add_bearer(struct curl_slist **list, const char *token)
{
	static const char start[] = "Authorization: Bearer ";
	SECRET_AUTO(line);

	return secret_init(&line, sizeof start + TOKEN_MAX + 1) &&
	       secret_append(&line, start, sizeof start - 1) &&
	       secret_append(&line, token, strlen(token) + 1) && add(list, line.data);
}

struct curl_slist *iam_message_headers(const struct config *config, const struct iam_question *q,
				       const char *correlation_id)
{
	struct curl_slist *list = NULL;
	char correlation[IAM_UUID_LEN + 32], tenants[TENANTS_MAX] = "";
	bool ok;

	(void)snprintf(correlation, sizeof correlation, "X-Correlation-ID: %s", correlation_id);
	if (q->kind == IAM_TOKEN)
		make_tenants(config, tenants);
	ok = add(&list, "Accept: application/json") && add(&list, correlation);
	if (q->kind == IAM_MEMBERSHIP)
		ok = ok && add_bearer(&list, q->access_token);
	else
		ok = ok && add(&list, "Content-Type: application/x-www-form-urlencoded") &&
		     add(&list, "Expect:") && add(&list, tenants);
	if (ok)
		return list;
	curl_slist_free_all(list);
	return NULL;
}
