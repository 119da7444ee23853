/*
 * Landlock by its system calls: glibc has no wrappers, and Debian 12's header is older
 * than its newer rights, so their numbers stand here (linux/landlock.h).  See landlock.h.
 */
#include "landlock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 }; /* on every architecture */
enum { GET_VERSION = 1, PATH_BENEATH = 1, NET_PORT = 2 };

#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)

/* All that each ABI can restrict is restricted. */
static const struct {
	int abi;
	uint64_t fs, net, scoped;
} handled[] = {
	{ 1, 0x1fff, 0, 0 }, /* execute, read, write, remove and make of every kind */
	{ 2, 0x2000, 0, 0 }, /* refer */
	{ 3, 0x4000, 0, 0 }, /* truncate */
	{ 4, 0, 0x3, 0 },    /* bind and connect of TCP */
	{ 5, 0x8000, 0, 0 }, /* ioctl of devices */
	{ 6, 0, 0, 0x3 },    /* abstract UNIX sockets and signals to the outside */
};

struct ruleset_attr {
	uint64_t fs, net, scoped;
};
struct path_attr {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));
struct port_attr {
	uint64_t allowed, port;
};

/* For TLS, name resolution and the libraries that both load.  Missing ones are skipped. */
static const char *const readable[] = {
	"/etc/ssl", "/usr/lib/ssl", "/etc/pki", "/etc/crypto-policies",
	"/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
	"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf",
	"/etc/gai.conf", "/etc/services", "/etc/protocols", "/etc/localtime",
	"/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
	"/etc/ld.so.cache", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo",
	"/dev/null", "/dev/urandom",
};

static int allow_path(int rules, const char *path, bool files_only)
{
	struct path_attr rule = { .allowed = FS_READ_FILE };
	struct stat st;
	bool folder;
	int error = 0;

	rule.fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.fd < 0)
		return 0; /* what cannot be opened need not be permitted */
	folder = fstat(rule.fd, &st) == 0 && S_ISDIR(st.st_mode);
	if (folder)
		rule.allowed |= FS_READ_DIR;
	if (!(folder && files_only) && syscall(ADD_RULE, rules, PATH_BENEATH, &rule, 0) != 0)
		error = -errno;
	(void)close(rule.fd);
	return error;
}

/* The files to which the links of a folder of hashed certificates point, wherever they are; not
 * folders, lest a stray link open a whole tree. */
static int allow_links(int rules, const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *d;
	char path[PATH_MAX];
	int error = 0;

	while (dir && !error && (d = readdir(dir)) != NULL)
		if (d->d_type == DT_LNK &&
		    snprintf(path, sizeof path, "%s/%s", folder, d->d_name) < (int)sizeof path)
			error = allow_path(rules, path, true);
	if (dir)
		(void)closedir(dir);
	return error;
}

static int allow_port(int rules, uint16_t port)
{
	struct port_attr rule = { .allowed = NET_CONNECT_TCP, .port = port };

	return syscall(ADD_RULE, rules, NET_PORT, &rule, 0) == 0 ? 0 : -errno;
}

static int add_rules(int rules, int abi, const struct sandbox_needs *needs)
{
	enum { DNS = 53 };
	int error = 0;

	for (size_t i = 0; i < sizeof readable / sizeof readable[0] && !error; i++)
		error = allow_path(rules, readable[i], false);
	for (size_t i = 0; i < sizeof needs->read / sizeof needs->read[0] && !error; i++)
		if (needs->read[i] && !(error = allow_path(rules, needs->read[i], false)))
			error = allow_links(rules, needs->read[i]);
	if (abi < LANDLOCK_ABI_TCP)
		return error;
	if (!error)
		error = allow_port(rules, DNS);
	if (!error && needs->port)
		error = allow_port(rules, needs->port);
	return error;
}

int landlock_prepare(const struct sandbox_needs *needs, int *ret_abi)
{
	struct ruleset_attr attr = { 0 };
	/* An older kernel accepts the longer struct as long as the rest is zero. */
	int abi = (int)syscall(CREATE_RULESET, NULL, 0, GET_VERSION);
	int rules, error;

	*ret_abi = abi < 0 ? 0 : abi;
	if (abi < 0)
		return -errno;
	for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++) {
		if (handled[i].abi > abi)
			break;
		attr.fs |= handled[i].fs;
		attr.net |= handled[i].net;
		attr.scoped |= handled[i].scoped;
	}
	rules = (int)syscall(CREATE_RULESET, &attr, sizeof attr, 0);
	if (rules < 0)
		return -errno;
	error = add_rules(rules, abi, needs);
	if (error) {
		(void)close(rules);
		return error;
	}
	return rules;
}

int landlock_enforce(int rules)
{
	int error = syscall(RESTRICT_SELF, rules, 0) == 0 ? 0 : -errno;

	(void)close(rules);
	return error;
}
