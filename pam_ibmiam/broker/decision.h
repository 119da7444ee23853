/*
 * The decision about one login, from the request to the reply: a fixed list of checks,
 * each of which may end it.  Everything that can be decided on this host is decided
 * before IAM is asked.  Nothing here blocks: where IAM must be asked, the decision says what,
 * and goes on when the answer is there.
 */
#ifndef IBMIAM_DECISION_H
#define IBMIAM_DECISION_H

#include "config.h"
#include "directory.h"
#include "iam.h"
#include "limit.h"
#include "token.h"
#include "wire.h"

enum { DECISION_STEPS_MAX = 20, DECISION_LEVELS = 3 /* user or domain, service, top */ };

/* What became of one check, in the order in which they were made. */
struct decision_step {
	const char *check;                        /* its name */
	enum { STEP_PASSED, STEP_FAILED, STEP_ASKS } outcome;
	int64_t begun_ms, ended_ms;               /* monotonic */
	char detail[160];                         /* which rule, which group; "" where there is none */
};

struct decision {
	const struct config *config;
	const struct wire_request *request;
	struct limit *limit;           /* NULL: none */
	struct directory *directory;   /* the host's own token; NULL: no group can be asked for */
	bool held;                     /* about tokens that are there already; IAM is not asked */

	size_t next;                   /* check */
	bool answered;                 /* it has asked, and the answer is there */
	size_t level, item;            /* where it is: which profile; which list of groups, which group */
	struct decision_step step[DECISION_STEPS_MAX];
	size_t steps;

	bool by_domain;                /* there is no user block: an email_domain must let him in */
	struct config_user user;       /* the rule that applies; of the domain, once that is known */
	struct config_service service;
	struct iam_question question;  /* what to ask IAM now */
	struct iam_answer answer;      /* and what it says */
	struct token identity;         /* the key's own token: who it is */
	struct token profile;          /* the token of the nearest trusted profile, if there is one */
	struct secret directory_token; /* a copy for as long as it is used */
	bool exported;                 /* may the session have the token? */
	struct secret environment;     /* rendered, NUL-terminated entries */
	char code[33];                 /* IAM's errorCode */
	char reason[WIRE_REASON_MAX];
	struct wire_reply reply;       /* points into this struct; valid until decision_free() */
};

/* What a decision rests on besides the request; all of it must live as long. */
struct decision_basis {
	const struct config *config;
	struct limit *limit;         /* NULL: none */
	struct directory *directory;
};

void decision_begin(struct decision *d, const struct decision_basis *basis,
		    const struct wire_request *request);

/* Likewise, about tokens that the request's key was exchanged for earlier: the identity's
 * claims, and the token that the session has, which is the same or a profile's.  Their strings
 * stay the caller's. */
void decision_begin_held(struct decision *d, const struct decision_basis *basis,
			 const struct wire_request *request, const struct token *identity,
			 const struct token *token);

/* Goes on.  True: it is made, d->reply is filled.  False: ask IAM d->question, put what it says
 * into d->answer (iam_begin() does), and call this again. */
bool decision_go_on(struct decision *d);

/* A number for the profiles and groups that the configuration asks of this login, once it is made:
 * tokens that were given under another number have not been asked for all of them. */
uint64_t decision_requirements(const struct decision *d);

/* The token that the session gets. */
const struct token *decision_token(const struct decision *d);

/* Takes an all-zero struct too. */
void decision_free(struct decision *d);

#endif
