/*
 * A host that shows what a login leaves in it: structure.t runs it with a folder of PAM
 * service files, a service in it, a user and his answer.  It prints three lists of what is
 * mapped, one file a line: before PAM, with the module loaded, and after pam_end().
 */
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int converse(int count, const struct pam_message **messages, struct pam_response **ret, void *answer)
{
	(void)messages;
	*ret = calloc((size_t)count, sizeof **ret);
	if (!*ret)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++)
		(*ret)[i].resp = strdup(answer);
	return PAM_SUCCESS;
}

static void print_maps(const char *when)
{
	char line[1024];
	FILE *maps = fopen("/proc/self/maps", "re");

	(void)printf("%s\n", when);
	while (maps && fgets(line, sizeof line, maps)) {
		const char *path = strchr(line, '/');

		if (path)
			(void)printf("%s", path);
	}
	if (maps)
		(void)fclose(maps);
}

int main(int argc, char **argv)
{
	struct pam_conv conversation = { .conv = converse };
	pam_handle_t *pamh = NULL;

	if (argc != 5)
		return 2;
	conversation.appdata_ptr = argv[4];
	(void)getpwnam(argv[3]); /* what looks up users is the host's own */
	print_maps("BEFORE");
	if (pam_start_confdir(argv[2], argv[3], &conversation, argv[1], &pamh) != PAM_SUCCESS)
		return 2;
	(void)printf("RESULT %d\n", pam_authenticate(pamh, 0));
	(void)pam_setcred(pamh, PAM_ESTABLISH_CRED);
	(void)pam_acct_mgmt(pamh, 0);
	(void)pam_open_session(pamh, 0);
	(void)pam_close_session(pamh, 0);
	print_maps("WITH");
	(void)pam_end(pamh, 0);
	print_maps("AFTER");
	return 0;
}
