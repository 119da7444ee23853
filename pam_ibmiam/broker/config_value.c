/* Checks of single values.  See config_value.h. */
#include "config_value.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config_identifier.h"
#include "config_network.h"
#include "environment.h"
#include "gate.h"

enum { VALUE_MAX = 1024, TITLE_MAX = 200 };

static bool has_scheme(CURLU *url, const char *scheme)
{
	char *text = NULL;
	bool same = curl_url_get(url, CURLUPART_SCHEME, &text, 0) == CURLUE_OK &&
		    strcmp(text, scheme) == 0;

	curl_free(text);
	return same;
}

/* curl's default for a proxy, 1080, is hardly ever meant. */
static bool has_port(CURLU *url)
{
	char *text = NULL;
	bool found = curl_url_get(url, CURLUPART_PORT, &text, 0) == CURLUE_OK;

	curl_free(text);
	return found;
}

static bool has_capital(const char *host)
{
	return strcspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") < strcspn(host, "/");
}

static const char *check_endpoint(const char *value)
{
	static const char expected[] =
		"expects https://HOST in lower case, without user, query or fragment";
	const char *fault = NULL;
	CURLU *url = curl_url();

	if (!url)
		return "cannot be checked: out of memory";
	/* Lower case, because the issuer in a token is compared with it. */
	if (strncmp(value, "https://", 8) != 0 || has_capital(value + 8) || value[8] == '/' ||
	    strpbrk(value, " @?#") || curl_url_set(url, CURLUPART_URL, value, 0) != CURLUE_OK)
		fault = expected;
	curl_url_cleanup(url);
	return fault;
}

static const char *check_proxy(const char *value)
{
	const char *fault = NULL;
	CURLU *url = curl_url();

	if (!url)
		return "cannot be checked: out of memory";
	if (strchr(value, ' ') || curl_url_set(url, CURLUPART_URL, value, 0) != CURLUE_OK ||
	    !(has_scheme(url, "http") || has_scheme(url, "https")) || !has_port(url))
		fault = "expects http://HOST:PORT or https://HOST:PORT";
	curl_url_cleanup(url);
	return fault;
}

static const char *check_client_id(const char *value)
{
	/* RFC 7617: the user-id of Basic authentication cannot hold a colon. */
	return strchr(value, ':') ? "may not hold a colon" : NULL;
}

static const char *check_ca_file(const char *value)
{
	struct stat st;

	if (value[0] != '/')
		return "expects an absolute path";
	return stat(value, &st) == 0 && S_ISREG(st.st_mode) ? NULL : "is not a file";
}

static const char *check_ca_path(const char *value)
{
	struct stat st;

	if (value[0] != '/')
		return "expects an absolute path";
	return stat(value, &st) == 0 && S_ISDIR(st.st_mode) ? NULL : "is not a folder";
}

static const char *check_service(const char *value)
{
	for (const char *p = value; *p; p++)
		if (*p <= ' ' || *p == '/' || *p == '*' || *p > '~' || (*p >= 'A' && *p <= 'Z'))
			return "expects the name of a file in /etc/pam.d, in lower case";
	return strlen(value) > TITLE_MAX ? "is over 200 bytes" : NULL;
}

/* As a block's title: "*" is the block for services without one. */
static const char *check_service_title(const char *value)
{
	return strcmp(value, "*") == 0 ? NULL : check_service(value);
}

static const char *check_path(const char *value)
{
	return value[0] == '/' ? NULL : "expects an absolute path";
}

static const char *check_user(const char *value)
{
	for (const char *p = value; *p; p++)
		if (*p == ' ' || *p == ':' || *p == '/' || *p == '*')
			return "expects the name of a local user; there are no patterns";
	return strlen(value) > TITLE_MAX ? "is over 200 bytes" : NULL;
}

static const struct {
	const char *key;
	const char *(*check)(const char *value);
} checks[] = {
	{ "endpoint", check_endpoint },
	{ "accounts", config_identifier_account_fault },
	{ "environment", environment_fault },
	{ "client_id", check_client_id },
	{ "ca_file", check_ca_file },
	{ "ca_path", check_ca_path },
	{ "proxy", check_proxy },
	{ "iam_ids", config_identifier_iam_id_fault },
	{ "trusted_profile", config_identifier_profile_fault },
	{ "access_groups", config_identifier_group_fault },
	{ "directory_key_file", check_path },
	{ "networks", config_network_fault },
	{ "users", check_user },
	{ "services", check_service },
	{ "user", check_user },
	{ "service", check_service_title },
	{ "email_domain", config_identifier_domain_fault },
};

const char *config_value_fault(const char *key, const char *value)
{
	if (!value[0])
		return "is empty";
	if (strlen(value) > VALUE_MAX)
		return "is over 1024 bytes";
	if (!gate_printable(value, NULL))
		return "holds control characters or is not UTF-8";
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
		if (strcmp(checks[i].key, key) == 0)
			return checks[i].check(value);
	return NULL;
}

int config_value_number(const char *text, uint32_t max, uint32_t *ret)
{
	uint64_t n = 0;

	if (!text[0] || strlen(text) > 10)
		return -1;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return -1;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	if (n > max)
		return -1;
	*ret = (uint32_t)n;
	return 0;
}

char *config_value_endpoint(const char *value)
{
	static const char path[] = "/identity/token";
	char *base = strdup(value);
	size_t len = base ? strlen(base) : 0;

	while (len > 0 && base[len - 1] == '/')
		len--;
	/* Not if that would leave no host: "identity" may be one. */
	if (len >= sizeof "https://h" - 1 + sizeof path - 1 &&
	    memcmp(base + len - (sizeof path - 1), path, sizeof path - 1) == 0)
		len -= sizeof path - 1;
	while (len > 0 && base[len - 1] == '/')
		len--;
	if (base)
		base[len] = '\0';
	return base;
}
