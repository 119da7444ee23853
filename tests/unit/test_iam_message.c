/*
 * The words of a token request: a key of any characters arrives as it was typed and can
 * add nothing to the form, and the headers say what IAM's documentation asks for.
 */
#include "unit_config.h"

#include <curl/curl.h>

#include "iam_message.h"
#include "token.h"

#define FORM(apikey) "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant%2Dtype%3Aapikey&apikey=" apikey \
	"&response_type=cloud%5Fiam"

static const struct form {
	const char *name;
	const char *key;
	const char *scope;
	const char *form;
} forms[] = {
	{ "letters and digits", "AZaz09", NULL, FORM("AZaz09") },
	{ "as IAM makes them", "a-b_c", NULL, FORM("a%2Db%5Fc") },
	{ "signs of a form", "a&apikey=b+c%20", NULL, FORM("a%26apikey%3Db%2Bc%2520") },
	{ "space", "a b", NULL, FORM("a%20b") },
	{ "UTF-8", "\xc3\xa9\xf0\x9f\x94\x91", NULL, FORM("%C3%A9%F0%9F%94%91") },
	{ "quotes", "\"'\\", NULL, FORM("%22%27%5C") },
	{ "scope", "k", "ibm openid", FORM("k") "&scope=ibm%20openid" },
};

static void form_is_made(void **state)
{
	const struct form *f = *state;
	const struct config c = { .scope = f->scope };
	const struct iam_question q = { .kind = IAM_TOKEN, .api_key = f->key };
	SECRET_AUTO(form);

	assert_true(iam_message_form(&c, &q, &form));
	assert_int_equal(form.len, strlen(f->form));
	assert_memory_equal(form.data, f->form, form.len);
}

static int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* Every byte that a C string may hold comes back from the form as it was. */
static void every_byte_comes_back(void **state)
{
	const struct config c = { 0 };
	char key[256], *p;
	const struct iam_question q = { .kind = IAM_TOKEN, .api_key = key };
	SECRET_AUTO(form);

	(void)state;
	for (int i = 1; i < 256; i++)
		key[i - 1] = (char)i;
	key[255] = '\0';
	assert_true(iam_message_form(&c, &q, &form));
	assert_true(secret_append(&form, "", 1));
	p = strstr(form.data, "&apikey=");
	assert_non_null(p);
	p += 8;
	for (size_t i = 0; i < 255; i++) {
		char got = *p == '%' ? (char)(hex_digit(p[1]) * 16 + hex_digit(p[2])) : *p;

		assert_int_equal(got, key[i]);
		p += *p == '%' ? 3 : 1;
	}
	assert_int_equal(*p, '&');
}

/* As much as the wire and the configuration let through. */
static void longest_key_and_scope_fit(void **state)
{
	char key[4096], scope[1025];
	const struct config c = { .scope = scope };
	const struct iam_question q = { .kind = IAM_TOKEN, .api_key = key };
	SECRET_AUTO(form);

	(void)state;
	memset(key, '&', sizeof key - 1);
	memset(scope, '&', sizeof scope - 1);
	key[sizeof key - 1] = scope[sizeof scope - 1] = '\0';
	assert_true(iam_message_form(&c, &q, &form));
	assert_int_equal(form.len, strlen(FORM("") "&scope=") + 3 * 4095 + 3 * 1024);
}

#define TOKEN "e30.e30.c2ln"
#define PROFILE "Profile-11111111-2222-3333-4444-555555555555"
#define CRN "crn:v1:bluemix:public:iam-identity::a/" UNIT_ACCOUNT "::profile:" PROFILE
#define ASSUME(profile) \
	"grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant%2Dtype%3Aassume&access_token=e30%2Ee30%2Ec2ln&" profile

/* The second step says whose profile, and nothing of the first: no key, scope or client. */
static const struct assume {
	const char *name;
	const char *field, *profile, *account;
	const char *form;
} assumes[] = {
	{ "by id", "profile_id", PROFILE, NULL,
	  ASSUME("profile_id=Profile%2D11111111%2D2222%2D3333%2D4444%2D555555555555") },
	{ "by CRN", "profile_crn", CRN, NULL,
	  ASSUME("profile_crn=crn%3Av1%3Abluemix%3Apublic%3Aiam%2Didentity%3A%3Aa%2F" UNIT_ACCOUNT
		 "%3A%3Aprofile%3AProfile%2D11111111%2D2222%2D3333%2D4444%2D555555555555") },
	{ "by name", "profile_name", "on call", UNIT_ACCOUNT,
	  ASSUME("profile_name=on%20call&account=" UNIT_ACCOUNT) },
	{ "by a name that would be more fields", "profile_name", "a&apikey=b+c", UNIT_ACCOUNT,
	  ASSUME("profile_name=a%26apikey%3Db%2Bc&account=" UNIT_ACCOUNT) },
};

static void profile_is_asked_for(void **state)
{
	const struct assume *a = *state;
	const struct config c = { .scope = "ibm", .client_id = "me", .client_secret = UNIT_SECRET };
	const struct iam_question q = { .kind = IAM_ASSUME, .access_token = TOKEN, .profile_field = a->field,
					.profile = a->profile, .account = a->account };
	SECRET_AUTO(form);

	assert_true(iam_message_form(&c, &q, &form));
	assert_int_equal(form.len, strlen(a->form));
	assert_memory_equal(form.data, a->form, form.len);
}

/* The longest token that is accepted, each byte escaped. */
static void longest_token_fits(void **state)
{
	static char token[TOKEN_MAX + 1];
	const struct config c = { 0 };
	const struct iam_question q = { .kind = IAM_ASSUME, .access_token = token,
					.profile_field = "profile_crn", .profile = CRN };
	SECRET_AUTO(form);

	(void)state;
	memset(token, '-', sizeof token - 1);
	assert_true(iam_message_form(&c, &q, &form));
	assert_int_equal(form.len, strlen(ASSUME("profile_crn=")) - strlen("e30%2Ee30%2Ec2ln") +
				   3 * TOKEN_MAX + strlen(CRN) + 2 * 16); /* its signs */
}

#define GROUP "AccessGroupId-11111111-2222-3333-4444-555555555555"

static const struct url {
	const char *name;
	struct iam_question question;
	const char *url; /* NULL: it does not fit */
} urls[] = {
	{ "token", { .kind = IAM_TOKEN }, "https://iam.example/identity/token" },
	{ "profile", { .kind = IAM_ASSUME }, "https://iam.example/identity/token" },
	{ "membership", { .kind = IAM_MEMBERSHIP, .group = GROUP, .iam_id = "IBMid-1" },
	  "https://iam.example/v2/groups/" GROUP "/members/IBMid-1" },
	{ "id that would be another path",
	  { .kind = IAM_MEMBERSHIP, .group = GROUP, .iam_id = "../x/members/IBMid-1" },
	  "https://iam.example/v2/groups/" GROUP "/members/..%2Fx%2Fmembers%2FIBMid-1" },
	{ "id that would be a query",
	  { .kind = IAM_MEMBERSHIP, .group = GROUP, .iam_id = "IBMid-1?a=b&c#d" },
	  "https://iam.example/v2/groups/" GROUP "/members/IBMid-1%3Fa%3Db%26c%23d" },
	{ "id with a percent sign and a space",
	  { .kind = IAM_MEMBERSHIP, .group = GROUP, .iam_id = "a%2Fb c" },
	  "https://iam.example/v2/groups/" GROUP "/members/a%252Fb%20c" },
	{ "group that would be another path",
	  { .kind = IAM_MEMBERSHIP, .group = "a/../b", .iam_id = "c" },
	  "https://iam.example/v2/groups/a%2F..%2Fb/members/c" },
};

static void url_is_made(void **state)
{
	const struct url *u = *state;
	const struct config c = { .endpoint = "https://iam.example" };
	char url[256];

	assert_true(iam_message_url(&c, &u->question, url, sizeof url));
	assert_string_equal(url, u->url);
	/* a byte less would be another URL */
	assert_true(iam_message_url(&c, &u->question, url, strlen(u->url) + 1));
	assert_string_equal(url, u->url);
	assert_false(iam_message_url(&c, &u->question, url, strlen(u->url)));
}

static void membership_posts_nothing(void **state)
{
	const struct config c = { .scope = "ibm" };
	const struct iam_question q = { .kind = IAM_MEMBERSHIP, .access_token = TOKEN, .group = GROUP,
					.iam_id = "IBMid-1" };
	SECRET_AUTO(form);

	(void)state;
	assert_true(iam_message_form(&c, &q, &form));
	assert_int_equal(form.len, 0);
}

static const char *find_header(const struct curl_slist *list, const char *name)
{
	const char *found = NULL;

	for (; list; list = list->next) {
		assert_null(strpbrk(list->data, "\r\n"));
		if (strncmp(list->data, name, strlen(name)) == 0) {
			assert_null(found);
			found = list->data + strlen(name);
		}
	}
	return found;
}

static const struct header {
	const char *name;
	const char *header;
	const char *value;
} headers[] = {
	{ "content type", "Content-Type:", " application/x-www-form-urlencoded" },
	{ "accepted", "Accept:", " application/json" },
	{ "no 100-continue", "Expect:", "" },
	{ "correlation id", "X-Correlation-ID:", " 11111111-2222-4333-8444-555555555555" },
	{ "accounts", "ibm-cloud-tenant:", " " UNIT_ACCOUNT "," UNIT_ACCOUNT2 },
	{ "no authorization by hand", "Authorization:", NULL },
};

static const struct iam_question for_token = { .kind = IAM_TOKEN, .api_key = "k" };

/* Questions after the first. */
static const struct other_header {
	const char *name;
	struct iam_question question;
	const char *header;
	const char *value;
} other_headers[] = {
	{ "a profile's content type", { .kind = IAM_ASSUME }, "Content-Type:",
	  " application/x-www-form-urlencoded" },
	{ "a profile's answer", { .kind = IAM_ASSUME }, "Accept:", " application/json" },
	{ "a profile, id", { .kind = IAM_ASSUME }, "X-Correlation-ID:", " id" },
	{ "a profile is asked for in the form", { .kind = IAM_ASSUME, .access_token = TOKEN },
	  "Authorization:", NULL },
	{ "a profile's account may be another one", { .kind = IAM_ASSUME }, "ibm-cloud-tenant:", NULL },
	{ "member", { .kind = IAM_MEMBERSHIP, .access_token = TOKEN }, "Authorization:",
	  " Bearer " TOKEN },
	{ "member, id", { .kind = IAM_MEMBERSHIP, .access_token = TOKEN }, "X-Correlation-ID:", " id" },
	{ "member, no form", { .kind = IAM_MEMBERSHIP, .access_token = TOKEN }, "Content-Type:", NULL },
	{ "member, no accounts", { .kind = IAM_MEMBERSHIP, .access_token = TOKEN }, "ibm-cloud-tenant:",
	  NULL },
};

static void later_header_is_made(void **state)
{
	static const char text[] = "accounts = { \"" UNIT_ACCOUNT "\" }";
	const struct other_header *h = *state;
	struct config c = { 0 };
	struct curl_slist *list;

	unit_write("ibmiam.conf", 0600, text, sizeof text - 1);
	unit_config_loaded(&c);
	list = iam_message_headers(&c, &h->question, "id");
	config_free(&c);
	assert_non_null(list);
	unit_check_text(h->header, find_header(list, h->header), h->value);
	curl_slist_free_all(list);
}

static void longest_bearer_fits(void **state)
{
	static char token[TOKEN_MAX + 1];
	const struct config c = { 0 };
	const struct iam_question q = { .kind = IAM_MEMBERSHIP, .access_token = token };
	struct curl_slist *list;
	const char *value;

	(void)state;
	memset(token, 't', sizeof token - 1);
	list = iam_message_headers(&c, &q, "id");
	assert_non_null(list);
	value = find_header(list, "Authorization: Bearer ");
	assert_non_null(value);
	assert_string_equal(value, token);
	curl_slist_free_all(list);
}

static void header_is_made(void **state)
{
	static const char text[] = "accounts = { \"" UNIT_ACCOUNT "\", \"" UNIT_ACCOUNT2 "\" }";
	const struct header *h = *state;
	struct config c = { 0 };
	struct curl_slist *list;

	unit_write("ibmiam.conf", 0600, text, sizeof text - 1);
	unit_config_loaded(&c);
	list = iam_message_headers(&c, &for_token, "11111111-2222-4333-8444-555555555555");
	config_free(&c);
	assert_non_null(list);
	unit_check_text(h->header, find_header(list, h->header), h->value);
	curl_slist_free_all(list);
}

/* Writes a configuration with so many accounts. */
static void write_accounts(unsigned int n)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	(void)fputs("accounts = {\n", f);
	for (unsigned int i = 0; i < n; i++)
		(void)fprintf(f, "\"%032x\",\n", i);
	(void)fputs("}\n", f);
	(void)fclose(f);
	unit_write("ibmiam.conf", 0600, text, len);
	free(text);
}

static const struct many {
	const char *name;
	unsigned int accounts;
	bool sent;
} many[] = {
	{ "one account", 1, true },
	{ "100 accounts", 100, true },
	{ "1000 accounts", 1000, false },
};

/* All of them or none: with a part of them IAM would refuse good keys of the others. */
static void accounts_are_sent_whole_or_not(void **state)
{
	const struct many *m = *state;
	struct config c = { 0 };
	struct curl_slist *list;
	const char *value;

	write_accounts(m->accounts);
	unit_config_loaded(&c);
	list = iam_message_headers(&c, &for_token, "x");
	config_free(&c);
	assert_non_null(list);
	value = find_header(list, "ibm-cloud-tenant:");
	assert_int_equal(value != NULL, m->sent);
	if (value)
		assert_int_equal(strlen(value), m->accounts * 33);
	assert_non_null(find_header(list, "X-Correlation-ID:"));
	curl_slist_free_all(list);
}

static void uuid_is_random_and_well_formed(void **state)
{
	char a[IAM_UUID_LEN + 2] = "", b[IAM_UUID_LEN + 2] = "";

	(void)state;
	a[IAM_UUID_LEN + 1] = 'x';
	assert_true(iam_message_uuid(a));
	assert_true(iam_message_uuid(b));
	assert_int_equal(a[IAM_UUID_LEN + 1], 'x'); /* not past its end */
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), IAM_UUID_LEN);
	for (size_t i = 0; i < IAM_UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		assert_non_null(strchr(dash ? "-" : "0123456789abcdef", a[i]));
	}
	assert_int_equal(a[14], '4'); /* version */
	assert_non_null(strchr("89ab", a[19])); /* variant */
}

int main(void)
{
	struct unit_suite s = { .setup = unit_folder_make, .teardown = unit_folder_remove };

	UNIT_ROWS(&s, form_is_made, forms);
	UNIT_TEST(&s, every_byte_comes_back);
	UNIT_TEST(&s, longest_key_and_scope_fit);
	UNIT_ROWS(&s, profile_is_asked_for, assumes);
	UNIT_TEST(&s, longest_token_fits);
	UNIT_ROWS(&s, url_is_made, urls);
	UNIT_TEST(&s, membership_posts_nothing);
	UNIT_ROWS(&s, header_is_made, headers);
	UNIT_ROWS(&s, later_header_is_made, other_headers);
	UNIT_TEST(&s, longest_bearer_fits);
	UNIT_ROWS(&s, accounts_are_sent_whole_or_not, many);
	UNIT_TEST(&s, uuid_is_random_and_well_formed);
	return unit_run(&s, "iam_message");
}
