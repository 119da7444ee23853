/*
 * Loads a resident broker, as root: with sessions, or with questions for a token.
 *
 *   sessions SOCKET make USER UID COUNT < KEY   authenticates and adopts so often; prints how many
 *                                               it got and the last handle; ends with its stdin
 *   sessions SOCKET ask SECONDS HANDLE          prints how many tokens it got in that time
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"

enum { BUDGET_MS = 10000 };

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Asks; on success, the reply's session is in handle where there is one. */
static bool ask(const char *path, const struct wire_message *message, const void *request,
		char handle[WIRE_SESSION_MAX])
{
	SECRET_AUTO(buf);
	struct client_fault fault;
	struct wire_reply reply;

	if (!client_ask_resident(path, message, request, BUDGET_MS, &buf, &reply, &fault)) {
		(void)fprintf(stderr, "sessions: %s\n", fault.text);
		return false;
	}
	if (reply.result != IBMIAM_ALLOWED)
		(void)fprintf(stderr, "sessions: %s\n", reply.reason);
	else if (reply.session)
		(void)snprintf(handle, WIRE_SESSION_MAX, "%s", reply.session);
	return reply.result == IBMIAM_ALLOWED;
}

static void make(const char *path, const char *user, uint32_t uid, int count, const char *key)
{
	const struct wire_request request = { .user = user, .service = "bench", .key = key, .uid = uid,
					      .budget_ms = BUDGET_MS };
	char handle[WIRE_SESSION_MAX] = "";
	const struct wire_session session = { .session = handle, .user = user, .uid = uid };
	int n = 0;

	while (n < count && ask(path, &wire_request_message, &request, handle) &&
	       ask(path, &wire_adopt_message, &session, handle))
		n++;
	(void)printf("%d %s\n", n, handle);
	(void)fflush(stdout);
	while (getchar() != EOF) /* the sessions are this process's */
		;
}

static void ask_for(const char *path, double for_s, const char *handle)
{
	const struct wire_session session = { .session = handle, .budget_ms = BUDGET_MS };
	char unused[WIRE_SESSION_MAX];
	double end = now_s() + for_s;
	int n = 0;

	while (now_s() < end && ask(path, &wire_token_message, &session, unused))
		n++;
	(void)printf("%d\n", n);
}

int main(int argc, char **argv)
{
	char key[600] = "";

	if (argc == 6 && strcmp(argv[2], "make") == 0 && fgets(key, sizeof key, stdin)) {
		key[strcspn(key, "\n")] = '\0';
		make(argv[1], argv[3], (uint32_t)atoi(argv[4]), atoi(argv[5]), key);
		return EXIT_SUCCESS;
	}
	if (argc == 5 && strcmp(argv[2], "ask") == 0) {
		ask_for(argv[1], strtod(argv[3], NULL), argv[4]);
		return EXIT_SUCCESS;
	}
	return EXIT_FAILURE;
}
