/*
 * append.c - batches go to the end of the active segment
 *
 * The order is: log bytes, index entries, then one write of the state that
 * publishes the new end.  Readers do not wait for that: they see a batch as
 * soon as it is whole in the file.  A writer that dies in between leaves a
 * file that is longer than the state says, which every writer compares under
 * the lock before it appends; so no mark is needed, and the next one walks
 * from the end that the state still holds.
 */
#include "log/partition.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/io.h"
#include "log/epochs_rebuild.h"
#include "log/partition_private.h"

/* Whoever writes this much at once will write more; for lines that trickle in
 * no space is reserved. */
enum { BULK = 128 << 10 };

/* What one pass under the append lock will write. */
struct run {
	uint8_t *bytes;
	size_t size;  /* of whole batches chosen so far */
	int64_t next; /* offset after them */
	uint64_t last_position;
	bool must_roll;               /* the next batch needs a new segment */
	struct stream_indexer before; /* counters, should the write fail */
};

static uint64_t
batch_size(const uint8_t *bytes)
{
	return (uint64_t)stream_load32(bytes + 8) + STREAM_BATCH_PREFIX;
}

/*
 * How long this segment has waited, as Kafka counts: in message time since
 * the first batch, or, when that has no timestamp, by the clock since the
 * file was made.
 */
static int
waited_ms(struct stream_partition *partition, int64_t max_timestamp_ms,
    int64_t *waited, struct stream_error *err)
{
	int64_t first;
	struct statx made;
	int status =
	    stream_segment_first_timestamp(&partition->segment, &first, err);

	*waited = 0;
	if (status != STREAM_OK)
		return status;
	if (first >= 0) {
		if (__builtin_sub_overflow(max_timestamp_ms, first, waited))
			*waited = 0;
		return STREAM_OK;
	}
	if (statx(partition->segment.log, "", AT_EMPTY_PATH, STATX_BTIME,
		&made) == 0 &&
	    (made.stx_mask & STATX_BTIME) != 0)
		*waited = stream_clock_now_ms() - made.stx_btime.tv_sec * 1000;
	return STREAM_OK;
}

/* Kafka's rules (SPEC section 4.3), for a batch that would be written at
 * position. */
static int
needs_roll(struct stream_partition *partition,
    const struct stream_batch_info *info, uint64_t position, bool *roll,
    struct stream_error *err)
{
	const struct stream_log_config *config = &partition->config;
	const struct stream_indexer *indexer = &partition->segment.indexer;
	int64_t slots = config->segment_index_bytes / STREAM_INDEX_ENTRY;
	int64_t time_slots =
	    config->segment_index_bytes / STREAM_TIMEINDEX_ENTRY;
	int64_t waited;
	int status;

	*roll = position + info->size > (uint64_t)config->segment_bytes ||
		(int64_t)indexer->entries >= slots ||
		(int64_t)indexer->time_entries >= time_slots - 1 ||
		info->last_offset - indexer->base_offset > INT32_MAX;
	if (position == 0)
		*roll = false;
	if (*roll || position == 0)
		return STREAM_OK;
	status = waited_ms(partition, info->max_timestamp_ms, &waited, err);
	*roll = status == STREAM_OK && waited > config->segment_ms;
	return status;
}

/* LogAppendTime: never earlier than what the segment holds, nor than what this
 * handle wrote to the one before. */
static void
stamp(struct stream_partition *partition, uint8_t *batch, size_t size)
{
	int64_t now_ms = stream_clock_now_ms();

	if (now_ms < partition->segment.indexer.max_timestamp_ms)
		now_ms = partition->segment.indexer.max_timestamp_ms;
	if (now_ms < partition->last_stamp_ms)
		now_ms = partition->last_stamp_ms;
	partition->last_stamp_ms = now_ms;
	stream_batch_stamp(batch, size, now_ms);
}

/* Place the next batch of the run, unless it belongs in a new segment. */
static int
add_batch(struct stream_partition *partition, struct run *run,
    struct stream_error *err)
{
	const struct stream_state *state = &partition->state;
	uint8_t *bytes = run->bytes + run->size;
	size_t size = (size_t)batch_size(bytes);
	uint64_t position = state->end + run->size;
	struct stream_batch batch;
	int status;

	if (size > (uint64_t)partition->config.segment_bytes)
		return stream_fail(err, STREAM_ETOOBIG, STREAM_POS_NONE,
		    "a batch of %zu bytes is larger than segment.bytes (%lld)",
		    size, (long long)partition->config.segment_bytes);
	stream_batch_place(bytes, run->next, state->leader_epoch);
	if (partition->config.append_time)
		stamp(partition, bytes, size);
	status = stream_batch_parse(bytes, size, &batch, err);
	if (status != STREAM_OK)
		return status;
	batch.info.position = position;
	status =
	    needs_roll(partition, &batch.info, position, &run->must_roll, err);
	if (status != STREAM_OK || run->must_roll)
		return status;
	status =
	    stream_indexer_add(&partition->segment.indexer, &batch.info, err);
	if (status != STREAM_OK)
		return status;
	run->last_position = position;
	run->next = batch.info.last_offset + 1;
	run->size += size;
	return STREAM_OK;
}

static int
plan(struct stream_partition *partition, uint8_t *bytes, size_t size,
    struct run *run, struct stream_error *err)
{
	int status = STREAM_OK;

	*run = (struct run){
	    .bytes = bytes,
	    .next = partition->state.next_offset,
	    .before = partition->segment.indexer,
	};
	while (run->size < size && !run->must_roll && status == STREAM_OK)
		status = add_batch(partition, run, err);
	/* What was placed before a batch that fails is still written. */
	return run->size > 0 ? STREAM_OK : status;
}

/* Undo what planning did to the indexer's counters. */
static void
forget_plan(struct stream_partition *partition, const struct run *run)
{
	struct stream_indexer *indexer = &partition->segment.indexer;
	struct stream_indexer old = run->before;

	old.offsets = indexer->offsets;
	old.times = indexer->times;
	old.offsets.size = 0;
	old.times.size = 0;
	*indexer = old;
}

/* The first append of a log writes its first leader epoch, durably, before
 * the batch that carries it. */
static int
begin_epoch(struct stream_partition *partition, struct stream_error *err)
{
	struct stream_epoch first = {0, partition->state.next_offset};
	struct stream_epoch last;
	int status;

	if (partition->state.end != 0 ||
	    partition->state.next_offset != partition->state.active_base)
		return STREAM_OK;
	status = stream_epochs_last(partition->dirfd, &last, NULL);
	if (status == STREAM_OK)
		return STREAM_OK;
	/* Of a log that has batches already, they say what belongs in it. */
	status = stream_epochs_rebuild(partition->dirfd, err);
	if (status != STREAM_OK ||
	    stream_epochs_last(partition->dirfd, &last, NULL) == STREAM_OK)
		return status;
	first.epoch = partition->state.leader_epoch;
	return stream_epochs_save(partition->dirfd, &first, 1, err);
}

/*
 * A write that could not be finished: keep the whole batches, which readers
 * may have seen, and cut the rest.  Recovery does both.  If even that fails
 * the next writer finds the file longer than the state says, and does it.
 */
static void
cut_back(
    struct stream_partition *partition, const struct run *run, size_t *done)
{
	uint64_t old_end = partition->state.end;

	forget_plan(partition, run);
	if (stream_partition_recover(partition, NULL) != STREAM_OK) {
		partition->poisoned = true;
		return;
	}
	*done = (size_t)(partition->state.end - old_end);
}

/* With syncs, the write that publishes the end also begins a sync. */
static int
write_run(struct stream_partition *partition, const struct run *run, bool syncs,
    size_t *done, struct stream_error *err)
{
	struct stream_state *state = &partition->state;
	int status = begin_epoch(partition, err);

	*done = 0;
	if (status != STREAM_OK) {
		forget_plan(partition, run);
		return status;
	}
	if (run->size >= BULK)
		stream_segment_reserve(&partition->segment, state->end,
		    state->end + run->size,
		    (uint64_t)partition->config.segment_bytes);
	status = stream_io_write_at(partition->segment.log, run->bytes,
	    run->size, state->end, NULL, err);
	if (status != STREAM_OK) {
		cut_back(partition, run, done);
		return status;
	}
	stream_segment_flush_indexes(&partition->segment, NULL);
	*done = run->size;
	state->end += run->size;
	state->last_position = (int64_t)run->last_position;
	state->next_offset = run->next;
	state->max_timestamp_ms = partition->segment.indexer.max_timestamp_ms;
	state->max_timestamp_offset =
	    partition->segment.indexer.max_timestamp_offset;
	if (syncs)
		stream_partition_join_sync(partition);
	return stream_partition_publish(partition, err);
}

/* Remember what is to be synced, and by which take-back counter. */
static void
note_dirty(struct stream_partition *partition)
{
	partition->dirty = true;
	partition->dirty_base = partition->state.active_base;
	partition->dirty_end = partition->state.end;
	partition->dirty_takebacks = partition->state.takebacks;
}

/* One pass under the append lock: as many batches as the segment takes. */
static int
append_run(struct stream_partition *partition, uint8_t *bytes, size_t size,
    size_t *done, bool *must_roll, struct stream_error *err)
{
	struct run run;
	int status = stream_partition_check_takeback(partition, err);

	*done = 0;
	*must_roll = false;
	if (status != STREAM_OK)
		return status;
	status = plan(partition, bytes, size, &run, err);
	if (status != STREAM_OK)
		forget_plan(partition, &run);
	*must_roll = run.must_roll;
	if (status != STREAM_OK || run.size == 0)
		return status;
	status = write_run(partition, &run,
	    partition->syncs_next && run.size == size, done, err);
	if (*done > 0)
		note_dirty(partition);
	return status;
}

/*
 * The next batch needs a new segment.  A roll syncs, and so takes the sync
 * lock, which comes before the append lock; in between another writer may
 * have rolled, so look again.
 */
static int
roll_if_needed(struct stream_partition *partition, uint8_t *bytes, size_t size,
    struct stream_error *err)
{
	struct run run;
	int status = stream_partition_lock_sync(partition, err);

	if (status != STREAM_OK)
		return status;
	status = stream_partition_lock(partition, err);
	if (status == STREAM_OK) {
		status = plan(partition, bytes, size, &run, err);
		forget_plan(partition, &run);
		if (status == STREAM_OK && run.must_roll && run.size == 0)
			status = stream_partition_roll(partition, err);
		stream_partition_unlock(partition);
	}
	stream_partition_unlock_sync(partition);
	return status;
}

int
stream_partition_append(struct stream_partition *partition, uint8_t *batches,
    size_t size, size_t *done, struct stream_error *err)
{
	size_t put = 0;
	int status = STREAM_OK;

	if (partition->poisoned)
		status = stream_fail(err, STREAM_EIO, STREAM_POS_NONE,
		    "an earlier write could not be undone");
	while (status == STREAM_OK && put < size) {
		bool must_roll;
		size_t now;

		status = stream_partition_lock(partition, err);
		if (status != STREAM_OK)
			break;
		status = append_run(partition, batches + put, size - put, &now,
		    &must_roll, err);
		stream_partition_unlock(partition);
		put += now;
		if (status == STREAM_OK && must_roll && put < size)
			status = roll_if_needed(
			    partition, batches + put, size - put, err);
	}
	if (done != NULL)
		*done = put;
	return status;
}
