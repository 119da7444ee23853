/*
 * Allocation functions for libcurl and cJSON that wipe a block before they release it,
 * because both hold keys and tokens in their own memory.  What OpenSSL and nghttp2 release is
 * overwritten by glibc's free(), if it is larger than 1 KiB.  What they keep is out of reach:
 * iam.c closes the connection.
 */
#ifndef IBMIAM_MEMORY_H
#define IBMIAM_MEMORY_H

#include <stdbool.h>

/* Initialises libcurl and cJSON with them; call once, before either is used.  False
 * when libcurl cannot start. */
bool memory_init_libraries(void);

#endif
