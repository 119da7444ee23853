/*
 * Which files may steer a login: regular, owned by root (or by the caller, when
 * that is not root), and written by nobody else.  Used for the broker's program and
 * for the configuration.
 */
#ifndef IBMIAM_TRUST_H
#define IBMIAM_TRUST_H

#include <sys/stat.h>

/* Why a file with these attributes is not to be trusted, as the end of a sentence
 * ("is not a regular file"), or NULL when it is.  Static text. */
const char *trust_fault(const struct stat *st);

#endif
