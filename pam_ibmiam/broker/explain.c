/* The lines of an explanation.  See explain.h. */
#include "explain.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "explain_hint.h"

enum { LINES_MAX = 32 * 1024, LINE_MAX_LEN = 640, DAY_S = 24 * 3600 };

/* The parts of an exchange, in their order. */
enum phase { DNS, TCP, PROXY, TLS, ANSWER, PHASES };

static bool __attribute__((format(printf, 5, 6)))
put(struct secret *out, const char *name, const char *outcome, int64_t ms, const char *format, ...)
{
	char detail[LINE_MAX_LEN], line[LINE_MAX_LEN + 128];
	va_list ap;
	int n;

	va_start(ap, format);
	(void)vsnprintf(detail, sizeof detail, format, ap);
	va_end(ap);
	n = snprintf(line, sizeof line, "%s %s %lld %s", name, outcome, (long long)ms, detail);
	return n > 0 && (size_t)n < sizeof line && secret_append(out, line, (size_t)n + 1);
}

void explain_note(struct explain *e, const struct decision *d)
{
	const struct iam_answer *a = &d->answer;
	struct explain_exchange *x;

	if (!e || e->count == EXPLAIN_EXCHANGES_MAX)
		return;
	x = &e->exchange[e->count++];
	*x = (struct explain_exchange){ .step = d->steps, .kind = d->question.kind,
					.http_status = a->http_status, .trace = a->trace };
	memcpy(x->transaction_id, a->transaction_id, sizeof x->transaction_id);
	if (!a->fault[0] && a->http_status >= 400 && a->body.data) {
		struct iam_error error = iam_error_read(a->http_status, a->body.data, a->body.len);

		memcpy(x->code, error.code, sizeof x->code);
	}
}

/* Which part went wrong, or PHASES. */
static enum phase failed_phase(const struct iam_trace *t, bool proxy)
{
	static const struct {
		CURLcode code;
		enum phase phase;
	} table[] = {
		{ CURLE_COULDNT_RESOLVE_HOST, DNS }, { CURLE_COULDNT_RESOLVE_PROXY, DNS },
		{ CURLE_COULDNT_CONNECT, TCP }, { CURLE_PROXY, PROXY },
		{ CURLE_SSL_CONNECT_ERROR, TLS }, { CURLE_PEER_FAILED_VERIFICATION, TLS },
		{ CURLE_SSL_CACERT_BADFILE, TLS }, { CURLE_SSL_CIPHER, TLS },
		{ CURLE_SSL_CERTPROBLEM, TLS }, { CURLE_SSL_ISSUER_ERROR, TLS },
	};
	const bool reached[PHASES] = { t->dns_us > 0 || t->address[0],
				       t->tcp_us > 0 || t->tls_begun || t->connect_status > 0,
				       t->connect_status / 100 == 2, t->tls_us > 0, false };
	enum phase phase = DNS;

	if (t->curl_code == CURLE_OK)
		return PHASES;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if ((int)table[i].code == t->curl_code)
			return table[i].phase == TLS && proxy && !t->connect_status ? PROXY :
										      table[i].phase;
	/* Too late, or cut off: in the first part that has not ended. */
	while (phase < ANSWER && (reached[phase] || (phase == PROXY && !proxy)))
		phase++;
	return phase;
}

static bool put_tls(struct secret *out, const struct iam_trace *t, int64_t ms)
{
	int64_t days = (t->not_after - (int64_t)time(NULL)) / DAY_S;

	if (!t->not_after)
		return put(out, "tls", "passed", ms, "%s", t->tls_version);
	return put(out, "tls", "passed", ms, "%s%scertificate by %s, %lld day%s left",
		   t->tls_version, t->tls_version[0] ? ", " : "", t->issuer, (long long)days,
		   days == 1 ? "" : "s");
}

static bool put_answer(struct secret *out, const struct explain_exchange *x, int64_t ms)
{
	bool fault = x->http_status == 429 || x->http_status >= 500;

	return put(out, "iam", fault ? "failed" : "passed", ms, "HTTP %ld%s%s%s%s", x->http_status,
		   x->code[0] ? " " : "", x->code, x->transaction_id[0] ? ", transaction " : "",
		   x->transaction_id);
}

static bool put_phase(struct secret *out, enum phase phase, const struct explain_exchange *x,
		      int64_t ms, const struct config *c)
{
	const struct iam_trace *t = &x->trace;
	const char *host = c->endpoint + strlen("https://");
	int host_len = (int)strcspn(host, ":/");

	switch (phase) {
	case DNS:
		return put(out, "dns", "passed", ms, "%.*s is at %s",
			   c->proxy ? (int)strlen("the proxy") : host_len,
			   c->proxy ? "the proxy" : host,
			   t->address[0] ? t->address : "its address");
	case TCP:
		return put(out, "tcp", "passed", ms, "%s%s port %d", c->proxy ? "proxy " : "",
			   t->address, t->port);
	case PROXY:
		return !c->proxy ||
		       put(out, "proxy", "passed", 0, "it connects to %s", c->endpoint);
	case TLS:
		return put_tls(out, t, ms);
	default:
		return put_answer(out, x, ms);
	}
}

static bool put_fault(struct secret *out, enum phase phase, const struct explain_exchange *x,
		      int64_t ms, const struct decision *d)
{
	static const char *const names[PHASES] = { "dns", "tcp", "proxy", "tls", "iam" };
	const struct iam_trace *t = &x->trace;

	if (phase == PROXY && t->connect_status > 0)
		return put(out, "proxy", "failed", ms, "it answers CONNECT with HTTP %d",
			   t->connect_status);
	if (t->curl_code == CURLE_OPERATION_TIMEDOUT)
		return put(out, names[phase], "failed", ms, "no end of it in time");
	if ((phase == PROXY || phase == TLS) && d->answer.fault[0]) /* it has OpenSSL's words, and the number */
		return put(out, names[phase], "failed", ms, "%s", d->answer.fault);
	return put(out, names[phase], "failed", ms, "%s (curl %d)",
		   curl_easy_strerror((CURLcode)t->curl_code), t->curl_code);
}

static bool put_exchange(struct secret *out, const struct explain_exchange *x,
			 const struct decision *d)
{
	const struct iam_trace *t = &x->trace;
	const int64_t ends[PHASES] = { t->dns_us, t->tcp_us, t->tcp_us, t->tls_us, t->total_us };
	enum phase failed = failed_phase(t, d->config->proxy != NULL);
	int64_t begun = 0;

	if (t->kept)
		return put(out, "tcp", "passed", 0, "the connection of before") &&
		       put_answer(out, x, t->total_us / 1000);
	for (enum phase phase = DNS; phase < PHASES && phase <= failed; phase++) {
		int64_t end = phase == failed ? t->total_us : ends[phase];
		int64_t ms = end > begun ? (end - begun) / 1000 : 0;

		if (phase == failed)
			return put_fault(out, phase, x, ms, d) && explain_hint_put(out, x, d);
		if (!put_phase(out, phase, x, ms, d->config))
			return false;
		begun = end > begun ? end : begun; /* 0: libcurl has not said when */
	}
	return explain_hint_put(out, x, d);
}

/* Of the key's own token: whose it is. */
static bool put_token(struct secret *out, const struct decision *d)
{
	const struct token *t = &d->identity;
	int64_t left = t->expiration - (int64_t)time(NULL);

	return put(out, "token", "passed", 0, "%s, account %s, %s %lld min", t->iam_id,
		   t->account[0] ? t->account : "none", left < 0 ? "expired for" : "valid for",
		   (long long)(left < 0 ? -left : left) / 60);
}

static bool put_step(struct secret *out, const struct decision *d, const struct decision_step *s)
{
	bool passed = s->outcome == STEP_PASSED;

	/* Only a resident broker remembers tries. */
	if (!d->limit && (strcmp(s->check, "rejected") == 0 || strcmp(s->check, "tries") == 0))
		return true;
	if (!put(out, s->check, passed ? "passed" : "failed", s->ended_ms - s->begun_ms, "%s%s%s",
		 s->detail, !passed && s->detail[0] ? ": " : "", passed ? "" : d->reason))
		return false;
	return strcmp(s->check, "key") != 0 || !passed || put_token(out, d);
}

bool explain_put(const struct explain *e, const struct decision *d,
		 const struct config_live *config, struct secret *out)
{
	size_t next = 0;

	if (!secret_init(out, LINES_MAX) ||
	    !put(out, "config", "passed", config->load_ms, "%s", config->path ? config->path : ""))
		return false;
	for (size_t i = 0; i < d->steps; i++) {
		for (; e && next < e->count && e->exchange[next].step == i; next++)
			if (!put_exchange(out, &e->exchange[next], d))
				return false;
		if (!put_step(out, d, &d->step[i]))
			return false;
	}
	return true;
}
