#include "store/role_file.h"

#include "base/buf.h"
#include "base/fail.h"
#include "file/io.h"
#include "store/document.h"
#include "store/layout.h"

/* The longest text, each byte of it written as \u00XX. */
enum { FILE_LIMIT = 64 << 10 };

#define PROMOTING "promoting"

static int
take_since(const json_t *root, int64_t *since_ms, struct stream_error *err)
{
	const json_t *value = json_object_get(root, "since");

	if (!json_is_integer(value))
		return stream_document_malformed(
		    "\"since\" is missing or wrong", err);
	*since_ms = json_integer_value(value);
	return STREAM_OK;
}

static int
take_promoting(const json_t *root, bool *promoting, struct stream_error *err)
{
	const json_t *value = json_object_get(root, PROMOTING);

	if (value != NULL && !json_is_boolean(value))
		return stream_document_malformed(
		    "\"" PROMOTING "\" is wrong", err);
	*promoting = json_is_true(value);
	return STREAM_OK;
}

/* An object of two names: a text, and since when; and, of a replica's
 * (promoting is not NULL), perhaps a third. */
static int
parse(struct stream_bytes text, const char *name, char *to, int64_t *since_ms,
    bool *promoting, struct stream_error *err)
{
	const char *const names[] = {"version", name, "since",
	    promoting != NULL ? PROMOTING : NULL, NULL};
	json_t *root;
	int status = stream_document_parse(text, &root, err);

	if (status != STREAM_OK)
		return status;
	status = stream_document_check_names(root, names, err);
	if (status == STREAM_OK)
		status = take_since(root, since_ms, err);
	if (status == STREAM_OK && promoting != NULL)
		status = take_promoting(root, promoting, err);
	if (status == STREAM_OK)
		status = stream_document_take_text(
		    root, name, to, STREAM_ROLE_TEXT_SIZE, err);
	json_decref(root);
	return status;
}

int
stream_replica_parse(struct stream_bytes text, struct stream_role *role,
    struct stream_error *err)
{
	int status = parse(text, "of", role->of, &role->replica_since_ms,
	    &role->is_promoting, err);

	role->is_replica = status == STREAM_OK;
	return status;
}

int
stream_fenced_parse(struct stream_bytes text, struct stream_role *role,
    struct stream_error *err)
{
	int status = parse(
	    text, "reason", role->reason, &role->fenced_since_ms, NULL, err);

	role->is_fenced = status == STREAM_OK;
	return status;
}

typedef int parser(struct stream_bytes text, struct stream_role *role,
    struct stream_error *err);

static int
load(int own, const char *name, parser *take, struct stream_role *role,
    struct stream_error *err)
{
	struct stream_buf text;
	int status;

	stream_buf_init(&text);
	status = stream_io_load(own, name, FILE_LIMIT, &text, err);
	if (status == STREAM_OK)
		status = take(
		    (struct stream_bytes){text.data, text.size}, role, err);
	stream_buf_release(&text);
	if (status == STREAM_OK || status == STREAM_ENOENT)
		return STREAM_OK;
	return stream_fail_in(err, status, "%s/%s", STREAM_OWN_DIR, name);
}

int
stream_role_files_load(
    int own, struct stream_role *role, struct stream_error *err)
{
	int status =
	    load(own, STREAM_REPLICA_FILE, stream_replica_parse, role, err);

	if (status == STREAM_OK)
		status = load(
		    own, STREAM_FENCED_FILE, stream_fenced_parse, role, err);
	return status;
}

static json_t *
pack(const char *name, const char *text, int64_t since_ms)
{
	return json_pack("{s:i, s:s, s:I}", "version", STREAM_DOCUMENT_VERSION,
	    name, text, "since", (json_int_t)since_ms);
}

int
stream_replica_save(
    int own, const struct stream_role *role, struct stream_error *err)
{
	json_t *root = pack("of", role->of, role->replica_since_ms);

	if (role->is_promoting &&
	    json_object_set_new(root, PROMOTING, json_true()) != 0) {
		json_decref(root);
		root = NULL;
	}
	return stream_document_save(
	    own, STREAM_REPLICA_FILE, root, JSON_INDENT(2), err);
}

int
stream_fenced_save(
    int own, const struct stream_role *role, struct stream_error *err)
{
	json_t *root = pack("reason", role->reason, role->fenced_since_ms);

	return stream_document_save(
	    own, STREAM_FENCED_FILE, root, JSON_INDENT(2), err);
}
