/* Strict access to JSON.  See json.h. */
#include "json.h"

#include <cjson/cJSON.h>
#include <string.h>

/* A NUL, as such or escaped: \u0000, but not \\u0000, which is a backslash and text. */
static bool has_nul(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\0')
			return true;
		if (text[i] != '\\')
			continue;
		if (len - i >= 6 && memcmp(text + i + 1, "u0000", 5) == 0)
			return true;
		i++; /* what is escaped cannot begin an escape */
	}
	return false;
}

struct cJSON *json_parse_object(const char *text, size_t len)
{
	const char *end = NULL;
	cJSON *json;

	if (has_nul(text, len))
		return NULL;
	json = cJSON_ParseWithLengthOpts(text, len, &end, false);
	while (json && end < text + len && strchr(" \t\r\n", *end))
		end++;
	if (json && (end != text + len || !cJSON_IsObject(json))) {
		cJSON_Delete(json);
		return NULL;
	}
	return json;
}

void json_cleanup(struct cJSON **json)
{
	cJSON_Delete(*json);
}

static enum json_found find(const cJSON *object, const char *name, int type, const cJSON **ret)
{
	const cJSON *member, *found = NULL;

	if (!object)
		return JSON_ABSENT;
	cJSON_ArrayForEach(member, object) {
		if (!member->string || strcmp(member->string, name) != 0)
			continue;
		if (found)
			return JSON_WRONG;
		found = member;
	}
	if (!found || cJSON_IsNull(found))
		return JSON_ABSENT;
	if (!(found->type & type))
		return JSON_WRONG;
	*ret = found;
	return JSON_FOUND;
}

enum json_found json_string(const struct cJSON *object, const char *name, const char **ret)
{
	const cJSON *found;
	enum json_found how = find(object, name, cJSON_String, &found);

	if (how == JSON_FOUND)
		*ret = found->valuestring;
	return how;
}

enum json_found json_integer(const struct cJSON *object, const char *name, int64_t *ret)
{
	const cJSON *found;
	enum json_found how = find(object, name, cJSON_Number, &found);
	double v;

	if (how != JSON_FOUND)
		return how;
	v = found->valuedouble;
	if (!(v >= -9e15 && v <= 9e15) || (double)(int64_t)v != v) /* exact in a double */
		return JSON_WRONG;
	*ret = (int64_t)v;
	return JSON_FOUND;
}

enum json_found json_bool(const struct cJSON *object, const char *name, bool *ret)
{
	const cJSON *found;
	enum json_found how = find(object, name, cJSON_True | cJSON_False, &found);

	if (how == JSON_FOUND)
		*ret = cJSON_IsTrue(found);
	return how;
}

enum json_found json_object(const struct cJSON *object, const char *name,
			    const struct cJSON **ret)
{
	return find(object, name, cJSON_Object, ret);
}

enum json_found json_array(const struct cJSON *object, const char *name,
			   const struct cJSON **ret)
{
	return find(object, name, cJSON_Array, ret);
}
