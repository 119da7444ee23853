/*
 * The outcome of a login attempt, the one vocabulary that the broker, the wire
 * and the module share.  Its PAM codes are in the table below: the module takes
 * the codes from it, the command their names; nothing else in the tree knows
 * them.  The numbers go over the wire: append only.
 */
#ifndef IBMIAM_RESULT_H
#define IBMIAM_RESULT_H

#include <stdint.h>

enum ibmiam_result {
	IBMIAM_ALLOWED = 0,
	IBMIAM_KEY_REJECTED = 1,  /* not shaped like a key, unknown, disabled, expired */
	IBMIAM_DENIED = 2,        /* a good key, but not for this user, account or policy */
	IBMIAM_USER_UNKNOWN = 3,  /* no rule for this user, or a uid that may never log in */
	IBMIAM_THROTTLED = 4,     /* too many attempts; IAM was not asked */
	IBMIAM_UNAVAILABLE = 5,   /* no usable answer from IAM: down, slow, 429, 5xx, TLS */
	IBMIAM_CONFIG_ERROR = 6,  /* the configuration is missing or wrong */
	IBMIAM_BROKER_ERROR = 7,  /* the broker cannot run or breaks the protocol */
	IBMIAM_NO_SESSION = 8,    /* no credential under this handle, or it is somebody else's; */
				  /* `ibmiam login`: the user has as many as he may */
	IBMIAM_RESULT_COUNT
};

/* What a login ends with.  IBMIAM_NO_SESSION is never the answer to a login by the module. */
#define RESULT_PAM_CODES(ROW)                            \
	ROW(IBMIAM_ALLOWED, PAM_SUCCESS)                 \
	ROW(IBMIAM_KEY_REJECTED, PAM_AUTH_ERR)           \
	ROW(IBMIAM_DENIED, PAM_PERM_DENIED)              \
	ROW(IBMIAM_USER_UNKNOWN, PAM_USER_UNKNOWN)       \
	ROW(IBMIAM_THROTTLED, PAM_MAXTRIES)              \
	ROW(IBMIAM_UNAVAILABLE, PAM_AUTHINFO_UNAVAIL)    \
	ROW(IBMIAM_CONFIG_ERROR, PAM_SERVICE_ERR)        \
	ROW(IBMIAM_BROKER_ERROR, PAM_SERVICE_ERR)        \
	ROW(IBMIAM_NO_SESSION, PAM_SERVICE_ERR)

/* The result as one word for the log.  Never NULL; "invalid" for a value out of
 * range, so that a number from the wire may be passed unchecked. */
const char *result_name(uint32_t result);

#endif
