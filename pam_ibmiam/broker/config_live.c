/* A counted configuration.  See config_live.h. */
#include "config_live.h"

#include <stdio.h>
#include <stdlib.h>

#include "deadline.h"

struct config_live *config_live_load(const char *path, char *why, size_t why_len)
{
	static uint64_t loads;
	struct config_live *live = calloc(1, sizeof *live);
	int64_t begun_ms = deadline_now_ms();

	if (!live) {
		(void)snprintf(why, why_len, "%s: out of memory", path);
		return NULL;
	}
	if (config_load(path, &live->config, why, why_len)) {
		live->number = ++loads;
		live->path = path;
		live->load_ms = deadline_now_ms() - begun_ms;
		return config_live_hold(live);
	}
	free(live);
	return NULL;
}

struct config_live *config_live_hold(struct config_live *live)
{
	live->holders++;
	return live;
}

void config_live_release(struct config_live *live)
{
	if (!live || --live->holders > 0)
		return;
	directory_forget(&live->directory);
	config_free(&live->config);
	free(live);
}
