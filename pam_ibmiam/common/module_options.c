/* Arguments in /etc/pam.d, as a table.  See module_options.h. */
#include "module_options.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "client.h"
#include "seconds.h"

enum { TIMEOUT_DEFAULT_S = 10, TIMEOUT_MIN_S = 1, TIMEOUT_MAX_S = 60, PROMPT_MAX = 200 };

/* Each setter stores the value, or returns what it expects instead. */
static const char *set_flag(void *to, const char *value)
{
	if (value)
		return "takes no value";
	*(bool *)to = true;
	return NULL;
}

static const char *set_path(void *to, const char *value)
{
	if (!value || value[0] != '/' || strlen(value) >= PATH_MAX)
		return "expects an absolute path";
	*(const char **)to = value;
	return NULL;
}

static const char *set_socket(void *to, const char *value)
{
	bool none = value && strcmp(value, "none") == 0;

	if (!value || (value[0] != '/' && !none) || strlen(value) >= CLIENT_SOCKET_MAX)
		return "expects an absolute path of at most 107 bytes, or none";
	*(const char **)to = none ? NULL : value;
	return NULL;
}

static const char *set_prompt(void *to, const char *value)
{
	if (!value || value[0] == '\0' || strlen(value) > PROMPT_MAX)
		return "expects a text of 1 to 200 bytes";
	*(const char **)to = value;
	return NULL;
}

static const char *set_timeout(void *to, const char *value)
{
	int n = value ? seconds_parse(value, TIMEOUT_MAX_S) : -1;

	if (n < TIMEOUT_MIN_S)
		return "expects whole seconds from 1 to 60";
	*(unsigned int *)to = (unsigned int)n;
	return NULL;
}

static const struct {
	const char *name;
	const char *(*set)(void *to, const char *value);
	size_t at;
} table[] = {
	{ "config", set_path, offsetof(struct options, config) },
	{ "broker", set_path, offsetof(struct options, broker) },
	{ "socket", set_socket, offsetof(struct options, socket) },
	{ "timeout", set_timeout, offsetof(struct options, timeout_s) },
	{ "prompt", set_prompt, offsetof(struct options, prompt) },
	{ "debug", set_flag, offsetof(struct options, debug) },
	{ "try_first_pass", set_flag, offsetof(struct options, try_first_pass) },
	{ "use_first_pass", set_flag, offsetof(struct options, use_first_pass) },
};
enum { TABLE_LEN = sizeof table / sizeof table[0] };

/* What is wrong with this argument, or NULL. */
static const char *apply(const char *arg, bool seen[TABLE_LEN], struct options *ret)
{
	const char *equals = strchr(arg, '=');
	size_t name_len = equals ? (size_t)(equals - arg) : strlen(arg);

	for (size_t i = 0; i < TABLE_LEN; i++) {
		if (strlen(table[i].name) != name_len || memcmp(table[i].name, arg, name_len) != 0)
			continue;
		if (seen[i])
			return "is given twice";
		seen[i] = true;
		return table[i].set((char *)ret + table[i].at, equals ? equals + 1 : NULL);
	}
	return "is not an option of this module";
}

const char *module_options_read(size_t count, const char *const *args, struct options *ret,
				const char **ret_wrong)
{
	static const char default_socket[] = CLIENT_SOCKET;
	bool seen[TABLE_LEN] = { false };

	*ret = (struct options){
		.config = IBMIAM_CONFIG_PATH,
		.broker = IBMIAM_BROKER_PATH,
		.socket = default_socket,
		.prompt = "IBM Cloud API key: ",
		.timeout_s = TIMEOUT_DEFAULT_S,
	};
	for (size_t i = 0; i < count; i++) {
		const char *fault = apply(args[i], seen, ret);

		*ret_wrong = args[i];
		if (fault)
			return fault;
		if (ret->try_first_pass && ret->use_first_pass)
			return "is one of two that exclude each other (try_first_pass, use_first_pass)";
	}
	/* A resident broker has read its own configuration, not the one that is named here. */
	if (ret->socket == default_socket && strcmp(ret->config, IBMIAM_CONFIG_PATH) != 0)
		ret->socket = NULL;
	return NULL;
}
