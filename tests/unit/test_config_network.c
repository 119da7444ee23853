/*
 * From where a service may be used: what may be written, and which remote hosts are in it.  A
 * host is in a network by its address only, never by a name that it gave itself.
 */
#include "unit.h"

#include "config_network.h"

static const char form[] =
	"expects a block of addresses such as 10.0.0.0/8 or 2001:db8::/32, an address, or local";
static const char mapped[] = "is an IPv4 address in IPv6 form; write it as IPv4";

static const struct judged {
	const char *name; /* the value itself */
	const char *fault;
} judged[] = {
	{ "local", NULL },
	{ "10.0.0.0/8", NULL },
	{ "192.0.2.7", NULL },
	{ "192.0.2.7/32", NULL },
	{ "192.0.2.6/31", NULL },
	{ "0.0.0.0/0", NULL },
	{ "128.0.0.0/1", NULL },
	{ "2001:db8::/32", NULL },
	{ "2001:DB8::/32", NULL },
	{ "::1", NULL },
	{ "::/0", NULL },
	{ "fe80::/10", NULL },
	{ "2001:db8::7/128", NULL },
	{ "2001:0db8:0000:0000:0000:0000:0000:0007", NULL },
	{ "", form },
	{ "Local", form },
	{ "local/8", form },
	{ "everywhere", form },
	{ "bastion.example.com", form },
	{ "10.0.0.0/33", form },
	{ "10.0.0.0/", form },
	{ "10.0.0.0/-1", form },
	{ "10.0.0.0/+8", form },
	{ "10.0.0.0/08", form },
	{ "10.0.0.0/8 ", form },
	{ " 10.0.0.0/8", form },
	{ "10.0.0.0/8/8", form },
	{ "10.0.0.0/255.0.0.0", form },
	{ "10.0.0.0/4294967304", form },
	{ "10.0.0/8", form },
	{ "10/8", form },
	{ "010.0.0.0/8", form },
	{ "0x0a.0.0.0/8", form },
	{ "256.0.0.0/8", form },
	{ "10.0.0.0.0/8", form },
	{ "2001:db8::/129", form },
	{ "2001:db8::/1000", form },
	{ "2001:db8::x/32", form },
	{ "2001::db8::/32", form },
	{ "[2001:db8::]/32", form },
	{ "fe80::1%eth0", form },
	{ "/8", form },
	{ "::ffff:10.0.0.0/104", mapped },
	{ "::ffff:10.0.0.1", mapped },
	{ "::ffff:0:0/96", mapped },
	{ "10.0.0.1/8", "has bits beyond its prefix; the block is 10.0.0.0/8" },
	{ "192.0.2.7/31", "has bits beyond its prefix; the block is 192.0.2.6/31" },
	{ "1.0.0.0/0", "has bits beyond its prefix; the block is 0.0.0.0/0" },
	{ "2001:db8::1/32", "has bits beyond its prefix; the block is 2001:db8::/32" },
	{ "fe80::1/10", "has bits beyond its prefix; the block is fe80::/10" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127",
	  "has bits beyond its prefix; the block is ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127" },
};

static void value_is_judged(void **state)
{
	const struct judged *j = *state;

	unit_check_text("fault", config_network_fault(j->name), j->fault);
}

static void long_value_is_none(void **state)
{
	char value[1000];

	(void)state;
	memset(value, '1', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	unit_check_text("fault", config_network_fault(value), form);
	value[1] = ':';
	unit_check_text("fault", config_network_fault(value), form);
}

#define V4 "10.0.0.0/8"
#define V6 "2001:db8::/32"

static const struct remote {
	const char *name;
	const char *networks[3];
	const char *rhost;
	bool in;
} remotes[] = {
	{ "first of a block", { V4 }, "10.0.0.0", true },
	{ "last of a block", { V4 }, "10.255.255.255", true },
	{ "before a block", { V4 }, "9.255.255.255", false },
	{ "after a block", { V4 }, "11.0.0.0", false },
	{ "block that ends within a byte", { "172.16.0.0/12" }, "172.31.255.255", true },
	{ "past one that ends within a byte", { "172.16.0.0/12" }, "172.32.0.0", false },
	{ "half of the addresses", { "128.0.0.0/1" }, "127.255.255.255", false },
	{ "the other half", { "128.0.0.0/1" }, "255.255.255.255", true },
	{ "single address", { "192.0.2.7" }, "192.0.2.7", true },
	{ "the next address", { "192.0.2.7" }, "192.0.2.8", false },
	{ "last bit", { "192.0.2.6/31" }, "192.0.2.7", true },
	{ "past the last bit", { "192.0.2.6/31" }, "192.0.2.8", false },
	{ "all of IPv4", { "0.0.0.0/0" }, "203.0.113.9", true },
	{ "all of IPv4 is not IPv6", { "0.0.0.0/0" }, "2001:db8::1", false },
	{ "all of IPv6", { "::/0" }, "2001:db8::1", true },
	{ "all of IPv6 is not IPv4", { "::/0" }, "203.0.113.9", false },
	{ "all of IPv6 is not IPv4 in its clothes", { "::/0" }, "::ffff:203.0.113.9", false },
	{ "IPv6", { V6 }, "2001:db8:ffff::1", true },
	{ "IPv6, in capitals", { V6 }, "2001:DB8::1", true },
	{ "IPv6, in full", { "::1" }, "0000:0000:0000:0000:0000:0000:0000:0001", true },
	{ "after a block of IPv6", { V6 }, "2001:db9::1", false },
	{ "IPv6, the last bit", { "2001:db8::6/127" }, "2001:db8::7", true },
	{ "IPv6, past the last bit", { "2001:db8::6/127" }, "2001:db8::8", false },
	{ "IPv4 in IPv6's clothes", { V4 }, "::ffff:10.1.2.3", true },
	{ "the same in hexadecimal", { V4 }, "::ffff:a01:203", true },
	{ "another IPv4 in IPv6's clothes", { V4 }, "::ffff:11.1.2.3", false },
	{ "IPv4-compatible is no IPv4", { V4 }, "::10.1.2.3", false },
	{ "scope", { "fe80::/10" }, "fe80::1%eth0", true },
	{ "scope of nothing", { "fe80::/10" }, "%eth0", false },
	{ "scope of IPv4", { V4 }, "10.0.0.1%eth0", false },
	{ "scope does not hide the rest", { "fe80::/10" }, "2001:db8::1%fe80::1", false },
	{ "second of the list", { V4, V6 }, "2001:db8::1", true },
	{ "third of the list", { V4, V6, "192.0.2.7" }, "192.0.2.7", true },
	{ "none of the list", { V4, V6, "192.0.2.7" }, "192.0.2.6", false },
	{ "no list", { NULL }, "10.0.0.1", false },
	{ "no list, local", { NULL }, NULL, false },
	{ "local", { "local" }, NULL, true },
	{ "local, empty", { "local" }, "", true },
	{ "local among others", { V4, "local" }, NULL, true },
	{ "local is not in a block", { "0.0.0.0/0", "::/0" }, NULL, false },
	{ "local is not a name", { "local" }, "local", false },
	{ "local is not loopback", { "local" }, "127.0.0.1", false },
	{ "loopback is not local", { "127.0.0.0/8", "::1" }, "", false },
	{ "host name", { "0.0.0.0/0", "::/0", "local" }, "bastion.example.com", false },
	{ "host name that looks like an address", { V4 }, "10.0.0.1.example.com", false },
	{ "host name of digits", { "0.0.0.0/0" }, "167772161", false },
	{ "address with a port", { V4 }, "10.0.0.1:22", false },
	{ "address in brackets", { V6 }, "[2001:db8::1]", false },
	{ "display of X11", { V4, "local" }, ":0", false },
	{ "space before", { V4 }, " 10.0.0.1", false },
	{ "octal digits", { V4 }, "012.0.0.1", false },
	{ "short form", { V4 }, "10.1", false },
	{ "a block is no host", { V4 }, "10.0.0.0/8", false },
};

static void remote_host_is_in(void **state)
{
	const struct remote *r = *state;
	struct config_list list = { .entry = r->networks };

	while (list.len < UNIT_LEN(r->networks) && r->networks[list.len]) {
		assert_null(config_network_fault(r->networks[list.len]));
		list.len++;
	}
	assert_int_equal(config_network_has(list, r->rhost), r->in);
}

int main(void)
{
	struct unit_suite s = { 0 };

	UNIT_ROWS(&s, value_is_judged, judged);
	UNIT_TEST(&s, long_value_is_none);
	UNIT_ROWS(&s, remote_host_is_in, remotes);
	return unit_run(&s, "config_network");
}
