/* Hints by libcurl's and OpenSSL's codes.  See explain_hint.h. */
#include "explain_hint.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TEXT_MAX = 512 };

/* openssl-verification-options(1); the numbers are part of OpenSSL's interface. */
enum {
	OTHER_NAME = 1, /* libcurl's: the name does not fit, so no more was looked at */
	NOT_YET_VALID = 9,
	HAS_EXPIRED = 10,
	SELF_SIGNED = 18,
	SELF_SIGNED_CHAIN = 19,
	NO_LOCAL_ISSUER = 20,
	NO_LEAF_SIGNATURE = 21,
	ANY = -1
};

/* In whom the configuration trusts, in words. */
static const char *trusted(const struct config *c)
{
	return c->ca_file ? c->ca_file : c->ca_path ? c->ca_path : "/etc/ssl/certs";
}

static void clock_text(char to[TEXT_MAX], const struct config *c)
{
	time_t now = time(NULL);
	char words[32] = "?";
	struct tm tm;

	(void)c;
	if (gmtime_r(&now, &tm))
		(void)strftime(words, sizeof words, "%Y-%m-%d %H:%M UTC", &tm);
	(void)snprintf(to, TEXT_MAX,
		       "the certificate's time has not come or is over, by this host's clock, "
		       "which says %s; is this host's clock right? (timedatectl)",
		       words);
}

static void issuer_text(char to[TEXT_MAX], const struct config *c)
{
	(void)snprintf(to, TEXT_MAX,
		       "the certificate is by no CA in %.200s; the package ca-certificates has the "
		       "public ones (update-ca-certificates); a proxy that speaks or opens TLS, or "
		       "a server of your own, needs its CA in ca_file or ca_path",
		       trusted(c));
}

static void name_text(char to[TEXT_MAX], const struct config *c)
{
	(void)snprintf(to, TEXT_MAX,
		       "somebody else answers in IAM's place: does getent ahosts give the right "
		       "address for the name in endpoint = \"%.100s\", or does a proxy open TLS?",
		       c->endpoint);
}

static void no_tls_text(char to[TEXT_MAX], const struct config *c)
{
	(void)snprintf(to, TEXT_MAX,
		       "nobody answers as IAM does, in TLS 1.2 or newer: %s",
		       c->proxy ? "does the proxy let TLS to IAM pass? Where ca_file is the CA of "
				  "the proxy alone, ca_path = \"/etc/ssl/certs\" adds IAM's"
				: "a firewall may want connections to go through a proxy (set "
				  "proxy in the configuration), or is the port in endpoint wrong?");
}

static void proxy_name_text(char to[TEXT_MAX], const struct config *c)
{
	(void)c;
	(void)snprintf(to, TEXT_MAX, "the proxy's certificate is for another name than the one in proxy");
}

static void proxy_text(char to[TEXT_MAX], const struct config *c)
{
	(void)c;
	(void)snprintf(to, TEXT_MAX,
		       "somebody answers at the address in proxy, but not as such a proxy: are its "
		       "port and http:// or https:// right?");
}

static void answer_text(char to[TEXT_MAX], const struct config *c)
{
	(void)c;
	(void)snprintf(to, TEXT_MAX,
		       "the connection stands, and the answer does not come: IAM is slow or down "
		       "(https://cloud.ibm.com/status)");
}

static void too_many_text(char to[TEXT_MAX], const struct config *c)
{
	(void)c;
	(void)snprintf(to, TEXT_MAX,
		       "wait a minute; if it stays so, something on this host, or behind the same "
		       "address, asks IAM for tokens all the time");
}

static void bad_file_text(char to[TEXT_MAX], const struct config *c)
{
	(void)snprintf(to, TEXT_MAX,
		       "the CA certificates (%.200s) cannot be read: is %s right, and the package "
		       "ca-certificates installed?",
		       trusted(c), c->ca_file ? "ca_file" : "ca_path");
}

static void dns_text(char to[TEXT_MAX], const struct config *c)
{
	(void)snprintf(to, TEXT_MAX,
		       "is the name right in %s = \"%.100s\", and does getent ahosts know it?",
		       c->proxy ? "proxy" : "endpoint", c->proxy ? "..." : c->endpoint);
}

static void slow_dns_text(char to[TEXT_MAX], const struct config *c)
{
	(void)c;
	(void)snprintf(to, TEXT_MAX,
		       "the name server does not answer in time; where there is another, \"options "
		       "timeout:1 attempts:2\" in /etc/resolv.conf lets it help");
}

static void connect_text(char to[TEXT_MAX], const struct config *c)
{
	(void)snprintf(to, TEXT_MAX, "%s",
		       c->proxy ? "nobody answers at the address in proxy: is its port right, does "
				  "it run?"
				: "a firewall may want connections to go through a proxy: set "
				  "proxy in the configuration");
}

static void refused_text(char to[TEXT_MAX], const struct config *c)
{
	(void)snprintf(to, TEXT_MAX,
		       "the proxy does not let this host reach %.200s: it must allow CONNECT to it "
		       "(407: it wants a name and password, http://NAME:PASSWORD@HOST:PORT)",
		       c->endpoint);
}

static const struct {
	CURLcode code;
	int verify;
	void (*text)(char to[TEXT_MAX], const struct config *c);
	bool at_proxy; /* only while its answer to CONNECT is missing */
} hints[] = {
	{ CURLE_PEER_FAILED_VERIFICATION, OTHER_NAME, proxy_name_text, true },
	{ CURLE_SSL_CONNECT_ERROR, ANY, proxy_text, true },
	{ CURLE_PEER_FAILED_VERIFICATION, OTHER_NAME, name_text, false },
	{ CURLE_PEER_FAILED_VERIFICATION, NOT_YET_VALID, clock_text, false },
	{ CURLE_PEER_FAILED_VERIFICATION, HAS_EXPIRED, clock_text, false },
	{ CURLE_PEER_FAILED_VERIFICATION, SELF_SIGNED, issuer_text, false },
	{ CURLE_PEER_FAILED_VERIFICATION, SELF_SIGNED_CHAIN, issuer_text, false },
	{ CURLE_PEER_FAILED_VERIFICATION, NO_LOCAL_ISSUER, issuer_text, false },
	{ CURLE_PEER_FAILED_VERIFICATION, NO_LEAF_SIGNATURE, issuer_text, false },
	{ CURLE_SSL_CACERT_BADFILE, ANY, bad_file_text, false },
	{ CURLE_SSL_CONNECT_ERROR, ANY, no_tls_text, false },
	{ CURLE_COULDNT_RESOLVE_HOST, ANY, dns_text, false },
	{ CURLE_COULDNT_RESOLVE_PROXY, ANY, dns_text, false },
	{ CURLE_COULDNT_CONNECT, ANY, connect_text, false },
};

/* Who is too late? */
static void timeout_text(char to[TEXT_MAX], const struct iam_trace *t, const struct config *c)
{
	if (t->dns_us == 0)
		slow_dns_text(to, c);
	else if (t->tcp_us == 0 && !t->tls_begun)
		connect_text(to, c);
	else if (c->proxy && t->connect_status == 0)
		proxy_text(to, c);
	else if (t->tls_us == 0)
		no_tls_text(to, c);
	else
		answer_text(to, c);
}

bool explain_hint_put(struct secret *out, const struct explain_exchange *x,
		      const struct decision *d)
{
	char line[TEXT_MAX + 16], text[TEXT_MAX] = "";
	const struct iam_trace *t = &x->trace;
	bool at_proxy = d->config->proxy && t->connect_status == 0;
	int n;

	if (t->connect_status >= 300)
		refused_text(text, d->config);
	if (t->curl_code == CURLE_OPERATION_TIMEDOUT)
		timeout_text(text, t, d->config);
	if (x->http_status == 429)
		too_many_text(text, d->config);
	for (size_t i = 0; i < sizeof hints / sizeof hints[0] && !text[0]; i++)
		if ((int)hints[i].code == t->curl_code && (at_proxy || !hints[i].at_proxy) &&
		    (hints[i].verify == ANY || hints[i].verify == t->verify))
			hints[i].text(text, d->config);
	if (!text[0])
		return true;
	n = snprintf(line, sizeof line, "hint hint 0 %s", text);
	return n > 0 && (size_t)n < sizeof line && secret_append(out, line, (size_t)n + 1);
}
