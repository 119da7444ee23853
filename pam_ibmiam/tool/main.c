/*
 * ibmiam: the command line for the users of a session, and for admins.  Here are the table of its
 * subcommands and the way from argv to one of them.
 */
#include <string.h>

#include "client.h"
#include "message.h"
#include "options.h"
#include "output.h"
#include "process.h"

/* What each may exit with, besides what all may. */
enum {
	EXITS_ASKING = TOOL_EXIT_BIT(TOOL_NO_SESSION) | TOOL_EXIT_BIT(TOOL_NO_BROKER) |
		       TOOL_EXIT_BIT(TOOL_ENDED) | TOOL_EXIT_BIT(TOOL_LATER),
	EXITS_EXEC = TOOL_EXIT_BIT(TOOL_NOT_EXECUTABLE) | TOOL_EXIT_BIT(TOOL_NOT_FOUND),
	EXITS_CHECK = TOOL_EXIT_BIT(TOOL_ENDED) | TOOL_EXIT_BIT(TOOL_LATER) | TOOL_EXIT_BIT(TOOL_DENIED) |
		      TOOL_EXIT_BIT(TOOL_USER_UNKNOWN) | TOOL_EXIT_BIT(TOOL_CONFIG),
};

enum { TIMEOUT_DEFAULT_MS = 30 * 1000, NO_LIMIT = 0x7fffffff, WORD_MAX = 16, DISTANCE_MAX = 2 };

const struct command commands[] = {
	{ "token", "", "Print the access token of this session",
	  "It is fetched anew when less than a fifth of its life is left.\n",
	  OPTIONS_ASKING | OPTION_BEARER | OPTION_JSON, EXITS_ASKING, 0, 0, token_run },
	{ "exec", "[--] COMMAND [ARGUMENT]...",
	  "Run a command with the variables of this session, fresh",
	  "The variables are those that this host's configuration names. The exit code is the\n"
	  "command's own.\n",
	  OPTIONS_ASKING, EXITS_ASKING | EXITS_EXEC, 1, NO_LIMIT, exec_run },
	{ "env", "", "Print the variables of this session for a shell",
	  "In sh, bash and zsh: eval \"$(ibmiam env)\"\n",
	  OPTIONS_ASKING, EXITS_ASKING, 0, 0, env_run },
	{ "status", "", "Say who this session is in IBM Cloud IAM, and for how long", NULL,
	  OPTIONS_ASKING | OPTION_JSON, EXITS_ASKING, 0, 0, status_run },
	{ "login", "",
	  "Log in with an API key, where there is no session or its credential has ended",
	  "In sh, bash and zsh: eval \"$(ibmiam login)\"\n"
	  "The key is asked for without echo, or is one line of standard input. Where\n"
	  "IBMIAM_SESSION is set, and not another user's, the session keeps that name: nothing needs\n"
	  "to be evaluated. It then ends with the session that had it; a new one ends with the leader\n"
	  "of the session (setsid(2)) that this command runs in.\n",
	  OPTIONS_ASKING, EXITS_ASKING, 0, 0, login_run },
	{ "logout", "", "End the credential of this session", NULL,
	  OPTIONS_ASKING, EXITS_ASKING, 0, 0, logout_run },
	{ "check", "", "For root: try a login and show each step of it, to see why it fails",
	  "It asks for an API key, or reads it from standard input, and runs a broker of its own, as\n"
	  "a login does that finds no other; nobody is logged in, and nothing is changed. It waits for\n"
	  "10 seconds, as a login does, unless --timeout says otherwise.\n"
	  "With --pam no key is needed: it warns of mistakes in that file of /etc/pam.d, and exits with\n"
	  "1 where there are any, with 2 where it cannot be read.\n",
	  OPTIONS_RUNNING | OPTION_USER | OPTION_SERVICE | OPTION_RHOST | OPTION_PAM |
	  OPTION_TIMEOUT | OPTION_JSON, EXITS_CHECK, 0, 0, check_run },
	{ "config", "", "For root: print the configuration in force, each value with its origin",
	  "What it prints is a configuration, but for secrets, which are shown as (set).\n",
	  OPTIONS_RUNNING, TOOL_EXIT_BIT(TOOL_CONFIG), 0, 0, config_run },
	{ "help", "[COMMAND]", "Explain the commands, or one of them", NULL,
	  OPTION_HELP | OPTION_LIST, 0, 0, 1, help_run },
	{ 0 },
};

const struct command *command_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* How many letters differ: put in, left out or another one. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t corner = i;

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t best = corner + (a[i] != b[j]);

			corner = row[j + 1];
			best = corner + 1 < best ? corner + 1 : best;
			row[j + 1] = row[j] + 1 < best ? row[j] + 1 : best;
		}
	}
	return row[len];
}

enum tool_exit command_missing(const char *word)
{
	const char *near = NULL;
	size_t least = DISTANCE_MAX + 1;

	/* What is long, or has other characters, is not repeated: it may be a key. */
	if (strlen(word) > WORD_MAX || word[strspn(word, "abcdefghijklmnopqrstuvwxyz-")])
		return message_fail(TOOL_USAGE, "there is no such command; see: ibmiam help");
	for (const struct command *c = commands; c->name; c++) {
		size_t d = distance(word, c->name);

		if (d < least && d < strlen(word)) {
			least = d;
			near = c->name;
		}
	}
	return message_fail(TOOL_USAGE, "there is no command \"%s\"%s%s; see: ibmiam help", word,
			    near ? ", perhaps you mean: ibmiam " : "", near ? near : "");
}

static enum tool_exit print_version(void)
{
	OUTPUT_AUTO(out);

	output_text(&out, "ibmiam " IBMIAM_VERSION "\n");
	return output_write(&out);
}

static enum tool_exit print_help(struct tool *tool, char *operands[], int count)
{
	tool->operands = operands;
	tool->operand_count = count;
	tool->list = false;
	return help_run(tool);
}

static enum tool_exit misused(const struct command *command, const char *expected)
{
	/* What was given is not repeated: it may be a key. */
	return message_fail(TOOL_USAGE, "%s expects %s; see: ibmiam %s --help", command->name,
			    expected, command->name);
}

static enum tool_exit run(const struct command *command, struct tool *tool)
{
	char **argv = tool->operands;

	if (!options_parse(tool->operand_count, argv, command->options, tool))
		return TOOL_USAGE;
	if (tool->help)
		return print_help(tool, argv, 1);
	if (tool->operand_count < command->operands_min)
		return misused(command, command->operands);
	if (tool->operand_count > command->operands_max)
		return misused(command, command->operands[0] ? "one argument at most"
							     : "no arguments");
	return command->run(tool);
}

int main(int argc, char **argv)
{
	static char name[] = "ibmiam";
	struct tool tool = { .socket = CLIENT_SOCKET, .timeout_ms = TIMEOUT_DEFAULT_MS,
			     .config = IBMIAM_CONFIG_PATH, .broker = IBMIAM_BROKER_PATH };
	const struct command *command;

	process_protect();
	if (argc < 1)
		return TOOL_USAGE;
	argv[0] = name;
	if (!options_parse(argc, argv, OPTIONS_GLOBAL, &tool))
		return TOOL_USAGE;
	if (tool.version)
		return (int)print_version();
	if (tool.help)
		return (int)print_help(&tool, NULL, 0);
	if (tool.operand_count == 0)
		return (int)message_fail(TOOL_USAGE, "expects a command; see: ibmiam help");
	command = command_find(tool.operands[0]);
	if (!command)
		return (int)command_missing(tool.operands[0]);
	return (int)run(command, &tool);
}
