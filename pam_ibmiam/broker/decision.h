/*
 * The decision about one login, from the request to the reply: a fixed list of checks,
 * each of which may end it.  Everything that can be decided on this host is decided
 * before IAM is asked.  Nothing here blocks: where IAM must be asked, the decision says what,
 * and goes on when the answer is there.
 */
#ifndef IBMIAM_DECISION_H
#define IBMIAM_DECISION_H

#include "config.h"
#include "iam.h"
#include "limit.h"
#include "token.h"
#include "wire.h"

struct decision {
	const struct config *config;
	const struct wire_request *request;
	struct limit *limit;           /* NULL: none */
	bool held;                     /* about a token that is there already; IAM is not asked */
	size_t next;                   /* check */

	struct config_user user;       /* the rule that applies */
	struct config_service service;
	struct iam_question question;  /* what to ask IAM now */
	struct iam_answer answer;      /* and what it says */
	struct token token;
	bool exported;                 /* may the session have the token? */
	struct secret environment;     /* rendered, NUL-terminated entries */
	char code[33];                 /* IAM's errorCode */
	char reason[WIRE_REASON_MAX];
	struct wire_reply reply;       /* points into this struct; valid until decision_free() */
};

/* Begins; config, request and limit must live as long as the decision. */
void decision_begin(struct decision *d, const struct config *config,
		    const struct wire_request *request, struct limit *limit);

/* Likewise, about a token that the request's key was exchanged for earlier.  Its strings stay
 * the caller's. */
void decision_begin_held(struct decision *d, const struct config *config,
			 const struct wire_request *request, const struct token *token);

/* Goes on.  True: it is made, d->reply is filled.  False: ask IAM d->question, put what it says
 * into d->answer (iam_begin() does), and call this again. */
bool decision_go_on(struct decision *d);

/* Takes an all-zero struct too. */
void decision_free(struct decision *d);

#endif
