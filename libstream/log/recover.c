/*
 * recover.c - make the state of a partition true again
 *
 * Runs under the append lock when the state is missing, old, marked by a
 * writer that died, or contradicted by the log.  SPEC section 10 says what may
 * be cut: a torn tail, and, set aside first, a last batch that is wrong and not
 * provably durable, and what a loss of power left of appends.  Everything else
 * that is wrong is left as it is, and nothing is written until someone has
 * looked: a log is never "repaired" by deleting what follows the damage.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/io.h"
#include "file/name.h"
#include "file/scan.h"
#include "file/tail.h"
#include "log/epochs_rebuild.h"
#include "log/partition_private.h"
#include "log/set_aside.h"
#include "log/view.h"

int
stream_partition_find_newest(
    struct stream_partition *partition, int64_t *base, struct stream_error *err)
{
	struct stream_view view;
	int status = stream_view_load(partition->dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	*base = view.count > 0 ? view.segments[view.count - 1].base_offset : -1;
	stream_view_release(&view);
	return STREAM_OK;
}

int
stream_partition_last_batch_agrees(
    struct stream_partition *partition, bool *agrees, struct stream_error *err)
{
	const struct stream_state *state = &partition->state;
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	*agrees = state->end == 0;
	if (state->last_position < 0 || state->end == 0)
		return STREAM_OK;
	/* With its CRC: nothing may be appended behind a bad batch. */
	stream_scan_init(&scan, partition->segment.log,
	    (uint64_t)state->last_position, STREAM_SCAN_WHOLE,
	    STREAM_BATCH_CAP_DEFAULT, STREAM_SCAN_SMALL_BLOCK);
	status = stream_scan_next(&scan, &batch, &bytes, err);
	*agrees = status == STREAM_OK && scan.next == state->end &&
		  batch.info.last_offset + 1 == state->next_offset;
	stream_scan_release(&scan);
	return status == STREAM_EIO || status == STREAM_ENOMEM ? status
							       : STREAM_OK;
}

/*
 * A directory without a segment is a partition in which nothing was written
 * yet (Kafka makes the first segment at the log start offset too), unless the
 * state remembers one: then the log is gone, and going on would give its
 * offsets out again.
 */
static int
make_first_segment(
    struct stream_partition *partition, int64_t *base, struct stream_error *err)
{
	const struct stream_state *state = &partition->state;

	if (state->sequence != 0 && state->next_offset > 0)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "no segment is left, though offset %lld was reached; "
		    "restore it, or remove " STREAM_STATE_NAME
		    " to begin again",
		    (long long)state->next_offset);
	*base = partition->config.log_start_offset;
	return stream_segment_create(partition->dirfd, *base, err);
}

/* Where the walk starts, and what is known there. */
struct start {
	uint64_t position;
	int64_t next_offset;
	struct stream_tail_known known; /* what the state says of the segment */
	uint64_t durable_end;
	bool durable_is_known;
};

/*
 * The durable end holds whatever happened since, for this segment.  The end
 * is a place to go on from only within the same boot and if the file still
 * reaches it: after a power loss the state may be newer than the log.
 */
static int
choose_start(struct stream_partition *partition, int64_t base,
    struct start *start, struct stream_error *err)
{
	const struct stream_state *state = &partition->state;
	bool agrees;
	uint64_t size;
	int status = stream_io_size(partition->segment.log, &size, err);

	if (status != STREAM_OK)
		return status;
	*start = (struct start){
	    .next_offset = base,
	    .known = stream_tail_known(state, &partition->identity, base),
	};
	if (state->sequence == 0 || state->active_base != base)
		return STREAM_OK;
	start->durable_end = state->durable_end;
	start->durable_is_known = true;
	if (size < state->durable_end)
		return stream_fail(err, STREAM_ECORRUPT, size,
		    "%020lld.log: has %llu bytes, though %llu were made "
		    "durable; run strm repair",
		    (long long)base, (unsigned long long)size,
		    (unsigned long long)state->durable_end);
	if (!stream_state_is_current(state, &partition->identity) ||
	    size < state->end)
		return STREAM_OK;
	status = stream_partition_last_batch_agrees(partition, &agrees, err);
	if (status == STREAM_OK && agrees) {
		start->position = state->end;
		start->next_offset = state->next_offset;
	}
	return status;
}

/* The indexer's counters for a walk from start, and the files cut to it. */
static int
reset_indexes(struct stream_partition *partition, const struct start *start,
    struct stream_error *err)
{
	struct stream_segment *segment = &partition->segment;
	const struct stream_state *state = &partition->state;
	bool sound = false;
	int status = STREAM_OK;

	stream_indexer_release(&segment->indexer);
	stream_indexer_init(&segment->indexer, segment->base_offset,
	    partition->config.index_interval_bytes);
	if (start->position == 0)
		return STREAM_OK;
	segment->indexer.max_timestamp_ms = state->max_timestamp_ms;
	segment->indexer.max_timestamp_offset = state->max_timestamp_offset;
	status = stream_segment_load_indexes(
	    segment, start->position, start->next_offset, &sound, err);
	if (status == STREAM_OK && !sound)
		status = STREAM_END; /* walk the whole segment instead */
	return status;
}

/* Is this batch one that can follow next_offset?  Gaps are legal where
 * compaction may have been, as long as the index can name the offset. */
static int
check_chain(const struct stream_partition *partition,
    const struct stream_batch_info *info, int64_t next_offset,
    struct stream_error *err)
{
	int64_t base = partition->segment.base_offset;
	bool follows = partition->config.dense
			   ? info->base_offset == next_offset
			   : info->base_offset >= next_offset;

	if (follows && info->last_offset - base <= INT32_MAX)
		return STREAM_OK;
	if (follows)
		return stream_fail(err, STREAM_ECORRUPT, info->position,
		    "byte %llu: offset %lld in a segment that starts at %lld; "
		    "run strm repair",
		    (unsigned long long)info->position,
		    (long long)info->last_offset, (long long)base);
	return stream_fail(err, STREAM_ECORRUPT, info->position,
	    "byte %llu: batch at offset %lld where %lld was expected; "
	    "run strm repair",
	    (unsigned long long)info->position, (long long)info->base_offset,
	    (long long)next_offset);
}

/* Walk whole batches from start; the state then tells what was found. */
static int
walk(struct stream_partition *partition, struct stream_scan *scan,
    struct start *start, struct stream_error *err)
{
	struct stream_state *state = &partition->state;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	while ((status = stream_scan_next(scan, &batch, &bytes, err)) ==
	       STREAM_OK) {
		status = check_chain(
		    partition, &batch.info, start->next_offset, err);
		if (status == STREAM_OK)
			status = stream_indexer_add(
			    &partition->segment.indexer, &batch.info, err);
		if (status != STREAM_OK)
			return status;
		state->last_position = (int64_t)batch.info.position;
		start->next_offset = batch.info.last_offset + 1;
		if (batch.info.leader_epoch > state->leader_epoch)
			state->leader_epoch = batch.info.leader_epoch;
	}
	start->position = scan->next;
	if (status == STREAM_EIO || status == STREAM_ENOMEM)
		return status;
	return STREAM_OK;
}

/*
 * Cut, and sync the cut.  That sync can fail for bytes of the dead writer's
 * that are kept, so the mark of a sync stands meanwhile: whoever comes after a
 * failure looks at them again before it believes them.  The boot stays the one
 * that the state names until all is done, or whoever comes after would find
 * damage where a loss of power was.
 */
static int
cut(struct stream_partition *partition, const struct start *start,
    struct stream_error *err)
{
	struct stream_state_identity identity = partition->identity;
	struct stream_state marked = partition->state;
	int status;

	marked.active_base = partition->segment.base_offset;
	marked.next_offset = partition->segment.base_offset;
	marked.end = 0;
	marked.last_position = -1;
	marked.durable_end = start->durable_end;
	marked.marks |= STREAM_MARK_SYNCING;
	memcpy(identity.boot_id, marked.boot_id, sizeof(identity.boot_id));
	status =
	    stream_state_write(partition->statefd, &identity, &marked, err);
	if (status != STREAM_OK)
		return status;
	partition->state.sequence = marked.sequence;
	status =
	    stream_io_truncate(partition->segment.log, start->position, err);
	if (status == STREAM_OK)
		status = stream_io_sync(partition->segment.log, err);
	return status;
}

/*
 * Nothing says how much of the log is on the disk: the state was lost, or the
 * log is a broker's.  Were nothing taken for durable, a sync that fails later
 * would take all of it back, so make it durable now.  If that fails, the cache
 * must not go on showing what the disk does not hold.
 */
static int
settle_durable(struct stream_partition *partition, struct start *start,
    struct stream_error *err)
{
	int status;

	if (start->durable_is_known || start->position == 0)
		return STREAM_OK;
	status = stream_io_sync(partition->segment.log, err);
	if (status == STREAM_OK)
		start->durable_end = start->position;
	else
		posix_fadvise(
		    partition->segment.log, 0, 0, POSIX_FADV_DONTNEED);
	return status;
}

static int
refuse(const struct stream_partition *partition, enum stream_tail tail,
    uint64_t position, struct stream_error *err)
{
	long long base = (long long)partition->segment.base_offset;

	if (tail == STREAM_TAIL_NEWER)
		return stream_fail(err, STREAM_ENEWER, position,
		    "%020lld.log: byte %llu: a batch in a format that is not "
		    "supported",
		    base, (unsigned long long)position);
	return stream_fail(err, STREAM_ECORRUPT, position,
	    "%020lld.log: byte %llu: damaged; run strm repair", base,
	    (unsigned long long)position);
}

static void
note_cut(const struct stream_partition *partition, enum stream_tail tail,
    uint64_t bytes, uint64_t position)
{
	const char *what = "cut an unfinished append,";

	if (tail == STREAM_TAIL_BAD)
		what = "set a bad last batch aside (.strm-cut-*),";
	else if (tail == STREAM_TAIL_LOST)
		what = "set aside what a loss of power left of appends "
		       "(.strm-cut-*),";
	stream_partition_note(partition, what, bytes, position);
}

/* What stands behind the last good batch, and what to do with it. */
static int
settle_tail(struct stream_partition *partition, const struct start *start,
    struct stream_error *err)
{
	uint64_t position = start->position;
	enum stream_tail tail;
	uint64_t size;
	int status = stream_tail_judge_cut(partition->segment.log, position,
	    start->next_offset, &start->known, &tail, err);

	if (status == STREAM_OK)
		status = stream_io_size(partition->segment.log, &size, err);
	if (status != STREAM_OK || tail == STREAM_TAIL_NONE)
		return status;
	if (tail == STREAM_TAIL_DAMAGE || tail == STREAM_TAIL_NEWER)
		return refuse(partition, tail, position, err);
	if (tail == STREAM_TAIL_BAD || tail == STREAM_TAIL_LOST)
		status = stream_set_aside_bytes(partition->dirfd,
		    partition->segment.log, position, start->next_offset, err);
	if (status == STREAM_OK)
		status = cut(partition, start, err);
	if (status == STREAM_OK)
		note_cut(partition, tail, size - position, position);
	return status;
}

/* The epoch to write with: the newest that the checkpoint or a batch names. */
static int
settle_epoch(struct stream_partition *partition, struct stream_error *err)
{
	struct stream_epoch last;
	int status = stream_epochs_last(partition->dirfd, &last, err);

	if (status == STREAM_OK &&
	    last.epoch >= partition->state.leader_epoch) {
		partition->state.leader_epoch = last.epoch;
		if (last.start_offset <= partition->state.next_offset)
			return STREAM_OK;
		return stream_epochs_pull_back(
		    partition->dirfd, partition->state.next_offset, err);
	}
	if (status != STREAM_OK && status != STREAM_ENOENT &&
	    status != STREAM_ECORRUPT)
		return status;
	if (partition->state.leader_epoch < 0)
		partition->state.leader_epoch = 0;
	status = stream_epochs_rebuild(partition->dirfd, err);
	/* Batches of closed segments may have a later one than was walked. */
	if (status == STREAM_OK &&
	    stream_epochs_last(partition->dirfd, &last, NULL) == STREAM_OK &&
	    last.epoch > partition->state.leader_epoch)
		partition->state.leader_epoch = last.epoch;
	return status;
}

static int
settle_indexes(struct stream_partition *partition, bool from_start,
    struct stream_error *err)
{
	if (from_start) {
		partition->state.structure += 2;
		return stream_segment_replace_indexes(
		    &partition->segment, partition->dirfd, err);
	}
	stream_segment_flush_indexes(&partition->segment, NULL);
	return STREAM_OK;
}

static int
settle_state(struct stream_partition *partition, const struct start *start,
    struct stream_error *err)
{
	struct stream_state *state = &partition->state;
	const struct stream_indexer *indexer = &partition->segment.indexer;
	int status;

	if (state->active_base != partition->segment.base_offset)
		state->marks &= (uint16_t)~STREAM_MARK_SYNCING;
	state->active_base = partition->segment.base_offset;
	state->end = start->position;
	if (start->position == 0)
		state->last_position = -1;
	state->next_offset = start->next_offset;
	state->durable_end = start->durable_end;
	state->max_timestamp_ms = indexer->max_timestamp_ms;
	state->max_timestamp_offset = indexer->max_timestamp_offset;
	status = settle_epoch(partition, err);
	if (status != STREAM_OK)
		return status;
	state->marks &= (uint16_t)~STREAM_MARK_ROLLING;
	return stream_partition_publish(partition, err);
}

/* Walk from start; STREAM_END asks to do it again from the very beginning. */
static int
recover_from(struct stream_partition *partition, struct start *start,
    struct stream_error *err)
{
	bool from_start = start->position == 0;
	struct stream_scan scan;
	int status = reset_indexes(partition, start, err);

	if (status != STREAM_OK)
		return status;
	stream_scan_init(&scan, partition->segment.log, start->position,
	    STREAM_SCAN_WHOLE, STREAM_BATCH_CAP_MOST, STREAM_SCAN_BLOCK);
	status = stream_io_size(partition->segment.log, &scan.limit, err);
	if (status == STREAM_OK)
		status = walk(partition, &scan, start, err);
	stream_scan_release(&scan);
	if (status == STREAM_OK)
		status = settle_tail(partition, start, err);
	if (status == STREAM_OK)
		status = settle_durable(partition, start, err);
	if (status == STREAM_OK)
		status = settle_indexes(partition, from_start, err);
	if (status == STREAM_OK)
		status = settle_state(partition, start, err);
	return status;
}

/* The segment that was written to last must not have gone: its offsets would
 * be given out again. */
static int
check_newest(
    struct stream_partition *partition, int64_t base, struct stream_error *err)
{
	const struct stream_state *state = &partition->state;

	if (state->sequence == 0 || base >= state->active_base)
		return STREAM_OK;
	return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
	    "%020lld.log: is gone, and it was the newest segment; restore it, "
	    "or remove " STREAM_STATE_NAME " to go on without it",
	    (long long)state->active_base);
}

static int
open_newest(struct stream_partition *partition, struct stream_error *err)
{
	int64_t base;
	int status = stream_partition_find_newest(partition, &base, err);

	if (status == STREAM_OK && base < 0)
		status = make_first_segment(partition, &base, err);
	else if (status == STREAM_OK)
		status = check_newest(partition, base, err);
	if (status != STREAM_OK)
		return status;
	/* Whoever made the newest segment may have died before its name was
	 * durable. */
	if (base != partition->state.active_base)
		status = stream_io_sync_dir(partition->dirfd, err);
	if (status != STREAM_OK)
		return status;
	return stream_segment_open(&partition->segment, partition->dirfd, base,
	    partition->config.index_interval_bytes, err);
}

static int
recover(struct stream_partition *partition, struct stream_error *err)
{
	struct start start;
	int status = open_newest(partition, err);

	if (status == STREAM_OK)
		status = choose_start(
		    partition, partition->segment.base_offset, &start, err);
	if (status == STREAM_OK)
		status = recover_from(partition, &start, err);
	if (status != STREAM_END)
		return status;
	start.position = 0;
	start.next_offset = partition->segment.base_offset;
	return recover_from(partition, &start, err);
}

int
stream_partition_recover(
    struct stream_partition *partition, struct stream_error *err)
{
	int status = recover(partition, err);

	/* What the handle knows may be half of it. */
	if (status != STREAM_OK)
		partition->known.sequence = 0;
	return status;
}
