/*
 * The sockets of libcurl's connections to IAM: made here, so that they can be ended when a peer
 * keeps it busy.  What waits in them is read within one call: OpenSSL skips HelloRequests, for one,
 * for as long as they come, before any certificate is looked at, and nobody else is served.
 */
#ifndef IBMIAM_IAM_SOCKET_H
#define IBMIAM_IAM_SOCKET_H

#include <curl/curl.h>
#include <stdbool.h>

/* An option of libcurl's: the sockets of this transfer are made and closed here. */
CURLcode iam_socket_set(CURL *easy);

/* Before (true) and after (false) a call that moves transfers.  One that takes a second of this
 * process's CPU ends all of their connections; not in a one-shot broker, whose sandbox has no
 * timers: its keeper ends it.  Handles SIGPROF. */
void iam_socket_guard(bool on);

#endif
