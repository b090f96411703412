/*
 * producers.c - the state of a partition's producers, as Kafka keeps it
 *
 * Kafka writes a snapshot in the order of a java.util.HashMap that nothing is
 * ever taken from: by bucket, and within a bucket by arrival.  So the entries
 * stand here in order of arrival, the number of buckets is counted along, and
 * a snapshot sorts by bucket.  (A bucket of eight and more in a table of 64
 * and more is a tree in Java, whose order differs a little; that needs
 * producer ids that were chosen for it.)
 */
#include "log/producers.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/hash.h"
#include "codec/control.h"
#include "file/random.h"

enum {
	JAVA_BUCKETS = 16, /* of an empty HashMap */
	JAVA_TREE_FROM = 8,
	JAVA_TREE_BUCKETS = 64,
	TABLE_LEAST = 32
};

/* No entry; also the largest number of them. */
static const uint32_t none = UINT32_MAX;

struct producer {
	struct stream_snapshot_entry entry;
	/* Among those with an open transaction, by its first offset. */
	uint32_t before;
	uint32_t after;
	bool has_records; /* of the open transaction */
};

struct stream_producers {
	struct producer *items; /* owned; in order of arrival */
	size_t count;
	size_t capacity;
	uint32_t *table;   /* owned; index into items by hash of the id */
	size_t table_size; /* a power of two, at least twice count */
	uint64_t seed;     /* of the hash: a log must not choose its places */
	uint32_t buckets;  /* that Java's table would have */
	uint32_t first_open;
	uint32_t last_open;
};

static void
forget(struct stream_producers *producers)
{
	producers->count = 0;
	producers->buckets = JAVA_BUCKETS;
	producers->first_open = none;
	producers->last_open = none;
	memset(producers->table, 0xff,
	    producers->table_size * sizeof(*producers->table));
}

int
stream_producers_new(
    struct stream_producers **producers, struct stream_error *err)
{
	struct stream_producers *new = calloc(1, sizeof(*new));
	int status;

	if (new != NULL)
		new->table = calloc(TABLE_LEAST, sizeof(*new->table));
	if (new == NULL || new->table == NULL) {
		free(new);
		return stream_fail_memory(err);
	}
	status = stream_random((uint8_t *)&new->seed, sizeof(new->seed), err);
	if (status != STREAM_OK) {
		stream_producers_free(new);
		return status;
	}
	new->table_size = TABLE_LEAST;
	forget(new);
	*producers = new;
	return STREAM_OK;
}

void
stream_producers_free(struct stream_producers *producers)
{
	if (producers == NULL)
		return;
	free(producers->items);
	free(producers->table);
	free(producers);
}

size_t
stream_producers_count(const struct stream_producers *producers)
{
	return producers->count;
}

/* ---- finding and adding ------------------------------------------------- */

/* The place in the table of the id, or the free one where it belongs. */
static size_t
find_place(const struct stream_producers *producers, int64_t id)
{
	size_t mask = producers->table_size - 1;
	size_t at =
	    (size_t)stream_hash(&id, sizeof(id), producers->seed) & mask;

	while (producers->table[at] != none &&
	       producers->items[producers->table[at]].entry.producer_id != id)
		at = (at + 1) & mask;
	return at;
}

const struct stream_snapshot_entry *
stream_producers_find(
    const struct stream_producers *producers, int64_t producer_id)
{
	uint32_t index = producers->table[find_place(producers, producer_id)];

	return index == none ? NULL : &producers->items[index].entry;
}

static int
grow_table(struct stream_producers *producers, struct stream_error *err)
{
	size_t size = producers->table_size * 2;
	uint32_t *bigger = malloc(size * sizeof(*bigger));

	if (bigger == NULL)
		return stream_fail_memory(err);
	memset(bigger, 0xff, size * sizeof(*bigger));
	free(producers->table);
	producers->table = bigger;
	producers->table_size = size;
	for (uint32_t i = 0; i < producers->count; i++)
		producers->table[find_place(
		    producers, producers->items[i].entry.producer_id)] = i;
	return STREAM_OK;
}

static int
reserve(struct stream_producers *producers, struct stream_error *err)
{
	size_t capacity = producers->capacity * 2 + 16;
	void *bigger;

	if (producers->count * 2 >= producers->table_size) {
		int status = grow_table(producers, err);

		if (status != STREAM_OK)
			return status;
	}
	if (producers->count < producers->capacity)
		return STREAM_OK;
	bigger =
	    reallocarray(producers->items, capacity, sizeof(*producers->items));
	if (bigger == NULL)
		return stream_fail_memory(err);
	producers->items = bigger;
	producers->capacity = capacity;
	return STREAM_OK;
}

/* HashMap.hash(Long): the two halves, then the upper sixteen bits, folded. */
static uint32_t
java_bucket(int64_t id, uint32_t buckets)
{
	uint32_t hash = (uint32_t)((uint64_t)id ^ (uint64_t)id >> 32);

	return (hash ^ hash >> 16) & (buckets - 1);
}

/* The table doubles when it is three quarters full; a small one also when a
 * ninth comes to one bucket. */
static void
count_buckets(struct stream_producers *producers, int64_t id)
{
	uint32_t bucket = java_bucket(id, producers->buckets);
	uint32_t same = 0;

	if (producers->buckets < JAVA_TREE_BUCKETS) {
		for (size_t i = 0; i < producers->count; i++)
			same +=
			    java_bucket(producers->items[i].entry.producer_id,
				producers->buckets) == bucket;
		if (same > JAVA_TREE_FROM)
			producers->buckets *= 2;
	}
	if (producers->count > (uint64_t)producers->buckets * 3 / 4)
		producers->buckets *= 2;
}

/* The producer of this id, a new one if it is not known. */
static int
get(struct stream_producers *producers, int64_t id, uint32_t *index,
    struct stream_error *err)
{
	size_t place = find_place(producers, id);
	int status;

	*index = producers->table[place];
	if (*index != none)
		return STREAM_OK;
	status = reserve(producers, err);
	if (status != STREAM_OK)
		return status;
	*index = (uint32_t)producers->count;
	producers->table[find_place(producers, id)] = *index;
	producers->items[producers->count++] = (struct producer){
	    .entry = {.producer_id = id,
		.last_offset = -1,
		.timestamp_ms = STREAM_NO_TIMESTAMP,
		.transaction_first_offset = -1,
		.last_sequence = -1,
		.coordinator_epoch = -1,
		.producer_epoch = -1},
	    .before = none,
	    .after = none,
	};
	count_buckets(producers, id);
	return STREAM_OK;
}

/* ---- open transactions -------------------------------------------------- */

/* Batches come in order, so a new transaction is the last one. */
static void
open_transaction(
    struct stream_producers *producers, uint32_t index, int64_t first_offset)
{
	struct producer *producer = &producers->items[index];

	producer->entry.transaction_first_offset = first_offset;
	producer->has_records = false;
	producer->before = producers->last_open;
	producer->after = none;
	if (producers->last_open != none)
		producers->items[producers->last_open].after = index;
	else
		producers->first_open = index;
	producers->last_open = index;
}

static void
close_transaction(struct stream_producers *producers, uint32_t index)
{
	struct producer *producer = &producers->items[index];

	if (producer->before != none)
		producers->items[producer->before].after = producer->after;
	else
		producers->first_open = producer->after;
	if (producer->after != none)
		producers->items[producer->after].before = producer->before;
	else
		producers->last_open = producer->before;
	producer->entry.transaction_first_offset = -1;
}

/* What is stable once the transaction of index ends with the marker: all up to
 * the first one that another has open. */
static int64_t
last_stable_offset(
    const struct stream_producers *producers, uint32_t index, int64_t marker)
{
	uint32_t open = producers->first_open;

	if (open == index)
		open = producers->items[open].after;
	return open == none
		   ? marker + 1
		   : producers->items[open].entry.transaction_first_offset;
}

int64_t
stream_producers_first_open(const struct stream_producers *producers)
{
	uint32_t open = producers->first_open;

	return open == none
		   ? -1
		   : producers->items[open].entry.transaction_first_offset;
}

/* ---- taking batches ----------------------------------------------------- */

/* Another epoch is another life of the producer: its batches do not count. */
static void
set_epoch(struct stream_snapshot_entry *entry, int16_t epoch)
{
	if (entry->producer_epoch == epoch)
		return;
	entry->producer_epoch = epoch;
	entry->last_sequence = -1;
	entry->last_offset = -1;
	entry->offset_delta = 0;
}

/* Sequences go from 2^31-1 back to 0. */
static int32_t
last_sequence(const struct stream_batch_info *info, int32_t delta)
{
	if (info->base_sequence < 0)
		return -1;
	return (int32_t)(((uint32_t)info->base_sequence + (uint32_t)delta) &
			 INT32_MAX);
}

static void
add_data(struct stream_producers *producers, uint32_t index,
    const struct stream_batch_info *info)
{
	struct stream_snapshot_entry *entry = &producers->items[index].entry;

	set_epoch(entry, info->producer_epoch);
	entry->offset_delta = (int32_t)(info->last_offset - info->base_offset);
	entry->last_sequence = last_sequence(info, entry->offset_delta);
	entry->last_offset = info->last_offset;
	entry->timestamp_ms = info->max_timestamp_ms;
	if (!stream_batch_is_transactional(info))
		return;
	if (entry->transaction_first_offset < 0)
		open_transaction(producers, index, info->base_offset);
	if (info->record_count > 0)
		producers->items[index].has_records = true;
}

static void
end_transaction(struct stream_producers *producers, uint32_t index,
    const struct stream_batch_info *info,
    const struct stream_control_marker *marker,
    struct stream_producers_abort *abort)
{
	struct producer *producer = &producers->items[index];
	struct stream_snapshot_entry *entry = &producer->entry;

	if (entry->transaction_first_offset >= 0) {
		abort->ended = true;
		abort->happened = marker->type == STREAM_CONTROL_ABORT;
		abort->has_records = producer->has_records;
		abort->entry = (struct stream_aborted){
		    .producer_id = info->producer_id,
		    .first_offset = entry->transaction_first_offset,
		    .last_offset = info->base_offset,
		    .last_stable_offset =
			last_stable_offset(producers, index, info->base_offset),
		};
		close_transaction(producers, index);
	}
	set_epoch(entry, info->producer_epoch);
	entry->coordinator_epoch = marker->coordinator_epoch;
	entry->timestamp_ms = marker->timestamp_ms;
}

int
stream_producers_add(struct stream_producers *producers,
    const struct stream_batch_info *info, const uint8_t *bytes,
    struct stream_producers_abort *abort, struct stream_error *err)
{
	struct stream_control_marker marker = {.type = STREAM_CONTROL_OTHER};
	bool control = stream_batch_is_control(info);
	uint32_t index;
	int status = STREAM_OK;

	abort->ended = false;
	abort->happened = false;
	if (info->producer_id < 0)
		return STREAM_OK;
	if (control)
		status =
		    stream_control_marker_take(bytes, info->size, &marker, err);
	if (status == STREAM_OK)
		status = get(producers, info->producer_id, &index, err);
	if (status != STREAM_OK)
		return status;
	if (!control)
		add_data(producers, index, info);
	else if (marker.type != STREAM_CONTROL_OTHER)
		end_transaction(producers, index, info, &marker, abort);
	return STREAM_OK;
}

/* ---- snapshots ---------------------------------------------------------- */

static int
by_first_offset(const void *a, const void *b)
{
	const struct stream_snapshot_entry *x =
	    *(const struct stream_snapshot_entry *const *)a;
	const struct stream_snapshot_entry *y =
	    *(const struct stream_snapshot_entry *const *)b;

	return (x->transaction_first_offset > y->transaction_first_offset) -
	       (x->transaction_first_offset < y->transaction_first_offset);
}

static int
load_open(struct stream_producers *producers,
    const struct stream_snapshot_entry **open, size_t count,
    struct stream_error *err)
{
	if (count > 1)
		qsort(open, count, sizeof(*open), by_first_offset);
	for (size_t i = 0; i < count; i++) {
		uint32_t index;
		int status = get(producers, open[i]->producer_id, &index, err);

		if (status != STREAM_OK)
			return status;
		if (producers->items[index].entry.transaction_first_offset >= 0)
			continue;
		open_transaction(
		    producers, index, open[i]->transaction_first_offset);
		/* What it holds lies before the snapshot. */
		producers->items[index].has_records = true;
	}
	return STREAM_OK;
}

int
stream_producers_load(struct stream_producers *producers,
    const struct stream_snapshot_entry *entries, size_t count,
    struct stream_error *err)
{
	const struct stream_snapshot_entry **open =
	    calloc(count + 1, sizeof(*open));
	size_t open_count = 0;
	int status = STREAM_OK;

	if (open == NULL)
		return stream_fail_memory(err);
	forget(producers);
	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		uint32_t index;

		status = get(producers, entries[i].producer_id, &index, err);
		if (status != STREAM_OK)
			break;
		producers->items[index].entry = entries[i];
		producers->items[index].entry.transaction_first_offset = -1;
		if (entries[i].transaction_first_offset >= 0)
			open[open_count++] = &entries[i];
	}
	if (status == STREAM_OK)
		status = load_open(producers, open, open_count, err);
	free(open);
	return status;
}

/* One entry and where it stands in Java's table. */
struct placed {
	uint32_t bucket;
	uint32_t index;
};

static int
by_place(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static void
sort(const struct stream_producers *producers, struct placed *places,
    struct stream_snapshot_entry *entries)
{
	for (uint32_t i = 0; i < producers->count; i++)
		places[i] = (struct placed){
		    java_bucket(producers->items[i].entry.producer_id,
			producers->buckets),
		    i};
	if (producers->count > 1)
		qsort(places, producers->count, sizeof(*places), by_place);
	for (size_t i = 0; i < producers->count; i++)
		entries[i] = producers->items[places[i].index].entry;
}

int
stream_producers_snapshot(const struct stream_producers *producers,
    struct stream_buf *out, struct stream_error *err)
{
	size_t n = producers->count + 1; /* never nothing */
	struct placed *places = calloc(n, sizeof(*places));
	struct stream_snapshot_entry *entries = calloc(n, sizeof(*entries));
	int status;

	if (places == NULL || entries == NULL) {
		status = stream_fail_memory(err);
	} else {
		sort(producers, places, entries);
		status =
		    stream_snapshot_put(entries, producers->count, out, err);
	}
	free(places);
	free(entries);
	return status;
}
