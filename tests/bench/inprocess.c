/*
 * For comparison: about the least that a module does which calls libcurl and cJSON inside its
 * host.  It asks for the key, exchanges it, and compares the token's iam_id.  No limits, no
 * wiping, no export: do not use it (tests/hosts/sandbox.t shows what it lets a user do).
 *
 *   auth required inprocess.so URL IAM_ID [FOLDER_OF_CAS]
 */
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct body {
	char text[65536];
	size_t len;
};

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct body *body = user;

	if (size * n >= sizeof body->text - body->len)
		return 0;
	memcpy(body->text + body->len, data, size * n);
	body->len += size * n;
	body->text[body->len] = '\0';
	return size * n;
}

static bool post(const char *url, const char *folder, const char *key, struct body *ret)
{
	CURL *curl = curl_easy_init();
	char *escaped = curl_easy_escape(curl, key, 0), form[2048];
	long status = 0;

	snprintf(form, sizeof form, "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey=%s&"
		 "response_type=cloud_iam", escaped);
	curl_free(escaped);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (folder) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(curl, CURLOPT_CAPATH, folder);
	}
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
	curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	return status == 200;
}

/* base64url, up to the dot. */
static void decode(const char *in, char *out, size_t max)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	const char *digit;
	size_t len = 0;

	for (int have = 0; *in && (digit = strchr(digits, *in)) && len + 1 < max; in++) {
		bits = bits << 6 | (uint32_t)(digit - digits);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		out[len++] = (char)(bits >> have);
	}
	out[len] = '\0';
}

static bool is_of(const char *answer, const char *iam_id)
{
	cJSON *json = cJSON_Parse(answer), *claims;
	const char *token = cJSON_GetStringValue(cJSON_GetObjectItem(json, "access_token"));
	const char *payload = token ? strchr(token, '.') : NULL, *found;
	char text[16384];
	bool ok;

	decode(payload ? payload + 1 : "", text, sizeof text);
	claims = cJSON_Parse(text);
	found = cJSON_GetStringValue(cJSON_GetObjectItem(claims, "iam_id"));
	ok = found && strcmp(found, iam_id) == 0;
	cJSON_Delete(claims);
	cJSON_Delete(json);
	return ok;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv);
int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv);

__attribute__((visibility("default"))) int
pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct body *body = calloc(1, sizeof *body);
	char *key = NULL;
	bool ok;

	(void)flags;
	ok = body && argc >= 2 && pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &key, "Key: ") == PAM_SUCCESS &&
	     key && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	if (ok) {
		ok = post(argv[0], argc > 2 ? argv[2] : NULL, key, body) && is_of(body->text, argv[1]);
		curl_global_cleanup();
	}
	free(key);
	free(body);
	return ok ? PAM_SUCCESS : PAM_AUTH_ERR;
}

__attribute__((visibility("default"))) int
pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}
