/* Options of libcurl.  See iam_transport.h. */
#include "iam_transport.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "iam_socket.h"
#include "iam_trace.h"

#ifndef IBMIAM_VERSION
#define IBMIAM_VERSION "0"
#endif

#define SYSTEM_CA_PATH "/etc/ssl/certs"

enum { CONNECTION_MAX_S = 600 /* IAM's address may have changed, and its buffers hold what has been */ };

static bool has_hashed_certificates(const char *path)
{
	bool found = false;
	DIR *dir = opendir(path);
	const struct dirent *d;

	while (dir && !found && (d = readdir(dir)) != NULL) {
		size_t len = strlen(d->d_name);

		found = len > 2 && strcmp(d->d_name + len - 2, ".0") == 0;
	}
	if (dir)
		(void)closedir(dir);
	return found;
}

const char *iam_transport_system_ca_path(void)
{
	return has_hashed_certificates(SYSTEM_CA_PATH) ? SYSTEM_CA_PATH : NULL;
}

#define SET(option, value)                                               \
	do {                                                             \
		CURLcode set_rc = curl_easy_setopt(easy, option, value); \
		if (set_rc != CURLE_OK)                                  \
			return set_rc;                                   \
	} while (0)

/* NULL takes libcurl's bundle away, for the proxy as for IAM. */
static CURLcode set_trust(CURL *easy, const struct config *c, const char *system_ca_path)
{
	const char *path = c->ca_path || c->ca_file ? c->ca_path : system_ca_path;

	if (!path && !c->ca_file)
		return CURLE_OK; /* libcurl's built-in bundle */
	SET(CURLOPT_CAINFO, c->ca_file);
	SET(CURLOPT_CAPATH, path);
	SET(CURLOPT_PROXY_CAINFO, c->ca_file);
	SET(CURLOPT_PROXY_CAPATH, path);
	return CURLE_OK;
}

/* OpenSSL's, where libcurl was built with that: it is then in this process anyway. */
extern uint64_t SSL_CTX_set_options(void *ctx, uint64_t options) __attribute__((weak));

/* OpenSSL keeps the last record that it decrypted, the one with the token: have it wiped
 * (SSL_CTX_set_options(3), SSL_OP_CLEANSE_PLAINTEXT).  user is the trace, where one is wanted. */
static CURLcode wipe_plaintext(CURL *easy, void *ctx, void *user)
{
	enum { CLEANSE_PLAINTEXT = 2 };

	(void)easy;
	iam_socket_progress();
	if (user)
		iam_trace_tls_begins(user);
	if (SSL_CTX_set_options)
		(void)SSL_CTX_set_options(ctx, CLEANSE_PLAINTEXT);
	return CURLE_OK;
}

CURLcode iam_transport_set(CURL *easy, const struct config *c, const char *system_ca_path)
{
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_PROXY, c->proxy ? c->proxy : ""); /* "": not from the environment either */
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver that does not answer */
	SET(CURLOPT_PIPEWAIT, 1L);   /* share one HTTP/2 connection rather than open many */
	SET(CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_MAX_S);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_USERAGENT, "pam_ibmiam/" IBMIAM_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, wipe_plaintext); /* OpenSSL only */
	if (iam_socket_set(easy) != CURLE_OK)
		return CURLE_FAILED_INIT;
	return set_trust(easy, c, system_ca_path);
}

/* The port in a URL that the configuration has already accepted. */
static uint16_t port_of(const char *url)
{
	CURLU *u = curl_url();
	char *text = NULL;
	uint16_t port = 0;

	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &text, CURLU_DEFAULT_PORT) == CURLUE_OK)
		port = (uint16_t)strtoul(text, NULL, 10);
	curl_free(text);
	curl_url_cleanup(u);
	return port;
}

struct sandbox_needs iam_transport_needs(const struct config *config)
{
	return (struct sandbox_needs){
		.read = { [SANDBOX_CA_FILE] = config->ca_file, [SANDBOX_CA_PATH] = config->ca_path },
		.port = port_of(config->proxy ? config->proxy : config->endpoint),
	};
}
