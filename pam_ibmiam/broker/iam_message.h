/*
 * What a request to IAM says: its path, form and headers.  HTTP itself is iam.c's matter.
 */
#ifndef IBMIAM_IAM_MESSAGE_H
#define IBMIAM_IAM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "secret.h"

struct curl_slist;

enum { IAM_UUID_LEN = 36 };

/* One of the questions that a login may need answered.  Strings are the asker's. */
struct iam_question {
	enum iam_kind {
		IAM_NOTHING,
		IAM_TOKEN,      /* POST /identity/token: a token for an API key */
		IAM_ASSUME,     /* the same: a trusted profile's token for a token */
		IAM_MEMBERSHIP, /* HEAD /v2/groups/ID/members/IAM_ID: 204 yes, 404 no */
	} kind;
	const char *api_key;       /* IAM_TOKEN; secret */
	const char *access_token;  /* IAM_ASSUME: whose token; IAM_MEMBERSHIP: the asker's; secret */
	const char *profile_field; /* IAM_ASSUME: profile_id, profile_crn or profile_name */
	const char *profile;
	const char *account;       /* with profile_name, else NULL */
	const char *group;         /* IAM_MEMBERSHIP */
	const char *iam_id;
	bool explain;              /* how it went is of interest: see iam_trace.h */
};

/* Makes a random UUID (RFC 9562, version 4).  False when there is no randomness. */
bool iam_message_uuid(char ret[IAM_UUID_LEN + 1]);

/* The URL to ask.  False when it does not fit. */
bool iam_message_url(const struct config *config, const struct iam_question *question,
		     char *ret, size_t size);

/* The form to post, in a buffer that this initialises; empty for a question that posts none.
 * False when there is no memory. */
bool iam_message_form(const struct config *config, const struct iam_question *question,
		      struct secret *form);

/* All headers of a request, to be freed with curl_slist_free_all(); NULL when there is no
 * memory. */
struct curl_slist *iam_message_headers(const struct config *config,
				       const struct iam_question *question,
				       const char *correlation_id);

#endif
