/*
 * For comparison: about the least that a module does which calls libcurl and cJSON inside its
 * host.  It asks for the key, exchanges it, and compares the token's iam_id.  No limits, no
 * wiping, no export: do not use it (tests/hosts/sandbox.t shows what it lets a user do).
 *
 *   auth required inprocess.so URL IAM_ID [FOLDER_OF_CAS]
 */
#include <cjson/cJSON.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "curlpost.h"

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
	struct curl_body *body = calloc(1, sizeof *body);
	char *key = NULL;
	bool ok;

	(void)flags;
	ok = body && argc >= 2 && pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &key, "Key: ") == PAM_SUCCESS &&
	     key && curl_post(argv[0], argc > 2 ? argv[2] : NULL, key, body) && is_of(body->text, argv[1]);
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
