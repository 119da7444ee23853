/* The wraps of libcurl, libconfuse and of the IAM client itself (inject.h). */
#include <cjson/cJSON.h>
#include <confuse.h>
#include <curl/curl.h>
#include <errno.h>
#include <malloc.h>

#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdarg.h>
#include <unistd.h>

#include "iam.h"
#include "inject.h"
#include "sweep_iam.h"

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

/* decision.c's: IAM's answer without a network. */
bool __wrap_iam_request_token(const struct config *config, const char *key, int host_fd,
			      int64_t deadline_ms, struct iam_answer *ret);
bool __wrap_iam_request_token(const struct config *config, const char *key, int host_fd,
			      int64_t deadline_ms, struct iam_answer *ret)
{
	(void)config;
	(void)host_fd;
	(void)deadline_ms;
	return sweep_iam_answer(key, ret);
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
