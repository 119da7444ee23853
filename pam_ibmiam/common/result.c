/* The log's word for each outcome.  See result.h. */
#include "result.h"

static const char *const names[IBMIAM_RESULT_COUNT] = {
	[IBMIAM_ALLOWED] = "allowed",
	[IBMIAM_KEY_REJECTED] = "key-rejected",
	[IBMIAM_DENIED] = "denied",
	[IBMIAM_USER_UNKNOWN] = "user-unknown",
	[IBMIAM_THROTTLED] = "throttled",
	[IBMIAM_UNAVAILABLE] = "unavailable",
	[IBMIAM_CONFIG_ERROR] = "config-error",
	[IBMIAM_BROKER_ERROR] = "broker-error",
	[IBMIAM_NO_SESSION] = "no-session",
};

const char *result_name(uint32_t result)
{
	return result < IBMIAM_RESULT_COUNT ? names[result] : "invalid";
}
