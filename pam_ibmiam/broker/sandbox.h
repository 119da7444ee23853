/*
 * What the broker gives up after it has read its configuration and before it reads a
 * byte from anybody.  User, groups and privileges so far; the kernel's sandboxes
 * (Landlock, seccomp) belong here too.
 */
#ifndef IBMIAM_SANDBOX_H
#define IBMIAM_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* As root: becomes SANDBOX_USER, or nobody where that does not exist, without
 * supplementary groups.  As another user: stays that.  Always: no new privileges, no
 * core, no ptrace by the same user, no file can be written.  Cannot be undone.  Returns
 * false and says why when root could not be given up. */
bool sandbox_enter(char *why, size_t why_len);

#define SANDBOX_USER "_ibmiam"

#endif
