/* HTTPS with libcurl.  See iam.h. */
#include "iam.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "deadline.h"
#include "iam_message.h"

#ifndef IBMIAM_VERSION
#define IBMIAM_VERSION "0"
#endif

#define SYSTEM_CA_PATH "/etc/ssl/certs"

enum {
	HEADERS_MAX = 64 * 1024, /* bytes; libcurl keeps them all */
	RETRY_PAUSE_MIN_MS = 100, /* before the retry of a 5xx; up to three times as long, */
	RETRY_PAUSE_SPREAD_MS = 200, /* so that many hosts do not come back in step */
	RETRY_NEEDS_MS = 300,        /* a retry with less time than this is not begun */
	RETRY_AFTER_MAX_S = 60,      /* no login has longer */
};

struct exchange {
	const struct config *config;
	struct iam_answer *answer;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	struct secret form;
	int host_fd;
	int64_t deadline_ms;
	size_t header_len; /* bytes of all headers so far */
	bool too_long;
	char error[CURL_ERROR_SIZE];
	char url[2048];
};

static uint32_t random_u32(void)
{
	uint32_t r = 0;

	/* Only spreads retries: without randomness they are merely not spread. */
	return getrandom(&r, sizeof r, 0) == (ssize_t)sizeof r ? r : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct exchange *x = user;
	bool fits = x->answer->body.len + size * n <= IAM_BODY_MAX &&
		    secret_append(&x->answer->body, data, size * n);

	explicit_bzero(data, size * n); /* libcurl's own copy of the token */
	x->too_long = x->too_long || !fits;
	return fits ? size * n : 0;
}

/* Keeps IAM's name for the exchange, if it is one plain word. */
static size_t on_header(char *data, size_t size, size_t n, void *user)
{
	static const char name[] = "transaction-id:";
	struct exchange *x = user;
	size_t len = size * n, pos = sizeof name - 1, out = 0;

	x->header_len += len;
	if (x->header_len > HEADERS_MAX) {
		x->too_long = true;
		return 0;
	}
	if (len < pos || strncasecmp(data, name, pos) != 0)
		return len;
	while (pos < len && data[pos] == ' ')
		pos++;
	for (; pos < len && out < IAM_HEADER_ID_MAX && data[pos] > ' ' && data[pos] <= '~'; pos++)
		x->answer->transaction_id[out++] = data[pos];
	x->answer->transaction_id[out] = '\0';
	return len;
}

/* A folder of hashed certificates is read one by one as needed; the bundle is parsed
 * whole at each login and costs more than all the rest of it. */
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

static CURLcode set_trust(struct exchange *x)
{
	const struct config *c = x->config;
	CURLcode rc = CURLE_OK;

	if (!c->ca_file && !c->ca_path && !has_hashed_certificates(SYSTEM_CA_PATH))
		return CURLE_OK; /* libcurl's built-in bundle */
	rc = curl_easy_setopt(x->easy, CURLOPT_CAINFO, c->ca_file);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(x->easy, CURLOPT_CAPATH,
				      c->ca_path ? c->ca_path : c->ca_file ? NULL : SYSTEM_CA_PATH);
	return rc;
}

/* OpenSSL's, where libcurl was built with that: it is then in this process anyway. */
extern uint64_t SSL_CTX_set_options(void *ctx, uint64_t options) __attribute__((weak));

/* OpenSSL keeps the last record that it decrypted, the one with the token: have it wiped
 * (SSL_CTX_set_options(3), SSL_OP_CLEANSE_PLAINTEXT). */
static CURLcode wipe_plaintext(CURL *easy, void *ctx, void *user)
{
	enum { CLEANSE_PLAINTEXT = 2 };

	(void)easy;
	(void)user;
	if (SSL_CTX_set_options)
		(void)SSL_CTX_set_options(ctx, CLEANSE_PLAINTEXT);
	return CURLE_OK;
}

#define SET(option, value)                                                  \
	do {                                                                \
		CURLcode set_rc = curl_easy_setopt(x->easy, option, value); \
		if (set_rc != CURLE_OK)                                     \
			return set_rc;                                      \
	} while (0)

static CURLcode configure(struct exchange *x)
{
	const struct config *c = x->config;

	SET(CURLOPT_URL, x->url);
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_PROXY, c->proxy ? c->proxy : ""); /* "": not from the environment either */
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver that does not answer */
	SET(CURLOPT_USERAGENT, "pam_ibmiam/" IBMIAM_VERSION);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDS, x->form.data); /* not copied */
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->form.len);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, x);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, x);
	SET(CURLOPT_ERRORBUFFER, x->error);
	if (c->client_id) {
		SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		SET(CURLOPT_USERNAME, c->client_id);
		SET(CURLOPT_PASSWORD, c->client_secret);
	}
	(void)curl_easy_setopt(x->easy, CURLOPT_SSL_CTX_FUNCTION, wipe_plaintext); /* OpenSSL only */
	return set_trust(x);
}

/* What differs from one request to the next. */
static CURLcode prepare(struct exchange *x)
{
	long left = deadline_left_ms(x->deadline_ms);

	curl_slist_free_all(x->headers);
	x->headers = NULL;
	if (iam_message_uuid(x->answer->correlation_id))
		x->headers = iam_message_headers(x->config, x->answer->correlation_id);
	if (!x->headers)
		return CURLE_OUT_OF_MEMORY;
	x->answer->http_status = 0;
	x->answer->transaction_id[0] = '\0';
	secret_clear(&x->answer->body);
	x->error[0] = '\0';
	x->header_len = 0;
	if (left == 0)
		return CURLE_OPERATION_TIMEDOUT;
	SET(CURLOPT_HTTPHEADER, x->headers);
	SET(CURLOPT_TIMEOUT_MS, left);
	SET(CURLOPT_CONNECTTIMEOUT_MS, left);
	return CURLE_OK;
}

static bool host_is_gone(const struct exchange *x)
{
	struct pollfd p = { .fd = x->host_fd };

	return x->host_fd >= 0 && poll(&p, 1, 0) > 0;
}

/* Runs the prepared request to its end, to the deadline, or until the host is gone. */
static CURLcode drive(struct exchange *x)
{
	struct curl_waitfd host = { .fd = x->host_fd };
	CURLcode rc = CURLE_OPERATION_TIMEDOUT;
	const CURLMsg *done;
	int running = 1, left;

	if (curl_multi_add_handle(x->multi, x->easy) != CURLM_OK)
		return CURLE_OUT_OF_MEMORY;
	while (running && !host_is_gone(x) && (left = deadline_left_ms(x->deadline_ms)) > 0) {
		if (curl_multi_perform(x->multi, &running) != CURLM_OK)
			break;
		if (running && curl_multi_poll(x->multi, &host, x->host_fd >= 0, left, NULL) != CURLM_OK)
			break;
	}
	if (!running) {
		done = curl_multi_info_read(x->multi, &running);
		if (done && done->msg == CURLMSG_DONE)
			rc = done->data.result;
	}
	(void)curl_multi_remove_handle(x->multi, x->easy);
	return rc;
}

static bool was_reset(const struct exchange *x, CURLcode rc)
{
	long os_errno = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os_errno);
	return !x->too_long && (rc == CURLE_SEND_ERROR || rc == CURLE_RECV_ERROR ||
				rc == CURLE_GOT_NOTHING || rc == CURLE_HTTP2 ||
				rc == CURLE_HTTP2_STREAM ||
				(rc == CURLE_SSL_CONNECT_ERROR && os_errno == ECONNRESET));
}

/* How long to pause before one more try, or -1 for none. */
static int retry_pause_ms(const struct exchange *x, CURLcode rc)
{
	long status = x->answer->http_status;
	curl_off_t after = 0;
	int64_t pause;

	if (rc != CURLE_OK)
		return was_reset(x, rc) ? 0 : -1;
	if (status != 429 && (status < 500 || status == 501))
		return -1;
	(void)curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &after); /* seconds or a date */
	if (after < 0) /* a date that has passed */
		after = 0;
	if (status == 429 && after == 0)
		return -1;
	if (after > RETRY_AFTER_MAX_S)
		return -1;
	pause = after * 1000 + RETRY_PAUSE_MIN_MS + random_u32() % RETRY_PAUSE_SPREAD_MS;
	return pause + RETRY_NEEDS_MS <= deadline_left_ms(x->deadline_ms) ? (int)pause : -1;
}

static CURLcode request_once(struct exchange *x)
{
	CURLcode rc = prepare(x);

	if (rc == CURLE_OK)
		rc = drive(x);
	if (rc == CURLE_OK)
		(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->answer->http_status);
	return rc;
}

static CURLcode request(struct exchange *x)
{
	CURLcode rc = request_once(x);
	int pause_ms = retry_pause_ms(x, rc);
	struct pollfd host = { .fd = x->host_fd };

	if (pause_ms < 0)
		return rc;
	(void)poll(&host, 1, pause_ms); /* ends early when the host is gone */
	return request_once(x);
}

/* Says for the log why there is no answer. */
static void explain(struct exchange *x, CURLcode rc)
{
	struct iam_answer *a = x->answer;
	const char *detail = x->error[0] ? x->error : curl_easy_strerror(rc);

	a->fault_result = IBMIAM_UNAVAILABLE;
	if (rc == CURLE_SSL_CACERT_BADFILE)
		a->fault_result = IBMIAM_CONFIG_ERROR;
	else if (rc == CURLE_FAILED_INIT || (rc == CURLE_OUT_OF_MEMORY && !x->header_len))
		a->fault_result = IBMIAM_BROKER_ERROR; /* this host's own trouble */
	if (x->too_long)
		(void)snprintf(a->fault, sizeof a->fault, "the answer of %.200s is over 64 KiB",
			       x->config->endpoint);
	else if (rc == CURLE_OUT_OF_MEMORY)
		(void)snprintf(a->fault, sizeof a->fault,
			       "libcurl has no memory for the answer of %.200s, or met a header that "
			       "is too long", x->config->endpoint);
	else if (rc == CURLE_OPERATION_TIMEDOUT)
		(void)snprintf(a->fault, sizeof a->fault, "no answer from %.200s in time",
			       x->config->endpoint);
	else
		(void)snprintf(a->fault, sizeof a->fault, "no answer from %.200s: %.180s (curl %d)",
			       x->config->endpoint, detail, (int)rc);
}

bool iam_request_token(const struct config *config, const char *api_key, int host_fd,
		       int64_t deadline_ms, struct iam_answer *ret)
{
	struct exchange exchange = { .config = config, .answer = ret, .host_fd = host_fd,
				     .deadline_ms = deadline_ms };
	struct exchange *x = &exchange;
	CURLcode rc = CURLE_OUT_OF_MEMORY;

	*ret = (struct iam_answer){ 0 };
	(void)snprintf(x->url, sizeof x->url, "%s/identity/token", config->endpoint);
	x->multi = curl_multi_init();
	x->easy = curl_easy_init();
	if (x->multi && x->easy && secret_init(&ret->body, IAM_BODY_MAX) &&
	    iam_message_form(config, api_key, &x->form))
		rc = configure(x);
	if (rc == CURLE_OK)
		rc = request(x);
	if (rc != CURLE_OK)
		explain(x, rc);
	curl_easy_cleanup(x->easy);
	(void)curl_multi_cleanup(x->multi);
	curl_slist_free_all(x->headers);
	secret_free(&x->form);
	return rc == CURLE_OK;
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

struct sandbox_needs iam_needs(const struct config *config)
{
	return (struct sandbox_needs){
		.read = { config->ca_file, config->ca_path },
		.port = { port_of(config->proxy ? config->proxy : config->endpoint) },
	};
}

void iam_answer_free(struct iam_answer *answer)
{
	secret_free(&answer->body);
	*answer = (struct iam_answer){ 0 };
}
