/*
 * Reading JSON from the network with cJSON, strictly: nothing after the value, no
 * member twice (two readers could see two values), no \u0000 (a C string would end
 * there and compare equal to another).
 */
#ifndef IBMIAM_JSON_H
#define IBMIAM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

/* The object that the text holds, to be released with json_cleanup(); NULL when it is
 * anything else. */
struct cJSON *json_parse_object(const char *text, size_t len);

/* For use with __attribute__((cleanup(...))).  *json may be NULL. */
void json_cleanup(struct cJSON **json);

enum json_found { JSON_ABSENT, JSON_FOUND, JSON_WRONG /* another type, or there twice */ };

/* Looks up a member of an object; object may be NULL (then it is absent).  *ret is set
 * only on JSON_FOUND; strings live as long as the object. */
enum json_found json_string(const struct cJSON *object, const char *name, const char **ret);
enum json_found json_integer(const struct cJSON *object, const char *name, int64_t *ret);
enum json_found json_bool(const struct cJSON *object, const char *name, bool *ret);
enum json_found json_object(const struct cJSON *object, const char *name,
			    const struct cJSON **ret);
enum json_found json_array(const struct cJSON *object, const char *name,
			   const struct cJSON **ret);

#endif
