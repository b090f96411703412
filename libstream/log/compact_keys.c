#include "log/compact_keys.h"

#include <stdlib.h>

#include "base/fail.h"
#include "codec/records.h"
#include "codec/records_check.h"
#include "file/scan.h"

enum {
	/* Of a stretch: many times what handing it over costs, little enough
	 * for the second-level cache. */
	STRETCH_BYTES = 512 * 1024,
	/* Of small records there can be many more, of compressed ones even
	 * more: as much memory for the keys as for the bytes. */
	STRETCH_RECORDS = 24 * 1024,
	AT_ONCE = 128 /* records that are decoded and hashed together */
};

struct stream_compact_keys_reader {
	struct stream_scan scan;
	struct stream_unpacker unpacker;
	struct stream_record records[AT_ONCE];
};

int
stream_compact_keys_reader_new(size_t cap,
    struct stream_compact_keys_reader **reader, struct stream_error *err)
{
	struct stream_compact_keys_reader *new = calloc(1, sizeof(*new));

	if (new == NULL)
		return stream_fail_memory(err);
	stream_scan_init(
	    &new->scan, -1, 0, STREAM_SCAN_WHOLE, cap, STRETCH_BYTES);
	stream_unpacker_init(&new->unpacker, cap);
	*reader = new;
	return STREAM_OK;
}

void
stream_compact_keys_reader_free(struct stream_compact_keys_reader *reader)
{
	if (reader == NULL)
		return;
	stream_scan_release(&reader->scan);
	stream_unpacker_release(&reader->unpacker);
	free(reader);
}

void
stream_compact_keys_start(
    struct stream_compact_keys *keys, int fd, uint64_t from)
{
	/* What a batch of very many records needed is not kept. */
	if (keys->capacity > 2 * STRETCH_RECORDS)
		stream_compact_keys_release(keys);
	keys->fd = fd;
	keys->from = keys->to = from;
	keys->records = 0;
	keys->count = 0;
	keys->status = STREAM_OK;
}

void
stream_compact_keys_release(struct stream_compact_keys *keys)
{
	free(keys->found);
	keys->found = NULL;
	keys->capacity = 0;
}

bool
stream_compact_keys_is_full(const struct stream_compact_keys *keys)
{
	return keys->to - keys->from >= STRETCH_BYTES ||
	       keys->records >= STRETCH_RECORDS;
}

/* ---- finding ------------------------------------------------------------ */

struct finding {
	struct stream_compact_keys *keys;
	const struct stream_compact_span *span;
	const struct stream_keymap *map;
	struct stream_compact_keys_reader *reader;
};

static int
reserve(
    struct stream_compact_keys *keys, size_t records, struct stream_error *err)
{
	size_t capacity = keys->count + records;
	void *bigger;

	if (capacity <= keys->capacity)
		return STREAM_OK;
	if (capacity < keys->records)
		capacity = (size_t)keys->records;
	bigger = reallocarray(keys->found, capacity, sizeof(*keys->found));
	if (bigger == NULL)
		return stream_fail_memory(err);
	keys->found = bigger;
	keys->capacity = capacity;
	return STREAM_OK;
}

static void
add(struct finding *f, size_t count)
{
	struct stream_compact_keys *keys = f->keys;

	for (size_t i = 0; i < count; i++) {
		const struct stream_record *record = &f->reader->records[i];

		if (record->key.data == NULL || record->offset < f->span->from)
			continue;
		keys->found[keys->count++] = (struct stream_compact_key){
		    .key = stream_keymap_hash(f->map, record->key),
		    .offset = record->offset,
		};
	}
}

static int
find_in_records(struct finding *f, const struct stream_batch *batch,
    const uint8_t *bytes, struct stream_error *err)
{
	struct stream_records walk;
	struct stream_bytes section;
	size_t count = 1;
	int status = stream_unpacker_open(
	    &f->reader->unpacker, batch, bytes, &section, err);

	if (status == STREAM_OK)
		status = stream_records_start(&walk, batch, section, err);
	if (status == STREAM_OK)
		status =
		    reserve(f->keys, (size_t)batch->info.record_count, err);
	while (status == STREAM_OK && count > 0) {
		status = stream_records_take(
		    &walk, f->reader->records, AT_ONCE, &count, err);
		if (status == STREAM_OK)
			add(f, count);
	}
	return status;
}

static int
find_in_batch(struct finding *f, const struct stream_batch *batch,
    const uint8_t *bytes, struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;
	int status;

	if (info->record_count == 0 || info->last_offset < f->span->from ||
	    stream_batch_is_control(info) ||
	    stream_clean_txn_is_aborted(f->span->txn, info))
		return STREAM_OK;
	status = find_in_records(f, batch, bytes, err);
	if (status != STREAM_OK)
		stream_fail_in(err, status, "batch at offset %lld",
		    (long long)info->base_offset);
	return status;
}

void
stream_compact_keys_find(struct stream_compact_keys *keys,
    const struct stream_compact_span *span, const struct stream_keymap *map,
    struct stream_compact_keys_reader *reader)
{
	struct finding f = {keys, span, map, reader};
	struct stream_scan *scan = &reader->scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status = STREAM_OK;

	stream_scan_move(scan, keys->fd, keys->from);
	scan->limit = keys->to;
	scan->block = (size_t)(keys->to - keys->from);
	while (status == STREAM_OK) {
		status = stream_scan_next(scan, &batch, &bytes, &keys->err);
		if (status == STREAM_OK)
			status = find_in_batch(&f, &batch, bytes, &keys->err);
	}
	keys->status = status == STREAM_END ? STREAM_OK : status;
}
