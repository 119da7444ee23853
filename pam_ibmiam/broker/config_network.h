/*
 * `networks` of a service: from where it may be used.  A network is a block of addresses
 * (10.0.0.0/8, 2001:db8::/32), a single address, or the word local for requests that come
 * from no other host.
 */
#ifndef IBMIAM_CONFIG_NETWORK_H
#define IBMIAM_CONFIG_NETWORK_H

#include "config.h"

/* What is wrong with a network (the end of a sentence, good until the next call), or NULL. */
const char *config_network_fault(const char *value);

/* Is the remote host in one of the networks?  rhost is PAM's: NULL or empty stands for a
 * local request, an address counts without its scope (%eth0), an IPv4 address in IPv6's
 * clothes (::ffff:10.0.0.1) as IPv4.  A host name is in no network, because whoever rules
 * the address' reverse zone could make it up; nor is anything in an empty list. */
bool config_network_has(struct config_list networks, const char *rhost);

#endif
