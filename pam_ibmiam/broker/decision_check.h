/*
 * The checks of a decision, for decision.c, which has them in their order.  Each looks at what
 * the ones before have found out.
 */
#ifndef IBMIAM_DECISION_CHECK_H
#define IBMIAM_DECISION_CHECK_H

#include "decision.h"

enum verdict {
	STOP,  /* decided: by check_refuse() */
	GO_ON,
	ASK,   /* d->question; the same check is called again, with d->answered set */
};

/* Ends the decision; always STOP. */
enum verdict __attribute__((format(printf, 3, 4)))
check_refuse(struct decision *d, enum ibmiam_result result, const char *format, ...);

/* What the check has found, for whoever wants to know why. */
void __attribute__((format(printf, 2, 3)))
check_note(struct decision *d, const char *format, ...);

/* Asks; always ASK. */
enum verdict check_ask(struct decision *d, struct iam_question question);

/* decision_host.c: what this host knows by itself. */
enum verdict check_accounts(struct decision *d);
enum verdict check_uid(struct decision *d);
enum verdict check_rule(struct decision *d);
enum verdict check_service(struct decision *d);
enum verdict check_network(struct decision *d);
enum verdict check_shape(struct decision *d);
enum verdict check_rejected(struct decision *d);
enum verdict check_tries(struct decision *d);

/* Is it one of these services, by its name or without "-i" (config_plain_service())?  No list: any. */
bool check_is_listed(struct config_list services, const char *service);

/* decision_identity.c: whose key it is. */
enum verdict check_key(struct decision *d);
enum verdict check_issuer(struct decision *d);
enum verdict check_expiry(struct decision *d);
enum verdict check_account(struct decision *d);
enum verdict check_identity(struct decision *d);

/* What check_issuer, check_expiry and check_account look for, in whatever token. */
enum verdict check_claims(struct decision *d, const struct token *token);

/* decision_access.c: what IAM says that he may do. */
enum verdict check_profiles(struct decision *d);
enum verdict check_groups(struct decision *d);

#endif
