/* ibmiam help: made from the tables, so that it cannot be wrong about them. */
#include <string.h>

#include "message.h"
#include "options.h"
#include "output.h"

static void put_options(struct output *out, unsigned int accepted)
{
	output_text(out, "\noptions:\n");
	for (const struct option_row *row = option_rows; row->name; row++)
		if (accepted & row->flag)
			output_format(out, "  --%s%s%s%*s%s\n", row->name, row->argument ? " " : "",
				      row->argument ? row->argument : "",
				      (int)(18 - strlen(row->name) -
					    (row->argument ? strlen(row->argument) + 1 : 0)),
				      "", row->summary);
}

/* NULL: of all commands.  A text may end with "; " and what holds for the commands that it names. */
static void put_exit(struct output *out, const struct command *command, int number,
		     const char *text)
{
	static const unsigned int always = TOOL_EXIT_BIT(TOOL_OK) | TOOL_EXIT_BIT(TOOL_UNEXPECTED) |
					   TOOL_EXIT_BIT(TOOL_USAGE);
	const char *more = strstr(text, "; ");
	size_t len = strlen(text);

	if (command && !((command->exits | always) & TOOL_EXIT_BIT(number)))
		return;
	if (command && more && !strstr(more, command->name))
		len = (size_t)(more - text);
	output_format(out, "  %-4d %.*s\n", number, (int)len, text);
}

static void put_exits(struct output *out, const struct command *command)
{
#define ROW(name, number, text) put_exit(out, command, number, text);
	output_text(out, "\nexit codes:\n");
	TOOL_EXITS(ROW)
#undef ROW
}

static void put_overview(struct output *out)
{
	output_text(out, "usage: ibmiam [--socket PATH] COMMAND [OPTION]... [ARGUMENT]...\n"
			 "The IBM Cloud IAM token of this session, always fresh.\n\ncommands:\n");
	for (const struct command *c = commands; c->name; c++)
		output_format(out, "  %-8s %s\n", c->name, c->summary);
	put_options(out, OPTIONS_GLOBAL);
	put_exits(out, NULL);
	output_text(out, "\nThe session is the one in IBMIAM_SESSION. "
			 "ibmiam COMMAND --help says more.\n");
}

static void put_command(struct output *out, const struct command *command)
{
	output_format(out, "usage: ibmiam %s [OPTION]...%s%s\n", command->name,
		      command->operands[0] ? " " : "", command->operands);
	output_format(out, "%s.\n", command->summary);
	if (command->text)
		output_text(out, command->text);
	put_options(out, command->options);
	put_exits(out, command);
}

/* One line a command: its name and options, = behind those with a value. */
static void put_list_line(struct output *out, const char *name, unsigned int accepted)
{
	output_text(out, name);
	for (const struct option_row *row = option_rows; row->name; row++)
		if (accepted & row->flag)
			output_format(out, " --%s%s", row->name, row->argument ? "=" : "");
	output_text(out, "\n");
}

static void put_list(struct output *out)
{
	put_list_line(out, "ibmiam", OPTIONS_GLOBAL);
	for (const struct command *c = commands; c->name; c++)
		put_list_line(out, c->name, c->options);
}

enum tool_exit help_run(const struct tool *tool)
{
	OUTPUT_AUTO(out);
	const char *name = tool->operand_count > 0 ? tool->operands[0] : NULL;
	const struct command *command = name ? command_find(name) : NULL;

	if (name && !command)
		return command_missing(name);
	if (tool->list)
		put_list(&out);
	else if (command)
		put_command(&out, command);
	else
		put_overview(&out);
	return output_write(&out);
}
