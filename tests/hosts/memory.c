/*
 * A host that keeps no key: memory.t searches what a login leaves in it.  Run with a PAM
 * service and a user; or with a third word, to answer the question for the user and to set
 * PAM_AUTHTOK meanwhile, as a module earlier in the stack would.  Its standard input is
 * commands, one a line, and behind "authenticate" the answers; each command is answered by
 * its name and the PAM code.  Between commands it waits, and can be looked at.
 */
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 512 }; /* small blocks are overwritten least when they are freed */

static pam_handle_t *pamh;
static const char *first_pass; /* the user's name, where that is asked for */

/* A line of the input, without a copy anywhere else; false at the end. */
static bool read_line(char line[LINE_MAX_LEN])
{
	size_t len = 0;

	while (len < LINE_MAX_LEN - 1 && read(STDIN_FILENO, line + len, 1) == 1) {
		if (line[len] == '\n') {
			line[len] = '\0';
			return true;
		}
		len++;
	}
	return false;
}

static char *answer(void)
{
	char *line = malloc(LINE_MAX_LEN);

	if (line && read_line(line))
		return line;
	free(line);
	return NULL;
}

static char *answer_user(void)
{
	char *key = answer();

	(void)pam_set_item(pamh, PAM_AUTHTOK, key); /* only a module may, and one is asking */
	if (key)
		explicit_bzero(key, LINE_MAX_LEN);
	free(key);
	return strdup(first_pass);
}

static int converse(int count, const struct pam_message **messages, struct pam_response **ret, void *data)
{
	(void)data;
	*ret = calloc((size_t)count, sizeof **ret);
	if (!*ret)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++) {
		if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			(*ret)[i].resp = answer();
		else if (messages[i]->msg_style == PAM_PROMPT_ECHO_ON)
			(*ret)[i].resp = answer_user();
	}
	return PAM_SUCCESS;
}

static int establish(pam_handle_t *h, int flags)
{
	return pam_setcred(h, (int)((unsigned int)flags | PAM_ESTABLISH_CRED));
}

/* Shows the session's token, from where libpam has it. */
static int show_token(pam_handle_t *h, int flags)
{
	const char *token = pam_getenv(h, "IBMIAM_TOKEN");

	(void)flags;
	return token && write(STDOUT_FILENO, token, strlen(token)) > 0 && write(STDOUT_FILENO, "\n", 1) > 0
		       ? PAM_SUCCESS
		       : PAM_SYSTEM_ERR;
}

static const struct {
	const char *name;
	int (*call)(pam_handle_t *pamh, int flags);
} commands[] = {
	{ "authenticate", pam_authenticate },
	{ "setcred", establish },
	{ "token", show_token },
	{ "open", pam_open_session },
	{ "close", pam_close_session },
	{ "end", pam_end },
};

int main(int argc, char **argv)
{
	const struct pam_conv conversation = { .conv = converse };
	char line[LINE_MAX_LEN];

	if (argc < 3)
		return 2;
	first_pass = argc > 3 ? argv[2] : NULL;
	if (pam_start(argv[1], first_pass ? NULL : argv[2], &conversation, &pamh) != PAM_SUCCESS)
		return 2;
	while (read_line(line))
		for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
			if (strcmp(line, commands[i].name) == 0)
				(void)dprintf(STDOUT_FILENO, "%s %d\n", line, commands[i].call(pamh, 0));
	return 0;
}
