#include "store/topic.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stream/parse.h>

#include "base/fail.h"
#include "file/dir.h"
#include "store/layout.h"
#include "store/metadata.h"
#include "store/recover.h"

int
stream_topic_load_settings(const struct stream_store *store, const char *name,
    struct stream_topic_settings *settings, struct stream_error *err)
{
	int fd;
	int status = stream_layout_open(store, STREAM_TOPICS_DIR, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_topic_settings_load(fd, name, settings, err);
	close(fd);
	return status;
}

int
stream_topic_load_intent(const struct stream_store *store, const char *name,
    struct stream_intent *intent, struct stream_error *err)
{
	int fd;
	int status = stream_layout_open(store, STREAM_INTENTS_DIR, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_intent_load(fd, name, intent, err);
	close(fd);
	return status;
}

static int
find_intent(const struct stream_store *store, const char *name, bool *deletes,
    struct stream_error *err)
{
	struct stream_intent intent;
	int status = stream_topic_load_intent(store, name, &intent, err);

	if (status != STREAM_OK)
		return status;
	*deletes = intent.kind == STREAM_INTENT_DELETE;
	stream_intent_release(&intent);
	return STREAM_OK;
}

int
stream_topic_check_visible(const struct stream_store *store, const char *name,
    bool has_settings, struct stream_error *err)
{
	bool deletes;
	int status = find_intent(store, name, &deletes, err);

	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	if (has_settings && !deletes)
		return STREAM_OK;
	return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
	    "topic \"%s\" is being %s", name, deletes ? "deleted" : "created");
}

static int
new_topic(struct stream_topic **topic, struct stream_error *err)
{
	*topic = calloc(1, sizeof(**topic));
	return *topic == NULL ? stream_fail_memory(err) : STREAM_OK;
}

static int
find_ours(const struct stream_store *store, const char *name,
    struct stream_topic **topic, struct stream_error *err)
{
	struct stream_topic_settings settings;
	struct stream_topic *made;
	int status = stream_topic_load_settings(store, name, &settings, err);

	if (status == STREAM_OK)
		status = stream_topic_check_visible(store, name, true, err);
	if (status == STREAM_OK)
		status = new_topic(&made, err);
	if (status != STREAM_OK)
		return status;
	made->settings = settings;
	made->is_ours = true;
	made->count = (size_t)settings.partitions;
	*topic = made;
	return STREAM_OK;
}

/* Kafka's own record of the id, which a foreign partition may have. */
static void
read_id(const struct stream_store *store, const char *name, int32_t partition,
    char *id)
{
	int fd;

	if (stream_store_open_partition(store, name, partition, &fd, NULL) !=
	    STREAM_OK)
		return;
	if (stream_metadata_load(fd, id, NULL) != STREAM_OK)
		id[0] = '\0';
	close(fd);
}

/* The partitions that are there now, whatever the listing saw. */
static int
keep_present(const struct stream_store *store, struct stream_topic *topic,
    const struct stream_catalog_item *items, size_t count,
    struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];
	int status = STREAM_OK;

	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		bool has = false;

		status = stream_partition_name_put(
		    items[i].topic, items[i].partition, name, err);
		if (status == STREAM_OK)
			status = stream_dir_has(store->dirfd, name, &has, err);
		if (has)
			topic->numbers[topic->count++] = items[i].partition;
	}
	return status;
}

static int
make_foreign(const struct stream_store *store, const char *name,
    const struct stream_catalog_item *items, size_t count,
    struct stream_topic **topic, struct stream_error *err)
{
	struct stream_topic *made;
	int status = new_topic(&made, err);

	if (status != STREAM_OK)
		return status;
	strcpy(made->settings.topic, name);
	made->settings.has_gaps = true;
	stream_topic_config_init(&made->settings.config);
	made->numbers = calloc(count, sizeof(*made->numbers));
	if (made->numbers == NULL)
		status = stream_fail_memory(err);
	else
		status = keep_present(store, made, items, count, err);
	if (status == STREAM_OK && made->count == 0)
		status = STREAM_ENOENT;
	if (status != STREAM_OK) {
		stream_topic_free(made);
		return status;
	}
	read_id(store, name, made->numbers[0], made->settings.id);
	*topic = made;
	return STREAM_OK;
}

/*
 * Is it one of ours after all?  STREAM_OK and the topic, STREAM_ENOENT when an
 * intent hides it, STREAM_END when there is neither settings nor intent.
 */
static int
find_known(const struct stream_store *store, const char *name,
    struct stream_topic **topic, struct stream_error *err)
{
	int hidden = stream_topic_check_visible(store, name, false, err);
	int status;

	if (hidden != STREAM_OK && hidden != STREAM_ENOENT)
		return hidden;
	status = find_ours(store, name, topic, err);
	if (status != STREAM_ENOENT)
		return status;
	return hidden == STREAM_OK ? STREAM_END : STREAM_ENOENT;
}

/*
 * A directory of ours has settings or an intent beside it at every moment.  A
 * foreign one is told from one that is just being made or deleted by looking
 * for these, then for the directory, and then for these again.
 */
static int
find_foreign(const struct stream_store *store, const char *name,
    const struct stream_catalog *catalog, struct stream_topic **topic,
    struct stream_error *err)
{
	const struct stream_catalog_item *items;
	struct stream_topic *foreign;
	size_t count;
	int status;

	items = stream_catalog_find(catalog, name, &count);
	if (count == 0)
		return STREAM_ENOENT;
	status = find_known(store, name, topic, err);
	if (status != STREAM_END)
		return status;
	status = make_foreign(store, name, items, count, &foreign, err);
	if (status != STREAM_OK)
		return status;
	status = find_known(store, name, topic, err);
	if (status != STREAM_END) {
		stream_topic_free(foreign);
		return status;
	}
	*topic = foreign;
	return STREAM_OK;
}

static int
find_by_listing(const struct stream_store *store, const char *name,
    const struct stream_catalog *catalog, struct stream_topic **topic,
    struct stream_error *err)
{
	struct stream_catalog own;
	int status;

	if (catalog != NULL)
		return find_foreign(store, name, catalog, topic, err);
	status = stream_catalog_load(store, name, &own, err);
	if (status == STREAM_OK)
		status = find_foreign(store, name, &own, topic, err);
	stream_catalog_release(&own);
	return status;
}

int
stream_topic_find(const struct stream_store *store, const char *name,
    const struct stream_catalog *catalog, struct stream_topic **topic,
    struct stream_error *err)
{
	int status = find_ours(store, name, topic, err);

	if (status == STREAM_ENOENT)
		status = find_by_listing(store, name, catalog, topic, err);
	return status;
}

static int
say_missing(
    struct stream_store *store, const char *name, struct stream_error *err)
{
	struct stream_topic_list *list;
	const char *near;
	size_t count;
	int status = stream_topic_list_new(store, &list, err);

	if (status != STREAM_OK)
		return status;
	near = stream_topic_list_nearest(list, name);
	count = stream_topic_list_count(list);
	if (near != NULL)
		stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "no such topic in %s; did you mean %s?", store->path, near);
	else
		stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "no such topic in %s, which holds %zu topic%s", store->path,
		    count, count == 1 ? "" : "s");
	stream_topic_list_free(list);
	return stream_fail_in(err, STREAM_ENOENT, "%s", name);
}

int
stream_topic_open(struct stream_store *store, const char *name,
    struct stream_topic **topic, struct stream_error *err)
{
	int status = stream_topic_check_name(name, err);

	if (status == STREAM_OK && (store->flags & STREAM_STORE_WRITE) != 0)
		status = stream_recover_topic(store, name, err);
	if (status == STREAM_OK)
		status = stream_topic_find(store, name, NULL, topic, err);
	if (status == STREAM_ENOENT)
		status = say_missing(store, name, err);
	return status;
}

void
stream_topic_free(struct stream_topic *topic)
{
	if (topic == NULL)
		return;
	free(topic->numbers);
	free(topic);
}

const char *
stream_topic_name(const struct stream_topic *topic)
{
	return topic->settings.topic;
}

const char *
stream_topic_id(const struct stream_topic *topic)
{
	return topic->settings.id;
}

const struct stream_topic_config *
stream_topic_config(const struct stream_topic *topic)
{
	return &topic->settings.config;
}

bool
stream_topic_is_ours(const struct stream_topic *topic)
{
	return topic->is_ours;
}

bool
stream_topic_has_gaps(const struct stream_topic *topic)
{
	return topic->settings.has_gaps;
}

size_t
stream_topic_partition_count(const struct stream_topic *topic)
{
	return topic->count;
}

int32_t
stream_topic_partition(const struct stream_topic *topic, size_t i)
{
	return topic->numbers == NULL ? (int32_t)i : topic->numbers[i];
}

bool
stream_topic_has_partition(const struct stream_topic *topic, int32_t partition)
{
	size_t low = 0, high = topic->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (stream_topic_partition(topic, middle) < partition)
			low = middle + 1;
		else
			high = middle;
	}
	return low < topic->count &&
	       stream_topic_partition(topic, low) == partition;
}
