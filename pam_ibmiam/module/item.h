/*
 * PAM items as plain strings, for the files of this folder.
 */
#ifndef IBMIAM_ITEM_H
#define IBMIAM_ITEM_H

#include <security/pam_modules.h>
#include <stddef.h>

/* The item (PAM_USER, PAM_RHOST, ...), or NULL where it is not set.  libpam's own; valid
 * until the item is set again, which any conversation may do. */
static inline const char *item_get(pam_handle_t *pamh, int type)
{
	const void *value = NULL;

	return pam_get_item(pamh, type, &value) == PAM_SUCCESS ? value : NULL;
}

#endif
