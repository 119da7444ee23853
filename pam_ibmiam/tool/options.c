/* The command line's options.  See options.h. */
#include "options.h"

#include <getopt.h>
#include <string.h>

#include "message.h"
#include "seconds.h"

enum { TIMEOUT_MIN_S = 1, TIMEOUT_MAX_S = 60, ROW_MAX = 12, FIRST_VALUE = 256 };

const struct option_row option_rows[] = {
	{ OPTION_BEARER, "bearer", NULL, "with \"Bearer \" before the token" },
	{ OPTION_JSON, "json", NULL, "as a JSON object" },
	{ OPTION_LIST, "list", NULL, "the subcommands with their options, for programs" },
	{ OPTION_USER, "user", "NAME", "whose login; the user of sudo, else your own" },
	{ OPTION_SERVICE, "service", "NAME", "to which PAM service; sshd" },
	{ OPTION_RHOST, "rhost", "ADDRESS", "from where; this host" },
	{ OPTION_PAM, "pam", "SERVICE", "look at that file of /etc/pam.d (or a path) instead" },
	{ OPTION_CONFIG, "config", "PATH", "the configuration; /etc/security/ibmiam.conf" },
	{ OPTION_BROKER, "broker", "PATH", "the program to run; /usr/libexec/ibmiam-broker" },
	{ OPTION_TIMEOUT, "timeout", "SECONDS", "how long to wait for the answer, 1 to 60; 30" },
	{ OPTION_SOCKET, "socket", "PATH", "where the broker listens; /run/ibmiam/broker.sock" },
	{ OPTION_HELP, "help", NULL, "this text" },
	{ OPTION_VERSION, "version", NULL, "the version" },
	{ 0, NULL, NULL, NULL },
};

static bool set_timeout(struct tool *tool, const char *value)
{
	int seconds = seconds_parse(value, TIMEOUT_MAX_S);

	tool->timeout_ms = seconds * 1000;
	tool->timeout_given = true;
	return seconds >= TIMEOUT_MIN_S;
}

/* An absolute path, or a name that is at least something. */
static const char *set_text(const char **to, const char *value, bool path)
{
	*to = value;
	if (path)
		return value[0] == '/' ? NULL : "an absolute path";
	return value[0] ? NULL : "a name";
}

/* Stores one option.  Returns what it expects instead of this value, or NULL. */
static const char *store(struct tool *tool, enum option_flag flag, const char *value)
{
	switch (flag) {
	case OPTION_BEARER:
		tool->bearer = true;
		break;
	case OPTION_JSON:
		tool->json = true;
		break;
	case OPTION_LIST:
		tool->list = true;
		break;
	case OPTION_HELP:
		tool->help = true;
		break;
	case OPTION_VERSION:
		tool->version = true;
		break;
	case OPTION_SOCKET:
		return set_text(&tool->socket, value, true);
	case OPTION_CONFIG:
		return set_text(&tool->config, value, true);
	case OPTION_BROKER:
		return set_text(&tool->broker, value, true);
	case OPTION_USER:
		return set_text(&tool->user, value, false);
	case OPTION_SERVICE:
		return set_text(&tool->service, value, false);
	case OPTION_RHOST:
		return set_text(&tool->rhost, value, false);
	case OPTION_PAM:
		return set_text(&tool->pam, value, false);
	case OPTION_TIMEOUT:
		return set_timeout(tool, value) ? NULL : "whole seconds from 1 to 60";
	default:
		break;
	}
	return NULL;
}

/* getopt's form of the accepted rows; val says which row it is. */
static void fill(struct option to[ROW_MAX], unsigned int accepted)
{
	int used = 0;

	for (int i = 0; option_rows[i].name; i++)
		if (accepted & option_rows[i].flag)
			to[used++] = (struct option){
				.name = option_rows[i].name,
				.has_arg = option_rows[i].argument ? required_argument
								   : no_argument,
				.val = FIRST_VALUE + i,
			};
	to[used] = (struct option){ 0 };
}

/* Says what getopt did not like.  What follows a = is not repeated: it may be a secret. */
static bool refuse(const char *where, int c, const char *arg)
{
	const char letter[] = { '-', (char)optopt, '\0' };
	bool is_top = strcmp(where, "ibmiam") == 0;

	if (optopt > 0 && optopt < FIRST_VALUE) /* one letter, perhaps of several */
		arg = letter;
	message_say("%.*s %s; see: ibmiam %s%s--help", (int)strcspn(arg, "="), arg,
		    c == ':' ? "expects a value" : optopt >= FIRST_VALUE ? "takes no value"
									 : "is not an option here",
		    is_top ? "" : where, is_top ? "" : " ");
	return false;
}

bool options_parse(int argc, char **argv, unsigned int accepted, struct tool *tool)
{
	struct option options[ROW_MAX];
	int c;

	fill(options, accepted);
	optind = 0; /* glibc: from the beginning */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		const struct option_row *row;
		const char *expected;

		if (c < FIRST_VALUE)
			return refuse(argv[0], c, argv[optind - 1]);
		row = &option_rows[c - FIRST_VALUE];
		expected = store(tool, row->flag, optarg);
		if (expected) {
			message_say("--%s expects %s, not \"%s\"", row->name, expected, optarg);
			return false;
		}
	}
	tool->operands = argv + optind;
	tool->operand_count = argc - optind;
	return true;
}
