/*
 * The options of the command line, one table for all subcommands: each names the ones that it
 * takes.
 */
#ifndef IBMIAM_OPTIONS_H
#define IBMIAM_OPTIONS_H

#include "tool.h"

enum option_flag {
	OPTION_HELP = 1 << 0,
	OPTION_VERSION = 1 << 1,
	OPTION_SOCKET = 1 << 2,
	OPTION_TIMEOUT = 1 << 3,
	OPTION_BEARER = 1 << 4,
	OPTION_JSON = 1 << 5,
	OPTION_LIST = 1 << 6,
	OPTION_USER = 1 << 7,
	OPTION_SERVICE = 1 << 8,
	OPTION_RHOST = 1 << 9,
	OPTION_CONFIG = 1 << 10,
	OPTION_BROKER = 1 << 11,
	OPTION_PAM = 1 << 12,
	/* Before the subcommand. */
	OPTIONS_GLOBAL = OPTION_HELP | OPTION_VERSION | OPTION_SOCKET,
	/* Of whatever asks the broker. */
	OPTIONS_ASKING = OPTION_HELP | OPTION_SOCKET | OPTION_TIMEOUT,
	/* Of whatever runs a broker of its own. */
	OPTIONS_RUNNING = OPTION_HELP | OPTION_CONFIG | OPTION_BROKER,
};

struct option_row {
	enum option_flag flag;
	const char *name;     /* without the dashes */
	const char *argument; /* its name in the help, NULL without one */
	const char *summary;
};

extern const struct option_row option_rows[]; /* ends with a name of NULL */

/* Reads the options up to the first operand into *tool, of those in the set `accepted`; argv[0] is
 * skipped, and named in messages.  Leaves the rest in tool->operands.  False: it has said what is
 * wrong. */
bool options_parse(int argc, char **argv, unsigned int accepted, struct tool *tool);

#endif
