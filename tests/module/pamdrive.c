/*
 * A PAM host for tests that are data, without root: carries out the steps of its command
 * line in order and says what happened, as events (host.h).
 *   pamdrive CONFDIR SERVICE USER STEP...        USER "-": none, the module has to ask
 * Answers to prompts come from standard input, each ended by a NUL, because an answer may
 * hold any other byte.  The steps are in the tables below.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "host.h"

enum conversation { ANSWERS, FAILS, AGAIN, NO_ANSWER };

struct drive {
	pam_handle_t *pamh;
	enum conversation conversation;
	const char *next_user; /* PAM_USER from the next prompt on, NULL: stays */
	int descriptors;       /* open at the start */
};

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "pamdrive: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* The conversation */

/* Byte by byte from the descriptor: a forked child must not read ahead of its parent. */
static char *read_answer(void)
{
	char buf[16384];
	size_t len = 0;

	while (len < sizeof buf && read(STDIN_FILENO, buf + len, 1) == 1)
		if (buf[len++] == '\0')
			return strdup(buf);
	return NULL;
}

/* PAM_SUCCESS, and an answer that may be NULL. */
static int ask(struct drive *d, const struct pam_message *m, char **ret)
{
	const void *authtok = NULL;
	bool echo = m->msg_style == PAM_PROMPT_ECHO_ON;

	/* While a module asks, its host may look at what only modules may see. */
	(void)pam_get_item(d->pamh, PAM_AUTHTOK, &authtok);
	if (d->next_user && pam_set_item(d->pamh, PAM_USER, d->next_user) != PAM_SUCCESS)
		die("user");
	d->next_user = NULL;
	event("prompt", echo ? "on" : "off", m->msg, authtok ? "authtok" : "", NULL);
	switch (d->conversation) {
	case FAILS:
		return PAM_CONV_ERR;
	case AGAIN:
		return PAM_CONV_AGAIN;
	case NO_ANSWER:
		return PAM_SUCCESS;
	case ANSWERS:
		break;
	}
	*ret = read_answer();
	return *ret ? PAM_SUCCESS : PAM_CONV_ERR;
}

static int converse(int n, const struct pam_message **m, struct pam_response **ret, void *data)
{
	struct pam_response *answers = calloc((size_t)n, sizeof *answers);
	int code = answers ? PAM_SUCCESS : PAM_BUF_ERR;

	for (int i = 0; i < n && code == PAM_SUCCESS; i++) {
		if (m[i]->msg_style == PAM_ERROR_MSG)
			event("error", m[i]->msg, NULL);
		else if (m[i]->msg_style == PAM_TEXT_INFO)
			event("info", m[i]->msg, NULL);
		else
			code = ask(data, m[i], &answers[i].resp);
	}
	if (code == PAM_SUCCESS) {
		*ret = answers;
		return PAM_SUCCESS;
	}
	for (int i = 0; answers && i < n; i++)
		free(answers[i].resp);
	free(answers);
	return code;
}

/* Steps: calls into PAM */

static const struct call {
	const char *name;
	int (*function)(pam_handle_t *pamh, int flags);
	int flags;
} calls[] = {
	{ "authenticate", pam_authenticate, 0 },
	{ "authenticate-silent", pam_authenticate, (int)PAM_SILENT },
	{ "setcred", pam_setcred, PAM_ESTABLISH_CRED },
	{ "setcred-noflag", pam_setcred, 0 },
	{ "setcred-reinitialize", pam_setcred, PAM_REINITIALIZE_CRED },
	{ "setcred-refresh", pam_setcred, PAM_REFRESH_CRED },
	{ "setcred-delete", pam_setcred, PAM_DELETE_CRED },
	{ "acct_mgmt", pam_acct_mgmt, 0 },
	{ "open_session", pam_open_session, 0 },
	{ "close_session", pam_close_session, 0 },
	{ "chauthtok", pam_chauthtok, 0 },
};

static bool call(struct drive *d, const char *name)
{
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		char elapsed[24];
		int64_t start;
		int code;

		if (strcmp(calls[i].name, name) != 0)
			continue;
		start = now_ms();
		code = calls[i].function(d->pamh, calls[i].flags);
		(void)snprintf(elapsed, sizeof elapsed, "%lld", (long long)(now_ms() - start));
		event("call", name, code_name(code), elapsed, NULL);
		return true;
	}
	return false;
}

/* Steps: items */

static const struct {
	const char *name;
	int type;
} items[] = {
	{ "user", PAM_USER },
	{ "rhost", PAM_RHOST },
	{ "ruser", PAM_RUSER },
	{ "tty", PAM_TTY },
};

static bool set_item(struct drive *d, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
		if (strcmp(items[i].name, name) != 0)
			continue;
		if (pam_set_item(d->pamh, items[i].type, value) != PAM_SUCCESS)
			die(name);
		return true;
	}
	return false;
}

/* Steps: the rest */

static void show_environment(struct drive *d, const char *value)
{
	char **list = pam_getenvlist(d->pamh);

	(void)value;
	event_list("env", list);
	for (char **entry = list; entry && *entry; entry++)
		free(*entry);
	free(list);
}

static void put_variable(struct drive *d, const char *value)
{
	if (pam_putenv(d->pamh, value) != PAM_SUCCESS)
		die("putenv");
}

static void set_conversation(struct drive *d, const char *value)
{
	static const char *const names[] = { "answers", "error", "again", "null" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (value && strcmp(names[i], value) == 0)
			d->conversation = (enum conversation)i;
}

/* As a greeter does whose user changes his mind. */
static void set_next_user(struct drive *d, const char *value)
{
	d->next_user = value;
}

/* What sshd's child does in keyboard-interactive mode; all that reaches its parent is the
 * PAM environment. */
static _Noreturn void authenticate_in_child(struct drive *d, int to)
{
	char **list;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)call(d, "authenticate");
	(void)call(d, "acct_mgmt");
	list = pam_getenvlist(d->pamh);
	for (; list && *list; list++)
		if (write(to, *list, strlen(*list) + 1) < 0)
			_exit(2);
	_exit(0);
}

static void fork_authenticate(struct drive *d, const char *value)
{
	char *entry = NULL;
	size_t size = 0;
	int pipes[2], status;
	FILE *from;
	pid_t pid;

	(void)value;
	if (pipe(pipes) != 0 || (pid = fork()) < 0)
		die("fork");
	if (pid == 0)
		authenticate_in_child(d, pipes[1]);
	(void)close(pipes[1]);
	from = fdopen(pipes[0], "r");
	while (from && getdelim(&entry, &size, '\0', from) > 0)
		put_variable(d, entry);
	free(entry);
	if (!from || fclose(from) != 0 || waitpid(pid, &status, 0) != pid || status != 0)
		die("the forked child");
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		(void)closedir(dir);
	return n;
}

/* Our children, zombies too: orphans among our descendants have become ours. */
static int for_children(void (*act)(pid_t pid))
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		char path[64], stat[512] = "", *end;
		int fd;

		(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
		if (pid <= 0 || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			continue;
		if (read(fd, stat, sizeof stat - 1) > 0 && (end = strrchr(stat, ')')) != NULL &&
		    strlen(end) > 4 && strtol(end + 4, NULL, 10) == getpid()) {
			n++;
			if (act)
				act(pid);
		}
		(void)close(fd);
	}
	if (dir)
		(void)closedir(dir);
	return n;
}

static void show_left(struct drive *d, const char *value)
{
	(void)value;
	event_number("left", "processes", for_children(NULL));
	event_number("left", "descriptors", count_descriptors() - d->descriptors);
}

static void end_child(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, __WALL);
}

static const struct {
	const char *name;
	void (*act)(struct drive *d, const char *value);
} steps[] = {
	{ "env", show_environment },
	{ "putenv", put_variable },
	{ "conv", set_conversation }, /* answers, error, again, null */
	{ "next-user", set_next_user },
	{ "fork-authenticate", fork_authenticate },
	{ "left", show_left }, /* processes and descriptors that should not be there */
};

static void carry_out(struct drive *d, char *step)
{
	char *value = strchr(step, '=');

	if (value)
		*value++ = '\0';
	if (call(d, step) || set_item(d, step, value))
		return;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		if (strcmp(steps[i].name, step) == 0) {
			steps[i].act(d, value);
			return;
		}
	}
	errno = EINVAL;
	die(step);
}

int main(int argc, char **argv)
{
	struct drive d = { .conversation = ANSWERS };
	const struct pam_conv conversation = { converse, &d };
	const char *user = argc > 3 && strcmp(argv[3], "-") != 0 ? argv[3] : NULL;
	int code;

	if (argc < 4) {
		(void)fprintf(stderr, "usage: pamdrive CONFDIR SERVICE USER STEP...\n");
		return 2;
	}
	/* Nothing of a test outlives it, and what the module leaves behind comes to us. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	event_open();
	code = pam_start_confdir(argv[2], user, &conversation, argv[1], &d.pamh);
	if (code != PAM_SUCCESS) {
		(void)fprintf(stderr, "pamdrive: pam_start: %s\n", code_name(code));
		return 2;
	}
	d.descriptors = count_descriptors();
	for (int i = 4; i < argc; i++)
		carry_out(&d, argv[i]);
	code = pam_end(d.pamh, PAM_SUCCESS);
	(void)for_children(end_child);
	return code == PAM_SUCCESS ? 0 : 2;
}
