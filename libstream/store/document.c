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

/*
 * jansson does not tell of each allocation that failed: letters are missing
 * then, and the text is wrong, or right and says something else.  Nobody who
 * is short of memory may be told of damage, and no setting be mistaken.  So it
 * is read until two readings in a row agree; if none do, it is asked whether
 * there is memory for that much.
 */
static int
load_json(struct stream_bytes text, json_t **parsed, struct stream_error *err)
{
	const char *bytes = (const char *)text.data;
	struct stream_buf probe;
	json_error_t error = {.line = -1};
	int status;

	for (int i = 0; i < 3; i++) {
		json_t *first = json_loadb(
		    bytes, text.size, JSON_REJECT_DUPLICATES, &error);
		json_t *second = json_loadb(
		    bytes, text.size, JSON_REJECT_DUPLICATES, &error);
		bool agree = json_equal(first, second);

		json_decref(second);
		if (agree) {
			*parsed = first;
			return STREAM_OK;
		}
		json_decref(first);
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

/* NULL when memory ran out, of which json_dumps does not always tell: then
 * letters are missing. */
static char *
dump_json(json_t *root, size_t flags)
{
	char *text = json_dumps(root, flags);
	json_t *back = text == NULL ? NULL : json_loads(text, 0, NULL);

	if (!json_equal(back, root)) {
		free(text);
		text = NULL;
	}
	json_decref(back);
	return text;
}

int
stream_document_save(int dirfd, const char *name, json_t *root, size_t flags,
    struct stream_error *err)
{
	char *text = root == NULL ? NULL : dump_json(root, flags);
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
