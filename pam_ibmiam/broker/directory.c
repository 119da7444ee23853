/* A cached token.  See directory.h. */
#include "directory.h"

#include <time.h>

bool directory_is_fresh(const struct directory *d)
{
	int64_t life = d->token.expiration - d->obtained;

	return d->token.access_token.data && ((int64_t)time(NULL) - d->obtained) * 5 < life * 4;
}

void directory_keep(struct directory *d, struct token *token)
{
	directory_forget(d);
	*d = (struct directory){ .token = *token, .obtained = (int64_t)time(NULL) };
	*token = (struct token){ 0 };
}

void directory_forget(struct directory *d)
{
	token_free(&d->token);
	*d = (struct directory){ 0 };
}
