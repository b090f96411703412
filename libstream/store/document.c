#include "store/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "file/io.h"

int
stream_document_malformed(const char *what, struct stream_error *err)
{
	return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE, "%s", what);
}

/* The version comes before everything else: what a newer one wrote is not
 * damaged. */
static int
check_version(const json_t *root, struct stream_error *err)
{
	const json_t *version = json_object_get(root, "version");

	if (!json_is_integer(version))
		return stream_document_malformed("no \"version\"", err);
	if (json_integer_value(version) == STREAM_DOCUMENT_VERSION)
		return STREAM_OK;
	return stream_fail(err, STREAM_ENEWER, STREAM_POS_NONE,
	    "version %lld is not supported",
	    (long long)json_integer_value(version));
}

/* Of an allocation that failed jansson says that the text is wrong.  Nobody who
 * is short of memory may be told of damage: so it is read again, and then asked
 * whether there is memory for that much. */
static int
load_json(struct stream_bytes text, json_t **parsed, struct stream_error *err)
{
	struct stream_buf probe;
	json_error_t error;
	int status;

	for (int i = 0; i < 2; i++) {
		*parsed = json_loadb((const char *)text.data, text.size,
		    JSON_REJECT_DUPLICATES, &error);
		if (*parsed != NULL)
			return STREAM_OK;
	}
	stream_buf_init(&probe);
	status = stream_buf_add(&probe, text.data, text.size, err);
	stream_buf_release(&probe);
	if (status != STREAM_OK)
		return status;
	return stream_fail(err, STREAM_ECORRUPT, (uint64_t)error.position,
	    "line %d: %s", error.line, error.text);
}

int
stream_document_parse(
    struct stream_bytes text, json_t **root, struct stream_error *err)
{
	json_t *parsed;
	int status = load_json(text, &parsed, err);

	if (status != STREAM_OK)
		return status;
	status = json_is_object(parsed)
		     ? check_version(parsed, err)
		     : stream_document_malformed("not a JSON object", err);
	if (status != STREAM_OK) {
		json_decref(parsed);
		return status;
	}
	*root = parsed;
	return STREAM_OK;
}

int
stream_document_check_names(
    json_t *root, const char *const *names, struct stream_error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(root, name, value)
	{
		size_t i = 0;

		while (names[i] != NULL && strcmp(names[i], name) != 0)
			i++;
		if (names[i] == NULL)
			return stream_fail(err, STREAM_ENEWER, STREAM_POS_NONE,
			    "\"%s\" is not known here", name);
	}
	return STREAM_OK;
}

int
stream_document_take_text(const json_t *root, const char *name, char *to,
    size_t size, struct stream_error *err)
{
	const json_t *value = json_object_get(root, name);

	if (!json_is_string(value) || json_string_length(value) >= size)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "\"%s\" is missing or not such a text", name);
	strcpy(to, json_string_value(value));
	return STREAM_OK;
}

int
stream_document_save(int dirfd, const char *name, json_t *root, size_t flags,
    struct stream_error *err)
{
	char *text = root == NULL ? NULL : json_dumps(root, flags);
	size_t size;
	int status;

	json_decref(root);
	if (text == NULL)
		return stream_fail_memory(err);
	size = strlen(text);
	text[size] = '\n'; /* in the place of the NUL */
	status = stream_io_replace(dirfd, name,
	    (struct stream_bytes){(const uint8_t *)text, size + 1}, err);
	free(text);
	return status;
}
