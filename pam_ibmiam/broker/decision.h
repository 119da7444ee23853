/*
 * The decision about one login, from the request to the reply: a fixed list of checks,
 * each of which may end it.  Everything that can be decided on this host is decided
 * before IAM is asked.
 */
#ifndef IBMIAM_DECISION_H
#define IBMIAM_DECISION_H

#include "config.h"
#include "iam.h"
#include "token.h"
#include "wire.h"

struct decision {
	const struct config *config;
	const struct wire_request *request;
	int host_fd;
	int64_t deadline_ms;

	struct config_user user;       /* the rule that applies */
	struct config_service service;
	struct iam_answer answer;
	struct token token;
	struct secret environment;     /* rendered, NUL-terminated entries */
	char code[33];                 /* IAM's errorCode */
	char reason[WIRE_REASON_MAX];
	struct wire_reply reply;       /* points into this struct; valid until decision_free() */
};

/* Decides the request under the configuration and fills d->reply.  Blocks until the
 * deadline at most.  Release with decision_free(); it takes an all-zero struct too. */
void decision_make(struct decision *d, const struct config *config,
		   const struct wire_request *request, int host_fd, int64_t deadline_ms);
void decision_free(struct decision *d);

#endif
