/* Exchanges with libcurl's multi interface.  See iam.h. */
#include "iam.h"

#include <stdio.h>
#include <stdlib.h>

#include "deadline.h"
#include "iam_socket.h"
#include "iam_transport.h"
#include "iam_try.h"

enum {
	SILENT_MS = 500,          /* without a word of IAM's, less than timeout=1 gives: may be dead */
	IDLE_MAX_MS = 118 * 1000, /* libcurl does not use an older one again (CURLOPT_MAXAGE_CONN) */
};

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

/* Closing reads on, in the middle of a handshake. */
static void take_out(struct iam_exchange *x)
{
	iam_socket_guard(true);
	(void)curl_multi_remove_handle(x->iam->multi, x->easy);
	iam_socket_guard(false);
}

static void close_all(struct iam *iam)
{
	iam_socket_guard(true);
	(void)curl_multi_cleanup(iam->multi);
	iam_socket_guard(false);
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
	take_out(x);
	x->iam->ended_ms = deadline_now_ms();
	LIST_REMOVE(x, link);
	release(x);
}

static void finish(struct iam_exchange *x, CURLcode rc)
{
	void (*done)(void *) = x->done;
	void *arg = x->arg;

	if (rc != CURLE_OK)
		iam_try_explain(x, rc);
	iam_cancel(x);
	done(arg);
}

static bool may_ask(struct iam *iam, const struct config *config)
{
	return !iam->limit || limit_take_request(iam->limit, config->rate_limit);
}

/* One try has ended: there is an answer, another try, or neither. */
static void ended(struct iam_exchange *x, CURLcode rc)
{
	int64_t pause_ms;

	if (x->question->explain)
		iam_trace_end(&x->answer->trace, x->easy, (int)rc);
	take_out(x);
	if (rc == CURLE_OK)
		(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->answer->http_status);
	pause_ms = iam_try_pause_ms(x, rc);
	if (pause_ms < 0 || x->tried || !may_ask(x->iam, x->config)) {
		finish(x, rc);
		return;
	}
	x->tried = true;
	x->alone = iam_try_lost_connection(rc);
	x->resume_ms = deadline_now_ms() + pause_ms;
}

/* The first exchange that must end or go on because of the time, or NULL; *ret_ms is the time
 * of the next such moment, if it is before that. */
static struct iam_exchange *find_due(struct iam *iam, int64_t now_ms, int64_t *ret_ms)
{
	struct iam_exchange *x;

	LIST_FOREACH(x, &iam->exchanges, link) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see LIST_REMOVE() work */
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
	CURLcode rc = x->deadline_ms <= now_ms ? CURLE_OPERATION_TIMEDOUT : iam_try_begin(x);

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
	close_all(iam); /* only this closes them */
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
	iam_socket_guard(!LIST_EMPTY(&iam->exchanges));
	(void)curl_multi_perform(iam->multi, &running);
	iam_socket_guard(false);
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
	rc = iam_try_configure(x);
	if (rc != CURLE_OK || x->iam->not_before_ms <= now_ms)
		return rc == CURLE_OK ? iam_try_begin(x) : rc;
	x->resume_ms = x->iam->not_before_ms + iam_try_spread_ms();
	return x->resume_ms + IAM_TRY_NEEDS_MS <= x->deadline_ms ? CURLE_OK : CURLE_AGAIN;
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
	if (!may_ask(iam, config)) {
		answer->fault_result = IBMIAM_THROTTLED;
		(void)snprintf(answer->fault, sizeof answer->fault,
			       "this host has made all the requests to IAM that it may make in a minute");
		free(x);
		return NULL;
	}
	*x = (struct iam_exchange){ .iam = iam, .config = config, .question = question, .done = done,
		.arg = arg, .answer = answer, .deadline_ms = deadline_ms, .easy = curl_easy_init() };
	rc = start(x);
	if (rc == CURLE_OK) {
		LIST_INSERT_HEAD(&iam->exchanges, x, link);
		return x;
	}
	iam_try_explain(x, rc);
	if (rc == CURLE_AGAIN)
		(void)snprintf(answer->fault, sizeof answer->fault, "IAM has asked this host to wait for "
			       "another %lld s (429)", (long long)(x->resume_ms - deadline_now_ms()) / 1000);
	release(x);
	return NULL;
}

struct iam *iam_new(struct limit *limit)
{
	struct iam *iam = calloc(1, sizeof *iam);

	if (!iam)
		return NULL;
	LIST_INIT(&iam->exchanges);
	iam->limit = limit;
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
	close_all(iam);
	free(iam);
}

void iam_answer_free(struct iam_answer *answer)
{
	secret_free(&answer->body);
	*answer = (struct iam_answer){ 0 };
}
