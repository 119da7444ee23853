/*
 * The session that this command runs in: the handle in IBMIAM_SESSION, and what the broker has
 * under it.
 */
#ifndef IBMIAM_SESSION_H
#define IBMIAM_SESSION_H

#include "tool.h"
#include "wire.h"

/* $IBMIAM_SESSION; NULL where it is not set, or empty. */
const char *session_variable(void);

/* The handle of this session.  TOOL_OK, or it has said why there is none. */
enum tool_exit session_find(const char **ret);

/* Asks for the token of this session and all that belongs to it.  TOOL_OK: reply->token is good to
 * be printed anywhere, reply->expiration is set, and all points into *buf, which the caller frees.
 * Else it has said why not. */
enum tool_exit session_ask(const struct tool *tool, struct secret *buf, struct wire_reply *reply);

/* Drops the credential of this handle. */
enum tool_exit session_drop(const struct tool *tool, const char *handle);

#endif
