#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stream/parse.h>

#include "base/fail.h"
#include "file/dir.h"
#include "store/layout.h"
#include "store/topic.h"

struct stream_topic_list {
	const struct stream_store *store; /* kept */
	struct stream_catalog catalog;
	char **names; /* owned, as each of them; sorted */
	size_t count;
	size_t capacity;
};

/* What the three places say, read in the order that topic.h asks for. */
struct findings {
	struct stream_buf intents; /* names of files, as stream_dir_list */
	struct stream_buf settings;
};

static int
add_name(
    struct stream_topic_list *list, const char *name, struct stream_error *err)
{
	char *copy;

	if (list->count == list->capacity) {
		size_t capacity = list->capacity * 2 + 16;
		char **names =
		    reallocarray(list->names, capacity, sizeof(*names));

		if (names == NULL)
			return stream_fail_memory(err);
		list->names = names;
		list->capacity = capacity;
	}
	copy = strdup(name);
	if (copy == NULL)
		return stream_fail_memory(err);
	list->names[list->count++] = copy;
	return STREAM_OK;
}

/* No such directory means that it is empty. */
static int
list_part(const struct stream_store *store, const char *part,
    struct stream_buf *names, struct stream_error *err)
{
	int fd;
	int status = stream_layout_open(store, part, &fd, err);

	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	status = stream_dir_list(fd, names, err);
	close(fd);
	return status;
}

static bool
has_document(const struct stream_buf *names, const char *topic)
{
	char document[STREAM_DOCUMENT_NAME_SIZE];

	if (names->size == 0)
		return false;
	stream_layout_document(topic, document);
	for (const char *name = stream_dir_next(names, NULL); name != NULL;
	     name = stream_dir_next(names, name))
		if (strcmp(name, document) == 0)
			return true;
	return false;
}

/*
 * A topic with settings, also one without a directory: to hide it would hide
 * that its partitions are lost.  An intent that is damaged hides its topic: it
 * says that something was begun, and one file should not keep the others from
 * being listed.
 */
static int
add_if_visible(struct stream_topic_list *list, const struct findings *findings,
    const char *topic, struct stream_error *err)
{
	int status = STREAM_OK;

	if (has_document(&findings->intents, topic))
		status =
		    stream_topic_check_visible(list->store, topic, true, err);
	if (status == STREAM_OK)
		return add_name(list, topic, err);
	return status == STREAM_EIO || status == STREAM_ENOMEM ? status
							       : STREAM_OK;
}

static int
add_settled(struct stream_topic_list *list, const struct findings *findings,
    struct stream_error *err)
{
	char topic[STREAM_TOPIC_NAME_SIZE];
	int status = STREAM_OK;

	for (const char *name = stream_dir_next(&findings->settings, NULL);
	     name != NULL && status == STREAM_OK;
	     name = stream_dir_next(&findings->settings, name))
		if (stream_layout_is_document(name, topic))
			status = add_if_visible(list, findings, topic, err);
	return status;
}

/* A topic without settings needs the longer look of stream_topic_find, since
 * it may just be made or deleted. */
static int
add_if_found(
    struct stream_topic_list *list, const char *topic, struct stream_error *err)
{
	struct stream_topic *found;
	int status =
	    stream_topic_find(list->store, topic, &list->catalog, &found, err);

	if (status == STREAM_OK) {
		stream_topic_free(found);
		return add_name(list, topic, err);
	}
	return status == STREAM_EIO || status == STREAM_ENOMEM ? status
							       : STREAM_OK;
}

/* Directories without settings.  The catalog is sorted, so a topic's
 * partitions follow one another. */
static int
add_foreign(struct stream_topic_list *list, const struct findings *findings,
    struct stream_error *err)
{
	const char *last = "";
	int status = STREAM_OK;

	for (size_t i = 0; i < list->catalog.count && status == STREAM_OK;
	     i++) {
		const char *topic = list->catalog.items[i].topic;

		if (strcmp(last, topic) == 0)
			continue;
		last = topic;
		if (!has_document(&findings->settings, topic))
			status = add_if_found(list, topic, err);
	}
	return status;
}

static int
compare(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

static int
fill_from(struct stream_topic_list *list, struct findings *findings,
    struct stream_error *err)
{
	int status =
	    stream_catalog_load(list->store, NULL, &list->catalog, err);

	if (status == STREAM_OK)
		status = list_part(
		    list->store, STREAM_INTENTS_DIR, &findings->intents, err);
	if (status == STREAM_OK)
		status = list_part(
		    list->store, STREAM_TOPICS_DIR, &findings->settings, err);
	if (status == STREAM_OK)
		status = add_settled(list, findings, err);
	if (status == STREAM_OK)
		status = add_foreign(list, findings, err);
	return status;
}

int
stream_topic_list_new(struct stream_store *store,
    struct stream_topic_list **list, struct stream_error *err)
{
	struct stream_topic_list *made = calloc(1, sizeof(*made));
	struct findings findings;
	int status;

	if (made == NULL)
		return stream_fail_memory(err);
	made->store = store;
	stream_buf_init(&findings.intents);
	stream_buf_init(&findings.settings);
	status = fill_from(made, &findings, err);
	stream_buf_release(&findings.intents);
	stream_buf_release(&findings.settings);
	if (status != STREAM_OK) {
		stream_topic_list_free(made);
		return status;
	}
	if (made->count > 1)
		qsort(made->names, made->count, sizeof(*made->names), compare);
	*list = made;
	return STREAM_OK;
}

void
stream_topic_list_free(struct stream_topic_list *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		free(list->names[i]);
	free(list->names);
	stream_catalog_release(&list->catalog);
	free(list);
}

size_t
stream_topic_list_count(const struct stream_topic_list *list)
{
	return list->count;
}

const char *
stream_topic_list_name(const struct stream_topic_list *list, size_t i)
{
	return list->names[i];
}

int
stream_topic_list_open(const struct stream_topic_list *list, size_t i,
    struct stream_topic **topic, struct stream_error *err)
{
	const char *name = list->names[i];
	int status =
	    stream_topic_find(list->store, name, &list->catalog, topic, err);

	if (status == STREAM_ENOENT)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: it was deleted meanwhile", name);
	return status;
}

const char *
stream_topic_list_nearest(
    const struct stream_topic_list *list, const char *name)
{
	return stream_parse_nearest(
	    name, (const char *const *)list->names, list->count);
}

static bool
differ_only_in_dots(const char *a, const char *b)
{
	if (strcmp(a, b) == 0)
		return false;
	for (; *a != '\0' && *b != '\0'; a++, b++)
		if ((*a == '.' ? '_' : *a) != (*b == '.' ? '_' : *b))
			return false;
	return *a == *b;
}

const char *
stream_topic_find_collision(
    const struct stream_topic_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (differ_only_in_dots(list->names[i], name))
			return list->names[i];
	return NULL;
}
