/* What libcurl knows of an exchange.  See iam_trace.h. */
#include "iam_trace.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* OpenSSL's, where libcurl was built with that; see iam_transport.c. */
extern const char *SSL_get_version(const void *ssl) __attribute__((weak));

bool iam_trace_want(struct iam_trace *trace, void *easy)
{
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, trace); /* OpenSSL only */
	return curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L) == CURLE_OK;
}

void iam_trace_tls_begins(struct iam_trace *trace)
{
	trace->tls_begun = true;
}

/* A certificate may say anything: only what can be printed is kept. */
static void copy_printable(char *to, size_t cap, const char *from)
{
	size_t n = 0;

	for (; *from && n + 1 < cap; from++) {
		to[n] = '?';
		if (*from >= ' ' && *from <= '~')
			to[n] = *from;
		n++;
	}
	to[n] = '\0';
}

void iam_trace_during(struct iam_trace *trace, void *easy)
{
	const struct curl_tlssessioninfo *session = NULL;

	if (trace->tls_version[0] || !SSL_get_version ||
	    curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || !session ||
	    session->backend != CURLSSLBACKEND_OPENSSL || !session->internals)
		return;
	copy_printable(trace->tls_version, sizeof trace->tls_version,
		       SSL_get_version(session->internals));
}

/* "NAME:VALUE", as libcurl gives the fields of a certificate. */
static const char *field(const struct curl_slist *fields, const char *name)
{
	size_t len = strlen(name);

	for (; fields; fields = fields->next)
		if (strncasecmp(fields->data, name, len) == 0 && fields->data[len] == ':')
			return fields->data + len + 1;
	return NULL;
}

static void note_certificate(struct iam_trace *trace, CURL *easy)
{
	const struct curl_certinfo *chain = NULL;
	const char *issuer, *expires;
	struct tm tm = { 0 };

	if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain ||
	    chain->num_of_certs < 1)
		return;
	issuer = field(chain->certinfo[0], "Issuer");
	expires = field(chain->certinfo[0], "Expire date");
	if (issuer)
		copy_printable(trace->issuer, sizeof trace->issuer, issuer);
	if (expires && strptime(expires, "%b %d %H:%M:%S %Y GMT", &tm))
		trace->not_after = timegm(&tm);
}

static int64_t time_of(CURL *easy, CURLINFO info)
{
	curl_off_t us = 0;

	return curl_easy_getinfo(easy, info, &us) == CURLE_OK ? us : 0;
}

static int number_of(CURL *easy, CURLINFO info)
{
	long n = 0;

	return curl_easy_getinfo(easy, info, &n) == CURLE_OK ? (int)n : 0;
}

void iam_trace_end(struct iam_trace *trace, void *easy, int curl_code)
{
	const char *address = NULL;

	trace->dns_us = time_of(easy, CURLINFO_NAMELOOKUP_TIME_T);
	trace->tcp_us = time_of(easy, CURLINFO_CONNECT_TIME_T);
	trace->tls_us = time_of(easy, CURLINFO_APPCONNECT_TIME_T);
	trace->total_us = time_of(easy, CURLINFO_TOTAL_TIME_T);
	trace->port = number_of(easy, CURLINFO_PRIMARY_PORT);
	trace->connect_status = number_of(easy, CURLINFO_HTTP_CONNECTCODE);
	trace->verify = number_of(easy, CURLINFO_SSL_VERIFYRESULT);
	if (!trace->verify) /* or it has not come to IAM's */
		trace->verify = number_of(easy, CURLINFO_PROXY_SSL_VERIFYRESULT);
	trace->curl_code = curl_code;
	trace->kept = curl_code == CURLE_OK && number_of(easy, CURLINFO_NUM_CONNECTS) == 0;
	if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address)
		(void)snprintf(trace->address, sizeof trace->address, "%s", address);
	note_certificate(trace, easy);
}
