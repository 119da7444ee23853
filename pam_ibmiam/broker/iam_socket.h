/*
 * The sockets of libcurl's connections to IAM: made here, so that they can be ended when a peer
 * keeps it busy.  What waits in them is read within one call: OpenSSL skips HelloRequests, for one,
 * for as long as they come, before any certificate is looked at, and nobody else is served.
 */
#ifndef IBMIAM_IAM_SOCKET_H
#define IBMIAM_IAM_SOCKET_H

#include <curl/curl.h>
#include <stdbool.h>

/* An option of libcurl's: the sockets of this transfer are made and closed here.  *CURLOPT_OPENSOCKETDATA,
 * a bool where it is set, becomes true when one is made. */
CURLcode iam_socket_set(CURL *easy);

/* Before (true) and after (false) a call of libcurl's that may read what a peer sends, as closing a
 * connection may.  After a second of this process's CPU without progress in it all connections are
 * ended, for it cannot be known whose peer it is; not in a one-shot broker, whose sandbox has no
 * timers: its keeper ends it.  Handles SIGPROF, which goes on to come outside: to stop the timer would
 * cost a system call each time. */
void iam_socket_guard(bool on);

/* From libcurl's callbacks: many honest connections may take long, too. */
void iam_socket_progress(void);

#endif
