/*
 * authorized_keys, as sshd(8) reads it: only as far as a key surely lets its owner in.
 */
#ifndef IBMIAM_PAM_KEYS_H
#define IBMIAM_PAM_KEYS_H

#include <pwd.h>
#include <stdbool.h>

/* Does this file hold a key of the user's without options, and is it safe from others? */
bool pam_keys_hold(const char *path, const struct passwd *user);

#endif
