/*
 * The configuration: /etc/security/ibmiam.conf, then ibmiam.conf.d/ (files *.conf in
 * the order of their names).  Read whole or refused whole; every refusal names the file,
 * the line where there is one, and what was expected.  In a later file a key replaces
 * the earlier value (+= appends to a list); a user or service block may stand only once
 * in all files together.
 */
#ifndef IBMIAM_CONFIG_H
#define IBMIAM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cfg_t;
struct cfg_opt_t;

/* A list of strings inside the configuration; lives as long as that. */
struct config_list {
	struct cfg_opt_t *opt;
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

/* Strings are NULL and lists empty where nothing is configured. */
struct config {
	struct cfg_t *cfg; /* owns all that follows */
	char *endpoint;    /* base URL, without /identity/token and slashes at its end */
	const char *client_id;
	const char *client_secret; /* secret */
	const char *scope;
	const char *ca_file;
	const char *ca_path;
	const char *proxy;
	struct config_list issuer;
	struct config_list accounts;
	struct config_list environment;
	uint32_t minimum_uid;
	bool allow_root;
};

struct config_user {
	struct config_list iam_ids;
	struct config_list services; /* empty: every service */
	struct config_list environment;
	enum config_export export;
};

struct config_service {
	struct config_list environment;
	enum config_export export;
};

/* Reads the file and its .d folder.  Returns true and fills *ret, to be released with
 * config_free(); or false and says why in one line of at most why_len bytes. */
bool config_load(const char *path, struct config *ret, char *why, size_t why_len);

/* Has no file of it changed since? */
bool config_is_current(const struct config *config);

/* Takes an all-zero struct too. */
void config_free(struct config *config);

/* The block of this user or service.  False, *ret empty, when there is none. */
bool config_find_user(const struct config *config, const char *name, struct config_user *ret);
bool config_find_service(const struct config *config, const char *name,
			 struct config_service *ret);

#endif
