#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "store/place.h"

bool
stream_address_has_partition(
    const struct stream_address *address, int32_t partition)
{
	if (address->spans == NULL)
		return true;
	for (size_t i = 0; i < address->span_count; i++)
		if (partition >= address->spans[i].first &&
		    partition <= address->spans[i].last)
			return true;
	return false;
}

static void
release(struct stream_place *place)
{
	free(place->topic);
	free(place->store_path);
	free(place->path);
	free(place->segment);
}

void
stream_places_release(struct stream_places *places)
{
	for (size_t i = 0; i < places->count; i++)
		release(&places->items[i]);
	free(places->items);
	*places = (struct stream_places){.items = NULL};
}

static bool
copy_text(const char *from, char **to)
{
	*to = from == NULL ? NULL : strdup(from);
	return from == NULL || *to != NULL;
}

static bool
copy(const struct stream_place *from, struct stream_place *to)
{
	bool topic = copy_text(from->topic, &to->topic);
	bool store = copy_text(from->store_path, &to->store_path);
	bool path = copy_text(from->path, &to->path);
	bool segment = copy_text(from->segment, &to->segment);

	return topic && store && path && segment;
}

/* Room doubles whenever the count is a power of two. */
int
stream_places_add_copy(struct stream_places *places,
    const struct stream_place *place, struct stream_error *err)
{
	struct stream_place made = *place;
	struct stream_place *items = places->items;

	if ((places->count & (places->count - 1)) == 0)
		items = reallocarray(items,
		    places->count == 0 ? 1 : places->count * 2, sizeof(*items));
	if (items == NULL)
		return stream_fail_memory(err);
	places->items = items;
	if (!copy(place, &made)) {
		release(&made);
		return stream_fail_memory(err);
	}
	items[places->count++] = made;
	return STREAM_OK;
}

int
stream_places_add(struct stream_places *places,
    const struct stream_store *store, const struct stream_topic *topic,
    int32_t partition, struct stream_error *err)
{
	struct stream_place place = {
	    .topic = (char *)stream_topic_name(topic),
	    .partition = partition,
	    .store_path = store->path,
	    .is_ours = topic->is_ours,
	    .has_gaps = topic->settings.has_gaps,
	    .has_transactions = topic->settings.has_transactions,
	};
	int status = stream_store_log_start(
	    store, place.topic, partition, &place.log_start_offset, err);

	if (status != STREAM_OK)
		return status;
	if (asprintf(&place.path, "%s/%s-%d", store->path, place.topic,
		partition) < 0)
		return stream_fail_memory(err);
	status = stream_places_add_copy(places, &place, err);
	free(place.path);
	return status;
}

static int
no_partition(const struct stream_topic *topic, int32_t partition,
    struct stream_error *err)
{
	int32_t first = stream_topic_partition(topic, 0);
	int32_t last = stream_topic_partition(topic, topic->count - 1);
	const char *name = stream_topic_name(topic);

	if (topic->count == 1)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: no partition %d; it has only partition %d", name,
		    partition, first);
	return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
	    "%s: no partition %d; it has %zu, from %d to %d", name, partition,
	    topic->count, first, last);
}

/* Ends at the first number that is missing, so that "0-999999999" is not
 * counted through. */
static int
check_spans(const struct stream_address *address,
    const struct stream_topic *topic, struct stream_error *err)
{
	for (size_t i = 0; i < address->span_count; i++)
		for (int64_t p = address->spans[i].first;
		     p <= address->spans[i].last; p++)
			if (!stream_topic_has_partition(topic, (int32_t)p))
				return no_partition(topic, (int32_t)p, err);
	return STREAM_OK;
}

static int
add_topic(struct stream_places *places, const struct stream_address *address,
    const struct stream_store *store, const struct stream_topic *topic,
    struct stream_error *err)
{
	int status = check_spans(address, topic, err);

	for (size_t i = 0; i < topic->count && status == STREAM_OK; i++) {
		int32_t partition = stream_topic_partition(topic, i);

		if (stream_address_has_partition(address, partition))
			status = stream_places_add(
			    places, store, topic, partition, err);
	}
	return status;
}

static int
resolve_topic(const struct stream_address *address, struct stream_store *store,
    struct stream_places *places, struct stream_error *err)
{
	struct stream_topic *topic;
	int status;

	if (store == NULL)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: a topic needs a store", address->name);
	status = stream_topic_open(store, address->name, &topic, err);
	if (status != STREAM_OK)
		return status;
	status = add_topic(places, address, store, topic, err);
	stream_topic_free(topic);
	return status;
}

int
stream_address_resolve(const struct stream_address *address,
    struct stream_store *store, struct stream_places *places,
    struct stream_error *err)
{
	struct stream_places found = {.items = NULL};
	int status;

	if (address->is_path)
		status = stream_places_add_path(&found, address, err);
	else
		status = resolve_topic(address, store, &found, err);
	if (status != STREAM_OK) {
		stream_places_release(&found);
		return status;
	}
	*places = found;
	return STREAM_OK;
}
