/* Exchanges with libcurl's multi interface.  See iam.h. */
#include "iam.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "deadline.h"
#include "iam_transport.h"

enum {
	HEADERS_MAX = 64 * 1024, /* bytes; libcurl keeps them all */
	RETRY_PAUSE_MIN_MS = 100, /* before the retry of a 5xx; up to three times as long, */
	RETRY_PAUSE_SPREAD_MS = 200, /* so that many hosts do not come back in step */
	BACKSTOP_MS = 2000,          /* libcurl's own end, later than ours: it looks at the clock first */
	RETRY_NEEDS_MS = 300,        /* a retry with less time than this is not begun */
	RETRY_AFTER_MAX_S = 300,     /* what is believed: it keeps the whole host away from IAM */
	SILENT_MS = 1000,            /* without a word of IAM's: its connection may be dead */
	IDLE_MAX_MS = 118 * 1000,    /* libcurl does not use an older one again (CURLOPT_MAXAGE_CONN) */
};

struct iam_exchange {
	LIST_ENTRY(iam_exchange) link;
	struct iam *iam;
	const struct config *config;
	const struct iam_question *question;
	struct iam_answer *answer;
	void (*done)(void *arg);
	void *arg;
	CURL *easy;
	struct curl_slist *headers;
	struct secret form;
	int64_t deadline_ms;
	int64_t begun_ms;  /* this try */
	int64_t resume_ms; /* when paused: when to go on; else 0 */
	bool forsaken;     /* nobody else gets its connection: forsake_silent() */
	bool tried;        /* once: the next try is the last */
	size_t header_len; /* bytes of all headers so far */
	bool too_long;
	char error[CURL_ERROR_SIZE];
	char url[2048];
};

struct iam {
	CURLM *multi;
	LIST_HEAD(, iam_exchange) exchanges;
	int64_t not_before_ms; /* until then IAM has asked this host to keep away (429) */
	int64_t ended_ms;      /* when an exchange last ended; 0: there is no connection since */
	const char *system_ca_path; /* or NULL: iam_transport.h */
};

static uint32_t random_u32(void)
{
	uint32_t r = 0;

	/* Only spreads retries: without randomness they are merely not spread. */
	return getrandom(&r, sizeof r, 0) == (ssize_t)sizeof r ? r : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct iam_exchange *x = user;
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
	struct iam_exchange *x = user;
	size_t len = size * n, pos = sizeof name - 1, out = 0;

	if (x->question->explain)
		iam_trace_during(&x->answer->trace, x->easy);
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

/* What is the same for both tries. */
static CURLcode configure(struct iam_exchange *x)
{
	const struct config *c = x->config;

	SET(CURLOPT_URL, x->url);
	SET(CURLOPT_PRIVATE, x);
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

/*
 * x is given up without a word from IAM: its connection may be dead although the peer's kernel
 * acknowledges.  In HTTP/2 all exchanges share one, and giving up only ends a stream: whoever
 * came next would wait in vain as well, for ever.  So the last of those that are under way
 * closes it, and none joins them.
 */
static void forsake_silent(const struct iam_exchange *x)
{
	struct iam_exchange *other;

	if (x->resume_ms || x->header_len || deadline_now_ms() - x->begun_ms < SILENT_MS)
		return;
	LIST_FOREACH(other, &x->iam->exchanges, link)
		other->forsaken = !other->resume_ms &&
				  curl_easy_setopt(other->easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK;
}

/* What differs from one try to the next. */
static CURLcode prepare(struct iam_exchange *x)
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
	x->resume_ms = 0;
	x->begun_ms = deadline_now_ms();
	x->forsaken = false;
	if (left == 0)
		return CURLE_OPERATION_TIMEDOUT;
	SET(CURLOPT_HTTPHEADER, x->headers);
	SET(CURLOPT_FORBID_REUSE, 0L);
	SET(CURLOPT_FRESH_CONNECT, (long)any_forsaken(x->iam));
	SET(CURLOPT_TIMEOUT_MS, left + BACKSTOP_MS);
	SET(CURLOPT_CONNECTTIMEOUT_MS, left + BACKSTOP_MS);
	return curl_multi_add_handle(x->iam->multi, x->easy) == CURLM_OK ? CURLE_OK : CURLE_OUT_OF_MEMORY;
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

/* How long to pause before one more try, or -1 for none. */
static int64_t retry_pause_ms(struct iam_exchange *x, CURLcode rc)
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
	pause = after * 1000 + RETRY_PAUSE_MIN_MS + random_u32() % RETRY_PAUSE_SPREAD_MS;
	return pause + RETRY_NEEDS_MS <= deadline_left_ms(x->deadline_ms) ? pause : -1;
}

/* Says for the log why there is no answer. */
static void explain(struct iam_exchange *x, CURLcode rc)
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

static void release(struct iam_exchange *x)
{
	curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->headers);
	secret_free(&x->form);
	free(x);
}

void iam_cancel(struct iam_exchange *x)
{
	if (!x)
		return;
	forsake_silent(x);
	(void)curl_multi_remove_handle(x->iam->multi, x->easy);
	x->iam->ended_ms = deadline_now_ms();
	LIST_REMOVE(x, link);
	release(x);
}

static void finish(struct iam_exchange *x, CURLcode rc)
{
	void (*done)(void *) = x->done;
	void *arg = x->arg;

	if (rc != CURLE_OK)
		explain(x, rc);
	iam_cancel(x);
	done(arg);
}

/* One try has ended: there is an answer, another try, or neither. */
static void ended(struct iam_exchange *x, CURLcode rc)
{
	int64_t pause_ms;

	if (x->question->explain)
		iam_trace_end(&x->answer->trace, x->easy, (int)rc);
	(void)curl_multi_remove_handle(x->iam->multi, x->easy);
	if (rc == CURLE_OK)
		(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->answer->http_status);
	pause_ms = retry_pause_ms(x, rc);
	if (pause_ms < 0 || x->tried) {
		finish(x, rc);
		return;
	}
	x->tried = true;
	x->resume_ms = deadline_now_ms() + pause_ms;
}

/* The first exchange that must end or go on because of the time, or NULL; *ret_ms is the time
 * of the next such moment, if it is before that. */
static struct iam_exchange *find_due(struct iam *iam, int64_t now_ms, int64_t *ret_ms)
{
	struct iam_exchange *x;

	LIST_FOREACH(x, &iam->exchanges, link) {
		int64_t due = x->resume_ms && x->resume_ms < x->deadline_ms ? x->resume_ms : x->deadline_ms;

		if (due <= now_ms)
			return x;
		if (due < *ret_ms)
			*ret_ms = due;
	}
	return NULL;
}

static void go_on(struct iam_exchange *x, int64_t now_ms)
{
	CURLcode rc = x->deadline_ms <= now_ms ? CURLE_OPERATION_TIMEDOUT : prepare(x);

	/* While a try is under way the trace is empty; in a pause it is that of the try before. */
	if (x->question->explain && rc != CURLE_OK && x->resume_ms == 0)
		iam_trace_end(&x->answer->trace, x->easy, (int)rc);
	if (rc != CURLE_OK)
		finish(x, rc);
}

static CURLM *new_multi(void)
{
	CURLM *multi = curl_multi_init();

	if (multi && curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
				       (long)IAM_CONNECTIONS_MAX) == CURLM_OK)
		return multi;
	(void)curl_multi_cleanup(multi);
	return NULL;
}

/* Closes connections that would not be used again: in HTTP/2 their buffers still hold the last
 * key and the last token.  Else *until_ms becomes the time to do so, if that is earlier. */
static void close_idle(struct iam *iam, int64_t *until_ms)
{
	int64_t end_ms = iam->ended_ms + IDLE_MAX_MS;
	CURLM *multi;

	if (!LIST_EMPTY(&iam->exchanges) || !iam->ended_ms)
		return;
	if (end_ms > deadline_now_ms()) {
		*until_ms = end_ms < *until_ms ? end_ms : *until_ms;
		return;
	}
	multi = new_multi();
	if (!multi)
		return;
	(void)curl_multi_cleanup(iam->multi); /* only this closes them */
	iam->multi = multi;
	iam->ended_ms = 0;
}

void iam_wait(struct iam *iam, int fd, int timeout_ms)
{
	struct curl_waitfd extra = { .fd = fd, .events = CURL_WAIT_POLLIN };
	int64_t until_ms = deadline_now_ms() + timeout_ms;
	struct iam_exchange *x;
	const CURLMsg *message;
	int running, left;

	/* First what is there already: a process that was held up must not take that for silence. */
	(void)curl_multi_perform(iam->multi, &running);
	while ((message = curl_multi_info_read(iam->multi, &left)) != NULL) {
		CURLcode rc = message->data.result;

		if (message->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &x) != CURLE_OK)
			continue;
		ended(x, rc);
		until_ms = 0; /* what that led to is not waited for */
	}
	/* done() may begin and cancel exchanges: each round looks again. */
	while ((x = find_due(iam, deadline_now_ms(), &until_ms)) != NULL)
		go_on(x, deadline_now_ms());
	close_idle(iam, &until_ms);
	(void)curl_multi_poll(iam->multi, &extra, fd >= 0, deadline_left_ms(until_ms), NULL);
}

/* Is there room for it, and may this host ask IAM at all just now? */
static CURLcode start(struct iam_exchange *x)
{
	int64_t now_ms = deadline_now_ms();
	CURLcode rc;

	if (!x->easy || !secret_init(&x->answer->body, IAM_BODY_MAX) ||
	    !iam_message_form(x->config, x->question, &x->form) ||
	    !iam_message_url(x->config, x->question, x->url, sizeof x->url))
		return CURLE_OUT_OF_MEMORY;
	rc = configure(x);
	if (rc != CURLE_OK || x->iam->not_before_ms <= now_ms)
		return rc == CURLE_OK ? prepare(x) : rc;
	x->resume_ms = x->iam->not_before_ms + RETRY_PAUSE_MIN_MS + random_u32() % RETRY_PAUSE_SPREAD_MS;
	return x->resume_ms + RETRY_NEEDS_MS <= x->deadline_ms ? CURLE_OK : CURLE_AGAIN;
}

struct iam_exchange *iam_begin(struct iam *iam, const struct config *config,
			       const struct iam_question *question, int64_t deadline_ms,
			       struct iam_answer *answer, void (*done)(void *arg), void *arg)
{
	struct iam_exchange *x = malloc(sizeof *x);
	CURLcode rc;

	*answer = (struct iam_answer){ .fault_result = IBMIAM_BROKER_ERROR };
	if (!x) {
		(void)snprintf(answer->fault, sizeof answer->fault, "out of memory");
		return NULL;
	}
	*x = (struct iam_exchange){ .iam = iam, .config = config, .question = question, .done = done,
		.arg = arg, .answer = answer, .deadline_ms = deadline_ms, .easy = curl_easy_init() };
	rc = start(x);
	if (rc == CURLE_OK) {
		LIST_INSERT_HEAD(&iam->exchanges, x, link);
		return x;
	}
	explain(x, rc);
	if (rc == CURLE_AGAIN)
		(void)snprintf(answer->fault, sizeof answer->fault, "IAM has asked this host to wait for "
			       "another %lld s (429)", (long long)(x->resume_ms - deadline_now_ms()) / 1000);
	release(x);
	return NULL;
}

struct iam *iam_new(void)
{
	struct iam *iam = calloc(1, sizeof *iam);

	if (!iam)
		return NULL;
	LIST_INIT(&iam->exchanges);
	iam->system_ca_path = iam_transport_system_ca_path();
	iam->multi = new_multi();
	if (iam->multi)
		return iam;
	free(iam);
	return NULL;
}

void iam_free(struct iam *iam)
{
	if (!iam)
		return;
	(void)curl_multi_cleanup(iam->multi);
	free(iam);
}

void iam_answer_free(struct iam_answer *answer)
{
	secret_free(&answer->body);
	*answer = (struct iam_answer){ 0 };
}
