/*
 * Identifiers that the configuration names, in IAM's forms: accounts, identities, trusted
 * profiles, access groups, and the domain of an e-mail address.  Each function returns what
 * is wrong with a value (static text, the end of a sentence) or NULL.
 */
#ifndef IBMIAM_CONFIG_IDENTIFIER_H
#define IBMIAM_CONFIG_IDENTIFIER_H

const char *config_identifier_account_fault(const char *value);
const char *config_identifier_iam_id_fault(const char *value);
const char *config_identifier_profile_fault(const char *value);
const char *config_identifier_group_fault(const char *value);
const char *config_identifier_domain_fault(const char *value);

#endif
