/*
 * What a token request says: its form and its headers.  HTTP itself is iam.c's matter.
 */
#ifndef IBMIAM_IAM_MESSAGE_H
#define IBMIAM_IAM_MESSAGE_H

#include <stdbool.h>

#include "config.h"
#include "secret.h"

struct curl_slist;

enum { IAM_UUID_LEN = 36 };

/* Makes a random UUID (RFC 9562, version 4).  False when there is no randomness. */
bool iam_message_uuid(char ret[IAM_UUID_LEN + 1]);

/* The form of the API-key grant, in a buffer that this initialises.  False when there is no
 * memory. */
bool iam_message_form(const struct config *config, const char *api_key, struct secret *form);

/* All headers of a request, to be freed with curl_slist_free_all(); NULL when there is no
 * memory. */
struct curl_slist *iam_message_headers(const struct config *config, const char *correlation_id);

#endif
