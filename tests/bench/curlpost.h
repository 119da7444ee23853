/* The least that one writes with libcurl to exchange a key: for those whom pam_ibmiam is compared with. */
#ifndef BENCH_CURLPOST_H
#define BENCH_CURLPOST_H

#include <stdbool.h>
#include <stddef.h>

struct curl_body {
	char text[65536]; /* terminated */
	size_t len;
};

/* Initialises libcurl, asks, cleans up.  True when the answer is a 200; *ret must be all zero.
 * folder is that of the CAs, NULL: libcurl's default, which is Debian's bundle. */
bool curl_post(const char *url, const char *folder, const char *key, struct curl_body *ret);

#endif
