/*
 * archive_names.c - the partitions of a list, found by what they are called
 *
 * An archive may name as many as it likes, and each of its files asks for one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/hash.h"
#include "file/random.h"
#include "port/archive_list.h"

static size_t
hash(const struct stream_archive_list *list, struct stream_bytes topic,
    int32_t partition)
{
	uint64_t seed = list->seed + (uint64_t)partition;

	return (size_t)stream_hash(topic.data, topic.size, seed);
}

static bool
is_called(const struct stream_list_partition *named, struct stream_bytes topic,
    int32_t partition)
{
	return named->partition == partition &&
	       strlen(named->topic) == topic.size &&
	       memcmp(named->topic, topic.data, topic.size) == 0;
}

static struct stream_bytes
bytes_of(const char *topic)
{
	return (struct stream_bytes){(const uint8_t *)topic, strlen(topic)};
}

/* The slot of the partition, or the free one where it belongs. */
static size_t *
find_slot(const struct stream_archive_list *list, struct stream_bytes topic,
    int32_t partition)
{
	size_t mask = list->slot_room - 1;
	size_t at = hash(list, topic, partition) & mask;

	while (list->slots[at] != 0 &&
	       !is_called(&list->named[list->slots[at] - 1], topic, partition))
		at = (at + 1) & mask;
	return &list->slots[at];
}

/* Slots for all that are named and one more, at most half of them in use. */
static int
reserve_slot(struct stream_archive_list *list, struct stream_error *err)
{
	size_t room = list->slot_room == 0 ? 32 : list->slot_room;
	size_t *slots;

	while (room < 2 * (list->named_count + 1))
		room *= 2;
	if (room == list->slot_room)
		return STREAM_OK;
	slots = calloc(room, sizeof(*slots));
	if (slots == NULL)
		return stream_fail_memory(err);
	free(list->slots);
	list->slots = slots;
	list->slot_room = room;
	for (size_t i = 0; i < list->named_count; i++)
		*find_slot(list, bytes_of(list->named[i].topic),
		    list->named[i].partition) = i + 1;
	return STREAM_OK;
}

static int
reserve(struct stream_archive_list *list, struct stream_error *err)
{
	size_t room = list->named_count * 2 + 16;
	void *named;

	/* An archive must not choose which names meet in one slot. */
	if (list->slots == NULL) {
		int status = stream_random(
		    (uint8_t *)&list->seed, sizeof(list->seed), err);

		if (status != STREAM_OK)
			return status;
	}
	if (list->named_count == list->named_room) {
		named = reallocarray(list->named, room, sizeof(*list->named));
		if (named == NULL)
			return stream_fail_memory(err);
		list->named = named;
		list->named_room = room;
	}
	return reserve_slot(list, err);
}

int
stream_list_name(struct stream_archive_list *list, const char *topic,
    int32_t partition, struct stream_list_partition **named,
    struct stream_error *err)
{
	struct stream_list_partition new = {
	    .partition = partition, .next_offset = -1, .cleaned_base = -1};
	size_t *slot;
	int status = reserve(list, err);

	if (status != STREAM_OK)
		return status;
	slot = find_slot(list, bytes_of(topic), partition);
	if (*slot == 0) {
		strcpy(new.topic, topic);
		list->named[list->named_count++] = new;
		*slot = list->named_count;
	}
	*named = &list->named[*slot - 1];
	return STREAM_OK;
}

struct stream_list_partition *
stream_list_find(const struct stream_archive_list *list,
    struct stream_bytes topic, int32_t partition)
{
	size_t *slot;

	if (list->slots == NULL)
		return NULL;
	slot = find_slot(list, topic, partition);
	return *slot == 0 ? NULL : &list->named[*slot - 1];
}
