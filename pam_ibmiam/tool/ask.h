/*
 * One question to the resident broker, and what its answers mean for people and scripts.
 */
#ifndef IBMIAM_ASK_H
#define IBMIAM_ASK_H

#include "result.h"
#include "tool.h"
#include "wire.h"

/* What a result means to whoever asked. */
struct ask_meaning {
	enum tool_exit status;
	const char *what; /* is wrong */
	const char *next; /* to do about it */
};

/* Sends the request (client.h, client_ask_resident()) and reads the reply into *buf and *reply,
 * which the caller frees with secret_free(buf).  TOOL_OK: there is a reply, whatever it says.
 * Else it has said why there is none. */
enum tool_exit ask(const struct tool *tool, const struct wire_message *message,
		   const void *request, struct secret *buf, struct wire_reply *reply);

/* Is there a socket to ask at?  TOOL_OK, or it has said that there is none: before somebody is
 * asked for a key in vain. */
enum tool_exit ask_somebody(const struct tool *tool);

/* The status for a reply's result by this table, which has no row for IBMIAM_ALLOWED; says the
 * meaning unless that is TOOL_OK, with the broker's reason where reason is true. */
enum tool_exit ask_verdict(const struct ask_meaning meanings[IBMIAM_RESULT_COUNT],
			   const struct wire_reply *reply, bool reason);

/* For a reply that this command cannot use: says so. */
enum tool_exit ask_broken(const char *why);

#endif
