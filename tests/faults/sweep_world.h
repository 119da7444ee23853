/*
 * A small world for sweeps of a login: a configuration in files, an identity, IAM's answer to
 * its key, and what a host may then be told.
 */
#ifndef IBMIAM_SWEEP_WORLD_H
#define IBMIAM_SWEEP_WORLD_H

#include "unit_config.h"

#include "sweep.h"

#include "base64url.h"
#include "sweep_iam.h"
#include "wire.h"

#define KEY "0123456789-0123456789-0123456789-0123456789a"
#define DIRECTORY_KEY "abcdefghij-abcdefghij-abcdefghij-abcdefghij"
#define IAM_ID "IBMid-550000ABCD"
#define MAIN_FILE                                                                                   \
	"endpoint = \"https://127.0.0.1:1/identity/token/\"\naccounts = { \"" UNIT_ACCOUNT "\" }\n" \
	"client_id = \"me\"\nclient_secret = \"" UNIT_SECRET "\"\nscope = \"a b\"\n"                \
	"user alice { iam_ids = { \"" IAM_ID "\" } }\n"
#define SECOND_FILE                                                                  \
	"accounts += { \"" UNIT_ACCOUNT2 "\" }\nissuer = { \"https://iss.example\" }\n" \
	"user bob { iam_ids = { \"IBMid-2\" } services = { \"sshd\" } }\n"
#define CLAIMS                                                                           \
	"{\"iam_id\":\"" IAM_ID "\",\"iss\":\"https://iss.example\",\"exp\":4102444800," \
	"\"account\":{\"valid\":true,\"bss\":\"" UNIT_ACCOUNT "\"},\"amr\":[\"pwd\"]}"

static struct config good;       /* loaded while nothing failed */
static char *good_text;          /* what it holds */
static char body[4096];          /* IAM's answer */
static char good_token[2048];    /* in it */

static inline int make_files(void **state)
{
	struct secret jwt = { 0 };
	char why[2048], key_file[600];

	if (unit_folder_make(state) != 0)
		return -1;
	unit_write("ibmiam.conf", 0600, UNIT_BYTES(MAIN_FILE));
	unit_mkdir("ibmiam.conf.d", 0700);
	unit_write("ibmiam.conf.d/10.conf", 0600, UNIT_BYTES(SECOND_FILE));
	unit_write("ibmiam.conf.d/20.conf", 0600, "", 0);
	unit_write("key", 0600, UNIT_BYTES(DIRECTORY_KEY "\n"));
	(void)snprintf(key_file, sizeof key_file, "directory_key_file = \"%s/key\"\n", unit_folder);
	unit_write("ibmiam.conf.d/15.conf", 0600, key_file, strlen(key_file));
	if (!unit_config_load(&good, why))
		return -1;
	good_text = unit_config_text(&good);
	if (!secret_init(&jwt, 2048) || !secret_append(&jwt, UNIT_BYTES("e30.")) ||
	    !base64url_encode(UNIT_BYTES(CLAIMS), &jwt) ||
	    !secret_append(&jwt, ".c2lnbmF0dXJl", sizeof ".c2lnbmF0dXJl"))
		return -1;
	(void)snprintf(good_token, sizeof good_token, "%s", jwt.data);
	secret_free(&jwt);
	(void)snprintf(body, sizeof body, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\","
		       "\"expiration\":4102444800}", good_token);
	return 0;
}

static inline int remove_files(void **state)
{
	config_free(&good);
	free(good_text);
	return unit_folder_remove(state);
}

bool sweep_iam_answer(const struct iam_question *question, struct iam_answer *ret)
{
	*ret = (struct iam_answer){ .fault_result = IBMIAM_UNAVAILABLE, .fault = "no answer" };
	if (question->kind != IAM_TOKEN || strcmp(question->api_key, KEY) != 0 ||
	    !secret_init(&ret->body, IAM_BODY_MAX) ||
	    !secret_append(&ret->body, body, strlen(body)))
		return false;
	ret->http_status = 200;
	ret->fault[0] = '\0';
	return true;
}

static inline enum sweep_outcome wrong(char why[2048], const char *text)
{
	(void)snprintf(why, 2048, "%s", text);
	return SWEEP_WRONG;
}

static inline bool has(const struct wire_reply *r, const char *entry)
{
	for (const char *e = NULL;
	     (e = wire_list_next(r->environment, r->environment_len, e)) != NULL;)
		if (strcmp(e, entry) == 0)
			return true;
	return false;
}

/* Everything that a host would act on. */
static inline enum sweep_outcome judge(const struct wire_reply *r, char why[2048])
{
	char bearer[2100], token[2100];
	SECRET_AUTO(message);
	unsigned int entries = 0;

	(void)snprintf(why, 2048, "%s", r->reason ? r->reason : "");
	if (!secret_init(&message, WIRE_MESSAGE_MAX) ||
	    wire_encode(&wire_reply_message, r, &message))
		return wrong(why, "the reply cannot be sent");
	if (strstr(why, KEY) || strstr(why, good_token))
		return wrong(why, "the reason holds a secret");
	if (r->result != IBMIAM_ALLOWED)
		return r->environment ? wrong(why, "refused, but with an environment") : SWEEP_REFUSED;
	for (const char *e = NULL; (e = wire_list_next(r->environment, r->environment_len, e));)
		entries++;
	(void)snprintf(bearer, sizeof bearer, "IC_IAM_TOKEN=Bearer %s", good_token);
	(void)snprintf(token, sizeof token, "IBMIAM_TOKEN=%s", good_token);
	if (!has(r, bearer) || !has(r, token) || !has(r, "IBMIAM_IAM_ID=" IAM_ID) ||
	    !has(r, "IBMIAM_ACCOUNT_ID=" UNIT_ACCOUNT) ||
	    !has(r, "IBMIAM_TOKEN_EXPIRATION=4102444800") || entries != 5 ||
	    strcmp(r->iam_id, IAM_ID) != 0 || strcmp(r->account, UNIT_ACCOUNT) != 0 ||
	    r->http_status != 200 || r->export_to != WIRE_EXPORT_OWN)
		return wrong(why, "allowed, but not rightly");
	return SWEEP_RIGHT;
}

#endif
