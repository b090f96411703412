/*
 * roll.c - close the active segment and begin the next
 *
 * The old log is synced first and the new name is made durable before anything
 * is written to it, so every closed segment is durable and no record is
 * acknowledged in a file that a power loss could take away.  Both marks stand
 * meanwhile: a writer that finds them after a crash lists the directory, and so
 * finds the new segment if it is there.
 */
#include "base/fail.h"
#include "file/io.h"
#include "file/name.h"
#include "log/measure.h"
#include "log/partition_private.h"
#include "log/structure.h"

static int
sync_index(
    int fd, int64_t base, enum stream_name_kind kind, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int status = stream_io_sync(fd, err);

	stream_name_put_plain(base, kind, name);
	return status == STREAM_OK ? status
				   : stream_fail_in(err, status, "%s", name);
}

/* The final entry of the time index; then both indexes are as Kafka's
 * recovery would rebuild them.  They are synced since nobody rebuilds those of
 * a closed segment, and a size may reach the disk without its data.  If that
 * fails the segment stays the active one, and the marks make the next writer
 * look at its indexes. */
static int
finish_indexes(struct stream_partition *partition, struct stream_error *err)
{
	struct stream_segment *segment = &partition->segment;
	int status = stream_indexer_finish(&segment->indexer, err);

	if (status != STREAM_OK)
		return status;
	status = stream_segment_flush_indexes(segment, err);
	if (status == STREAM_OK)
		status = sync_index(segment->index, segment->base_offset,
		    STREAM_NAME_INDEX, err);
	if (status == STREAM_OK)
		status = sync_index(segment->timeindex, segment->base_offset,
		    STREAM_NAME_TIMEINDEX, err);
	return status;
}

static void
begin_state(struct stream_state *state)
{
	state->active_base = state->next_offset;
	state->end = 0;
	state->last_position = -1;
	state->durable_end = 0;
	state->max_timestamp_ms = STREAM_NO_TIMESTAMP;
	state->max_timestamp_offset = -1;
	state->marks &= (uint16_t) ~(STREAM_MARK_ROLLING | STREAM_MARK_SYNCING);
}

static int
open_new(struct stream_partition *partition, struct stream_error *err)
{
	int64_t base = partition->state.next_offset;
	int status = stream_segment_create(partition->dirfd, base, err);

	if (status == STREAM_OK)
		status =
		    stream_segment_open(&partition->segment, partition->dirfd,
			base, partition->config.index_interval_bytes, err);
	return status;
}

int
stream_partition_roll(
    struct stream_partition *partition, struct stream_error *err)
{
	int status = stream_partition_begin_sync(
	    partition, STREAM_MARK_SYNCING | STREAM_MARK_ROLLING, err);
	if (status == STREAM_OK)
		status = stream_partition_sync_locked(partition, err);
	if (status != STREAM_OK)
		return status;
	stream_segment_give_back(&partition->segment);
	status = finish_indexes(partition, err);
	if (status == STREAM_OK)
		status = open_new(partition, err);
	if (status != STREAM_OK)
		return status;
	begin_state(&partition->state);
	return stream_partition_publish(partition, err);
}

int
stream_partition_roll_used(struct stream_partition *partition, int64_t expected,
    bool *rolled, struct stream_error *err)
{
	bool used = false;
	int status = stream_partition_lock_sync(partition, err);

	if (status != STREAM_OK)
		return status;
	status = stream_partition_lock(partition, err);
	if (status == STREAM_OK) {
		used =
		    partition->state.end > 0 &&
		    (expected < 0 || expected == partition->state.active_base);
		status = stream_partition_check_takeback(partition, err);
		if (status == STREAM_OK && used)
			status = stream_partition_roll(partition, err);
		stream_partition_unlock(partition);
	}
	stream_partition_unlock_sync(partition);
	if (status == STREAM_OK)
		*rolled = used;
	return status;
}

/* What a segment that came whole is, in place of what a walk would find. */
static int
adopt_state(struct stream_partition *partition, int64_t base,
    const struct stream_measure *measure, struct stream_error *err)
{
	struct stream_state *state = &partition->state;
	struct stream_segment *segment = &partition->segment;
	bool sound = false;
	int status = stream_segment_open(segment, partition->dirfd, base,
	    partition->config.index_interval_bytes, err);

	if (status != STREAM_OK)
		return status;
	state->active_base = base;
	state->end = measure->bytes;
	state->durable_end = measure->bytes;
	state->last_position = measure->last_position;
	state->next_offset = measure->next_offset;
	state->max_timestamp_ms = measure->max_timestamp_ms;
	state->max_timestamp_offset = measure->max_timestamp_offset;
	if (measure->leader_epoch > state->leader_epoch)
		state->leader_epoch = measure->leader_epoch;
	state->structure += 2;
	state->marks &= (uint16_t) ~(STREAM_MARK_ROLLING | STREAM_MARK_SYNCING);
	segment->indexer.max_timestamp_ms = state->max_timestamp_ms;
	segment->indexer.max_timestamp_offset = state->max_timestamp_offset;
	status = stream_segment_load_indexes(
	    segment, state->end, state->next_offset, &sound, err);
	if (status == STREAM_OK && !sound)
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%020lld.log: its indexes do not agree with it",
		    (long long)base);
	return status == STREAM_OK ? stream_partition_publish(partition, err)
				   : status;
}

static int
adopt(struct stream_partition *partition, int64_t base,
    const struct stream_measure *measure,
    int (*bring)(void *context, struct stream_error *err), void *context,
    struct stream_error *err)
{
	int status = stream_partition_begin_sync(
	    partition, STREAM_MARK_SYNCING | STREAM_MARK_ROLLING, err);

	if (status == STREAM_OK)
		status = stream_partition_sync_locked(partition, err);
	if (status != STREAM_OK)
		return status;
	stream_segment_give_back(&partition->segment);
	status = finish_indexes(partition, err);
	if (status == STREAM_OK)
		status = bring(context, err);
	return status == STREAM_OK ? adopt_state(partition, base, measure, err)
				   : status;
}

int
stream_partition_adopt(struct stream_partition *partition, int64_t base_offset,
    const struct stream_measure *measure,
    int (*bring)(void *context, struct stream_error *err), void *context,
    struct stream_error *err)
{
	int status = stream_partition_lock_sync(partition, err);

	if (status != STREAM_OK)
		return status;
	status = stream_partition_lock(partition, err);
	if (status == STREAM_OK) {
		status =
		    adopt(partition, base_offset, measure, bring, context, err);
		stream_partition_unlock(partition);
	}
	stream_partition_unlock_sync(partition);
	return status;
}
