/*
 * The floor of whatever is a process of its own and calls libcurl: the same POST, and nothing else.
 *
 *   curlclient URL [FOLDER_OF_CAS] < KEY
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curlpost.h"

/* As our broker: GnuTLS comes along with Debian's libcurl, and need not get ready. */
__attribute__((visibility("default"))) int _gnutls_global_init_skip(void);
int _gnutls_global_init_skip(void)
{
	return 1;
}

int main(int argc, char **argv)
{
	static struct curl_body body;
	char key[600];

	if (argc < 2 || !fgets(key, sizeof key, stdin))
		return EXIT_FAILURE;
	key[strcspn(key, "\n")] = '\0';
	return curl_post(argv[1], argc > 2 ? argv[2] : NULL, key, &body) ? EXIT_SUCCESS : EXIT_FAILURE;
}
