/*
 * The variables of a reply, NAME=value each: what exec sets and env prints.
 */
#ifndef IBMIAM_VARIABLES_H
#define IBMIAM_VARIABLES_H

#include "tool.h"
#include "wire.h"

/* The length of a variable's name. */
size_t variables_name_len(const char *entry);

/* Are these all NAME=value, with names that a shell takes?  TOOL_OK, or it has said what is wrong.
 * Says so, too, when there is none, which is no error. */
enum tool_exit variables_check(const struct wire_reply *reply);

#endif
