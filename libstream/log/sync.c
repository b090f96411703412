/*
 * sync.c - make bytes durable, or take them back
 *
 * After a failed fdatasync Linux calls the lost pages clean, and the next call
 * succeeds: bytes that are only in the cache would look durable, and later
 * acknowledged records would stand behind a hole.  So a failure takes back
 * everything past the durable end, for all writers; a sync whose process died
 * before it could tell is repeated on bytes that were written again.
 */
#include <fcntl.h>
#include <time.h>

#include "base/clock.h"
#include "base/fail.h"
#include "file/io.h"
#include "file/scan.h"
#include "log/partition_private.h"

enum {
	REWRITE = 1 << 16, /* bytes that are written again at once */
	PAGE = 1 << 16,    /* the largest page of any Linux */
	/* A sync takes 150 microseconds and more: who waits for another's
	 * looks often enough to lose little, and costs next to nothing. */
	LOOK_EVERY_NS = 40000
};

/* Were this handle's unsynced bytes below the cut?  Only the last cut is
 * known, so with more than one since, they may be gone. */
static bool
survived(const struct stream_partition *partition)
{
	const struct stream_state *state = &partition->state;

	if (state->takebacks != partition->dirty_takebacks + 1)
		return false;
	return partition->dirty_base < state->takeback_base ||
	       (partition->dirty_base == state->takeback_base &&
		   partition->dirty_end <= state->takeback_end);
}

/* Learn from the log again what the state says of the segment. */
static int
walk_again(struct stream_partition *partition, struct stream_error *err)
{
	struct stream_state *state = &partition->state;

	state->end = 0;
	state->last_position = -1;
	state->next_offset = state->active_base;
	return stream_partition_recover(partition, err);
}

int
stream_partition_check_takeback(
    struct stream_partition *partition, struct stream_error *err)
{
	if (!partition->dirty ||
	    partition->state.takebacks == partition->dirty_takebacks)
		return STREAM_OK;
	if (survived(partition)) {
		partition->dirty_takebacks = partition->state.takebacks;
		return STREAM_OK;
	}
	partition->dirty = false;
	return stream_fail(err, STREAM_ELOST, STREAM_POS_NONE,
	    "a failed sync took back records that were not yet durable; "
	    "the log now ends at offset %lld",
	    (long long)partition->state.next_offset);
}

/*
 * Cut the log to byte to, where a batch ends, and unset marks.  The counter is
 * raised and published before: if this process dies in between, others must not
 * take a log that was cut for one that was never longer.  The offset there is
 * not in the state, so the segment is walked again.
 */
static int
cut_to(struct stream_partition *partition, uint64_t to, uint16_t marks,
    struct stream_error *err)
{
	struct stream_state *state = &partition->state;
	int status;

	state->takebacks++;
	state->takeback_base = state->active_base;
	state->takeback_end = to;
	status = stream_partition_publish(partition, err);
	if (status == STREAM_OK)
		status = stream_io_truncate(partition->segment.log, to, err);
	if (status == STREAM_OK) {
		state->marks &= (uint16_t)~marks;
		status = walk_again(partition, err);
	}
	if (status != STREAM_OK)
		partition->poisoned = true;
	return status;
}

/* What stands past the durable end may be on the disk or not. */
static int
take_back(struct stream_partition *partition, struct stream_error *err)
{
	return cut_to(
	    partition, partition->state.durable_end, STREAM_MARK_SYNCING, err);
}

int
stream_partition_sync_locked(
    struct stream_partition *partition, struct stream_error *err)
{
	struct stream_state *state = &partition->state;
	struct stream_error cause;
	uint64_t end = state->end;
	int status = stream_io_sync(partition->segment.log, &cause);

	if (status == STREAM_OK) {
		state->durable_end = end;
		return STREAM_OK;
	}
	take_back(partition, NULL);
	partition->dirty = false;
	if (err != NULL)
		*err = cause;
	return stream_fail_in(err, status,
	    "%020lld.log: records after the last successful sync are taken "
	    "back, the log ends at offset %lld",
	    (long long)state->active_base, (long long)state->next_offset);
}

/* Write the same bytes again where they stand, so that they are dirty and the
 * next sync really writes them. */
static int
rewrite(struct stream_partition *partition, uint64_t from, uint64_t to,
    struct stream_error *err)
{
	uint8_t bytes[REWRITE];
	int log = partition->segment.log;

	while (from < to) {
		size_t n = to - from < REWRITE ? (size_t)(to - from) : REWRITE;
		size_t got;
		int status = stream_io_read_at(log, bytes, n, from, &got, err);

		if (status == STREAM_OK)
			status = stream_io_write_at(
			    log, bytes, got, from, NULL, err);
		if (status != STREAM_OK || got < n)
			return status;
		from += n;
	}
	return STREAM_OK;
}

/* The end of the whole batches that follow byte from. */
static int
find_whole(struct stream_partition *partition, uint64_t from, uint64_t *end,
    struct stream_error *err)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	stream_scan_init(&scan, partition->segment.log, from, STREAM_SCAN_WHOLE,
	    STREAM_BATCH_CAP_MOST, STREAM_SCAN_BLOCK);
	scan.limit = partition->state.end;
	while ((status = stream_scan_next(&scan, &batch, &bytes, err)) ==
	       STREAM_OK)
		;
	*end = scan.next;
	stream_scan_release(&scan);
	return status == STREAM_END || status == STREAM_ETORN ||
		       status == STREAM_ECORRUPT
		   ? STREAM_OK
		   : status;
}

/*
 * The mark of a sync whose holder is dead: it may have failed.  Drop what the
 * cache only believes, see what is really there, cut what is not whole or
 * stands behind that, and write the rest again.  Both locks held.
 */
static int
redo_dead_sync(struct stream_partition *partition, struct stream_error *err)
{
	struct stream_state *state = &partition->state;
	uint64_t durable = state->durable_end;
	uint64_t end;
	int status;

	/* The kernel drops whole pages only, so begin where one does. */
	posix_fadvise(partition->segment.log, (off_t)(durable - durable % PAGE),
	    0, POSIX_FADV_DONTNEED);
	status = find_whole(partition, durable, &end, err);
	if (status == STREAM_OK && end < state->end)
		status = cut_to(partition, end, 0, err);
	else if (status == STREAM_OK)
		status = walk_again(partition, err);
	if (status == STREAM_OK)
		status = rewrite(partition, durable, state->end, err);
	return status;
}

int
stream_partition_begin_sync(struct stream_partition *partition, uint16_t marks,
    struct stream_error *err)
{
	int status = STREAM_OK;

	if (partition->state.marks & STREAM_MARK_SYNCING)
		status = redo_dead_sync(partition, err);
	if (status != STREAM_OK)
		return status;
	partition->state.marks |= marks;
	return stream_partition_publish(partition, err);
}

/* A closed segment was synced when it was closed; and another writer's sync
 * may have covered this handle's bytes.  One that wrote nothing itself (a
 * reader that waits for durable records) syncs whatever there is. */
static bool
is_needed(const struct stream_partition *partition)
{
	const struct stream_state *state = &partition->state;

	if (!partition->dirty)
		return state->durable_end < state->end;
	return state->active_base == partition->dirty_base &&
	       state->durable_end < partition->dirty_end;
}

/* What a sync covers, as it stood when it began. */
struct cover {
	int64_t base; /* of the segment */
	uint64_t durable_end;
	uint64_t end;
};

/* With the sync lock: is there still something to do?  If so, mark it. */
static int
prepare(struct stream_partition *partition, bool *needed, struct cover *cover,
    struct stream_error *err)
{
	const struct stream_state *state = &partition->state;
	int status = stream_partition_lock(partition, err);

	*needed = false;
	if (status != STREAM_OK)
		return status;
	status = stream_partition_check_takeback(partition, err);
	if (status == STREAM_OK)
		*needed = is_needed(partition);
	if (*needed)
		status = stream_partition_begin_sync(
		    partition, STREAM_MARK_SYNCING, err);
	if (status == STREAM_OK)
		status = stream_partition_check_takeback(partition, err);
	*cover =
	    (struct cover){state->active_base, state->durable_end, state->end};
	stream_partition_unlock(partition);
	return status;
}

static int
fail_sync(struct stream_partition *partition,
    const struct stream_error *failure, struct stream_error *err)
{
	const struct stream_state *state = &partition->state;

	take_back(partition, NULL);
	partition->dirty = false;
	if (err != NULL)
		*err = *failure;
	return stream_fail_in(err, failure->status,
	    "%020lld.log: records after the last successful sync are taken "
	    "back, the log ends at offset %lld",
	    (long long)state->active_base, (long long)state->next_offset);
}

/*
 * Tell the others: durable up to the end, or taken back.  If someone removed
 * the state file meanwhile, the state was rebuilt and knows of nothing durable;
 * this sync does.
 */
static int
conclude(struct stream_partition *partition, const struct cover *cover,
    const struct stream_error *failure, struct stream_error *err)
{
	struct stream_state *state = &partition->state;
	int status = stream_partition_lock(partition, err);

	if (status != STREAM_OK)
		return status;
	if (state->active_base == cover->base) {
		uint64_t durable =
		    failure == NULL ? cover->end : cover->durable_end;

		if (durable > state->durable_end && durable <= state->end)
			state->durable_end = durable;
	}
	if (failure == NULL) {
		state->marks &= (uint16_t)~STREAM_MARK_SYNCING;
		status = stream_partition_publish(partition, err);
	} else {
		status = fail_sync(partition, failure, err);
	}
	stream_partition_unlock(partition);
	return status;
}

/*
 * The sync itself runs without the append lock, so that other writers go on;
 * what they append meanwhile is not counted as durable.  No segment can be
 * closed meanwhile, since that takes the sync lock.
 */
static int
sync_under_lock(struct stream_partition *partition, struct stream_error *err)
{
	struct stream_error failure;
	struct cover cover;
	bool needed;
	int status = prepare(partition, &needed, &cover, err);

	if (status != STREAM_OK || !needed)
		return status;
	status = stream_io_sync(partition->segment.log, &failure);
	return conclude(
	    partition, &cover, status == STREAM_OK ? NULL : &failure, err);
}

/*
 * Has another writer's sync covered this handle's bytes?  Asked without a lock
 * while another one syncs: a slot of the state is whole or not taken, a
 * durable end in it was published after a sync that succeeded, and the
 * take-back counter beside it says that nothing was taken back by then.  What
 * is taken back later lies past that durable end.
 */
static int
is_covered(
    struct stream_partition *partition, bool *covered, struct stream_error *err)
{
	struct stream_state now;
	int status = stream_state_read(
	    partition->statefd, &partition->identity, &now, err);

	*covered = status == STREAM_OK && partition->dirty &&
		   now.sequence != 0 &&
		   now.takebacks == partition->dirty_takebacks &&
		   (now.active_base > partition->dirty_base ||
		       (now.active_base == partition->dirty_base &&
			   now.durable_end >= partition->dirty_end));
	return status;
}

/* Become the one who syncs, unless another's sync is enough.  Many who wait
 * for one sync need not queue for the lock to learn that it is over. */
static int
lock_or_wait(
    struct stream_partition *partition, bool *covered, struct stream_error *err)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_NS};
	int64_t start_ms = stream_clock_steady_ms();

	*covered = false;
	for (;;) {
		struct stream_error busy;
		int status = stream_partition_try_lock_sync(partition, &busy);

		if (status != STREAM_EBUSY) {
			if (status != STREAM_OK && err != NULL)
				*err = busy;
			return status;
		}
		status = is_covered(partition, covered, err);
		if (status != STREAM_OK || *covered)
			return status;
		if (stream_clock_steady_ms() - start_ms >=
		    partition->config.lock_timeout_ms) {
			if (err != NULL)
				*err = busy;
			return STREAM_EBUSY;
		}
		nanosleep(&pause, NULL);
	}
}

int
stream_partition_sync(
    struct stream_partition *partition, struct stream_error *err)
{
	bool covered;
	int status;

	if (partition->poisoned)
		return stream_fail(err, STREAM_EIO, STREAM_POS_NONE,
		    "an earlier write could not be undone");
	status = lock_or_wait(partition, &covered, err);
	if (status == STREAM_OK && !covered) {
		status = sync_under_lock(partition, err);
		stream_partition_unlock_sync(partition);
	}
	if (status == STREAM_OK)
		partition->dirty = false;
	return status;
}
