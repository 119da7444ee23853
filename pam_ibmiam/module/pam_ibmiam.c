/*
 * The six entry points of the PAM module.  They run inside sshd, sudo, su or login,
 * as root, and stay small: options, one call, a PAM code.  All six are exported for
 * ever, because removing one locks out hosts whose /etc/pam.d names it.
 */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <syslog.h>

#include "login.h"
#include "options.h"
#include "state.h"

#define ENTRY __attribute__((visibility("default")))

ENTRY int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct options opt;

	if (!options_parse(pamh, argc, argv, &opt))
		return PAM_SERVICE_ERR;
	return login_authenticate(pamh, flags, &opt);
}

/* A failure here, after a good login, would make sshd drop the session: what cannot be
 * exported is logged and left out, and the login stands. */
static void publish(pam_handle_t *pamh, const struct options *opt)
{
	int count = state_publish(pamh, opt->socket);

	if (count < 0)
		pam_syslog(pamh, LOG_ERR, "the token could not be exported; the session starts "
					  "without it");
	else if (opt->debug)
		pam_syslog(pamh, LOG_DEBUG, "%d variables exported", count);
}

/* Never PAM_IGNORE: libpam replays the chain that authenticate took. */
ENTRY int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct options opt;

	if (!options_parse(pamh, argc, argv, &opt))
		return PAM_SERVICE_ERR;
	if ((unsigned int)flags & PAM_DELETE_CRED)
		state_withdraw(pamh);
	else
		publish(pamh, &opt);
	return PAM_SUCCESS;
}

ENTRY int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct options opt;

	(void)flags;
	if (!options_parse(pamh, argc, argv, &opt))
		return PAM_SERVICE_ERR;
	return state_authenticated(pamh) ? PAM_SUCCESS : PAM_IGNORE;
}

ENTRY int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct options opt;

	(void)flags;
	if (!options_parse(pamh, argc, argv, &opt))
		return PAM_SERVICE_ERR;
	publish(pamh, &opt); /* for hosts that never call setcred */
	return PAM_SUCCESS;
}

ENTRY int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct options opt;

	(void)flags;
	if (!options_parse(pamh, argc, argv, &opt))
		return PAM_SERVICE_ERR;
	state_withdraw(pamh);
	return PAM_SUCCESS;
}

/* IAM owns the keys; there is no password to change here. */
ENTRY int pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct options opt;

	(void)flags;
	return options_parse(pamh, argc, argv, &opt) ? PAM_IGNORE : PAM_SERVICE_ERR;
}
