/*
 * Which block holds: of a service its own, that of its plain form, or the one for all others, each
 * as a whole; of a user and a domain only its own.
 */
#include "unit_config.h"

/* The blocks' own services tell which one was found. */
#define BLOCK(title) "service \"" title "\" { users = { \"of-" title "\" } }\n"

static const struct precedence {
	const char *name;
	const char *blocks;
	const char *service;
	const char *user; /* of the block that holds; NULL: none does */
} precedences[] = {
	{ "none", "", "sudo", NULL },
	{ "another", BLOCK("su"), "sudo", NULL },
	{ "its own", BLOCK("sudo"), "sudo", "of-sudo" },
	{ "its own, others are there", BLOCK("su") BLOCK("sudo") BLOCK("sshd"), "sudo", "of-sudo" },
	{ "all others", "service \"*\" { users = { \"of-all\" } }", "sudo", "of-all" },
	{ "its own before all others", "service \"*\" { users = { \"of-all\" } }\n" BLOCK("sudo"), "sudo",
	  "of-sudo" },
	{ "its own before all others, written first", BLOCK("sudo") "service \"*\" { users = { \"of-all\" } }",
	  "sudo", "of-sudo" },
	{ "plain form of sudo -i", BLOCK("sudo"), "sudo-i", "of-sudo" },
	{ "plain form of su -", BLOCK("su"), "su-l", "of-su" },
	{ "plain form of runuser -", BLOCK("runuser"), "runuser-l", "of-runuser" },
	{ "login form before plain form", BLOCK("su") BLOCK("su-l"), "su-l", "of-su-l" },
	{ "login form holds for itself only", BLOCK("su-l"), "su", NULL },
	{ "plain form before all others", "service \"*\" { users = { \"of-all\" } }\n" BLOCK("su"), "su-l",
	  "of-su" },
	{ "login form, all others", "service \"*\" { users = { \"of-all\" } }", "su-l", "of-all" },
	{ "no other forms", BLOCK("sshd"), "sshd-l", NULL },
	{ "begin of a title", BLOCK("sudo"), "sud", NULL },
	{ "longer than a title", BLOCK("sudo"), "sudoers", NULL },
	{ "another case", BLOCK("sudo"), "SUDO", NULL },
	{ "the star itself", BLOCK("sudo"), "*", NULL },
};

static void service_is_found(void **state)
{
	const struct precedence *p = *state;
	struct config_service service = { .export = CONFIG_EXPORT_TARGET };
	struct config c = { 0 };
	bool found;

	unit_write("ibmiam.conf", 0600, p->blocks, strlen(p->blocks));
	unit_config_loaded(&c);
	found = config_find_service(&c, p->service, &service);
	assert_int_equal(found, p->user != NULL);
	assert_int_equal(service.export, CONFIG_EXPORT_DEFAULT);
	if (p->user)
		unit_check_text("user", config_list_get(service.users, 0), p->user);
	else
		assert_int_equal(config_list_len(service.users), 0);
	config_free(&c);
}

/* A narrow block must not inherit what the one for all others grants, nor the other way round. */
static void blocks_are_not_merged(void **state)
{
	static const char text[] =
		"service \"*\" { users = { \"alice\" } networks = { \"local\" } export = false }\n"
		"service sudo { environment = { \"A=1\" } }\n";
	struct config_service service;
	struct config c = { 0 };

	(void)state;
	unit_write("ibmiam.conf", 0600, text, sizeof text - 1);
	unit_config_loaded(&c);
	assert_true(config_find_service(&c, "sudo", &service));
	assert_int_equal(config_list_len(service.users), 0);
	assert_int_equal(config_list_len(service.networks), 0);
	assert_int_equal(service.export, CONFIG_EXPORT_DEFAULT);
	assert_string_equal(config_list_get(service.environment, 0), "A=1");
	assert_true(config_find_service(&c, "login", &service));
	assert_int_equal(config_list_len(service.environment), 0);
	assert_int_equal(service.export, CONFIG_EXPORT_NEVER);
	config_free(&c);
}

static void domain_is_found_by_its_whole_name(void **state)
{
	static const char *const others[] = {
		"", "com", "example.co", "example.com.", ".example.com", "sub.example.com",
		"notexample.com", "Example.com", "alice", "sudo",
	};
	static const char text[] = "email_domain \"example.com\" { services = { \"sshd\" } }\n"
		"user alice { iam_ids = \"IBMid-1\" }\nservice sudo { }\n";
	struct config_domain domain;
	struct config_user user;
	struct config c = { 0 };

	(void)state;
	unit_write("ibmiam.conf", 0600, text, sizeof text - 1);
	unit_config_loaded(&c);
	assert_true(config_has_domains(&c));
	assert_true(config_find_domain(&c, "example.com", &domain));
	assert_string_equal(config_list_get(domain.services, 0), "sshd");
	for (size_t i = 0; i < UNIT_LEN(others); i++)
		if (config_find_domain(&c, others[i], &domain) || config_list_len(domain.services) > 0)
			fail_msg("domain \"%s\" is found", others[i]);
	assert_false(config_find_user(&c, "example.com", &user));
	config_free(&c);
	unit_write("ibmiam.conf", 0600, UNIT_BYTES("user alice { iam_ids = \"IBMid-1\" }\n"));
	unit_config_loaded(&c);
	assert_false(config_has_domains(&c));
	assert_false(config_find_domain(&c, "example.com", &domain));
	config_free(&c);
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	UNIT_ROWS(&s, service_is_found, precedences);
	UNIT_TEST(&s, blocks_are_not_merged);
	UNIT_TEST(&s, domain_is_found_by_its_whole_name);
	return unit_run(&s, "config_find");
}
