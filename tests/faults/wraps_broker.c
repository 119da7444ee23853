/* The wraps of libcurl, libconfuse and of the IAM client itself (inject.h). */
#include <cjson/cJSON.h>
#include <confuse.h>
#include <curl/curl.h>
#include <errno.h>
#include <malloc.h>
#include <openssl/hmac.h>

#include <grp.h>
#include <pwd.h>
#include <search.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iam.h"
#include "inject.h"
#include "log.h"
#include "sweep_iam.h"

enum { LOG_MAX = 1024 };

void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);

#define WRAP(type, name, failure, parameters, arguments)         \
	type __real_##name parameters;                           \
	type __wrap_##name parameters;                           \
	type __wrap_##name parameters                            \
	{                                                        \
		int injected = inject_error(#name, ENOMEM, false); \
								 \
		if (injected) {                                  \
			errno = injected;                        \
			return failure;                          \
		}                                                \
		return __real_##name arguments;                  \
	}

WRAP(cfg_t *, cfg_init, NULL, (cfg_opt_t *opts, cfg_flag_t flags), (opts, flags))
WRAP(int, cfg_parse_fp, CFG_PARSE_ERROR, (cfg_t *cfg, FILE *fp), (cfg, fp))
WRAP(CURL *, curl_easy_init, NULL, (void), ())
WRAP(CURLM *, curl_multi_init, NULL, (void), ())
/* Long, curl_off_t and pointer alike are one register here. */
_Static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(void *), "LP64");
#undef curl_easy_setopt
WRAP(CURLcode, curl_easy_setopt, CURLE_OUT_OF_MEMORY, (CURL *easy, CURLoption option, void *value),
     (easy, option, value))
WRAP(struct curl_slist *, curl_slist_append, NULL, (struct curl_slist *list, const char *line),
     (list, line))
WRAP(CURLMcode, curl_multi_add_handle, CURLM_OUT_OF_MEMORY, (CURLM *multi, CURL *easy), (multi, easy))
WRAP(CURLMcode, curl_multi_perform, CURLM_OUT_OF_MEMORY, (CURLM *multi, int *running), (multi, running))
WRAP(CURLMcode, curl_multi_poll, CURLM_OUT_OF_MEMORY,
     (CURLM *multi, struct curl_waitfd fds[], unsigned int n, int timeout, int *ret),
     (multi, fds, n, timeout, ret))
WRAP(CURLMsg *, curl_multi_info_read, NULL, (CURLM *multi, int *left), (multi, left))

/* The loop's. */
WRAP(int, epoll_create1, -1, (int flags), (flags))
WRAP(int, epoll_ctl, -1, (int set, int op, int fd, struct epoll_event *e), (set, op, fd, e))
WRAP(int, epoll_wait, -1, (int set, struct epoll_event *e, int n, int ms), (set, e, n, ms))
WRAP(int, accept4, -1, (int fd, struct sockaddr *a, socklen_t *len, int flags), (fd, a, len, flags))
WRAP(ssize_t, recv, -1, (int fd, void *buf, size_t len, int flags), (fd, buf, len, flags))
WRAP(ssize_t, __recv_chk, -1, (int fd, void *buf, size_t len, size_t size, int flags),
     (fd, buf, len, size, flags))
WRAP(void *, tsearch, NULL, (const void *key, void **root, int (*compare)(const void *, const void *)),
     (key, root, compare))
WRAP(unsigned char *, HMAC, NULL,
     (const EVP_MD *md, const void *key, int key_len, const unsigned char *d, size_t n,
      unsigned char *ret, unsigned int *len), (md, key, key_len, d, n, ret, len))

/* The sandbox's. */
WRAP(struct passwd *, getpwnam, NULL, (const char *name), (name))
WRAP(int, setgroups, -1, (size_t n, const gid_t *groups), (n, groups))
WRAP(int, setresgid, -1, (gid_t r, gid_t e, gid_t s), (r, e, s))
WRAP(int, setresuid, -1, (uid_t r, uid_t e, uid_t s), (r, e, s))
WRAP(int, getresuid, -1, (uid_t *r, uid_t *e, uid_t *s), (r, e, s))
WRAP(scmp_filter_ctx, seccomp_init, NULL, (uint32_t action), (action))
WRAP(int, seccomp_load, -ENOMEM, (const scmp_filter_ctx filter), (filter))

int __wrap_seccomp_rule_add(scmp_filter_ctx filter, uint32_t action, int call, unsigned int n, ...);
int __wrap_seccomp_rule_add(scmp_filter_ctx filter, uint32_t action, int call, unsigned int n, ...)
{
	struct scmp_arg_cmp args[6];
	va_list ap;

	if (inject_error("seccomp_rule_add", ENOMEM, false))
		return -ENOMEM;
	va_start(ap, n);
	for (unsigned int i = 0; i < n; i++)
		args[i] = va_arg(ap, struct scmp_arg_cmp);
	va_end(ap);
	return seccomp_rule_add_array(filter, action, call, n, args);
}

/* IAM's answer without a network: there at the next wait. */
static struct {
	void (*done)(void *arg);
	void *arg;
} pending;

struct iam_exchange *__wrap_iam_begin(struct iam *iam, const struct config *config,
				      const struct iam_question *question, int64_t deadline_ms,
				      struct iam_answer *answer, void (*done)(void *arg), void *arg);
struct iam_exchange *__wrap_iam_begin(struct iam *iam, const struct config *config,
				      const struct iam_question *question, int64_t deadline_ms,
				      struct iam_answer *answer, void (*done)(void *arg), void *arg)
{
	(void)iam;
	(void)config;
	(void)deadline_ms;
	if (pending.done || !sweep_iam_answer(question, answer))
		return NULL;
	pending.done = done;
	pending.arg = arg;
	return (struct iam_exchange *)(void *)&pending;
}

void __wrap_iam_wait(struct iam *iam, int fd, int timeout_ms);
void __wrap_iam_wait(struct iam *iam, int fd, int timeout_ms)
{
	void (*done)(void *) = pending.done;

	pending.done = NULL;
	if (done)
		done(pending.arg);
	else
		__real_iam_wait(iam, fd, timeout_ms);
}

void __wrap_iam_cancel(struct iam_exchange *exchange);
void __wrap_iam_cancel(struct iam_exchange *exchange)
{
	if (exchange == (struct iam_exchange *)(void *)&pending)
		pending.done = NULL;
	else
		__real_iam_cancel(exchange);
}

/* The log, where the test sees it. */
static char *logged;

static void __attribute__((constructor)) share_log(void)
{
	logged = __real_mmap(NULL, LOG_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (logged == MAP_FAILED)
		abort();
}

const char *sweep_logged(void)
{
	return logged;
}

void sweep_forget_log(void)
{
	logged[0] = '\0';
}

void __wrap_log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
void __wrap_log_line(int priority, const char *format, ...)
{
	va_list ap;

	(void)priority;
	va_start(ap, format);
	(void)vsnprintf(logged, LOG_MAX, format, ap);
	va_end(ap);
}

struct sweep_allocators sweep_allocators;
static size_t unwiped;

size_t sweep_freed_unwiped(void)
{
	return unwiped;
}

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
	size_t len = p ? malloc_usable_size(p) : 0;

	unwiped = 0;
	for (size_t i = 0; i < len; i++)
		unwiped += ((const char *)p)[i] != 0;
	__real_free(p);
}

void __real_cJSON_InitHooks(cJSON_Hooks *hooks);
void __wrap_cJSON_InitHooks(cJSON_Hooks *hooks);
void __wrap_cJSON_InitHooks(cJSON_Hooks *hooks)
{
	sweep_allocators.json_free = hooks->free_fn;
	__real_cJSON_InitHooks(hooks);
}

CURLcode __real_curl_global_init_mem(long flags, curl_malloc_callback m, curl_free_callback f,
				     curl_realloc_callback r, curl_strdup_callback s,
				     curl_calloc_callback c);
CURLcode __wrap_curl_global_init_mem(long flags, curl_malloc_callback m, curl_free_callback f,
				     curl_realloc_callback r, curl_strdup_callback s,
				     curl_calloc_callback c);
CURLcode __wrap_curl_global_init_mem(long flags, curl_malloc_callback m, curl_free_callback f,
				     curl_realloc_callback r, curl_strdup_callback s,
				     curl_calloc_callback c)
{
	sweep_allocators.malloc = m;
	sweep_allocators.free = f;
	sweep_allocators.realloc = r;
	return __real_curl_global_init_mem(flags, m, f, r, s, c);
}
