/* What pam_ibmiam must not be: a module that calls libcurl inside its host.  With it the
 * tests show that their traps are real.  Arguments: the URL, the folder of CAs. */
#include <curl/curl.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdlib.h>
#include <string.h>

static size_t discard(char *data, size_t size, size_t n, void *user)
{
	(void)data;
	(void)user;
	return size * n;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	static const char grant[] = "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey=";
	char *key = NULL, form[2048];
	long status = 0;
	CURL *curl = curl_easy_init();

	(void)flags;
	if (argc < 2 || pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &key, "Key: ") != PAM_SUCCESS || !key)
		return PAM_AUTH_ERR;
	snprintf(form, sizeof form, "%s%s", grant, key);
	curl_easy_setopt(curl, CURLOPT_URL, argv[0]);
	curl_easy_setopt(curl, CURLOPT_CAPATH, argv[1]);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 1000L);
	curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	free(key);
	return status == 200 ? PAM_SUCCESS : PAM_AUTH_ERR;
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}
