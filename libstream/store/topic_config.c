#include "store/topic_config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "file/io.h"
#include "store/document.h"
#include "store/layout.h"

/* A list of a hundred thousand partitions is 0.7 MB. */
enum { FILE_LIMIT = 16 << 20 };

static int
take_partition(
    const json_t *value, int64_t least, int32_t *to, struct stream_error *err)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < least || number > INT32_MAX)
		return stream_document_malformed(
		    "\"partitions\" is missing or wrong", err);
	*to = (int32_t)number;
	return STREAM_OK;
}

/* The file's name says which topic it is about; so does the text, so that a
 * file under a wrong name is found out. */
static int
take_topic(
    const json_t *root, const char *topic, char *to, struct stream_error *err)
{
	int status = stream_document_take_text(
	    root, "topic", to, STREAM_TOPIC_NAME_SIZE, err);

	if (status == STREAM_OK && strcmp(to, topic) != 0)
		return stream_document_malformed(
		    "it is about another topic", err);
	return status;
}

static int
take_id(const json_t *root, char *to, struct stream_error *err)
{
	int status = stream_document_take_text(
	    root, "topic_id", to, STREAM_TOPIC_ID_SIZE, err);

	if (status == STREAM_OK && strlen(to) != STREAM_TOPIC_ID_SIZE - 1)
		return stream_document_malformed(
		    "\"topic_id\" is not 22 characters", err);
	return status;
}

/* A setting that we do not know is one of a newer version; its name is not
 * the user's, so no nearest one is offered. */
static int
take_setting(struct stream_topic_config *config, const char *name,
    const json_t *value, struct stream_error *err)
{
	struct stream_topic_config scratch = *config;
	int status;

	if (stream_topic_config_unset(&scratch, name, NULL) != STREAM_OK)
		return stream_fail(err, STREAM_ENEWER, STREAM_POS_NONE,
		    "setting \"%s\" is not known here", name);
	if (!json_is_string(value))
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "setting \"%s\" is not a text", name);
	status = stream_topic_config_set(
	    config, name, json_string_value(value), err);
	if (status == STREAM_EUSAGE && err != NULL)
		err->status = STREAM_ECORRUPT;
	return status == STREAM_EUSAGE ? STREAM_ECORRUPT : status;
}

static int
take_config(const json_t *root, struct stream_topic_config *config,
    struct stream_error *err)
{
	json_t *object = json_object_get(root, "config");
	const char *name;
	json_t *value;
	int status = STREAM_OK;

	stream_topic_config_init(config);
	if (!json_is_object(object))
		return stream_document_malformed("\"config\" is missing", err);
	json_object_foreach(object, name, value)
	{
		status = take_setting(config, name, value, err);
		if (status != STREAM_OK)
			break;
	}
	return status;
}

static int
take_settings(json_t *root, const char *topic, struct stream_topic_settings *to,
    struct stream_error *err)
{
	static const char *const names[] = {"version", "topic", "topic_id",
	    "partitions", "gaps", "transactions", "config", NULL};
	const json_t *gaps = json_object_get(root, "gaps");
	const json_t *transactions = json_object_get(root, "transactions");
	int status = stream_document_check_names(root, names, err);

	if (status == STREAM_OK)
		status = take_topic(root, topic, to->topic, err);
	if (status == STREAM_OK)
		status = take_id(root, to->id, err);
	if (status == STREAM_OK)
		status = take_partition(json_object_get(root, "partitions"), 1,
		    &to->partitions, err);
	if (status == STREAM_OK && !json_is_boolean(gaps))
		status = stream_document_malformed(
		    "\"gaps\" is missing or wrong", err);
	if (status == STREAM_OK && transactions != NULL &&
	    !json_is_boolean(transactions))
		status =
		    stream_document_malformed("\"transactions\" is wrong", err);
	if (status == STREAM_OK)
		status = take_config(root, &to->config, err);
	to->has_gaps = json_is_true(gaps);
	to->has_transactions = json_is_true(transactions);
	return status;
}

int
stream_topic_settings_parse(struct stream_bytes text, const char *topic,
    struct stream_topic_settings *settings, struct stream_error *err)
{
	struct stream_topic_settings parsed;
	json_t *root;
	int status = stream_document_parse(text, &root, err);

	if (status != STREAM_OK)
		return status;
	status = take_settings(root, topic, &parsed, err);
	json_decref(root);
	if (status == STREAM_OK)
		*settings = parsed;
	return status;
}

static int
take_partitions(
    const json_t *list, struct stream_intent *to, struct stream_error *err)
{
	size_t count = json_array_size(list);
	int status = STREAM_OK;

	if (!json_is_array(list))
		return stream_document_malformed(
		    "\"partitions\" is missing or wrong", err);
	to->partitions = calloc(count + 1, sizeof(*to->partitions));
	if (to->partitions == NULL)
		return stream_fail_memory(err);
	to->count = count;
	for (size_t i = 0; i < count && status == STREAM_OK; i++)
		status = take_partition(json_array_get(list, i),
		    i == 0 ? 0 : (int64_t)to->partitions[i - 1] + 1,
		    &to->partitions[i], err);
	return status;
}

static int
take_deletion(
    const json_t *root, struct stream_intent *to, struct stream_error *err)
{
	int status = stream_document_take_text(
	    root, "mark", to->token, sizeof(to->token), err);

	to->kind = STREAM_INTENT_DELETE;
	if (status == STREAM_OK &&
	    strspn(to->token, "0123456789abcdef") != STREAM_MARK_SIZE - 1)
		return stream_document_malformed(
		    "\"mark\" is not 32 digits", err);
	return status;
}

static int
take_intent(json_t *root, const char *topic, struct stream_intent *to,
    struct stream_error *err)
{
	static const char *const names[] = {"version", "intent", "topic",
	    "topic_id", "mark", "partitions", NULL};
	char kind[8];
	int status = stream_document_check_names(root, names, err);

	if (status == STREAM_OK)
		status = take_topic(root, topic, to->topic, err);
	if (status == STREAM_OK)
		status = stream_document_take_text(
		    root, "intent", kind, sizeof(kind), err);
	if (status != STREAM_OK)
		return status;
	if (strcmp(kind, "create") == 0)
		status = take_id(root, to->token, err);
	else if (strcmp(kind, "delete") == 0)
		status = take_deletion(root, to, err);
	else
		status = stream_document_malformed(
		    "\"intent\" is not such a word", err);
	if (status != STREAM_OK)
		return status;
	return take_partitions(json_object_get(root, "partitions"), to, err);
}

int
stream_intent_parse(struct stream_bytes text, const char *topic,
    struct stream_intent *intent, struct stream_error *err)
{
	struct stream_intent parsed = {.kind = STREAM_INTENT_CREATE};
	json_t *root;
	int status = stream_document_parse(text, &root, err);

	if (status != STREAM_OK)
		return status;
	status = take_intent(root, topic, &parsed, err);
	json_decref(root);
	if (status == STREAM_OK)
		*intent = parsed;
	else
		stream_intent_release(&parsed);
	return status;
}

void
stream_intent_release(struct stream_intent *intent)
{
	free(intent->partitions);
	intent->partitions = NULL;
	intent->count = 0;
}

static int
load(int dirfd, const char *topic, struct stream_buf *text, char *name,
    struct stream_error *err)
{
	stream_buf_init(text);
	stream_layout_document(topic, name);
	return stream_io_load(dirfd, name, FILE_LIMIT, text, err);
}

int
stream_topic_settings_load(int topics_dirfd, const char *topic,
    struct stream_topic_settings *settings, struct stream_error *err)
{
	char name[STREAM_DOCUMENT_NAME_SIZE];
	struct stream_buf text;
	int status = load(topics_dirfd, topic, &text, name, err);

	if (status == STREAM_OK) {
		status = stream_topic_settings_parse(
		    (struct stream_bytes){text.data, text.size}, topic,
		    settings, err);
		if (status != STREAM_OK)
			stream_fail_in(err, status, "%s/%s/%s", STREAM_OWN_DIR,
			    STREAM_TOPICS_DIR, name);
	}
	stream_buf_release(&text);
	return status;
}

int
stream_intent_load(int intents_dirfd, const char *topic,
    struct stream_intent *intent, struct stream_error *err)
{
	char name[STREAM_DOCUMENT_NAME_SIZE];
	struct stream_buf text;
	int status = load(intents_dirfd, topic, &text, name, err);

	if (status == STREAM_OK) {
		status = stream_intent_parse(
		    (struct stream_bytes){text.data, text.size}, topic, intent,
		    err);
		if (status != STREAM_OK)
			stream_fail_in(err, status, "%s/%s/%s", STREAM_OWN_DIR,
			    STREAM_INTENTS_DIR, name);
	}
	stream_buf_release(&text);
	return status;
}

static int
save(int dirfd, const char *topic, json_t *root, size_t flags,
    struct stream_error *err)
{
	char name[STREAM_DOCUMENT_NAME_SIZE];

	stream_layout_document(topic, name);
	return stream_document_save(dirfd, name, root, flags, err);
}

static json_t *
make_config(const struct stream_topic_config *config)
{
	json_t *object = json_object();
	char text[STREAM_SETTING_SIZE];

	for (size_t i = 0; i < stream_topic_config_count(); i++) {
		if (!stream_topic_config_is_set(config, i))
			continue;
		stream_topic_config_value(config, i, text);
		if (json_object_set_new(object, stream_topic_config_name(i),
			json_string(text)) != 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

int
stream_topic_settings_save(int topics_dirfd,
    const struct stream_topic_settings *settings, struct stream_error *err)
{
	json_t *root = json_pack("{s:i, s:s, s:s, s:i, s:b, s:o}", "version",
	    STREAM_DOCUMENT_VERSION, "topic", settings->topic, "topic_id",
	    settings->id, "partitions", (int)settings->partitions, "gaps",
	    (int)settings->has_gaps, "config", make_config(&settings->config));

	/* Written only where it is so: an older strm refuses it, and would show
	 * what was aborted. */
	if (root != NULL && settings->has_transactions &&
	    json_object_set_new(root, "transactions", json_true()) != 0) {
		json_decref(root);
		root = NULL;
	}
	return save(topics_dirfd, settings->topic, root, JSON_INDENT(2), err);
}

static json_t *
make_partitions(const struct stream_intent *intent)
{
	json_t *list = json_array();

	for (size_t i = 0; i < intent->count; i++)
		if (json_array_append_new(
			list, json_integer(intent->partitions[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

int
stream_intent_save(int intents_dirfd, const struct stream_intent *intent,
    struct stream_error *err)
{
	bool creates = intent->kind == STREAM_INTENT_CREATE;
	json_t *root = json_pack("{s:i, s:s, s:s, s:s, s:o}", "version",
	    STREAM_DOCUMENT_VERSION, "intent", creates ? "create" : "delete",
	    "topic", intent->topic, creates ? "topic_id" : "mark",
	    intent->token, "partitions", make_partitions(intent));

	return save(intents_dirfd, intent->topic, root, JSON_COMPACT, err);
}
