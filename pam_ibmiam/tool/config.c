/* ibmiam config: what the broker has read, as it prints it (ibmiam-broker --show-config). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "process.h"
#include "trust.h"

enum tool_exit config_run(const struct tool *tool)
{
	static char name[] = "ibmiam-broker", option[] = "--config", show[] = "--show-config";
	char *const argv[] = { name, option, strdup(tool->config), show, NULL };
	struct stat st;
	const char *why = stat(tool->broker, &st) == 0 ? trust_fault(&st) : strerrordesc_np(errno);

	if (why || !argv[2]) {
		free(argv[2]);
		return message_fail(TOOL_UNEXPECTED, "the broker %s: %s", tool->broker,
				    why ? why : "out of memory");
	}
	if (geteuid() != 0 && access(tool->config, R_OK) != 0 && errno == EACCES) {
		free(argv[2]);
		return message_fail(TOOL_CONFIG, "%s is not for everybody to read; try: sudo ibmiam "
				    "config", tool->config);
	}
	process_restore();
	(void)execvp(tool->broker, argv);
	free(argv[2]);
	return message_fail(TOOL_UNEXPECTED, "the broker %s cannot be executed: %s", tool->broker,
			    strerrordesc_np(errno));
}
