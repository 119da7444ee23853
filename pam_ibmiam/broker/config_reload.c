/* A configuration that takes another's place.  See config_reload.h. */
#include "config_reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "config_stamp.h"
#include "deadline.h"
#include "iam_transport.h"
#include "log.h"

enum { RETRY_MS = 2000 };

static bool same_needs(const struct sandbox_needs *a, const struct sandbox_needs *b)
{
	for (size_t i = 0; i < sizeof a->read / sizeof a->read[0]; i++)
		if (strcmp(a->read[i] ? a->read[i] : "", b->read[i] ? b->read[i] : "") != 0)
			return false;
	return a->port == b->port;
}

/* The sandbox was made for what the configuration in force needs. */
static struct config_live *load(struct config_reload *r, const struct config_live *before, char *why,
				size_t why_len)
{
	struct config_live *live = config_live_load(r->path, why, why_len);
	struct sandbox_needs old = iam_transport_needs(&before->config), needs;

	r->needs_restart = false;
	if (!live)
		return NULL;
	needs = iam_transport_needs(&live->config);
	if (same_needs(&needs, &old))
		return live;
	r->needs_restart = true;
	(void)snprintf(why, why_len, "it has another ca_file, ca_path or port, which the sandbox does not "
		       "allow: restart the broker");
	config_live_release(live);
	return NULL;
}

static void reload(struct config_reload *r, struct config_live **live)
{
	char why[WIRE_REASON_MAX] = "";
	struct config_live *next = load(r, *live, why, sizeof why);

	if (!next) {
		r->after_ms = deadline_now_ms() + RETRY_MS;
		if (strcmp(why, r->refused) != 0)
			log_line(LOG_ERR, "the new configuration is refused, and the old one stays: %s", why);
		memcpy(r->refused, why, sizeof r->refused);
		(void)snprintf(r->note, sizeof r->note, "decided by the configuration as it was before its last "
			       "change: %.400s", why);
		return;
	}
	config_live_release(*live);
	*live = next;
	r->refused[0] = '\0';
	r->after_ms = 0;
	log_line(LOG_NOTICE, "the configuration %s has been read anew", r->path);
}

void config_reload_now(struct config_reload *r, struct config_live **live)
{
	r->refused[0] = '\0'; /* who asks is told again */
	reload(r, live);
}

void config_reload_if_changed(struct config_reload *r, struct config_live **live)
{
	if (deadline_now_ms() < r->after_ms)
		return;
	if (!config_is_current(&(*live)->config)) {
		reload(r, live);
	} else if (r->refused[0]) {
		r->refused[0] = '\0';
		log_line(LOG_NOTICE, "the configuration %s is again the one in force", r->path);
	}
}

static void warn_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0)
		(void)close(fd);
	else if (errno == EACCES)
		log_line(LOG_WARNING, "uid %u cannot read %s again: changes take effect only by a restart of the "
			 "broker; %s", getuid(), path, access(path, R_OK) == 0 /* which knows no Landlock */ ?
			 "move it to /etc, which the sandbox lets be read" :
			 "give its group to " SANDBOX_USER " (chgrp)");
}

void config_reload_warn(const struct config *config)
{
	config_stamp_each(config->store, warn_of);
}
