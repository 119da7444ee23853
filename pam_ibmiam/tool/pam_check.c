/* ibmiam check --pam.  See pam_check.h. */
#include "pam_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "message.h"
#include "pam_stack.h"

static const struct {
	void (*check)(struct pam_check *c);
	bool with_line; /* only where there is an auth line of pam_ibmiam */
} checks[] = {
	{ pam_rule_auth_line, false }, { pam_rule_open, true },	      { pam_rule_shut, true },
	{ pam_rule_fallback, true },   { pam_rule_sufficient, true }, { pam_rule_first_pass, true },
	{ pam_rule_options, false },   { pam_rule_account, true },    { pam_rule_session, true },
	{ pam_host_sshd, true },       { pam_host_second_way, true },
};

void pam_check_find_at(struct pam_check *c, const char *where, const char *write, const char *what)
{
	struct pam_finding *f = &c->finding[c->findings];

	if (c->findings == PAM_FINDINGS_MAX)
		return;
	c->findings++;
	(void)snprintf(f->where, sizeof f->where, "%s", where);
	(void)snprintf(f->what, sizeof f->what, "%s", what);
	(void)snprintf(f->write, sizeof f->write, "%s", write ? write : "");
}

void pam_check_find(struct pam_check *c, const struct pam_line *line, const char *write,
		    const char *format, ...)
{
	char where[PAM_PATH_MAX + 16], what[640];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(what, sizeof what, format, ap);
	va_end(ap);
	if (line)
		(void)snprintf(where, sizeof where, "%s:%u", line->file, line->line);
	else
		(void)snprintf(where, sizeof where, "%s%s",
			       strchr(c->file_name, '/') ? "" : "/etc/pam.d/", c->file_name);
	pam_check_find_at(c, where, write, what);
}

static void print_words(const struct pam_check *c, struct output *out)
{
	for (size_t i = 0; i < c->findings; i++) {
		const struct pam_finding *f = &c->finding[i];

		output_clean(out, f->where);
		output_text(out, ": ");
		output_clean(out, f->what);
		output_text(out, f->write[0] ? "\n    write: " : "");
		output_clean(out, f->write);
		output_text(out, "\n");
	}
	if (c->findings > 0)
		return;
	output_text(out, "no mistakes found");
	if (!c->host)
		output_text(out, " in this file; --service NAME says for which service it is to be, and looks "
			    "at what is around it, too");
	else if (geteuid() != 0)
		output_text(out, "; whether there is a second way in, only root can see");
	output_text(out, "\n");
}

static void print_json(const struct pam_check *c, struct output *out)
{
	output_text(out, "[");
	for (size_t i = 0; i < c->findings; i++) {
		output_text(out, i > 0 ? ",{\"where\":" : "{\"where\":");
		output_json(out, c->finding[i].where);
		output_text(out, ",\"what\":");
		output_json(out, c->finding[i].what);
		output_text(out, ",\"write\":");
		output_json(out, c->finding[i].write);
		output_text(out, "}");
	}
	output_text(out, "]\n");
}

static void run_checks(struct pam_check *c)
{
	for (size_t i = 0; i < c->file.count && !c->ibmiam; i++)
		if (c->file.lines[i].type == PAM_TYPE_AUTH &&
		    pam_stack_is_ibmiam(&c->file.lines[i]))
			c->ibmiam = &c->file.lines[i];
	if (c->file.fault[0])
		pam_check_find_at(c, c->file.fault, NULL, "libpam cannot read this");
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
		if (c->ibmiam || !checks[i].with_line)
			checks[i].check(c);
}

static void release(struct pam_check **c)
{
	if (*c)
		pam_file_free(&(*c)->file);
	free(*c);
}

enum tool_exit check_pam_run(const struct tool *tool)
{
	__attribute__((cleanup(release))) struct pam_check *c = calloc(1, sizeof *c);
	OUTPUT_AUTO(out);
	enum tool_exit status;

	if (!c)
		return message_fail(TOOL_UNEXPECTED, "out of memory");
	c->file_name = tool->pam;
	c->service = strchr(tool->pam, '/') ? tool->service : tool->pam;
	c->host = c->service != NULL;
	if (!pam_file_read(tool->pam, &c->file))
		return message_fail(TOOL_USAGE, "%s", c->file.fault);
	run_checks(c);
	(tool->json ? print_json : print_words)(c, &out);
	status = output_write(&out);
	return status == TOOL_OK && c->findings > 0 ? TOOL_UNEXPECTED : status;
}
