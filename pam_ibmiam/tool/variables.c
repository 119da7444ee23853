/* Variables.  See variables.h. */
#include "variables.h"

#include <string.h>

#include "ask.h"
#include "message.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

size_t variables_name_len(const char *entry)
{
	return strcspn(entry, "=");
}

static bool is_variable(const char *entry)
{
	size_t len = strspn(entry, LETTERS "0123456789");

	return strspn(entry, LETTERS) > 0 && entry[len] == '=';
}

enum tool_exit variables_check(const struct wire_reply *reply)
{
	const char *entry = NULL;

	if (!reply->environment)
		message_say("note: this host's configuration gives your sessions no variables; "
			    "ibmiam token prints the token");
	while ((entry = wire_list_next(reply->environment, reply->environment_len, entry)) != NULL)
		if (!is_variable(entry))
			return ask_broken("what should be NAME=value is not");
	return TOOL_OK;
}
