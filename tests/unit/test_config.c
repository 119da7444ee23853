/*
 * The files of the configuration: which are read and in which order, whom they must belong
 * to, and that one wrong byte in any of them refuses all of them.
 */
#include "unit_config.h"

enum { STRANGER = 4712 };

#define USER(name) "user " name " { iam_ids = { \"IBMid-1\" } }\n"

/* Files are written in this order; a name that ends with a slash is a folder. */
struct file {
	const char *name;
	mode_t mode;
	const char *text;
};

enum { FILES_MAX = 5 };

static void write_files(const struct file *files)
{
	for (size_t i = 0; i < FILES_MAX && files[i].name; i++) {
		const struct file *f = &files[i];

		if (f->name[strlen(f->name) - 1] == '/')
			unit_mkdir(f->name, f->mode);
		else
			unit_write(f->name, f->mode, f->text, strlen(f->text));
	}
}

#define MAIN(text) { "ibmiam.conf", 0600, text }
#define FOLDER { "ibmiam.conf.d/", 0755, NULL }
#define PART(name, text) { "ibmiam.conf.d/" name, 0600, text }

static const struct set {
	const char *name;
	struct file files[FILES_MAX];
	const char *holds;
} sets[] = {
	{ "no folder", { MAIN("scope = \"a\"") }, "scope=a;" },
	{ "empty folder", { MAIN("scope = \"a\""), FOLDER }, "scope=a;" },
	{ "empty files", { MAIN(""), FOLDER, PART("10.conf", "") }, "minimum_uid=1000;" },
	{ "part adds a key", { MAIN("scope = \"a\""), FOLDER,
	  PART("10.conf", "client_id = \"b\"\nclient_secret = \"c\"") },
	  "client_id=b;client_secret=c;scope=a;" },
	{ "part replaces a key", { MAIN("scope = \"a\"\nminimum_uid = 5\nallow_root = true"),
	  FOLDER, PART("10.conf", "scope = \"b\"\nminimum_uid = 7\nallow_root = false") },
	  "minimum_uid=7;allow_root=0;" },
	{ "part replaces a list", { MAIN("issuer = { \"a\", \"b\" }"), FOLDER,
	  PART("10.conf", "issuer = { \"c\" }") }, ";c=issuer;" },
	{ "part empties a list", { MAIN("issuer = { \"a\", \"b\" }"), FOLDER,
	  PART("10.conf", "issuer = { }") }, "no issuer;" },
	{ "part appends to a list", { MAIN("issuer = { \"a\", \"b\" }"), FOLDER,
	  PART("10.conf", "issuer += { \"c\" }") }, ";a,b,c=issuer;" },
	{ "part appends to the default", { MAIN(""), FOLDER,
	  PART("10.conf", "environment += { \"A=1\" }") },
	  "IBMIAM_ACCOUNT_ID=%{account},A=1=environment;" },
	{ "part replaces the default", { MAIN(""), FOLDER,
	  PART("10.conf", "environment = { \"A=1\" }") }, ";A=1=environment;" },
	{ "last part wins", { MAIN("scope = \"a\""), FOLDER, PART("20.conf", "scope = \"c\""),
	  PART("10.conf", "scope = \"b\"") }, "scope=c;" },
	{ "order is by bytes, not by number", { MAIN(""), FOLDER,
	  PART("10.conf", "scope = \"ten\""), PART("9.conf", "scope = \"nine\"") }, "scope=nine;" },
	{ "order is by bytes, not by locale", { MAIN(""), FOLDER,
	  PART("a.conf", "scope = \"small\""), PART("B.conf", "scope = \"big\"") },
	  "scope=small;" },
	{ "part adds a user", { MAIN(USER("alice")), FOLDER, PART("10.conf", USER("bob")) },
	  "user bob:IBMid-1=iam_ids;" },
	{ "both users are there", { MAIN(USER("alice")), FOLDER, PART("10.conf", USER("bob")) },
	  "user alice:IBMid-1=iam_ids;" },
	{ "part adds a service", { MAIN(USER("alice")), FOLDER,
	  PART("10.conf", "service sudo { export = target }") },
	  "service sudo:no environment;export=target;" },
	{ "other names are not read", { MAIN("scope = \"a\""), FOLDER, PART("10.conf~", "x"),
	  PART("10.conf.dpkg-new", "x"), PART("README", "x") }, "scope=a;" },
	{ "hidden files are not read", { MAIN("scope = \"a\""), FOLDER, PART(".10.conf", "x"),
	  PART(".conf", "x") }, "scope=a;" },
	{ "upper case is another name", { MAIN("scope = \"a\""), FOLDER, PART("10.CONF", "x") },
	  "scope=a;" },
	{ "folders below are not read", { MAIN("scope = \"a\""), FOLDER,
	  { "ibmiam.conf.d/x/", 0755, NULL }, PART("x/10.conf", "x") }, "scope=a;" },
	{ "main is readable by all", { { "ibmiam.conf", 0644, "scope = \"a\"" } }, "scope=a;" },
	{ "only the file with the secret is closed", { { "ibmiam.conf", 0644, "client_id = \"a\"" },
	  FOLDER, PART("10.conf", "client_secret = \"b\"") }, "client_id=a;client_secret=b;" },
	{ "part without a secret is readable by all",
	  { MAIN("client_id = \"a\"\nclient_secret = \"b\""), FOLDER,
	  { "ibmiam.conf.d/10.conf", 0644, "scope = \"c\"" } }, "client_secret=b;scope=c;" },
};

static void files_are_read(void **state)
{
	const struct set *s = *state;

	write_files(s->files);
	unit_config_holds(s->holds);
}

#define BY_EVERYBODY " may be written by everybody; expected mode 0644 or stricter"
#define BY_GROUP " may be written by its group; expected mode 0644 or stricter"
#define FOLDER_BY_OTHERS \
	"ibmiam.conf.d may be written by others than its owner; expected mode 0755 or stricter"
#define READ_BY_ALL " holds client_secret but may be read by everybody; chmod 0640 it"
#define WITH_SECRET "client_id = \"a\"\nclient_secret = \"" UNIT_SECRET "\"\n"

static const struct refused {
	const char *name;
	struct file files[FILES_MAX];
	const char *message;
} refused[] = {
	{ "no file", { { NULL, 0, NULL } }, "ibmiam.conf: No such file or directory" },
	{ "folder in its place", { { "ibmiam.conf/", 0700, NULL } },
	  "ibmiam.conf is not a regular file" },
	{ "written by its group", { { "ibmiam.conf", 0660, "" } }, "ibmiam.conf" BY_GROUP },
	{ "written by everybody", { { "ibmiam.conf", 0606, "" } }, "ibmiam.conf" BY_EVERYBODY },
	{ "written by all", { { "ibmiam.conf", 0666, "" } }, "ibmiam.conf" BY_EVERYBODY },
	{ "folder written by its group", { MAIN(""), { "ibmiam.conf.d/", 0775, NULL } },
	  FOLDER_BY_OTHERS },
	{ "folder written by everybody", { MAIN(""), { "ibmiam.conf.d/", 0777, NULL } },
	  FOLDER_BY_OTHERS },
	{ "folder written by everybody, sticky", { MAIN(""), { "ibmiam.conf.d/", 01777, NULL } },
	  FOLDER_BY_OTHERS },
	{ "part written by its group", { MAIN(""), FOLDER, { "ibmiam.conf.d/10.conf", 0660, "" } },
	  "ibmiam.conf.d/10.conf" BY_GROUP },
	{ "file in place of the folder", { MAIN(""), { "ibmiam.conf.d", 0600, "" } },
	  "ibmiam.conf.d: Not a directory" },
	{ "folder in place of a part", { MAIN(""), FOLDER,
	  { "ibmiam.conf.d/10.conf/", 0700, NULL } }, "ibmiam.conf.d/10.conf is not a regular file" },
	{ "secret readable by all", { { "ibmiam.conf", 0644, WITH_SECRET } },
	  "ibmiam.conf" READ_BY_ALL },
	{ "secret readable by others only", { { "ibmiam.conf", 0604, WITH_SECRET } },
	  "ibmiam.conf" READ_BY_ALL },
	{ "secret in a part readable by all", { MAIN("client_id = \"a\""), FOLDER,
	  { "ibmiam.conf.d/10.conf", 0644, "client_secret = \"" UNIT_SECRET "\"" } },
	  "ibmiam.conf.d/10.conf" READ_BY_ALL },
	{ "second secret in a part readable by all", { MAIN(WITH_SECRET), FOLDER,
	  { "ibmiam.conf.d/10.conf", 0644, "client_secret = \"" UNIT_SECRET "\"" } },
	  "ibmiam.conf.d/10.conf" READ_BY_ALL },
	{ "secret without its id, in two files", { MAIN(""), FOLDER,
	  PART("10.conf", "client_secret = \"" UNIT_SECRET "\"") },
	  "ibmiam.conf: client_id and client_secret go together; only client_secret is set" },
	{ "part is wrong", { MAIN(USER("alice")), FOLDER, PART("10.conf", "\nbad = 1") },
	  "ibmiam.conf.d/10.conf:2: no such option 'bad'" },
	{ "second part is wrong", { MAIN(""), FOLDER, PART("10.conf", "\n\n\nscope = \"a\"\n"),
	  PART("20.conf", "\nbad = 1") }, "ibmiam.conf.d/20.conf:2: no such option 'bad'" },
	{ "block of a part is wrong", { MAIN("\n\n"), FOLDER,
	  PART("10.conf", "user bob {\n\nexport = x\n}") },
	  "ibmiam.conf.d/10.conf:3: export \"x\" expects true or false" },
	{ "part is cut off", { MAIN(""), FOLDER, PART("10.conf", "scope = \"a\"\nuser bob {\n") },
	  "ibmiam.conf.d/10.conf:2: user: a section or list that begins here is never closed" },
	{ "main is cut off, part would close it", { MAIN("user bob {\n"), FOLDER,
	  PART("10.conf", "}\n") }, "ibmiam.conf:1: user: a section or list that begins here is "
	  "never closed" },
	{ "user in two files", { MAIN(USER("alice")), FOLDER,
	  PART("10.conf", USER("bob") USER("alice")) },
	  "ibmiam.conf.d/10.conf:2: found duplicate title 'alice'" },
	{ "user in two parts", { MAIN(""), FOLDER, PART("10.conf", USER("alice")),
	  PART("20.conf", USER("alice")) },
	  "ibmiam.conf.d/20.conf:1: found duplicate title 'alice'" },
	{ "service in two files", { MAIN("service sudo { }"), FOLDER,
	  PART("10.conf", "service sudo { }") },
	  "ibmiam.conf.d/10.conf:1: found duplicate title 'sudo'" },
	{ "variable in two files", { MAIN("environment = { \"A=1\" }"), FOLDER,
	  PART("10.conf", "environment += { \"A=2\" }") },
	  "ibmiam.conf.d/10.conf:1: environment \"A=2\" sets a variable that is already set" },
	{ "part reaches into a user of main", { MAIN(USER("alice")), FOLDER,
	  PART("10.conf", "'user=alice|iam_ids' += { \"IBMid-2\" }") },
	  "ibmiam.conf.d/10.conf:1: *" },
};

static void files_are_refused(void **state)
{
	const struct refused *r = *state;

	write_files(r->files);
	unit_config_refused(r->message);
}

/* What is replaced by something that it must not be. */
static const struct node {
	const char *name;
	const char *path;
} nodes[] = {
	{ "main", "ibmiam.conf" },
	{ "part", "ibmiam.conf.d/10.conf" },
};

static void write_valid(void)
{
	static const struct file files[FILES_MAX] = { MAIN(""), FOLDER, PART("10.conf", "") };

	write_files(files);
}

static void check_refused_node(const struct node *n, const char *fault)
{
	char want[256];

	(void)snprintf(want, sizeof want, "%s %s", n->path, fault);
	unit_config_refused(want);
}

static void link_is_refused(const struct node *n, const char *to)
{
	char *path = unit_path(n->path), *target = unit_path(to);

	write_valid();
	assert_int_equal(remove(path), 0);
	assert_int_equal(symlink(target, path), 0);
	free(path);
	free(target);
	check_refused_node(n, "is a symbolic link");
}

static void link_to_a_good_file_is_refused(void **state)
{
	unit_write("good", 0600, "", 0);
	link_is_refused(*state, "good");
}

static void dangling_link_is_refused(void **state)
{
	link_is_refused(*state, "nowhere");
}

/* It would hold up each login until somebody wrote to it. */
static void fifo_is_refused(void **state)
{
	const struct node *n = *state;
	char *path = unit_path(n->path);

	write_valid();
	assert_int_equal(remove(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	free(path);
	check_refused_node(n, "is not a regular file");
}

static void strangers_file_is_refused(void **state)
{
	const struct node *n = *state;
	char *path;

	if (geteuid() != 0)
		UNIT_SKIP("only root can give files away");
	path = unit_path(n->path);
	write_valid();
	assert_int_equal(chown(path, STRANGER, (gid_t)-1), 0);
	free(path);
	check_refused_node(n, "is not owned by root");
}

static void strangers_folder_is_refused(void **state)
{
	char *path;

	(void)state;
	if (geteuid() != 0)
		UNIT_SKIP("only root can give files away");
	path = unit_path("ibmiam.conf.d");
	write_valid();
	assert_int_equal(chown(path, STRANGER, (gid_t)-1), 0);
	free(path);
	unit_config_refused("ibmiam.conf.d is not owned by root");
}

static void link_to_a_folder_is_refused(void **state)
{
	char *path = unit_path("ibmiam.conf.d");

	(void)state;
	unit_write("ibmiam.conf", 0600, "", 0);
	unit_mkdir("good", 0700);
	assert_int_equal(symlink("good", path), 0);
	free(path);
	unit_config_refused("ibmiam.conf.d*");
}

static void unreadable_file_is_refused(void **state)
{
	const struct node *n = *state;
	char *path, want[256];

	if (geteuid() == 0)
		UNIT_SKIP("root may read everything");
	path = unit_path(n->path);
	write_valid();
	assert_int_equal(chmod(path, 0), 0);
	free(path);
	(void)snprintf(want, sizeof want, "%s: Permission denied", n->path);
	unit_config_refused(want);
}

static const struct size {
	const char *name;
	off_t len;
	const char *message;
} sizes[] = {
	/* of NULs: it is read, but not understood */
	{ "16 MiB", 16 * 1024 * 1024, "ibmiam.conf:1: an unexpected character*" },
	{ "16 MiB and one", 16 * 1024 * 1024 + 1, "ibmiam.conf is larger than 16 MiB" },
	{ "1 TiB", (off_t)1 << 40, "ibmiam.conf is larger than 16 MiB" },
};

static void file_has_a_limit(void **state)
{
	const struct size *z = *state;
	char *path = unit_path("ibmiam.conf");
	bool ok;

	unit_write("ibmiam.conf", 0600, "", 0);
	ok = truncate(path, z->len) == 0; /* takes no room */
	free(path);
	if (!ok)
		UNIT_SKIP("no file of that size here");
	unit_config_refused(z->message);
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	UNIT_ROWS(&s, files_are_read, sets);
	UNIT_ROWS(&s, files_are_refused, refused);
	UNIT_ROWS(&s, link_to_a_good_file_is_refused, nodes);
	UNIT_ROWS(&s, dangling_link_is_refused, nodes);
	UNIT_ROWS(&s, fifo_is_refused, nodes);
	UNIT_ROWS(&s, strangers_file_is_refused, nodes);
	UNIT_TEST(&s, strangers_folder_is_refused);
	UNIT_TEST(&s, link_to_a_folder_is_refused);
	UNIT_ROWS(&s, unreadable_file_is_refused, nodes);
	UNIT_ROWS(&s, file_has_a_limit, sizes);
	return unit_run(&s, "config");
}
