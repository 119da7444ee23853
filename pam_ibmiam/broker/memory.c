/* Wiping allocators.  See memory.h. */
#include "memory.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void wipe_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *wipe_realloc(void *p, size_t size)
{
	size_t old = p ? malloc_usable_size(p) : 0;
	void *q;

	if (p && size <= old)
		return p;
	q = malloc(size);
	if (q && p) {
		memcpy(q, p, old);
		wipe_free(p);
	}
	return q;
}

/* GnuTLS comes along with Debian's libcurl, for protocols that are never used here: it need not get
 * ready (GnuTLS manual, "Initialization"; that is what GNUTLS_SKIP_GLOBAL_INIT defines). */
__attribute__((visibility("default"))) int _gnutls_global_init_skip(void);
int _gnutls_global_init_skip(void)
{
	return 1;
}

bool memory_init_libraries(void)
{
	cJSON_Hooks hooks = { .malloc_fn = malloc, .free_fn = wipe_free };

#ifdef M_PERTURB /* glibc's: mallopt(3) */
	(void)mallopt(M_PERTURB, 1);
#endif
	cJSON_InitHooks(&hooks);
	return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_free, wipe_realloc, strdup,
				    calloc) == CURLE_OK;
}
