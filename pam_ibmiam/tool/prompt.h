/*
 * Where `ibmiam login` gets the key from: the terminal, without echo, or one line of standard
 * input.  Never an argument or a variable, which others can see.
 */
#ifndef IBMIAM_PROMPT_H
#define IBMIAM_PROMPT_H

#include "secret.h"
#include "tool.h"

enum {
	/* Bytes.  More than any key has, and so little that neither a terminal (4095) nor the
	 * protocol (WIRE_KEY_MAX) cuts it. */
	PROMPT_KEY_MAX = 1024,
};

/* Reads a key into *key, which must be empty, and terminates it.  Asks on /dev/tty when standard
 * input is a terminal, and leaves that as it was, whatever signal arrives.  TOOL_OK, or it has said
 * what is wrong; a key is never cut.  Blocks as long as it takes. */
enum tool_exit prompt_key(struct secret *key);

#endif
