/*
 * The gate: what cannot be an API key never leaves this host.  IAM makes keys of 44
 * characters; users may make their own of at least 32, with any printable characters
 * (IBM Cloud docs, "Managing user API keys"), so only shape is judged here.
 */
#ifndef IBMIAM_GATE_H
#define IBMIAM_GATE_H

enum {
	GATE_CHARACTERS_MIN = 32,
	/* PAM_MAX_RESP_SIZE is 512: hosts cut longer answers at 511 bytes, so an answer
	 * of that length may be a part of what was typed. */
	GATE_BYTES_MAX = 510,
};

/* Why this answer cannot be an API key, in words for the log, or NULL when it can.
 * Static text; says nothing about the answer but its shape. */
const char *gate_fault(const char *answer);

/* Has the key only the characters of those that IAM makes, [A-Za-z0-9_-]? */
_Bool gate_plain(const char *key);

/* Which common mistake a key that IAM rejected looks like, or NULL.  Static text. */
const char *gate_hint(const char *key);

/* Is this well-formed UTF-8 (RFC 3629) without control characters (C0, DEL, C1)?  Adds
 * its characters to *count unless that is NULL. */
_Bool gate_printable(const char *text, unsigned int *count);

#endif
