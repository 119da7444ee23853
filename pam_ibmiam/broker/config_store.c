/* Memory of a configuration.  See config_store.h. */
#include "config_store.h"

#include <confuse.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_SIZE = 64 * 1024 };

struct piece {
	struct piece *next;
	size_t used, size; /* bytes */
	_Alignas(max_align_t) char bytes[];
};

struct config_store {
	struct piece *pieces; /* the newest first */
	void *tree[CONFIG_KINDS];
	struct config_block *first[CONFIG_KINDS];
	struct config_stamp *stamps;
	bool failed; /* to get memory */
};

struct config_store *config_store_make(void)
{
	struct config_store *store = malloc(sizeof *store);

	if (store)
		*store = (struct config_store){ 0 };
	return store;
}

static void keep_block(void *block)
{
	(void)block; /* it goes with its piece */
}

void config_store_free(struct config_store *store)
{
	if (!store)
		return;
	for (int kind = 0; kind < CONFIG_KINDS; kind++)
		tdestroy(store->tree[kind], keep_block);
	while (store->pieces) {
		struct piece *p = store->pieces;

		store->pieces = p->next;
		explicit_bzero(p->bytes, p->used);
		free(p);
	}
	free(store);
}

static struct piece *add_piece(struct config_store *store, size_t size)
{
	struct piece *p = malloc(sizeof *p + size);

	if (!p)
		return NULL;
	*p = (struct piece){ .next = store->pieces, .size = size };
	store->pieces = p;
	return p;
}

void *config_store_alloc(struct config_store *store, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	size_t rounded = (size + align - 1) / align * align;
	struct piece *p = store->pieces;
	void *at;

	if (!p || p->size - p->used < rounded)
		p = add_piece(store, rounded > PIECE_SIZE ? rounded : PIECE_SIZE);
	if (!p) {
		store->failed = true;
		return NULL;
	}
	at = p->bytes + p->used;
	p->used += rounded;
	return memset(at, 0, rounded);
}

bool config_store_failed(const struct config_store *store)
{
	return store->failed;
}

static char *copy(struct config_store *store, const char *text, size_t len)
{
	char *to = config_store_alloc(store, len + 1);

	return to ? memcpy(to, text, len) : NULL;
}

const char *config_store_text(struct config_store *store, const char *text)
{
	return text ? copy(store, text, strlen(text)) : NULL;
}

const char *config_store_string(struct config_store *store, cfg_t *cfg, const char *key)
{
	return config_store_text(store, cfg_getstr(cfg, key));
}

struct config_list config_store_list(struct config_store *store, cfg_t *cfg, const char *key)
{
	unsigned int len = cfg_size(cfg, key);
	const char **entry = len > 0 ? config_store_alloc(store, len * sizeof *entry) : NULL;

	if (!entry)
		return (struct config_list){ 0 };
	for (unsigned int i = 0; i < len; i++)
		entry[i] = config_store_text(store, cfg_getnstr(cfg, key, i));
	return (struct config_list){ .entry = entry, .len = len };
}

/* The value has passed its check, so its form shows in a few characters. */
struct config_profile config_store_profile(struct config_store *store, cfg_t *cfg)
{
	const char *text = cfg_getstr(cfg, "trusted_profile");
	const char *at = text ? strrchr(text, '@') : NULL;

	if (!text)
		return (struct config_profile){ 0 };
	if (strncmp(text, "crn:", 4) == 0)
		return (struct config_profile){ CONFIG_PROFILE_CRN, config_store_text(store, text),
						NULL };
	if (!at)
		return (struct config_profile){ CONFIG_PROFILE_ID, config_store_text(store, text),
						NULL };
	return (struct config_profile){ CONFIG_PROFILE_NAME,
					copy(store, text, (size_t)(at - text)),
					config_store_text(store, at + 1) };
}

static void fill_user(struct config_store *s, cfg_t *cfg, struct config_block *block)
{
	block->user = (struct config_user){
		.iam_ids = config_store_list(s, cfg, "iam_ids"),
		.services = config_store_list(s, cfg, "services"),
		.access_groups = config_store_list(s, cfg, "access_groups"),
		.environment = config_store_list(s, cfg, "environment"),
		.trusted_profile = config_store_profile(s, cfg),
		.export = (enum config_export)cfg_getint(cfg, "export"),
	};
}

static void fill_service(struct config_store *s, cfg_t *cfg, struct config_block *block)
{
	block->service = (struct config_service){
		.users = config_store_list(s, cfg, "users"),
		.networks = config_store_list(s, cfg, "networks"),
		.access_groups = config_store_list(s, cfg, "access_groups"),
		.environment = config_store_list(s, cfg, "environment"),
		.trusted_profile = config_store_profile(s, cfg),
		.export = (enum config_export)cfg_getint(cfg, "export"),
	};
}

static void fill_domain(struct config_store *s, cfg_t *cfg, struct config_block *block)
{
	block->domain = (struct config_domain){
		.services = config_store_list(s, cfg, "services"),
		.access_groups = config_store_list(s, cfg, "access_groups"),
		.environment = config_store_list(s, cfg, "environment"),
		.trusted_profile = config_store_profile(s, cfg),
		.export = (enum config_export)cfg_getint(cfg, "export"),
	};
}

static int by_title(const void *a, const void *b)
{
	return strcmp(((const struct config_block *)a)->title,
		      ((const struct config_block *)b)->title);
}

bool config_store_add(struct config_store *store, enum config_kind kind, cfg_t *cfg)
{
	static void (*const fill[])(struct config_store *, cfg_t *, struct config_block *) = {
		[CONFIG_USER] = fill_user,
		[CONFIG_SERVICE] = fill_service,
		[CONFIG_DOMAIN] = fill_domain,
	};
	struct config_block *block;
	void *found;

	if (config_store_find(store, kind, cfg_title(cfg)))
		return false;
	block = config_store_alloc(store, sizeof *block);
	if (!block)
		return true;
	block->title = config_store_text(store, cfg_title(cfg));
	fill[kind](store, cfg, block);
	found = store->failed ? NULL : tsearch(block, &store->tree[kind], by_title);
	if (!found) {
		store->failed = true;
		return true;
	}
	block->next = store->first[kind];
	store->first[kind] = block;
	return true;
}

const struct config_block *config_store_find(const struct config_store *store,
					     enum config_kind kind, const char *title)
{
	const struct config_block wanted = { .title = title };
	struct config_block *const *found = tfind(&wanted, &store->tree[kind], by_title);

	return found ? *found : NULL;
}

const struct config_block *config_store_first(const struct config_store *store,
					      enum config_kind kind)
{
	return store->first[kind];
}

struct config_stamp **config_store_stamps(struct config_store *store)
{
	return &store->stamps;
}
