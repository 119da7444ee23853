/* Blocks of addresses.  See config_network.h. */
#include "config_network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESS_TEXT_MAX = 64 };

struct address {
	int family;              /* AF_INET or AF_INET6 */
	unsigned char bytes[16]; /* in network order */
	unsigned int bits;       /* 32 or 128 */
};

struct network {
	struct address base;
	unsigned int prefix; /* bits that count */
};

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Reads len bytes of text. */
static bool read_address(const char *text, size_t len, struct address *ret)
{
	struct address a = { .family = memchr(text, ':', len) ? AF_INET6 : AF_INET };
	char copy[ADDRESS_TEXT_MAX];

	if (len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	a.bits = a.family == AF_INET6 ? 128 : 32;
	if (inet_pton(a.family, copy, a.bytes) != 1)
		return false;
	*ret = a;
	return true;
}

static bool is_mapped(const struct address *a)
{
	return a->family == AF_INET6 && memcmp(a->bytes, mapped, sizeof mapped) == 0;
}

/* Makes IPv4 of IPv4 in IPv6's clothes. */
static void unmap(struct address *a)
{
	if (!is_mapped(a))
		return;
	memmove(a->bytes, a->bytes + sizeof mapped, 4);
	memset(a->bytes + 4, 0, sizeof a->bytes - 4);
	a->family = AF_INET;
	a->bits = 32;
}

static void clear_host_bits(struct address *a, unsigned int prefix)
{
	for (unsigned int i = 0; i < sizeof a->bytes; i++) {
		unsigned int bits = prefix > i * 8 ? prefix - i * 8 : 0;

		if (bits < 8)
			a->bytes[i] &= (unsigned char)(0xff00 >> bits);
	}
}

/* An address, alone or with /PREFIX.  False when it is neither. */
static bool read_network(const char *text, struct network *ret)
{
	size_t len = strcspn(text, "/");
	const char *prefix = text + len + 1;
	struct network n;

	if (!read_address(text, len, &n.base))
		return false;
	n.prefix = n.base.bits;
	if (text[len] == '/') {
		size_t digits = strspn(prefix, "0123456789");

		if (digits == 0 || digits > 3 || prefix[digits] || (digits > 1 && prefix[0] == '0'))
			return false;
		n.prefix = (unsigned int)strtoul(prefix, NULL, 10);
	}
	if (n.prefix > n.base.bits)
		return false;
	*ret = n;
	return true;
}

const char *config_network_fault(const char *value)
{
	static char fault[128];
	char text[INET6_ADDRSTRLEN] = "";
	struct network n;
	struct address base;

	if (strcmp(value, "local") == 0)
		return NULL;
	if (!read_network(value, &n))
		return "expects a block of addresses such as 10.0.0.0/8 or 2001:db8::/32, an address, "
		       "or local";
	if (is_mapped(&n.base))
		return "is an IPv4 address in IPv6 form; write it as IPv4";
	base = n.base;
	clear_host_bits(&base, n.prefix);
	if (memcmp(base.bytes, n.base.bytes, sizeof base.bytes) == 0)
		return NULL;
	(void)inet_ntop(base.family, base.bytes, text, sizeof text);
	(void)snprintf(fault, sizeof fault, "has bits beyond its prefix; the block is %s/%u", text,
		       n.prefix);
	return fault;
}

static bool contains(const struct network *n, const struct address *a)
{
	struct address start = *a;

	if (n->base.family != a->family)
		return false;
	clear_host_bits(&start, n->prefix);
	return memcmp(start.bytes, n->base.bytes, sizeof start.bytes) == 0;
}

bool config_network_has(struct config_list networks, const char *rhost)
{
	struct address a;
	struct network n;
	size_t len;

	if (!rhost || !rhost[0])
		return config_list_has(networks, "local");
	len = strchr(rhost, ':') ? strcspn(rhost, "%") : strlen(rhost);
	if (!read_address(rhost, len, &a))
		return false;
	unmap(&a);
	for (size_t i = 0; i < config_list_len(networks); i++)
		if (read_network(config_list_get(networks, i), &n) && contains(&n, &a))
			return true;
	return false;
}
