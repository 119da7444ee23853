/*
 * base64url without padding (RFC 4648 section 5): the form of a JWT's parts, and
 * of the stash that travels in a PAM environment variable.
 */
#ifndef IBMIAM_BASE64URL_H
#define IBMIAM_BASE64URL_H

#include "secret.h"

/* Appends the encoding of len bytes and no terminator.  False when it does not fit. */
bool base64url_encode(const void *bytes, size_t len, struct secret *out);

/* Appends the decoded bytes of len characters.  False on any character outside the
 * alphabet, an impossible length, bits that should be zero, or no room; out->len is
 * then unchanged. */
bool base64url_decode(const char *text, size_t len, struct secret *out);

#endif
