/*
 * A configuration that is loaded again and again, as a resident broker does while somebody edits
 * it: each fault has its message each time, leaves nothing behind, and does not spoil the next.
 */
#include "unit_config.h"

#include <malloc.h>

#include "config_live.h"
#include "unit_broker.h"

enum { ROUNDS = 50 };

#define UUID "11111111-2222-3333-4444-555555555555"

/* What is right but for the last line or two. */
#define GOOD_MAIN                                                                              \
	"# main\naccounts = { \"" UNIT_ACCOUNT "\" }\nclient_id = \"me\"\nclient_secret = \"" \
	UNIT_SECRET "\"\nuser alice {\n\tiam_ids = { \"IBMid-1\" }\n}\n"
#define GOOD_PART                                                                              \
	"\nservice sudo { networks = { \"10.0.0.0/8\" } }\nuser bob { iam_ids = { \"IBMid-2\" } }\n" \
	"email_domain \"example.com\" { trusted_profile = \"Profile-" UUID "\" }\n"

static const struct fault {
	const char *name; /* of the file */
	mode_t mode;
	const char *text; /* of it */
	const char *message;
} faults[] = {
	{ "ibmiam.conf", 0600, GOOD_MAIN "user carol {\n", "ibmiam.conf:8: user: a section or list*" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "scope = \"a", "ibmiam.conf:8: *" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "\nbad = 1\n", "ibmiam.conf:9: no such option 'bad'" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "accounts = { }\n", "ibmiam.conf:8: accounts: *" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "minimum_uid = 1e3\n",
	  "ibmiam.conf:8: minimum_uid \"1e3\" expects a user id, 0 to 4294967294" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "rate_limit = -1\n", "ibmiam.conf:8: rate_limit \"-1\" expects*" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "environment = { \"A=%{x}\" }\n",
	  "ibmiam.conf:8: environment \"A=%{x}\" expects*" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "scope = \"${HOME}\"\n", "ibmiam.conf:8: *" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "user alice { iam_ids = \"IBMid-1\" }\n",
	  "ibmiam.conf:8: found duplicate title 'alice'" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "user carol { }\n",
	  "ibmiam.conf:8: user \"carol\" has no iam_ids, so nobody could log in as it" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "user carol { iam_ids = \"IBMid-1\"\nservices = { } }\n",
	  "ibmiam.conf:9: user \"carol\": services is an empty list; leave the key out" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "trusted_profile = \"ops\"\n",
	  "ibmiam.conf:8: trusted_profile \"ops\" expects*" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "access_groups = { \"AccessGroupId-" UUID "\" }\n",
	  "ibmiam.conf:8: access_groups need a directory_key_file, and none is set" },
	{ "ibmiam.conf", 0600, GOOD_MAIN "access_groups = { }\n",
	  "ibmiam.conf: access_groups is an empty list; leave the key out" },
	{ "ibmiam.conf", 0600, "client_secret = \"" UNIT_SECRET "\"\n",
	  "ibmiam.conf: client_id and client_secret go together; only client_secret is set" },
	{ "ibmiam.conf", 0604, GOOD_MAIN, "ibmiam.conf holds client_secret but may be read by everybody*" },
	{ "ibmiam.conf", 0660, GOOD_MAIN, "ibmiam.conf may be written by its group*" },
	{ "ibmiam.conf.d/10.conf", 0666, GOOD_PART, "ibmiam.conf.d/10.conf may be written by everybody*" },
	{ "ibmiam.conf.d/10.conf", 0600, GOOD_PART "service su { networks = { \"10.0.0.1/8\" } }\n",
	  "ibmiam.conf.d/10.conf:5: networks \"10.0.0.1/8\" has bits beyond its prefix; the block is 10.0.0.0/8" },
	{ "ibmiam.conf.d/10.conf", 0600, GOOD_PART "service su {\nexport = \"x\" }\n",
	  "ibmiam.conf.d/10.conf:6: export \"x\" expects true, false or target" },
	{ "ibmiam.conf.d/10.conf", 0600, GOOD_PART "email_domain \"example\" { }\n",
	  "ibmiam.conf.d/10.conf:5: email_domain \"example\" expects*" },
	{ "ibmiam.conf.d/10.conf", 0600, GOOD_PART "user alice { iam_ids = \"IBMid-1\" }\n",
	  "ibmiam.conf.d/10.conf:5: found duplicate title 'alice'" },
	{ "ibmiam.conf.d/10.conf", 0600, "}\n", "ibmiam.conf.d/10.conf:1: *" },
	{ "ibmiam.conf.d/10.conf", 0600, "client_secret = " UNIT_SECRET " x\n", "ibmiam.conf.d/10.conf:1: *" },
};

static void write_good(void)
{
	unit_write("ibmiam.conf", 0600, UNIT_BYTES(GOOD_MAIN));
	unit_write("ibmiam.conf.d/10.conf", 0600, UNIT_BYTES(GOOD_PART));
}

static void check_good(void)
{
	struct config c = { 0 };
	struct config_user user;
	struct config_service service;
	struct config_domain domain;

	unit_config_loaded(&c);
	assert_int_equal(config_list_len(c.accounts), 1);
	assert_string_equal(config_list_get(c.accounts, 0), UNIT_ACCOUNT);
	assert_int_equal(config_list_len(c.environment), 5);
	assert_string_equal(c.endpoint, "https://iam.cloud.ibm.com");
	assert_string_equal(c.client_secret, UNIT_SECRET);
	assert_int_equal(c.minimum_uid, 1000);
	assert_int_equal(c.rate_limit, 600);
	assert_int_equal(c.trusted_profile.kind, CONFIG_PROFILE_NONE);
	assert_null(c.scope);
	assert_true(config_find_user(&c, "alice", &user) && config_find_user(&c, "bob", &user));
	assert_string_equal(config_list_get(user.iam_ids, 0), "IBMid-2");
	assert_false(config_find_user(&c, "carol", &user));
	assert_true(config_find_service(&c, "sudo", &service));
	assert_string_equal(config_list_get(service.networks, 0), "10.0.0.0/8");
	assert_false(config_find_service(&c, "su", &service));
	assert_true(config_find_domain(&c, "example.com", &domain));
	assert_int_equal(domain.trusted_profile.kind, CONFIG_PROFILE_ID);
	config_free(&c);
}

static void check_fault(const struct fault *f)
{
	unit_write(f->name, f->mode, f->text, strlen(f->text));
	unit_config_refused(f->message);
	write_good();
}

static void good_and_bad_in_turn(void **state)
{
	size_t memory = 0, now;
	unsigned int descriptors = unit_open_descriptors();

	(void)state;
	unit_mkdir("ibmiam.conf.d", 0700);
	write_good();
	for (size_t i = 0; i <= ROUNDS * UNIT_LEN(faults); i++) {
		check_fault(&faults[i % UNIT_LEN(faults)]);
		check_good();
		if (i == 2 * UNIT_LEN(faults)) /* what libraries make once is made */
			memory = mallinfo2().uordblks;
	}
	now = mallinfo2().uordblks;
	if (now > memory)
		fail_msg("%zu bytes are left of %d rounds", now - memory, ROUNDS);
	assert_int_equal(unit_open_descriptors(), descriptors);
}

/* A decision under way keeps the configuration that it began with. */
static void holders_keep_what_they_have(void **state)
{
	char *path = unit_path("ibmiam.conf"), why[512];
	struct config_live *old, *new;

	(void)state;
	unit_mkdir("ibmiam.conf.d", 0700);
	write_good();
	old = config_live_load(path, why, sizeof why);
	assert_non_null(old);
	assert_ptr_equal(config_live_hold(old), old);
	unit_write("ibmiam.conf", 0600, UNIT_BYTES("accounts = { \"" UNIT_ACCOUNT2 "\" }\n"));
	new = config_live_load(path, why, sizeof why);
	assert_non_null(new);
	config_live_release(old); /* by the server */
	assert_string_equal(config_list_get(old->config.accounts, 0), UNIT_ACCOUNT);
	assert_string_equal(config_list_get(new->config.accounts, 0), UNIT_ACCOUNT2);
	config_live_release(old); /* by the decision */
	config_live_release(new);
	config_live_release(NULL);
	unit_write("ibmiam.conf", 0600, UNIT_BYTES("bad = 1\n"));
	assert_null(config_live_load(path, why, sizeof why));
	assert_non_null(strstr(why, "ibmiam.conf:1: no such option 'bad'"));
	free(path);
}

int main(int argc, char **argv)
{
	static const char tunables[] = "glibc.malloc.tcache_count=0"; /* what is cached counts as used */
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	(void)argc;
	if (!getenv("GLIBC_TUNABLES") && setenv("GLIBC_TUNABLES", tunables, 1) == 0)
		(void)execv("/proc/self/exe", argv);
	UNIT_TEST(&s, good_and_bad_in_turn);
	UNIT_TEST(&s, holders_keep_what_they_have);
	return unit_run(&s, "config_reload");
}
