/*
 * Allocation functions for libcurl and cJSON that wipe a block before they release it,
 * because both hold keys and tokens in their own memory.  What OpenSSL keeps is out of
 * their reach; the process ends with the login.
 */
#ifndef IBMIAM_MEMORY_H
#define IBMIAM_MEMORY_H

#include <stdbool.h>

/* Initialises libcurl and cJSON with them; call once, before either is used.  False
 * when libcurl cannot start. */
bool memory_init_libraries(void);

#endif
