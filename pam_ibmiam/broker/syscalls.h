/*
 * The system calls that the broker may still make once it is in its sandbox: a list of
 * what libcurl, OpenSSL, glibc's resolver and NSS use.  All others fail with ENOSYS, as
 * on a kernel that does not have them, so that libraries fall back where they can.
 * Not among them, on purpose: execve, fork and every clone but that of a thread, ptrace,
 * mount, bpf, module loading, keyctl, namespaces, io_uring, setuid and its kin.
 */
#ifndef IBMIAM_SYSCALLS_H
#define IBMIAM_SYSCALLS_H

#include <stdbool.h>

/* Installs the filter for this process; needs no_new_privs.  A resident broker may also accept
 * connections and watch its sessions' hosts.  0, or an errno negated. */
int syscalls_limit(bool resident);

#endif
