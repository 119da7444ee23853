/* One transfer of libcurl's for an exchange.  See iam_try.h. */
#include "iam_try.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "deadline.h"
#include "iam_socket.h"
#include "iam_transport.h"

enum {
	HEADERS_MAX = 64 * 1024, /* bytes; libcurl keeps them all */
	PAUSE_MIN_MS = 100,      /* before the retry of a 5xx; up to three times as long */
	PAUSE_SPREAD_MS = 200,
	BACKSTOP_MS = 2000,      /* libcurl's own end, later than ours: it looks at the clock first */
	RETRY_AFTER_MAX_S = 300, /* what is believed: it keeps the whole host away from IAM */
};

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct iam_exchange *x = user;
	bool fits = x->answer->body.len + size * n <= IAM_BODY_MAX &&
		    secret_append(&x->answer->body, data, size * n);

	explicit_bzero(data, size * n); /* libcurl's own copy of the token */
	iam_socket_progress();
	x->too_long = x->too_long || !fits;
	return fits ? size * n : 0;
}

/* Keeps IAM's name for the exchange, if it is one plain word. */
static size_t on_header(char *data, size_t size, size_t n, void *user)
{
	static const char name[] = "transaction-id:";
	struct iam_exchange *x = user;
	size_t len = size * n, pos = sizeof name - 1, out = 0;

	if (x->question->explain)
		iam_trace_during(&x->answer->trace, x->easy);
	iam_socket_progress();
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

#define SET(option, value)                                                  \
	do {                                                                \
		CURLcode set_rc = curl_easy_setopt(x->easy, option, value); \
		if (set_rc != CURLE_OK)                                     \
			return set_rc;                                      \
	} while (0)

CURLcode iam_try_configure(struct iam_exchange *x)
{
	const struct config *c = x->config;

	SET(CURLOPT_URL, x->url);
	SET(CURLOPT_PRIVATE, x);
	SET(CURLOPT_OPENSOCKETDATA, &x->opened);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, x);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, x);
	SET(CURLOPT_ERRORBUFFER, x->error);
	if (x->question->kind == IAM_MEMBERSHIP) {
		SET(CURLOPT_NOBODY, 1L); /* HEAD */
	} else {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDS, x->form.data); /* not copied */
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->form.len);
	}
	if (c->client_id && x->question->kind == IAM_TOKEN) {
		SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		SET(CURLOPT_USERNAME, c->client_id);
		SET(CURLOPT_PASSWORD, c->client_secret);
	}
	if (x->question->explain && !iam_trace_want(&x->answer->trace, x->easy))
		return CURLE_OUT_OF_MEMORY;
	return iam_transport_set(x->easy, c, x->iam->system_ca_path);
}

static bool any_forsaken(const struct iam *iam)
{
	const struct iam_exchange *x;

	LIST_FOREACH(x, &iam->exchanges, link)
		if (x->forsaken)
			return true;
	return false;
}

CURLcode iam_try_begin(struct iam_exchange *x)
{
	long left = deadline_left_ms(x->deadline_ms);

	curl_slist_free_all(x->headers);
	x->headers = NULL;
	if (iam_message_uuid(x->answer->correlation_id))
		x->headers = iam_message_headers(x->config, x->question, x->answer->correlation_id);
	if (!x->headers)
		return CURLE_OUT_OF_MEMORY;
	x->answer->http_status = 0;
	x->answer->transaction_id[0] = '\0';
	x->answer->trace = (struct iam_trace){ 0 };
	secret_clear(&x->answer->body);
	x->error[0] = '\0';
	x->header_len = 0;
	x->opened = false;
	x->resume_ms = 0;
	x->begun_ms = deadline_now_ms();
	x->forsaken = x->alone;
	if (left == 0)
		return CURLE_OPERATION_TIMEDOUT;
	SET(CURLOPT_HTTPHEADER, x->headers);
	SET(CURLOPT_FORBID_REUSE, (long)x->alone);
	SET(CURLOPT_FRESH_CONNECT, (long)any_forsaken(x->iam));
	SET(CURLOPT_TIMEOUT_MS, left + BACKSTOP_MS);
	SET(CURLOPT_CONNECTTIMEOUT_MS, left + BACKSTOP_MS);
	return curl_multi_add_handle(x->iam->multi, x->easy) == CURLM_OK ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

int64_t iam_try_spread_ms(void)
{
	uint32_t r = 0;

	/* Without randomness they are merely not spread. */
	(void)!getrandom(&r, sizeof r, 0);
	return PAUSE_MIN_MS + r % PAUSE_SPREAD_MS;
}

/* Did the connection, or in HTTP/2 the stream, end before the answer did? */
static bool was_reset(const struct iam_exchange *x, CURLcode rc)
{
	long os_errno = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os_errno);
	return !x->too_long && (rc == CURLE_SEND_ERROR || rc == CURLE_RECV_ERROR ||
				rc == CURLE_GOT_NOTHING || rc == CURLE_PARTIAL_FILE ||
				rc == CURLE_HTTP2 || rc == CURLE_HTTP2_STREAM ||
				(rc == CURLE_SSL_CONNECT_ERROR && os_errno == ECONNRESET));
}

bool iam_try_lost_connection(CURLcode rc)
{
	return rc != CURLE_OK && rc != CURLE_HTTP2_STREAM;
}

int64_t iam_try_pause_ms(struct iam_exchange *x, CURLcode rc)
{
	long status = x->answer->http_status;
	curl_off_t after = 0;
	int64_t pause, until_ms;

	if (rc != CURLE_OK)
		return was_reset(x, rc) ? 0 : -1;
	if (status != 429 && (status < 500 || status == 501))
		return -1;
	(void)curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &after); /* seconds or a date */
	if (after < 0) /* a date that has passed */
		after = 0;
	if (after > RETRY_AFTER_MAX_S)
		after = RETRY_AFTER_MAX_S;
	until_ms = deadline_now_ms() + after * 1000;
	/* The answer to an older request does not shorten what a newer one has said. */
	if (status == 429 && x->iam->not_before_ms < until_ms)
		x->iam->not_before_ms = until_ms;
	if (status == 429 && after == 0)
		return -1;
	pause = after * 1000 + iam_try_spread_ms();
	return pause + IAM_TRY_NEEDS_MS <= deadline_left_ms(x->deadline_ms) ? pause : -1;
}

/* Whose su this is can forbid it threads, by a control group of his own, at any moment: no outage. */
static bool wants_thread(const struct iam_exchange *x, CURLcode rc)
{
	return (rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_RESOLVE_PROXY) &&
	       strstr(x->error, "thread failed to start"); /* libcurl's words: there is no code */
}

/* Whose answer is missing: a new connection is the proxy's until that has answered CONNECT. */
static const char *silent_peer(const struct iam_exchange *x, CURLcode rc)
{
	long status = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return x->config->proxy && status == 0 && (x->opened || rc == CURLE_COULDNT_RESOLVE_PROXY) ?
	       "the proxy" : x->config->endpoint;
}

void iam_try_explain(struct iam_exchange *x, CURLcode rc)
{
	struct iam_answer *a = x->answer;
	const char *detail = x->error[0] ? x->error : curl_easy_strerror(rc);

	a->fault_result = IBMIAM_UNAVAILABLE;
	if (rc == CURLE_SSL_CACERT_BADFILE)
		a->fault_result = IBMIAM_CONFIG_ERROR;
	else if (rc == CURLE_FAILED_INIT || (rc == CURLE_OUT_OF_MEMORY && !x->header_len) ||
		 wants_thread(x, rc))
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
			       silent_peer(x, rc));
	else
		(void)snprintf(a->fault, sizeof a->fault, "no answer from %.200s: %.180s (curl %d)",
			       silent_peer(x, rc), detail, (int)rc);
}
