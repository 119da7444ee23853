/*
 * What libcurl knows of one exchange besides the answer: how far it came, when, to whom.  For
 * whoever asks why a login does not work; never for a decision.
 */
#ifndef IBMIAM_IAM_TRACE_H
#define IBMIAM_IAM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

enum { IAM_TRACE_TEXT_MAX = 160, IAM_TRACE_ADDRESS_MAX = 64 };

struct iam_trace {
	/* Microseconds since the beginning at which it had the address, the connection, the TLS
	 * session; 0 where it did not come that far. */
	int64_t dns_us, tcp_us, tls_us, total_us;
	bool tls_begun;      /* with IAM or the proxy, so it was connected; libcurl's times tell that
				only later */
	bool kept;           /* over a connection that was there already */
	char address[IAM_TRACE_ADDRESS_MAX]; /* whom it was connected to, the proxy where there is
						one; "" */
	int port;
	int connect_status;  /* of the proxy's answer to CONNECT; 0 without one */
	int curl_code;       /* CURLcode; 0: there is an answer */
	int verify;          /* OpenSSL's verdict on the certificate, IAM's or the proxy's (X509_V_*),
				0: no complaint */
	/* Only where the question wants to be explained; else empty. */
	char tls_version[16];
	char issuer[IAM_TRACE_TEXT_MAX]; /* of the server's certificate; printable ASCII */
	int64_t not_after;   /* of that certificate, seconds since 1970 */
};

/* Asks libcurl (easy is a CURL *) to keep what the trace needs.  False when it cannot. */
bool iam_trace_want(struct iam_trace *trace, void *easy);

/* To be called when the TLS session begins: CURLOPT_SSL_CTX_FUNCTION. */
void iam_trace_tls_begins(struct iam_trace *trace);

/* Notes the TLS version; libcurl tells it only during a transfer. */
void iam_trace_during(struct iam_trace *trace, void *easy);

/* Notes all else, at the end of a transfer and before the handle is used for another. */
void iam_trace_end(struct iam_trace *trace, void *easy, int curl_code);

#endif
