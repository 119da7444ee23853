/*
 * What the broker gives up after it has read its configuration and before it reads a
 * byte from anybody: root, then the kernel's help to do harm.  Each layer stands alone;
 * a kernel that lacks one leaves the others.
 */
#ifndef IBMIAM_SANDBOX_H
#define IBMIAM_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SANDBOX_USER "_ibmiam"

enum { SANDBOX_NOTE_MAX = 256 };

/* What may be read, each in a place of its own. */
enum sandbox_read { SANDBOX_CA_FILE, SANDBOX_CA_PATH, SANDBOX_ETC, SANDBOX_CONFIG, SANDBOX_READ_MAX };

/* What the job needs beyond what TLS and name resolution always need. */
struct sandbox_needs {
	const char *read[SANDBOX_READ_MAX]; /* files or folders, NULL where unused */
	uint16_t port;                      /* TCP port to connect to, 0: none */
	bool resident; /* many clients, connections and sessions, and outlives who started it */
};

/*
 * As root: becomes SANDBOX_USER, or nobody where that does not exist, without
 * supplementary groups; as another user: stays that.  Then no new privileges, no core,
 * no file may grow, bounded memory, threads and descriptors, not traceable by its own
 * user; Landlock; seccomp.  Cannot be undone, and holds for threads made later.
 *
 * Returns false and says why when root could not be given up or a limit not be set.
 * What the kernel does not offer is named in note (SANDBOX_NOTE_MAX bytes, "" when all
 * layers hold).
 */
bool sandbox_enter(const struct sandbox_needs *needs, char *note, char *why, size_t why_len);

#endif
