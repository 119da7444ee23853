/*
 * Each key of the configuration with values that are good and bad, and the whole message
 * of each refusal: it is all that an admin gets when nobody can log in.
 */
#include "unit_config.h"

#define USER(rest) "user alice { iam_ids = { \"IBMid-1\" } " rest " }"
#define DEFAULT_ENVIRONMENT \
	"IC_IAM_TOKEN=Bearer %{token},IBMIAM_TOKEN=%{token}," \
	"IBMIAM_TOKEN_EXPIRATION=%{expiration},IBMIAM_IAM_ID=%{iam_id}," \
	"IBMIAM_ACCOUNT_ID=%{account}=environment;"

static const struct good {
	const char *name;
	const char *text;
	const char *holds;
} good[] = {
	{ "empty file", "",
	  "endpoint=https://iam.cloud.ibm.com;no issuer;no accounts;" DEFAULT_ENVIRONMENT
	  "rate_limit=600;minimum_uid=1000;allow_root=0;" },
	{ "endpoint", "endpoint = \"https://iam.test.cloud.ibm.com\"",
	  "endpoint=https://iam.test.cloud.ibm.com;" },
	{ "endpoint with a slash", "endpoint = \"https://x/\"", "endpoint=https://x;" },
	{ "endpoint with the path", "endpoint = \"https://x/identity/token\"",
	  "endpoint=https://x;" },
	{ "endpoint with the path and a slash", "endpoint = \"https://x/identity/token/\"",
	  "endpoint=https://x;" },
	{ "endpoint with slashes", "endpoint = \"https://x//identity/token//\"",
	  "endpoint=https://x;" },
	{ "endpoint with half the path", "endpoint = \"https://x/identity\"",
	  "endpoint=https://x/identity;" },
	{ "endpoint with another path", "endpoint = \"https://x/token\"",
	  "endpoint=https://x/token;" },
	{ "endpoint with a port", "endpoint = \"https://127.0.0.1:8443\"",
	  "endpoint=https://127.0.0.1:8443;" },
	{ "endpoint of IPv6", "endpoint = \"https://[::1]:8443\"", "endpoint=https://[::1]:8443;" },
	{ "issuer", "issuer = { \"https://a/identity\", \"https://b/identity\" }",
	  "https://a/identity,https://b/identity=issuer;" },
	{ "accounts", "accounts = { \"" UNIT_ACCOUNT "\", \"" UNIT_ACCOUNT2 "\" }",
	  UNIT_ACCOUNT "," UNIT_ACCOUNT2 "=accounts;" },
	{ "accounts without braces", "accounts = \"" UNIT_ACCOUNT "\"", UNIT_ACCOUNT "=accounts;" },
	{ "accounts, comma at the end", "accounts = { \"" UNIT_ACCOUNT "\", }",
	  UNIT_ACCOUNT "=accounts;" },
	{ "accounts, none", "accounts = { }", "no accounts;" },
	{ "accounts, appended", "accounts = \"" UNIT_ACCOUNT "\"\naccounts += { \"" UNIT_ACCOUNT2
	  "\" }", UNIT_ACCOUNT "," UNIT_ACCOUNT2 "=accounts;" },
	{ "environment", "environment = { \"A=%{token}\", \"B=100%%\" }",
	  "A=%{token},B=100%%=environment;" },
	{ "environment, none", "environment = { }", "no environment;" },
	{ "environment, appended to the default", "environment += { \"A=1\" }",
	  "IBMIAM_ACCOUNT_ID=%{account},A=1=environment;" },
	{ "client", "client_id = \"ab\"\nclient_secret = \"s:3 c\"",
	  "client_id=ab;client_secret=s:3 c;" },
	{ "scope", "scope = \"ibm openid\"", "scope=ibm openid;" },
	{ "scope in UTF-8", "scope = \"caf\xc3\xa9\"", "scope=caf\xc3\xa9;" },
	{ "scope in single quotes", "scope = 'ibm \"openid\"'", "scope=ibm \"openid\";" },
	{ "escapes", "scope = \"a\\\"b\\\\c\"", "scope=a\"b\\c;" },
	{ "escapes in single quotes", "scope = 'a\\'b\\\\c'", "scope=a'b\\c;" },
	{ "dollar and brace in single quotes", "scope = '${HOME}'", "scope=${HOME};" },
	{ "dollar alone", "scope = \"$HOME\"", "scope=$HOME;" },
	{ "comment signs in a string", "scope = \"a # b // c /* d */\"",
	  "scope=a # b // c /* d */;" },
	{ "without quotes", "scope = ibm", "scope=ibm;" },
	{ "ca_file", "ca_file = \"/etc/passwd\"", "ca_file=/etc/passwd;" }, /* any file */
	{ "ca_path", "ca_path = \"/etc\"", "ca_path=/etc;" },
	{ "proxy", "proxy = \"http://proxy:3128\"", "proxy=http://proxy:3128;" },
	{ "proxy with TLS and a password", "proxy = \"https://u:" UNIT_SECRET "@proxy:3128\"",
	  "proxy=https://u:" UNIT_SECRET "@proxy:3128;" },
	{ "minimum_uid", "minimum_uid = 500", "minimum_uid=500;" },
	{ "minimum_uid 0", "minimum_uid = 0", "minimum_uid=0;" },
	{ "minimum_uid is decimal", "minimum_uid = 010", "minimum_uid=10;" },
	{ "largest minimum_uid", "minimum_uid = 4294967294", "minimum_uid=4294967294;" },
	{ "minimum_uid in quotes", "minimum_uid = \"500\"", "minimum_uid=500;" },
	{ "allow_root", "allow_root = true", "allow_root=1;" },
	{ "allow_root off", "allow_root = false", "allow_root=0;" },
	{ "user", USER(""), "user alice:IBMid-1=iam_ids;no services;no "
	  "environment;export=default;" },
	{ "user in quotes", "user \"alice\" { iam_ids = { \"IBMid-1\" } }",
	  "user alice:IBMid-1=iam_ids;" },
	{ "users", "user alice { iam_ids = \"IBMid-1\" }\nuser bob { iam_ids = \"IBMid-1\" }",
	  "user bob:IBMid-1=iam_ids;" },
	{ "user with everything", "user alice { iam_ids = { \"IBMid-1\", \"iam-ServiceId-2\" } "
	  "services = { \"sshd\", \"su-l\" } environment = { \"A=1\" } export = false }",
	  "user alice:IBMid-1,iam-ServiceId-2=iam_ids;sshd,su-l=services;A=1=environment;export=never;" },
	{ "iam_ids, appended", "user alice { iam_ids = \"IBMid-1\" iam_ids += { \"IBMid-2\" } }",
	  "user alice:IBMid-1,IBMid-2=iam_ids;" },
	{ "user exports", USER("export = true"), "export=own;" },
	{ "user exports nothing", USER("export = false"), "export=never;" },
	{ "service", "service sudo { }", "service sudo:no environment;export=default;" },
	{ "service with everything", "service sudo { environment = { \"A=1\" } export = true }",
	  "service sudo:A=1=environment;export=own;" },
	{ "service exports nothing", "service sudo { export = false }",
	  "service sudo:no environment;export=never;" },
	{ "service exports to the target", "service sudo { export = target }",
	  "service sudo:no environment;export=target;" },
	{ "profile by id", "trusted_profile = \"Profile-11111111-2222-3333-4444-555555555555\"",
	  "profile=id Profile-11111111-2222-3333-4444-555555555555;" },
	{ "profile by CRN", "trusted_profile = \"crn:v1:bluemix:public:iam-identity::a/" UNIT_ACCOUNT
	  "::profile:Profile-11111111-2222-3333-4444-555555555555\"", "profile=crn crn:v1:bluemix:" },
	{ "profile by name", "trusted_profile = \"on @ call@" UNIT_ACCOUNT "\"",
	  "profile=name on @ call of " UNIT_ACCOUNT ";" },
	{ "user's profile", USER("trusted_profile = \"Profile-11111111-2222-3333-4444-555555555555\""),
	  "profile=id Profile-11111111-2222-3333-4444-555555555555;export=default;" },
	{ "rate_limit", "rate_limit = 1000000", "rate_limit=1000000;" },
	{ "no rate_limit", "rate_limit = 0", "rate_limit=0;" },
	{ "service for some", "service sudo { users = { \"alice\" } networks = { \"10.0.0.0/8\", "
	  "\"2001:db8::/32\", \"192.0.2.1\", \"local\" } }", "service sudo:alice=users;"
	  "10.0.0.0/8,2001:db8::/32,192.0.2.1,local=networks;" },
	{ "service for the rest", "service \"*\" { export = false }\nservice sudo { }",
	  "service sshd:no environment;export=never;service sudo:no environment;export=default;" },
	{ "domain", "email_domain \"example.com\" { services = { \"sshd\" } export = false }",
	  "domain example.com:sshd=services;no environment;export=never;" },
	{ "profile in a variable", "environment = { \"A=%{profile}\" }", "A=%{profile}=environment;" },
	{ "user and service of one name", "user sudo { iam_ids = \"IBMid-1\" }\nservice sudo { }",
	  "user sudo:IBMid-1=iam_ids;no services;no environment;export=default;service sudo:" },
};

static void is_taken(void **state)
{
	const struct good *g = *state;

	unit_write("ibmiam.conf", 0600, g->text, strlen(g->text));
	unit_config_holds(g->holds);
}

#define ENDPOINT(value) "ibmiam.conf:1: endpoint \"" value \
	"\" expects https://HOST in lower case, without user, query or fragment"
#define PROXY "ibmiam.conf:1: proxy expects http://HOST:PORT or https://HOST:PORT"
#define ACCOUNTS(value) "ibmiam.conf:1: accounts \"" value \
	"\" expects an account id: 32 digits of 0-9 and a-f (ibmcloud account show)"
#define PLACEHOLDER(value) "ibmiam.conf:1: environment \"" value \
	"\" expects %{token}, %{expiration}, %{iam_id}, %{account}, %{profile} or %% after each %"
#define MINIMUM_UID(value) \
	"ibmiam.conf:1: minimum_uid \"" value "\" expects a user id, 0 to 4294967294"
#define NO_USER(value) \
	"ibmiam.conf:1: user \"" value "\" expects the name of a local user; there are no patterns"
#define NO_SERVICE(key, value) "ibmiam.conf:1: " key " \"" value \
	"\" expects the name of a file in /etc/pam.d, in lower case"

static const struct bad {
	const char *name;
	const char *text;
	const char *message;
} bad[] = {
	{ "endpoint without TLS", "endpoint = \"http://x\"", ENDPOINT("http://x") },
	{ "endpoint of another protocol", "endpoint = \"ftp://x\"", ENDPOINT("ftp://x") },
	{ "endpoint without a protocol", "endpoint = \"iam.cloud.ibm.com\"",
	  ENDPOINT("iam.cloud.ibm.com") },
	{ "endpoint without a host", "endpoint = \"https://\"", ENDPOINT("https://") },
	{ "endpoint with a user", "endpoint = \"https://u@x\"", ENDPOINT("https://u@x") },
	{ "endpoint with an empty user", "endpoint = \"https://@x\"", ENDPOINT("https://@x") },
	{ "endpoint with a password", "endpoint = \"https://u:p@x\"", ENDPOINT("https://u:p@x") },
	{ "endpoint with a query", "endpoint = \"https://x?a=b\"", ENDPOINT("https://x?a=b") },
	{ "endpoint with an empty query", "endpoint = \"https://x?\"", ENDPOINT("https://x?") },
	{ "endpoint with a fragment", "endpoint = \"https://x#a\"", ENDPOINT("https://x#a") },
	/* the path would be cut off by it */
	{ "endpoint with an empty fragment", "endpoint = \"https://x#\"", ENDPOINT("https://x#") },
	{ "endpoint with a space", "endpoint = \"https://x /\"", ENDPOINT("https://x /") },
	{ "endpoint with a port that is none", "endpoint = \"https://x:99999\"",
	  ENDPOINT("https://x:99999") },
	{ "endpoint is empty", "endpoint = \"\"", "ibmiam.conf:1: endpoint \"\" is empty" },
	{ "issuer is empty", "issuer = { \"\" }", "ibmiam.conf:1: issuer \"\" is empty" },
	{ "account too short", "accounts = { \"0123\" }", ACCOUNTS("0123") },
	{ "account too long", "accounts = { \"" UNIT_ACCOUNT "0\" }", ACCOUNTS(UNIT_ACCOUNT "0") },
	{ "account in upper case", "accounts = { \"0123456789ABCDEF0123456789ABCDEF\" }",
	  ACCOUNTS("0123456789ABCDEF0123456789ABCDEF") },
	{ "second account is wrong", "accounts = { \"" UNIT_ACCOUNT "\", \"x\" }", ACCOUNTS("x") },
	{ "account is empty", "accounts = { \"\" }", "ibmiam.conf:1: accounts \"\" is empty" },
	{ "accounts without a comma", "accounts = { \"" UNIT_ACCOUNT "\" \"" UNIT_ACCOUNT2 "\" }",
	  "ibmiam.conf:1: accounts: expects a comma or } after a value in a list" },
	{ "accounts, only a comma", "accounts = { , }",
	  "ibmiam.conf:1: accounts: expects a value in a list" },
	{ "list in a list", "accounts = { { \"" UNIT_ACCOUNT "\" } }",
	  "ibmiam.conf:1: accounts: expects a value in a list" },
	{ "environment without a name", "environment = { \"=1\" }",
	  "ibmiam.conf:1: environment \"=1\" expects NAME=value, where NAME is letters, digits and "
	  "_" },
	{ "environment without a value", "environment = { \"A\" }",
	  "ibmiam.conf:1: environment \"A\" expects NAME=value, where NAME is letters, digits and "
	  "_" },
	{ "environment with another placeholder", "environment = { \"A=%{api_key}\" }",
	  PLACEHOLDER("A=%{api_key}") },
	{ "environment with a percent sign", "environment = { \"A=100%\" }",
	  PLACEHOLDER("A=100%") },
	{ "variable twice", "environment = { \"A=1\", \"B=2\", \"A=3\" }",
	  "ibmiam.conf:1: environment \"A=3\" sets a variable that is already set" },
	{ "variable of the default once more", "environment += { \"IBMIAM_TOKEN=x\" }",
	  "ibmiam.conf:1: environment \"IBMIAM_TOKEN=x\" sets a variable that is already set" },
	{ "user's variable twice", USER("environment = { \"A=1\", \"A=3\" }"),
	  "ibmiam.conf:1: environment \"A=3\" sets a variable that is already set" },
	{ "service's environment is wrong", "service sudo { environment = { \"A=%\" } }",
	  PLACEHOLDER("A=%") },
	{ "client_id alone", "client_id = \"a\"",
	  "ibmiam.conf: client_id and client_secret go together; only client_id is set" },
	{ "client_secret alone", "client_secret = \"" UNIT_SECRET "\"",
	  "ibmiam.conf: client_id and client_secret go together; only client_secret is set" },
	{ "client_id with a colon", "client_id = \"a:b\"",
	  "ibmiam.conf:1: client_id \"a:b\" may not hold a colon" },
	{ "client_id is empty", "client_id = \"\"", "ibmiam.conf:1: client_id \"\" is empty" },
	{ "client_secret is empty", "client_secret = \"\"",
	  "ibmiam.conf:1: client_secret is empty" },
	{ "client_secret with a control character", "client_secret = \"" UNIT_SECRET "\xc2\x85\"",
	  "ibmiam.conf:1: client_secret holds control characters or is not UTF-8" },
	{ "scope is empty", "scope = \"\"", "ibmiam.conf:1: scope \"\" is empty" },
	{ "scope is not UTF-8", "scope = \"caf\xe9\"",
	  "ibmiam.conf:1: scope \"caf\xe9\" holds control characters or is not UTF-8" },
	{ "ca_file is relative", "ca_file = \"x.pem\"",
	  "ibmiam.conf:1: ca_file \"x.pem\" expects an absolute path" },
	{ "ca_path is relative", "ca_path = \"certs\"",
	  "ibmiam.conf:1: ca_path \"certs\" expects an absolute path" },
	{ "ca_file is not there", "ca_file = \"/etc/no/such.pem\"",
	  "ibmiam.conf:1: ca_file \"/etc/no/such.pem\" is not a file" },
	{ "ca_file is a folder", "ca_file = \"/etc\"",
	  "ibmiam.conf:1: ca_file \"/etc\" is not a file" },
	{ "ca_path is not there", "ca_path = \"/etc/no/such\"",
	  "ibmiam.conf:1: ca_path \"/etc/no/such\" is not a folder" },
	{ "ca_path is a file", "ca_path = \"/etc/passwd\"",
	  "ibmiam.conf:1: ca_path \"/etc/passwd\" is not a folder" },
	{ "ca_file is empty", "ca_file = \"\"", "ibmiam.conf:1: ca_file \"\" is empty" },
	{ "proxy of another protocol", "proxy = \"socks5://u:" UNIT_SECRET "@proxy\"", PROXY },
	{ "proxy without a protocol", "proxy = \"" UNIT_SECRET ":3128\"", PROXY },
	{ "proxy with a space", "proxy = \"http://u:" UNIT_SECRET "@pro xy\"", PROXY },
	{ "proxy is empty", "proxy = \"\"", "ibmiam.conf:1: proxy is empty" },
	{ "minimum_uid is empty", "minimum_uid = \"\"", MINIMUM_UID("") },
	{ "minimum_uid is negative", "minimum_uid = -1", MINIMUM_UID("-1") },
	{ "minimum_uid is nobody's", "minimum_uid = 4294967295", MINIMUM_UID("4294967295") },
	{ "minimum_uid over 32 bits", "minimum_uid = 4294967296", MINIMUM_UID("4294967296") },
	{ "minimum_uid over 64 bits", "minimum_uid = 18446744073709551616",
	  MINIMUM_UID("18446744073709551616") },
	{ "minimum_uid with an exponent", "minimum_uid = 1e3", MINIMUM_UID("1e3") },
	{ "minimum_uid in hexadecimal", "minimum_uid = 0x10", MINIMUM_UID("0x10") },
	{ "minimum_uid with a space", "minimum_uid = \" 5\"", MINIMUM_UID(" 5") },
	{ "minimum_uid with a sign", "minimum_uid = \"+5\"", MINIMUM_UID("+5") },
	{ "minimum_uid is a word", "minimum_uid = many", MINIMUM_UID("many") },
	{ "minimum_uid, appended", "minimum_uid += 5",
	  "ibmiam.conf:1: attempt to append to non-list option 'minimum_uid'" },
	{ "scope, appended", "scope += \"a\"",
	  "ibmiam.conf:1: attempt to append to non-list option 'scope'" },
	{ "allow_root is a word", "allow_root = maybe",
	  "ibmiam.conf:1: invalid boolean value for option 'allow_root'" },
	{ "allow_root is a number", "allow_root = 1",
	  "ibmiam.conf:1: invalid boolean value for option 'allow_root'" },
	{ "allow_root is empty", "allow_root = \"\"",
	  "ibmiam.conf:1: invalid boolean value for option 'allow_root'" },
	{ "user without iam_ids", "user alice { }",
	  "ibmiam.conf:1: user \"alice\" has no iam_ids, so nobody could log in as it" },
	{ "user with no iam_ids", "user alice { iam_ids = { } }",
	  "ibmiam.conf:1: user \"alice\": iam_ids is an empty list; leave the key out" },
	{ "user with no services, which must not mean all of them",
	  "user alice { iam_ids = { \"IBMid-1\" } services = { } }",
	  "ibmiam.conf:1: user \"alice\": services is an empty list; leave the key out" },
	{ "user with an empty environment",
	  "user alice { iam_ids = { \"IBMid-1\" } environment = { } }",
	  "ibmiam.conf:1: user \"alice\": environment is an empty list; leave the key out" },
	{ "endpoint in capitals", "endpoint = \"https://X\"", "ibmiam.conf:1: endpoint*" },
	{ "appended, then set", "accounts += { \"00000000000000000000000000000001\" }\n"
	  "accounts = { \"00000000000000000000000000000002\" }", "ibmiam.conf:2: accounts: set twice" },
	{ "user without a name", "user { iam_ids = { \"IBMid-1\" } }",
	  "ibmiam.conf:1: user: expects = after a key, or a title and { after the name of a block" },
	{ "user with an empty name", "user \"\" { iam_ids = { \"IBMid-1\" } }",
	  "ibmiam.conf:1: user \"\" is empty" },
	{ "user with two names", "user alice bob { }",
	  "ibmiam.conf:1: user: expects = after a key, or { after the title of a block" },
	{ "user by pattern", "user \"*\" { iam_ids = { \"IBMid-1\" } }", NO_USER("*") },
	{ "user by uid and gid", "user \"a:b\" { iam_ids = { \"IBMid-1\" } }", NO_USER("a:b") },
	{ "user with a slash", "user \"a/b\" { iam_ids = { \"IBMid-1\" } }", NO_USER("a/b") },
	{ "user with a space", "user \"a b\" { iam_ids = { \"IBMid-1\" } }", NO_USER("a b") },
	{ "user twice", USER("") "\n" USER(""), "ibmiam.conf:2: found duplicate title 'alice'" },
	{ "user in a user", USER("user bob { }"), "ibmiam.conf:1: no such option 'user'" },
	{ "iam_id is empty", "user alice { iam_ids = { \"\" } }",
	  "ibmiam.conf:1: iam_ids \"\" is empty" },
	{ "iam_id is an e-mail address", "user alice { iam_ids = { \"alice@example.com\" } }",
	  "ibmiam.conf:1: iam_ids \"alice@example.com\" looks like an e-mail address; "
	  "expects an IAM id such as IBMid-550000ABCD" },
	{ "iam_id without the realm", "user alice { iam_ids = { \"ServiceId-1\" } }",
	  "ibmiam.conf:1: iam_ids \"ServiceId-1\" lacks the realm: write iam-ServiceId-..." },
	{ "iam_id is a profile", "user alice { iam_ids = { \"iam-Profile-1\" } }",
	  "ibmiam.conf:1: iam_ids \"iam-Profile-1\" is a trusted profile, which has no API keys of "
	  "its own" },
	{ "iam_id is a profile without the realm", "user alice { iam_ids = { \"Profile-1\" } }",
	  "ibmiam.conf:1: iam_ids \"Profile-1\" is a trusted profile, which has no API keys of its "
	  "own" },
	{ "iam_id with a space", "user alice { iam_ids = { \"IBMid 1\" } }",
	  "ibmiam.conf:1: iam_ids \"IBMid 1\" holds a space or a character outside ASCII" },
	{ "iam_id in UTF-8", "user alice { iam_ids = { \"IBMid-\xc3\xa9\" } }",
	  "ibmiam.conf:1: iam_ids \"IBMid-\xc3\xa9\" holds a space or a character outside ASCII" },
	{ "user's service in upper case", USER("services = { \"SSHD\" }"),
	  NO_SERVICE("services", "SSHD") },
	{ "user's service by its path", USER("services = { \"/etc/pam.d/sshd\" }"),
	  NO_SERVICE("services", "/etc/pam.d/sshd") },
	{ "user's service is empty", USER("services = { \"\" }"),
	  "ibmiam.conf:1: services \"\" is empty" },
	{ "user exports to the target", USER("export = target"),
	  "ibmiam.conf:1: export \"target\" expects true or false" },
	{ "user's export is a word", USER("export = some"),
	  "ibmiam.conf:1: export \"some\" expects true or false" },
	{ "user's export is empty", USER("export = \"\""),
	  "ibmiam.conf:1: export \"\" expects true or false" },
	{ "service in upper case", "service SSHD { }", NO_SERVICE("service", "SSHD") },
	{ "service with a space", "service \"a b\" { }", NO_SERVICE("service", "a b") },
	{ "service twice", "service sudo { }\n\nservice sudo { }",
	  "ibmiam.conf:3: found duplicate title 'sudo'" },
	{ "service with a user's key", "service sudo { iam_ids = { \"IBMid-1\" } }",
	  "ibmiam.conf:1: no such option 'iam_ids'" },
	{ "service's export is a word", "service sudo { export = some }",
	  "ibmiam.conf:1: export \"some\" expects true, false or target" },
	{ "service's export in upper case", "service sudo { export = TARGET }",
	  "ibmiam.conf:1: export \"TARGET\" expects true, false or target" },
	{ "export for all", "export = true", "ibmiam.conf:1: no such option 'export'" },
	{ "unknown key", "endpont = \"https://x\"", "ibmiam.conf:1: no such option 'endpont'" },
	{ "unknown key in a block", USER("service = { \"sshd\" }"),
	  "ibmiam.conf:1: no such option 'service'" },
	{ "key in upper case", "SCOPE = \"a\"", "ibmiam.conf:1: no such option 'SCOPE'" },
	{ "libconfuse's own key", "__unknown = 1", "ibmiam.conf:1: no such option '__unknown'" },
	{ "profile's iam_id", "trusted_profile = \"iam-Profile-11111111-2222-3333-4444-555555555555\"",
	  "ibmiam.conf:1: trusted_profile \"iam-Profile-11111111-2222-3333-4444-555555555555\" is an iam_id*" },
	{ "profile without account", "trusted_profile = \"ops\"",
	  "ibmiam.conf:1: trusted_profile \"ops\" expects a trusted profile*" },
	{ "profile's CRN of another service", "trusted_profile = \"crn:v1:a:b:c:::::\"",
	  "ibmiam.conf:1: trusted_profile \"crn:v1:a:b:c:::::\" is no CRN*" },
	{ "everybody's group", "access_groups = { \"AccessGroupId-PublicAccess\" }",
	  "ibmiam.conf:1: access_groups \"AccessGroupId-PublicAccess\" is the group that everybody*" },
	{ "group by name", "access_groups = { \"ops\" }", "ibmiam.conf:1: access_groups \"ops\" expects*" },
	{ "groups, none", "access_groups = { }", "ibmiam.conf: access_groups is an empty list*" },
	{ "groups without a key to ask", "\naccess_groups = { \"AccessGroupId-11111111-2222-3333-4444-555555555555\" }",
	  "ibmiam.conf:2: access_groups need a directory_key_file, and none is set" },
	{ "relative key file", "directory_key_file = \"key\"",
	  "ibmiam.conf:1: directory_key_file \"key\" expects an absolute path" },
	{ "rate_limit too large", "rate_limit = 1000001", "ibmiam.conf:1: rate_limit \"1000001\" expects*" },
	{ "network with host bits", "service a { networks = { \"10.1.2.3/8\" } }",
	  "ibmiam.conf:1: networks \"10.1.2.3/8\" has bits beyond its prefix; the block is 10.0.0.0/8" },
	{ "network of IPv6 with host bits", "service a { networks = { \"2001:db8::1/32\" } }",
	  "ibmiam.conf:1: networks \"2001:db8::1/32\" has bits beyond its prefix; the block is 2001:db8::/32" },
	{ "network by name", "service a { networks = { \"localhost\" } }",
	  "ibmiam.conf:1: networks \"localhost\" expects*" },
	{ "user's service is a pattern", USER("services = { \"*\" }"), "ibmiam.conf:1: services \"*\" expects*" },
	{ "domain in capitals", "email_domain \"Example.com\" { }",
	  "ibmiam.conf:1: email_domain \"Example.com\" expects*" },
	{ "domain of one label", "email_domain \"localhost\" { }",
	  "ibmiam.conf:1: email_domain \"localhost\" expects*" },
	{ "domain in Punycode", "email_domain \"a.xn--pple-43d.com\" { }",
	  "ibmiam.conf:1: email_domain \"a.xn--pple-43d.com\" is not plain ASCII*" },
	{ "domain twice", "email_domain \"a.b\" { }\nemail_domain \"a.b\"\n{\n}",
	  "ibmiam.conf:3: found duplicate title 'a.b'" },
	{ "session's own variable", "environment = { \"IBMIAM_SESSION=1\" }",
	  "ibmiam.conf:1: environment \"IBMIAM_SESSION=1\" sets a variable that the module keeps*" },
	{ "stash's own variable", "environment = { \"PAM_IBMIAM_STASH=1\" }",
	  "ibmiam.conf:1: environment \"PAM_IBMIAM_STASH=1\" sets a variable that the module keeps*" },
	{ "unknown block", "email_realm \"example.com\" { }",
	  "ibmiam.conf:1: no such option 'email_realm'" },
	{ "no value", "scope =", "ibmiam.conf:1: scope: expects a value after the equals sign" },
	{ "no equals sign", "scope",
	  "ibmiam.conf:1: scope: expects = after a key, or a title and { after the name of a block" },
	{ "value without an equals sign", "scope \"a\"",
	  "ibmiam.conf:1: scope: expects = after a key, or { after the title of a block" },
	{ "list for a single value", "scope = { \"a\" }", "ibmiam.conf:1: unexpected token '{'" },
	{ "equals sign first", "= 5", "ibmiam.conf:1: expects a key or a block" },
	{ "comma between keys", "scope = \"a\", proxy = \"http://x\"",
	  "ibmiam.conf:1: scope: expects a key or a block" },
};

static void is_refused(void **state)
{
	const struct bad *b = *state;

	unit_write("ibmiam.conf", 0600, b->text, strlen(b->text));
	unit_config_refused(b->message);
}

/* Secrets where a slip of the hand may put them: refused, and not into the log. */
static const struct slip {
	const char *name;
	const char *text;
} slips[] = {
	{ "no quotes, with a slash", "client_secret = " UNIT_SECRET "/x" },
	{ "no quotes, with a space", "client_secret = my " UNIT_SECRET },
	{ "no quotes, with a plus", "client_secret = " UNIT_SECRET "+x" },
	{ "no quotes, with a dollar", "client_secret = " UNIT_SECRET "$x" },
	{ "no quotes, before a closing brace", "client_secret = " UNIT_SECRET " }" },
	{ "no quotes, three words", "client_secret = my " UNIT_SECRET " x" },
	{ "no quotes, four words", "client_secret = my own " UNIT_SECRET " x" },
	{ "no quotes, with an equals sign", "client_secret = my " UNIT_SECRET "=" },
	{ "no closing quote", "client_secret = \"" UNIT_SECRET },
	{ "quote inside", "client_secret = \"a\"" UNIT_SECRET "\"" },
	{ "two strings", "client_secret = \"a\" \"" UNIT_SECRET "\"" },
	{ "list", "client_secret = { \"" UNIT_SECRET "\" }" },
	{ "no equals sign", "client_secret \"" UNIT_SECRET "\"" },
	{ "backslash", "client_secret = \"" UNIT_SECRET "\\n\"" },
	{ "variable", "client_secret = \"" UNIT_SECRET "${x}\"" },
	{ "set twice", "client_secret = \"" UNIT_SECRET "\"\nclient_secret = \"" UNIT_SECRET "\"" },
	{ "set twice without quotes", "client_secret = " UNIT_SECRET "\nclient_secret = "
	  UNIT_SECRET },
	{ "unknown key after it", "client_secret = " UNIT_SECRET "\nendpont = \"https://x\"" },
	{ "proxy without quotes", "proxy = http://u:" UNIT_SECRET "@proxy" },
	{ "proxy without quotes and protocol", "proxy = " UNIT_SECRET "@proxy" },
	{ "proxy in a list", "proxy = { \"http://u:" UNIT_SECRET "@proxy\" }" },
	{ "proxy of another protocol", "proxy = \"ftp://u:" UNIT_SECRET "@proxy\"" },
};

static void secret_is_not_named(void **state)
{
	const struct slip *l = *state;

	unit_write("ibmiam.conf", 0600, l->text, strlen(l->text));
	unit_config_refused("ibmiam.conf:*");
}

/* head, so many x, tail */
static const struct length {
	const char *name;
	const char *head;
	size_t times;
	const char *tail;
	const char *fault; /* the end of the message */
} lengths[] = {
	{ "value of 1024 bytes", "scope = \"", 1024, "\"", NULL },
	{ "value of 1025 bytes", "scope = \"", 1025, "\"", "is over 1024 bytes" },
	{ "value of 1 MiB", "scope = \"", 1024 * 1024, "\"", "is over 1024 bytes" },
	{ "template of 1024 bytes", "environment = { \"A=", 1022, "\" }", NULL },
	{ "template of 1025 bytes", "environment = { \"A=", 1023, "\" }", "is over 1024 bytes" },
	{ "client_secret of 1025 bytes", "client_secret = \"", 1025, "\"",
	  ":1: client_secret is over 1024 bytes" },
	{ "iam_id of 200 bytes", "user alice { iam_ids = { \"", 200, "\" } }", NULL },
	{ "iam_id of 201 bytes", "user alice { iam_ids = { \"", 201, "\" } }",
	  "is over 200 bytes" },
	{ "user of 200 bytes", "user ", 200, " { iam_ids = { \"IBMid-1\" } }", NULL },
	{ "user of 201 bytes", "user ", 201, " { iam_ids = { \"IBMid-1\" } }",
	  "is over 200 bytes" },
	{ "service of 200 bytes", "service ", 200, " { }", NULL },
	{ "service of 201 bytes", "service ", 201, " { }", "is over 200 bytes" },
	{ "user's service of 201 bytes", "user alice { iam_ids = \"IBMid-1\" services = { \"", 201,
	  "\" } }", "is over 200 bytes" },
	{ "key of 1 MiB", "", 1024 * 1024, " = 1", "" },
	{ "comment of 1 MiB", "# ", 1024 * 1024, "\nscope = \"a\"", NULL },
};

static void length_is_limited(void **state)
{
	const struct length *l = *state;
	struct config c = { 0 };
	char why[2048], *text = NULL;
	size_t len, fault_len = l->fault ? strlen(l->fault) : 0;
	FILE *f = open_memstream(&text, &len);
	bool ok;

	assert_non_null(f);
	(void)fputs(l->head, f);
	for (size_t i = 0; i < l->times; i++)
		(void)fputc('x', f);
	(void)fputs(l->tail, f);
	(void)fclose(f);
	unit_write("ibmiam.conf", 0600, text, len);
	free(text);
	ok = unit_config_load(&c, why);
	config_free(&c);
	if (ok != !l->fault)
		fail_msg("%s", ok ? "accepted" : why);
	if (!ok && (strlen(why) < fault_len || strcmp(why + strlen(why) - fault_len, l->fault) != 0))
		fail_msg("\"%s\" does not end with \"%s\"", why, l->fault);
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	UNIT_ROWS(&s, is_taken, good);
	UNIT_ROWS(&s, is_refused, bad);
	UNIT_ROWS(&s, secret_is_not_named, slips);
	UNIT_ROWS(&s, length_is_limited, lengths);
	return unit_run(&s, "config values");
}
