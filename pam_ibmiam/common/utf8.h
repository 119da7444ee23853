/*
 * UTF-8, strictly: what an API key, the configuration and a text from the network may hold.
 */
#ifndef IBMIAM_UTF8_H
#define IBMIAM_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the character at text, which a NUL ends.  Returns its length in bytes, or 0 when it is
 * malformed: overlong, a surrogate, out of range, or cut off; *ret is then undefined. */
size_t utf8_decode(const char *text, uint32_t *ret);

#endif
