/*
 * clean_piece.c - read batches and judge their records by the map
 *
 * Batches are judged in the order that Kafka's cleaner has: those of an aborted
 * transaction, and a marker whose horizon has passed, go unread; of all others
 * each record is asked about.
 */
#include "log/clean_piece.h"

#include <stdlib.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/keymap.h"

/* Bytes of a piece: many times what handing it over costs, little enough for
 * the second-level cache; and batches, since they can be tiny. */
enum { PIECE_BYTES = 512 * 1024, PIECE_BATCHES = 1024 };

void
stream_clean_piece_init(struct stream_clean_piece *piece)
{
	*piece = (struct stream_clean_piece){.status = STREAM_OK};
	stream_buf_init(&piece->before);
	stream_buf_init(&piece->after);
}

void
stream_clean_piece_release(struct stream_clean_piece *piece)
{
	stream_buf_release(&piece->before);
	stream_buf_release(&piece->after);
	free(piece->items);
}

void
stream_clean_piece_clear(struct stream_clean_piece *piece)
{
	piece->after.size = 0;
	piece->count = 0;
	piece->stats = (struct stream_clean_stats){0};
}

bool
stream_clean_piece_is_full(const struct stream_clean_piece *piece)
{
	return piece->size >= PIECE_BYTES || piece->count >= PIECE_BATCHES;
}

static int
reserve(struct stream_clean_piece *piece, struct stream_error *err)
{
	size_t capacity = piece->capacity * 2 + 64;
	void *bigger;

	if (piece->count < piece->capacity)
		return STREAM_OK;
	bigger = reallocarray(piece->items, capacity, sizeof(*piece->items));
	if (bigger == NULL)
		return stream_fail_memory(err);
	piece->items = bigger;
	piece->capacity = capacity;
	return STREAM_OK;
}

int
stream_clean_piece_add(struct stream_clean_piece *piece, int fd,
    const struct stream_batch *batch, const struct stream_clean_txn_fate *fate,
    bool must_stay, struct stream_error *err)
{
	int status = reserve(piece, err);

	if (status != STREAM_OK)
		return status;
	if (piece->count == 0) {
		piece->fd = fd;
		piece->from = batch->info.position;
		piece->size = 0;
	}
	piece->size += batch->info.size;
	piece->items[piece->count++] = (struct stream_clean_item){
	    .batch = *batch,
	    .fate = *fate,
	    .must_stay = must_stay,
	};
	return STREAM_OK;
}

/* ---- bytes -------------------------------------------------------------- */

static int
read_bytes(struct stream_clean_piece *piece, struct stream_error *err)
{
	size_t got;
	int status;

	piece->before.size = 0;
	status = stream_buf_reserve(&piece->before, piece->size, err);
	if (status == STREAM_OK)
		status = stream_io_read_at(piece->fd, piece->before.data,
		    piece->size, piece->from, &got, err);
	if (status == STREAM_OK)
		piece->before.size = got;
	return status;
}

/* The batch is there, whole, good, and the one whose header was seen. */
static int
check(const struct stream_clean_piece *piece,
    const struct stream_clean_item *item, struct stream_error *err)
{
	const struct stream_batch *seen = &item->batch;
	uint64_t end = seen->info.position - piece->from + seen->info.size;
	struct stream_batch batch;
	int status;

	if (end > piece->before.size)
		return stream_fail(err, STREAM_ETORN,
		    piece->from + piece->before.size,
		    "the file ends within a batch, %zu bytes or more are "
		    "missing",
		    (size_t)end - piece->before.size);
	status = stream_batch_check(stream_clean_piece_before(piece, item),
	    seen->info.size, &batch, err);
	if (status != STREAM_OK) {
		if (err != NULL && err->pos != STREAM_POS_NONE)
			err->pos += seen->info.position;
		return status;
	}
	if (batch.crc != seen->crc ||
	    batch.info.base_offset != seen->info.base_offset ||
	    batch.info.last_offset != seen->info.last_offset)
		return stream_fail(err, STREAM_ECORRUPT, seen->info.position,
		    "the batch changed while it was read");
	return STREAM_OK;
}

/* ---- records ------------------------------------------------------------ */

struct judging {
	struct stream_clean_piece *piece;
	const struct stream_clean_rules *rules;
	const struct stream_clean_item *item;
};

/* The delete horizon of the batch has come. */
static bool
is_past_horizon(const struct judging *judging)
{
	return (judging->item->batch.info.attributes & STREAM_BATCH_HORIZON) !=
		   0 &&
	       judging->item->batch.base_timestamp_ms <= judging->rules->now_ms;
}

static inline bool
judge(struct judging *judging, const struct stream_record *record,
    const struct stream_key *key)
{
	const struct stream_keymap *map = judging->rules->map;

	if (record->offset >= judging->rules->mapped_end)
		return true;
	if (record->key.data == NULL) {
		judging->piece->stats.no_key++;
		return false;
	}
	if (key ? record->offset < stream_keymap_find(map, *key)
		: !stream_keymap_is_newest(map, record->offset)) {
		judging->piece->stats.superseded++;
		return false;
	}
	if (record->value.data == NULL && is_past_horizon(judging)) {
		judging->piece->stats.expired++;
		return false;
	}
	return true;
}

/* Each look into the map by key is a cache miss: all are begun before the first
 * is waited for. */
static void
hash(const struct stream_keymap *map, const struct stream_record *records,
    size_t count, struct stream_key *keys)
{
	for (size_t i = 0; i < count; i++) {
		if (records[i].key.data == NULL)
			continue;
		keys[i] = stream_keymap_hash(map, records[i].key);
		stream_keymap_prefetch(map, keys[i]);
	}
}

static void
choose(void *context, const struct stream_record *records, size_t count,
    bool *keep)
{
	struct judging *judging = context;
	const struct stream_keymap *map = judging->rules->map;
	struct stream_key keys[STREAM_BATCH_FILTER_MOST];
	/* Offsets rise, and the index has no hole. */
	bool by_offset =
	    stream_keymap_has_index(map, records[0].offset) &&
	    stream_keymap_has_index(map, records[count - 1].offset);

	if (!by_offset)
		hash(map, records, count, keys);
	for (size_t i = 0; i < count; i++) {
		bool tombstone = records[i].value.data == NULL;

		keep[i] =
		    judge(judging, &records[i], by_offset ? NULL : &keys[i]);
		judging->piece->stats.in.tombstones += tombstone;
		judging->piece->stats.out.tombstones += tombstone && keep[i];
	}
}

/* ---- batches ------------------------------------------------------------ */

static int64_t
horizon(const struct stream_clean_rules *rules)
{
	int64_t sum;

	if (rules->no_horizons)
		return -1;
	if (__builtin_add_overflow(
		rules->now_ms, rules->delete_retention_ms, &sum))
		return INT64_MAX;
	return sum;
}

/* Filter the batch, or discard all of it. */
static int
judge_batch(struct judging *judging, struct stream_batch_filter *filter,
    struct stream_batch_filter_result *result, struct stream_error *err)
{
	const struct stream_clean_item *item = judging->item;
	const struct stream_batch *batch = &item->batch;
	const uint8_t *bytes = stream_clean_piece_before(judging->piece, item);
	bool control = stream_batch_is_control(&batch->info);
	struct stream_batch_filter_rules rules = {
	    .choose = control ? NULL : choose,
	    .context = judging,
	    .horizon_ms = horizon(judging->rules),
	    .marks = control && item->fate.discard,
	    .keep_empty = item->must_stay,
	};

	if (!item->fate.discard || (control && !is_past_horizon(judging)))
		return stream_batch_filter_run(
		    filter, batch, bytes, &rules, result, err);
	if (!control)
		judging->piece->stats.aborted +=
		    (uint64_t)batch->info.record_count;
	if (item->must_stay)
		return stream_batch_filter_empty(
		    filter, batch, bytes, result, err);
	*result =
	    (struct stream_batch_filter_result){.what = STREAM_BATCH_GONE};
	return STREAM_OK;
}

static int
judge_item(struct judging *judging, struct stream_batch_filter *filter,
    struct stream_clean_item *item, struct stream_error *err)
{
	struct stream_clean_piece *piece = judging->piece;
	struct stream_batch_filter_result result;
	int status;

	judging->item = item;
	piece->in_records = false;
	status = check(piece, item, err);
	if (status != STREAM_OK)
		return status;
	piece->in_records = true;
	status = judge_batch(judging, filter, &result, err);
	if (status != STREAM_OK)
		return status;
	item->what = result.what;
	item->made = result.batch;
	item->made_at = piece->after.size;
	item->has_horizon_set = result.has_horizon_set;
	if (result.what == STREAM_BATCH_SAME ||
	    result.what == STREAM_BATCH_GONE)
		return STREAM_OK;
	return stream_buf_add(
	    &piece->after, result.bytes.data, result.bytes.size, err);
}

void
stream_clean_piece_judge(struct stream_clean_piece *piece,
    const struct stream_clean_rules *rules, struct stream_batch_filter *filter)
{
	struct judging judging = {.piece = piece, .rules = rules};

	piece->in_records = false;
	piece->failed = 0;
	piece->status = read_bytes(piece, &piece->err);
	for (size_t i = 0; i < piece->count && piece->status == STREAM_OK;
	     i++) {
		piece->failed = i;
		piece->status =
		    judge_item(&judging, filter, &piece->items[i], &piece->err);
	}
}
