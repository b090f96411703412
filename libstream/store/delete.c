#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/fail.h"
#include "file/random.h"
#include "store/recover.h"
#include "store/topic.h"

static int
new_mark(char *mark, struct stream_error *err)
{
	uint8_t bytes[(STREAM_MARK_SIZE - 1) / 2];
	int status = stream_random(bytes, sizeof(bytes), err);

	if (status == STREAM_OK)
		*stream_hex_put(bytes, sizeof(bytes), (uint8_t *)mark) = '\0';
	return status;
}

/* Every directory of that name goes, whatever number the settings say: what
 * stayed would become a foreign topic. */
static int
take_numbers(const struct stream_catalog *catalog, struct stream_intent *intent,
    struct stream_error *err)
{
	intent->partitions =
	    calloc(catalog->count + 1, sizeof(*intent->partitions));
	if (intent->partitions == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i < catalog->count; i++)
		intent->partitions[i] = catalog->items[i].partition;
	intent->count = catalog->count;
	return STREAM_OK;
}

static int
save_intent(const struct stream_change *change, const char *name,
    const struct stream_catalog *catalog, struct stream_error *err)
{
	struct stream_intent intent = {.kind = STREAM_INTENT_DELETE};
	int status = new_mark(intent.token, err);

	if (status == STREAM_OK)
		status = take_numbers(catalog, &intent, err);
	if (status == STREAM_OK) {
		strcpy(intent.topic, name);
		status = stream_intent_save(change->intents, &intent, err);
	}
	stream_intent_release(&intent);
	return status;
}

/* Under the lock, since the topic may have gone since it was looked up. */
static int
commit_in(const struct stream_change *change, const char *name,
    struct stream_error *err)
{
	struct stream_topic *topic;
	struct stream_catalog catalog;
	int status = stream_topic_find(change->store, name, NULL, &topic, err);

	if (status == STREAM_ENOENT)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: it was deleted meanwhile", name);
	/* Settings that cannot be read are no reason to keep the topic. */
	if (status == STREAM_OK)
		stream_topic_free(topic);
	else if (status != STREAM_ECORRUPT && status != STREAM_ENEWER)
		return status;
	status = stream_catalog_load(change->store, name, &catalog, err);
	if (status == STREAM_OK)
		status = save_intent(change, name, &catalog, err);
	stream_catalog_release(&catalog);
	return status;
}

static int
commit(struct stream_store *store, const char *name, struct stream_error *err)
{
	struct stream_change change;
	int status =
	    stream_change_begin(store, store->lock_timeout_ms, &change, err);

	if (status != STREAM_OK)
		return status;
	status = commit_in(&change, name, err);
	stream_change_end(&change);
	return status;
}

/*
 * The structure lock is let go between the commit and the rest, which waits
 * for the partitions' locks: see store.h on their order.
 */
int
stream_topic_delete(
    struct stream_store *store, const char *name, struct stream_error *err)
{
	struct stream_topic *topic;
	int status = stream_topic_open(store, name, &topic, err);

	if (status == STREAM_OK)
		stream_topic_free(topic);
	else if (status != STREAM_ECORRUPT && status != STREAM_ENEWER)
		return status;
	status = commit(store, name, err);
	if (status != STREAM_OK)
		return status;
	status = stream_recover_topic(store, name, err);
	if (status != STREAM_OK)
		return stream_fail_in(err, status,
		    "%s is deleted, but its files are not all removed", name);
	return STREAM_OK;
}
