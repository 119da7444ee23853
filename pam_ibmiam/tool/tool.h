/*
 * The ibmiam command: what its subcommands share.  A subcommand is one row of the table in
 * main.c and one function of its own file; all of them ask the resident broker, hold secrets
 * no longer than a call, and link libc only.
 */
#ifndef IBMIAM_TOOL_H
#define IBMIAM_TOOL_H

#include <stdbool.h>
#include <stddef.h>

/* The exit codes: the one table that --help prints too.  Scripts rely on them: append only. */
#define TOOL_EXITS(ROW)                                                                          \
	ROW(TOOL_OK, 0, "done")                                                                  \
	ROW(TOOL_UNEXPECTED, 1, "unexpected: input or output, memory, broker, configuration; "   \
	    "check --pam: findings")                                                             \
	ROW(TOOL_USAGE, 2, "wrong usage")                                                        \
	ROW(TOOL_NO_SESSION, 3, "no session: IBMIAM_SESSION is not set, malformed, or unknown; " \
	    "login: no room for another")                                                        \
	ROW(TOOL_NO_BROKER, 4, "no broker: nobody to be trusted listens at the socket")          \
	ROW(TOOL_ENDED, 5, "IAM or this host no longer accepts the key; login, check: does not") \
	ROW(TOOL_LATER, 6, "IAM cannot be reached and no valid token is left, throttled, or "    \
	    "the broker is busy")                                                                \
	ROW(TOOL_DENIED, 7, "check: a good key that may not log in as this user")                \
	ROW(TOOL_USER_UNKNOWN, 8, "check: no rule for this user, or no such local user")         \
	ROW(TOOL_CONFIG, 9, "check, config: the configuration is missing or wrong")              \
	ROW(TOOL_NOT_EXECUTABLE, 126, "exec: the command cannot be executed")                    \
	ROW(TOOL_NOT_FOUND, 127, "exec: the command does not exist")

#define TOOL_EXIT_NUMBER(name, number, text) name = (number),
enum tool_exit { TOOL_EXITS(TOOL_EXIT_NUMBER) };

/* One of them in a set. */
#define TOOL_EXIT_BIT(number) (1U << (number) % 100)

/* What the command line says. */
struct tool {
	const char *socket; /* where the resident broker listens; absolute */
	int timeout_ms;     /* for its answer */
	bool timeout_given; /* by an option */
	bool bearer, json, list;
	const char *user, *service, *rhost; /* whose login to check; NULL where not given */
	const char *pam;    /* the PAM service to look at instead, or NULL */
	const char *config, *broker; /* absolute paths */
	bool help, version;
	char **operands;    /* what follows the options; ends with NULL */
	int operand_count;
};

/* A subcommand.  run() has said on stderr why when it does not return TOOL_OK. */
struct command {
	const char *name;
	const char *operands; /* for the synopsis; "" */
	const char *summary;  /* one line of help */
	const char *text;     /* what else there is to know, in lines; NULL */
	unsigned int options; /* set of enum option_flag (options.h) */
	unsigned int exits;   /* set of TOOL_EXIT_BITs, but for those that every one has */
	int operands_min, operands_max;
	enum tool_exit (*run)(const struct tool *tool);
};

extern const struct command commands[]; /* ends with a name of NULL */

/* The subcommand of that name, or NULL. */
const struct command *command_find(const char *name);

/* Says that there is none of that name, and which one it looks like. */
enum tool_exit command_missing(const char *word);

enum tool_exit token_run(const struct tool *tool);
enum tool_exit exec_run(const struct tool *tool);
enum tool_exit env_run(const struct tool *tool);
enum tool_exit status_run(const struct tool *tool);
enum tool_exit login_run(const struct tool *tool);
enum tool_exit logout_run(const struct tool *tool);
enum tool_exit check_run(const struct tool *tool);
enum tool_exit config_run(const struct tool *tool);
enum tool_exit help_run(const struct tool *tool);

#endif
