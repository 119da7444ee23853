/*
 * The whole of config_load(), through files, with errors of the system thrown in.  The
 * input's first byte says which call fails and whether everybody may read the files; then
 * comes the main file, and after a form feed one in the .d folder.
 */
#include <err.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_store.h"
#include "config_value.h"
#include "environment.h"
#include "fuzz.h"
#include "wrap.h"

static char folder[40], path[48], more_folder[56], more[72];

static void remove_files(void)
{
	(void)unlink(more);
	(void)rmdir(more_folder);
	(void)unlink(path);
	(void)rmdir(folder);
}

static void make_folder(void)
{
	(void)snprintf(folder, sizeof folder, "%s/ibmiam-fuzz-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(folder))
		err(EXIT_FAILURE, "%s", folder);
	(void)snprintf(path, sizeof path, "%s/conf", folder);
	(void)snprintf(more_folder, sizeof more_folder, "%s.d", path);
	(void)snprintf(more, sizeof more, "%s/more.conf", more_folder);
	if (mkdir(more_folder, 0700) != 0 || atexit(remove_files) != 0)
		err(EXIT_FAILURE, "%s", more_folder);
}

static void write_file(const char *to, const uint8_t *data, size_t len, mode_t mode)
{
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len || fchmod(fd, mode) != 0)
		err(EXIT_FAILURE, "%s", to);
	(void)close(fd);
}

static void check_list(const char *key, struct config_list list)
{
	for (size_t i = 0; i < config_list_len(list); i++) {
		MUST(!config_value_fault(key, config_list_get(list, i)));
		MUST(config_list_has(list, config_list_get(list, i)));
		for (size_t k = 0; k < i && strcmp(key, "environment") == 0; k++)
			MUST(!environment_same_name(config_list_get(list, i),
						    config_list_get(list, k)));
	}
}

static void check_scalar(const char *key, const char *value)
{
	MUST(!value || !config_value_fault(key, value));
}

/* Put together again it is what was written. */
static void check_profile(struct config_profile p)
{
	char text[2048];

	MUST(!p.value == (p.kind == CONFIG_PROFILE_NONE));
	MUST(!p.account == (p.kind != CONFIG_PROFILE_NAME));
	if (!p.value)
		return;
	(void)snprintf(text, sizeof text, "%s%s%s", p.value, p.account ? "@" : "",
		       p.account ? p.account : "");
	MUST(strlen(text) == sizeof text - 1 || !config_value_fault("trusted_profile", text));
}

static void check_blocks(const struct config *c)
{
	const struct config_block *b;
	struct config_user user;
	struct config_service service;
	struct config_domain domain;

	for (b = config_store_first(c->store, CONFIG_USER); b; b = b->next) {
		MUST(!config_value_fault("user", b->title) && config_find_user(c, b->title, &user));
		MUST(config_list_len(user.iam_ids) > 0 && user.export < CONFIG_EXPORT_TARGET);
		check_list("iam_ids", user.iam_ids);
		check_list("services", user.services);
		check_list("access_groups", user.access_groups);
		check_list("environment", user.environment);
		check_profile(user.trusted_profile);
	}
	for (b = config_store_first(c->store, CONFIG_SERVICE); b; b = b->next) {
		MUST(!config_value_fault("service", b->title));
		MUST(config_find_service(c, b->title, &service));
		MUST(service.export <= CONFIG_EXPORT_TARGET);
		check_list("users", service.users);
		check_list("networks", service.networks);
		check_list("access_groups", service.access_groups);
		check_list("environment", service.environment);
		check_profile(service.trusted_profile);
	}
	for (b = config_store_first(c->store, CONFIG_DOMAIN); b; b = b->next) {
		MUST(!config_value_fault("email_domain", b->title) && config_has_domains(c));
		MUST(config_find_domain(c, b->title, &domain));
		MUST(domain.export < CONFIG_EXPORT_TARGET);
		check_list("services", domain.services);
		check_list("access_groups", domain.access_groups);
		check_list("environment", domain.environment);
		check_profile(domain.trusted_profile);
	}
	MUST(!config_find_user(c, "no:body", &user) && config_list_len(user.iam_ids) == 0);
	MUST(config_find_service(c, "NONE", &service) ==
	     (config_store_find(c->store, CONFIG_SERVICE, "*") != NULL));
}

static void check_config(const struct config *c)
{
	size_t len = strlen(c->endpoint);

	check_scalar("endpoint", c->endpoint);
	MUST(c->endpoint[len - 1] != '/');
	check_scalar("client_id", c->client_id);
	check_scalar("client_secret", c->client_secret);
	MUST(!c->client_id == !c->client_secret);
	check_scalar("scope", c->scope);
	check_scalar("ca_file", c->ca_file);
	check_scalar("ca_path", c->ca_path);
	check_scalar("proxy", c->proxy);
	check_list("issuer", c->issuer);
	check_list("accounts", c->accounts);
	check_list("environment", c->environment);
	check_list("access_groups", c->access_groups);
	check_profile(c->trusted_profile);
	MUST(c->directory_key.data || config_list_len(c->access_groups) == 0);
	MUST(c->rate_limit <= 1000000);
	check_blocks(c);
}

/* One line that names the file, or the one that a directory_key_file names, fit for the log and
 * for a reply. */
static void check_why(const char *why, size_t size, bool another_file)
{
	size_t len = strnlen(why, size);
	bool named = strncmp(why, path, strlen(path)) == 0 && len > strlen(path);

	MUST(len < size && (named || (another_file && why[0] == '/')));
	for (size_t i = 0; i < len; i++)
		MUST((unsigned char)why[i] >= ' ' && why[i] != 0x7f);
}

static int free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	(void)close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char key_file[] = "directory_key_file";
	struct config c = { .minimum_uid = 4711 }, untouched = c;
	const uint8_t *split = len > 0 ? memchr(data, '\f', len) : NULL;
	size_t first_len = split ? (size_t)(split - data) : len;
	mode_t mode = len > 0 && (data[0] & 0x40) ? 0644 : 0600;
	char why[200];
	int fd;
	bool ok;

	if (len == 0 || first_len == 0)
		return 0;
	if (!folder[0])
		make_folder();
	write_file(path, data + 1, first_len - 1, mode);
	if (split)
		write_file(more, split + 1, len - first_len - 1, mode);
	else
		(void)unlink(more);
	fd = free_descriptor();
	wrap_fail((data[0] - '0') & 0x1f);
	ok = config_load(path, &c, why, sizeof why);
	MUST(!wrap_failed() || !ok);
	if (ok)
		check_config(&c);
	else
		check_why(why, sizeof why, memmem(data, len, key_file, strlen(key_file)));
	MUST(ok || memcmp(&c, &untouched, sizeof c) == 0);
	MUST(free_descriptor() == fd);
	MUST(!ok || mode == 0600 || !c.client_secret);
	if (ok)
		config_free(&c);
	return 0;
}
