/* ibmiam check.  See check.h. */
#include "check.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "message.h"
#include "prompt.h"

enum { LOGIN_TIMEOUT_MS = 10 * 1000 /* the module's default */ };

static const enum tool_exit exits[IBMIAM_RESULT_COUNT] = {
	[IBMIAM_ALLOWED] = TOOL_OK,
	[IBMIAM_KEY_REJECTED] = TOOL_ENDED,
	[IBMIAM_DENIED] = TOOL_DENIED,
	[IBMIAM_USER_UNKNOWN] = TOOL_USER_UNKNOWN,
	[IBMIAM_THROTTLED] = TOOL_LATER,
	[IBMIAM_UNAVAILABLE] = TOOL_LATER,
	[IBMIAM_CONFIG_ERROR] = TOOL_CONFIG,
	[IBMIAM_BROKER_ERROR] = TOOL_UNEXPECTED,
	[IBMIAM_NO_SESSION] = TOOL_UNEXPECTED,
};

const char *check_pam_code(uint32_t result)
{
#define NAME(result, code) [result] = #code,
	static const char *const names[IBMIAM_RESULT_COUNT] = { RESULT_PAM_CODES(NAME) };
#undef NAME

	return result < IBMIAM_RESULT_COUNT ? names[result] : "?";
}

void check_add(struct check *c, const char *name, enum check_outcome outcome, long ms,
	       const char *detail)
{
	struct check_step *step = &c->step[c->steps];

	if (c->steps == CHECK_STEPS_MAX)
		return;
	*step = (struct check_step){ .outcome = outcome, .ms = ms, .detail = detail };
	(void)snprintf(step->name, sizeof step->name, "%s", name);
	c->steps++;
}

/* "NAME OUTCOME MS DETAIL" */
void check_add_lines(struct check *c)
{
	static const char *const outcomes[] = {
		[CHECK_PASSED] = "passed ", [CHECK_FAILED] = "failed ", [CHECK_HINT] = "hint "
	};
	const char *line = NULL;

	while ((line = wire_list_next(c->reply.steps, c->reply.steps_len, line)) != NULL) {
		char name[CHECK_NAME_MAX], *end;
		const char *p = strchr(line, ' ');
		enum check_outcome outcome = CHECK_PASSED;
		long ms;

		if (!p || (size_t)(p - line) >= sizeof name)
			continue;
		(void)snprintf(name, sizeof name, "%.*s", (int)(p - line), line);
		p++;
		while (outcome < CHECK_HINT &&
		       strncmp(p, outcomes[outcome], strlen(outcomes[outcome])) != 0)
			outcome++;
		p = strchr(p, ' ');
		ms = p ? strtol(p, &end, 10) : 0;
		if (p && *end == ' ')
			check_add(c, name, outcome, ms, end + 1);
	}
}

/* libpam takes another file then, and says so nowhere.  `ibmiam login` is a service without one. */
static void look_for_service(struct check *c)
{
	static const char *const folders[] = { "/etc/pam.d", "/usr/lib/pam.d" };
	char path[WIRE_SERVICE_MAX + sizeof "/usr/lib/pam.d/"];

	if (strcmp(c->service, "ibmiam") == 0)
		return;
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folders[i], c->service);
		if (access(path, F_OK) == 0)
			return;
	}
	(void)snprintf(c->no_file, sizeof c->no_file, "there is no file /etc/pam.d/%.100s, so its logins "
		       "are up to /etc/pam.d/other; is it the right service (--service)?", c->service);
	check_add(c, "hint", CHECK_HINT, 0, c->no_file);
}

/* The same question that the module asks, of a broker of our own. */
static enum tool_exit ask_broker(struct check *c, uint32_t uid, struct secret *buf)
{
	const struct tool *tool = c->tool;
	const struct client_broker broker = { .program = tool->broker, .config = tool->config };
	struct wire_request request = { .user = c->user, .service = c->service, .uid = uid,
					.rhost = tool->rhost, .explain = 1 };
	static struct client_fault fault; /* the reason points into it */
	SECRET_AUTO(key);
	enum tool_exit status = prompt_key(&key);

	if (status != TOOL_OK)
		return status;
	request.key = key.data;
	if (!client_ask(&broker, &request,
			tool->timeout_given ? tool->timeout_ms : LOGIN_TIMEOUT_MS, buf, &c->reply,
			&fault))
		c->reply =
			(struct wire_reply){ .result = IBMIAM_BROKER_ERROR, .reason = fault.text };
	check_add_lines(c);
	/* It has not come to the checks. */
	if (!c->reply.steps && c->reply.result != IBMIAM_ALLOWED)
		check_add(c, c->reply.result == IBMIAM_CONFIG_ERROR ? "config" : "broker",
			  CHECK_FAILED, 0, c->reply.reason);
	return TOOL_OK;
}

static enum tool_exit print(const struct check *c)
{
	OUTPUT_AUTO(out);
	enum tool_exit status;

	(c->tool->json ? check_print_json : check_print_words)(c, &out);
	status = output_write(&out);
	return status == TOOL_OK ? exits[c->reply.result] : status;
}

/* Whoever called sudo, or is root himself. */
static const char *default_user(void)
{
	const char *sudo = secure_getenv("SUDO_USER");
	const struct passwd *pw = sudo && sudo[0] ? NULL : getpwuid(getuid());

	return pw ? pw->pw_name : sudo ? sudo : "root";
}

enum tool_exit check_run(const struct tool *tool)
{
	SECRET_AUTO(buf);
	struct check c = { .tool = tool, .user = tool->user ? tool->user : default_user(),
			   .service = tool->service ? tool->service : "sshd" };
	const struct passwd *pw;
	enum tool_exit status;

	if (tool->pam)
		return check_pam_run(tool);
	if (geteuid() != 0)
		return message_fail(TOOL_UNEXPECTED,
				    "check is for root, who may read the configuration and start a "
				    "broker as a login does; try: sudo ibmiam check --user %s",
				    c.user);
	if (strlen(c.user) >= WIRE_USER_MAX || strlen(c.service) >= WIRE_SERVICE_MAX ||
	    (tool->rhost && strlen(tool->rhost) >= WIRE_RHOST_MAX))
		return message_fail(TOOL_USAGE, "--user, --service and --rhost are too long");
	pw = getpwnam(c.user);
	if (!pw) {
		c.reply = (struct wire_reply){ .result = IBMIAM_USER_UNKNOWN,
					       .reason = "there is no such local user" };
		check_add(&c, "user", CHECK_FAILED, 0, c.reply.reason);
		return print(&c);
	}
	(void)snprintf(c.account, sizeof c.account, "%.32s, uid %lu", c.user,
		       (unsigned long)pw->pw_uid);
	check_add(&c, "user", CHECK_PASSED, 0, c.account);
	look_for_service(&c);
	status = ask_broker(&c, (uint32_t)pw->pw_uid, &buf);
	return status == TOOL_OK ? print(&c) : status;
}
