/*
 * Landlock (Linux 5.13 and newer, landlock(7)): which files the broker may read, that it
 * may write none, and (Linux 6.7, ABI 4) to which TCP ports it may connect.
 */
#ifndef IBMIAM_LANDLOCK_H
#define IBMIAM_LANDLOCK_H

#include "sandbox.h"

/* Opens the permitted files and builds the rules; call while they can be opened.
 * Returns a descriptor, or an errno negated (-EOPNOTSUPP, -ENOSYS: the kernel has none).
 * *ret_abi is the kernel's version of Landlock. */
int landlock_prepare(const struct sandbox_needs *needs, int *ret_abi);

/* Applies and closes them; needs no_new_privs.  0, or an errno negated. */
int landlock_enforce(int rules);

enum { LANDLOCK_ABI_TCP = 4 };

#endif
