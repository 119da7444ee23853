/*
 * The configuration: /etc/security/ibmiam.conf, then ibmiam.conf.d/ (files *.conf in
 * the order of their names).  Read whole or refused whole; every refusal names the file,
 * the line where there is one, and what was expected.  In a later file a key replaces
 * the earlier value (+= appends to a list); a block may stand only once in all files
 * together.
 */
#ifndef IBMIAM_CONFIG_H
#define IBMIAM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "secret.h"

struct config_store;
struct config_show;

/* A list of strings inside the configuration; lives as long as that. */
struct config_list {
	const char *const *entry;
	size_t len;
};

size_t config_list_len(struct config_list list);
const char *config_list_get(struct config_list list, size_t i);

/* Is the text one of the list's strings? */
bool config_list_has(struct config_list list, const char *text);

enum config_export {
	CONFIG_EXPORT_DEFAULT = 0, /* not set: as CONFIG_EXPORT_OWN */
	CONFIG_EXPORT_NEVER,       /* export = false */
	CONFIG_EXPORT_OWN,         /* export = true */
	CONFIG_EXPORT_TARGET,      /* export = target (services only) */
};

/* A trusted profile, in the form that IAM's assume grant wants it. */
struct config_profile {
	enum {
		CONFIG_PROFILE_NONE = 0, /* not set */
		CONFIG_PROFILE_ID,       /* "Profile-<uuid>" */
		CONFIG_PROFILE_CRN,      /* "crn:v1:..." */
		CONFIG_PROFILE_NAME,     /* written NAME@ACCOUNT */
	} kind;
	const char *value;   /* the id, the CRN or the name */
	const char *account; /* with a name: the account's id, else NULL */
};

/* Strings are NULL and lists empty where nothing is configured. */
struct config {
	struct config_store *store; /* owns what is pointed to */
	const char *endpoint;       /* base URL, without /identity/token and slashes at its end */
	const char *client_id;
	const char *client_secret; /* secret */
	const char *scope;
	const char *ca_file;
	const char *ca_path;
	const char *proxy; /* may hold a password */
	struct config_list issuer;
	struct config_list accounts;
	struct config_list environment;
	struct config_list access_groups; /* member of one of them; empty: no matter */
	struct config_profile trusted_profile;
	struct secret directory_key; /* API key that asks for memberships, a string; data is NULL
				      * without a directory_key_file */
	uint32_t minimum_uid;
	uint32_t rate_limit; /* requests to IAM a minute; 0: no limit */
	bool allow_root;
};

struct config_user {
	struct config_list iam_ids;
	struct config_list services; /* empty: every service */
	struct config_list access_groups;
	struct config_list environment;
	struct config_profile trusted_profile;
	enum config_export export;
};

struct config_service {
	struct config_list users;    /* local users; empty: all who have a rule */
	struct config_list networks; /* for config_network_has(); empty: from everywhere */
	struct config_list access_groups;
	struct config_list environment;
	struct config_profile trusted_profile;
	enum config_export export;
};

/* Identities of an e-mail domain, each as the local user of its name. */
struct config_domain {
	struct config_list services; /* empty: every service */
	struct config_list access_groups;
	struct config_list environment;
	struct config_profile trusted_profile;
	enum config_export export;
};

/* Reads the file, its .d folder and the directory_key_file.  Returns true and fills *ret,
 * to be released with config_free(); or false, *ret untouched, and says why in one line of
 * at most why_len bytes.  May be called again whatever became of an earlier call, but not by
 * two threads at once. */
bool config_load(const char *path, struct config *ret, char *why, size_t why_len);

/* The same, and tells the show (config_show.h) of each value on the way. */
bool config_load_shown(const char *path, struct config_show *show, struct config *ret, char *why,
		       size_t why_len);

/* Wipes and releases.  Takes an all-zero struct too. */
void config_free(struct config *config);

/* Are the files still those that were loaded: none changed, replaced, come or gone?  Looks
 * at their attributes only, so it is cheap enough for each login; it must be able to search
 * their folders.  Also false when a file had been written so shortly before it was loaded
 * that its time could not tell one more change: to load once more cures that. */
bool config_is_current(const struct config *config);

/* The block of this user, or of this domain (in lower case).  False, *ret empty, when there
 * is none. */
bool config_find_user(const struct config *config, const char *name, struct config_user *ret);
bool config_find_domain(const struct config *config, const char *name, struct config_domain *ret);
bool config_has_domains(const struct config *config);

/* The block that holds for this PAM service: its own; else the one of its plain form (su for
 * su-l, sudo for sudo-i); else the one called "*".  It holds as a whole, nothing is merged.
 * False, *ret empty, when there is none of the three. */
bool config_find_service(const struct config *config, const char *name,
			 struct config_service *ret);

/* `su -` and `sudo -i` are PAM services of their own.  Returns the service that they are a
 * form of, or the name itself. */
const char *config_plain_service(const char *name);

#endif
