/* See curlpost.h. */
#include "curlpost.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct curl_body *body = user;

	if (size * n >= sizeof body->text - body->len)
		return 0;
	memcpy(body->text + body->len, data, size * n);
	body->len += size * n;
	body->text[body->len] = '\0';
	return size * n;
}

static bool post(const char *url, const char *folder, const char *key, struct curl_body *ret)
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

bool curl_post(const char *url, const char *folder, const char *key, struct curl_body *ret)
{
	bool ok;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return false;
	ok = post(url, folder, key, ret);
	curl_global_cleanup();
	return ok;
}
