/* From the prompt to the verdict.  See login.h. */
#include "login.h"

#include <errno.h>
#include <security/pam_ext.h>
#include <security/pam_modutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "client.h"
#include "deadline.h"
#include "item.h"
#include "report.h"
#include "state.h"

#define PAM_CODE(result, code) [result] = (code),
static const int pam_code[IBMIAM_RESULT_COUNT] = { RESULT_PAM_CODES(PAM_CODE) };

/* Keys have at least 32 characters, user names hardly ever: what is typed at the wrong
 * prompt must not end up in the log. */
enum { KEY_LIKE = 32 };

struct attempt {
	pam_handle_t *pamh;
	int flags;
	const struct options *opt;
	const char *shown;   /* the user's name for the log */
	const char *user;    /* PAM_USER during this decision: a conversation may change it */
	const char *service;
	int left_ms;         /* of the timeout; time spent at the prompt does not count */
};

static struct wire_reply refuse(enum ibmiam_result result, const char *reason)
{
	return (struct wire_reply){ .result = result, .reason = reason };
}

/* The uid of the local account; or why there is none, in *ret. */
static bool find_uid(struct attempt *a, uint32_t *ret_uid, struct client_fault *fault,
		     struct wire_reply *ret)
{
	const struct passwd *pw;

	errno = 0;
	pw = pam_modutil_getpwnam(a->pamh, a->user);
	if (pw) {
		*ret_uid = pw->pw_uid;
		return true;
	}
	*ret = refuse(IBMIAM_USER_UNKNOWN, "there is no such local account");
	if (strlen(a->user) >= KEY_LIKE)
		a->shown = "(not shown: it may be a key)";
	/* getpwnam(3): these, too, may mean that the name was not found. */
	if (errno != 0 && errno != ENOENT && errno != ESRCH && errno != EBADF && errno != EPERM) {
		(void)snprintf(fault->text, sizeof fault->text,
			       "the local account cannot be looked up: %s", strerrordesc_np(errno));
		*ret = refuse(IBMIAM_BROKER_ERROR, fault->text);
	}
	return false;
}

/* NULL means from this host, so what is too long to be sent must not become that. */
static const char *get_rhost(pam_handle_t *pamh)
{
	const char *rhost = item_get(pamh, PAM_RHOST);

	if (!rhost || !rhost[0])
		return NULL;
	return strlen(rhost) < WIRE_RHOST_MAX ? rhost : "(too long)";
}

static struct wire_reply ask(struct attempt *a, const char *key, struct secret *buf,
			     struct client_fault *fault)
{
	const struct client_broker broker = {
		.program = a->opt->broker,
		.config = a->opt->config,
		.socket = a->opt->socket,
	};
	struct wire_reply reply;
	struct wire_request request = {
		.user = a->user,
		.service = a->service,
		.key = key[0] ? key : NULL,
		.rhost = get_rhost(a->pamh),
	};

	if (!find_uid(a, &request.uid, fault, &reply))
		return reply;
	if (strlen(key) >= WIRE_KEY_MAX)
		return refuse(IBMIAM_KEY_REJECTED, "the answer is far too long for an API key");
	if (!client_ask(&broker, &request, a->left_ms, buf, &reply, fault))
		return refuse(IBMIAM_BROKER_ERROR, fault->text);
	return reply;
}

/* One decision about one key: asked, logged, and remembered when it is yes. */
static int decide(struct attempt *a, const char *key)
{
	SECRET_AUTO(buf);
	struct client_fault fault;
	struct wire_reply reply;
	int64_t start_ms = deadline_now_ms();
	int64_t elapsed_ms;

	a->user = item_get(a->pamh, PAM_USER);
	a->shown = a->user;
	a->service = item_get(a->pamh, PAM_SERVICE);
	if (!a->user || !a->service) {
		pam_syslog(a->pamh, LOG_ERR, "the host has unset PAM_USER or PAM_SERVICE");
		return PAM_SERVICE_ERR;
	}
	reply = ask(a, key, &buf, &fault);
	elapsed_ms = deadline_now_ms() - start_ms;
	a->left_ms = a->left_ms > elapsed_ms ? a->left_ms - (int)elapsed_ms : 0;
	if (reply.result == IBMIAM_ALLOWED && !state_remember(a->pamh, a->user, &reply))
		reply = refuse(IBMIAM_BROKER_ERROR, "out of memory after IAM's yes");
	report_decision(a->pamh, a->shown, &reply, elapsed_ms);
	report_to_user(a->pamh, a->flags, reply.result);
	return pam_code[reply.result];
}

/* The code for a conversation that gave no answer; logged unless it will be asked again. */
static int conversation_failed(pam_handle_t *pamh, int code, const char *what)
{
	if (code == PAM_CONV_AGAIN || code == PAM_INCOMPLETE)
		return PAM_INCOMPLETE;
	pam_syslog(pamh, LOG_ERR, "the conversation failed: no answer to the question for the %s",
		   what);
	return PAM_CONV_ERR;
}

/* The key stays out of PAM_AUTHTOK: a module after this one must ask for its own
 * password, and would get a key that it has no business with. */
static int prompt_and_decide(struct attempt *a)
{
	char *key = NULL;
	int code = pam_prompt(a->pamh, PAM_PROMPT_ECHO_OFF, &key, "%s", a->opt->prompt);

	if (code == PAM_SUCCESS && key)
		code = decide(a, key);
	else
		code = conversation_failed(a->pamh, code, "key");
	if (key) {
		explicit_bzero(key, strlen(key));
		free(key);
	}
	return code;
}

static int authenticate_first_pass(struct attempt *a)
{
	const char *authtok = item_get(a->pamh, PAM_AUTHTOK);

	if (!authtok) {
		if (a->opt->use_first_pass)
			pam_syslog(a->pamh, LOG_NOTICE, "use_first_pass, but no module before this "
				   "one has asked for a password");
		return PAM_AUTH_ERR;
	}
	return decide(a, authtok);
}

int login_authenticate(pam_handle_t *pamh, int flags, const struct options *opt)
{
	struct attempt a = {
		.pamh = pamh,
		.flags = flags,
		.opt = opt,
		.left_ms = (int)opt->timeout_s * 1000,
	};
	const char *user = NULL;
	int code;

	state_reset(pamh);
	code = pam_get_user(pamh, &user, NULL);
	if (code != PAM_SUCCESS || !user)
		return conversation_failed(pamh, code, "user");
	if (opt->use_first_pass)
		return authenticate_first_pass(&a);
	if (opt->try_first_pass) {
		code = authenticate_first_pass(&a);
		if (code != PAM_AUTH_ERR)
			return code;
	}
	return prompt_and_decide(&a);
}
