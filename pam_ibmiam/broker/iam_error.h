/*
 * What IAM's error codes mean for a login, as one table (see IBM Cloud's API reference
 * of the IAM Identity Services).  errorMessage follows a locale and errorDetails has
 * been seen to repeat the API key: neither is read.
 */
#ifndef IBMIAM_IAM_ERROR_H
#define IBMIAM_IAM_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "result.h"

enum { IAM_ERROR_CODE_MAX = 32 };

struct iam_error {
	enum ibmiam_result result;
	char code[IAM_ERROR_CODE_MAX + 1]; /* IAM's errorCode, "" when there was none */
	const char *text;                  /* static, for the log */
	bool known;                        /* is the code in the table? */
};

/* Judges an answer with a status other than 200. */
struct iam_error iam_error_read(long http_status, const char *body, size_t len);

#endif
