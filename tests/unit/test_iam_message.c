/*
 * The words of a token request: a key of any characters arrives as it was typed and can
 * add nothing to the form, and the headers say what IAM's documentation asks for.
 */
#include "unit_config.h"

#include <curl/curl.h>

#include "iam_message.h"

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
	SECRET_AUTO(form);

	assert_true(iam_message_form(&c, f->key, &form));
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
	SECRET_AUTO(form);

	(void)state;
	for (int i = 1; i < 256; i++)
		key[i - 1] = (char)i;
	key[255] = '\0';
	assert_true(iam_message_form(&c, key, &form));
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
	SECRET_AUTO(form);

	(void)state;
	memset(key, '&', sizeof key - 1);
	memset(scope, '&', sizeof scope - 1);
	key[sizeof key - 1] = scope[sizeof scope - 1] = '\0';
	assert_true(iam_message_form(&c, key, &form));
	assert_int_equal(form.len, strlen(FORM("") "&scope=") + 3 * 4095 + 3 * 1024);
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

static void header_is_made(void **state)
{
	static const char text[] = "accounts = { \"" UNIT_ACCOUNT "\", \"" UNIT_ACCOUNT2 "\" }";
	const struct header *h = *state;
	struct config c = { 0 };
	struct curl_slist *list;

	unit_write("ibmiam.conf", 0600, text, sizeof text - 1);
	unit_config_loaded(&c);
	list = iam_message_headers(&c, "11111111-2222-4333-8444-555555555555");
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
	list = iam_message_headers(&c, "x");
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
	UNIT_ROWS(&s, header_is_made, headers);
	UNIT_ROWS(&s, accounts_are_sent_whole_or_not, many);
	UNIT_TEST(&s, uuid_is_random_and_well_formed);
	return unit_run(&s, "iam_message");
}
