/*
 * The physical floor of a login: a program that does nothing but the POST.  Resolve, connect,
 * shake hands with the certificate verified, send, read to the end.  What it gets is not
 * looked at, beyond the status.  With a COUNT the connection stays open, and after a POST for
 * warmth so many are measured: a line each, as of host.c.
 *
 *   tlsclient HOST PORT CA_FILE_OR_FOLDER [COUNT] < KEY
 */
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int connect_to(const char *host, const char *port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	const int on = 1;
	int fd = -1;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		return -1;
	for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
			(void)close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* as libcurl */
	return fd;
}

static SSL_CTX *trust(const char *path)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct stat st;

	if (!ctx || stat(path, &st) != 0)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    (S_ISDIR(st.st_mode) ? SSL_CTX_load_verify_dir(ctx, path) :
				   SSL_CTX_load_verify_file(ctx, path)) != 1)
		return NULL;
	return ctx;
}

/* Is this a whole answer: a head with Content-Length, and its body? */
static int is_whole(const char *text, size_t len)
{
	const char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\ncontent-length:");

	return body && length && len >= (size_t)(body + 4 - text) + strtoul(length + 17, NULL, 10);
}

static int post(SSL *ssl, const char *host, const char *form)
{
	static char text[65536];
	int len = snprintf(text, sizeof text,
			   "POST /identity/token HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n"
			   "Content-Type: application/x-www-form-urlencoded\r\n"
			   "Content-Length: %zu\r\n\r\n%s", host, strlen(form), form);
	size_t got = 0;
	int n;

	if (SSL_write(ssl, text, len) != len)
		return 0;
	do {
		n = SSL_read(ssl, text + got, (int)(sizeof text - 1 - got));
		got += n > 0 ? (size_t)n : 0;
		text[got] = '\0';
	} while (n > 0 && !is_whole(text, got));
	return n > 0 && strncmp(text, "HTTP/1.1 200 ", 13) == 0;
}

static double clock_s(clockid_t id)
{
	struct timespec t = { 0 };

	(void)clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int post_again(SSL *ssl, const char *host, const char *form)
{
	double cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID), wall = clock_s(CLOCK_MONOTONIC);
	int ok = post(ssl, host, form);

	(void)printf("%.6f %.6f 0 0 0\n", clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu,
		     clock_s(CLOCK_MONOTONIC) - wall);
	return ok;
}

int main(int argc, char **argv)
{
	char key[600], form[1024];
	SSL_CTX *ctx = argc >= 4 ? trust(argv[3]) : NULL;
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;
	int fd, ok;

	if (!ssl || !fgets(key, sizeof key, stdin))
		return EXIT_FAILURE;
	(void)snprintf(form, sizeof form, "grant_type=urn:ibm:params:oauth:grant-type:apikey&"
		       "apikey=%s&response_type=cloud_iam", key);
	fd = connect_to(argv[1], argv[2]);
	ok = fd >= 0 && SSL_set_fd(ssl, fd) == 1 && SSL_set1_host(ssl, argv[1]) == 1 &&
	     SSL_set_tlsext_host_name(ssl, argv[1]) == 1 && SSL_connect(ssl) == 1 &&
	     post(ssl, argv[1], form);
	for (int count = argc > 4 ? atoi(argv[4]) : 0; ok && count > 0; count--)
		ok = post_again(ssl, argv[1], form);
	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
