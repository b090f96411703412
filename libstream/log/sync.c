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
#include <sched.h>

#include "base/clock.h"
#include "base/fail.h"
#include "file/io.h"
#include "file/lock.h"
#include "file/scan.h"
#include "log/partition_private.h"

enum {
	REWRITE = 1 << 16, /* bytes that are written again at once */
	PAGE = 1 << 16,    /* the largest page of any Linux */
	/* An append takes 10 microseconds, a sync 150 and more.  Sleeping that
	 * short is not to be had: the kernel adds 50 and more. */
	GATHER_NS = 60000
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

static struct stream_cover
cover_of(const struct stream_state *state)
{
	return (struct stream_cover){
	    state->active_base, state->durable_end, state->end};
}

void
stream_partition_join_sync(struct stream_partition *partition)
{
	struct stream_state *state = &partition->state;

	/* A dead process's mark takes more than a sync; and with company it is
	 * better to let others append first (gather). */
	if ((state->marks & STREAM_MARK_SYNCING) != 0 || partition->company)
		return;
	/* Not waiting for it, so the order of locks does not matter; and the
	 * file was just seen to be the right one. */
	if (stream_lock_take(partition->statefd, STREAM_LOCK_EXCLUSIVE,
		STREAM_LOCK_SYNC, 1, 0, NULL) != STREAM_OK)
		return;
	partition->holds_sync = true;
	state->marks |= STREAM_MARK_SYNCING;
	partition->cover = cover_of(state);
}

/* With the sync lock: is there still something to do?  If so, mark it. */
static int
prepare(
    struct stream_partition *partition, bool *needed, struct stream_error *err)
{
	int status = stream_partition_lock_to_settle(partition, err);

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
	partition->cover = cover_of(&partition->state);
	stream_partition_unlock(partition);
	return status;
}

/*
 * The sync worked: say so in the state that is there now.  If someone removed
 * the state file meanwhile, the state was rebuilt and knows of nothing durable;
 * this sync does.  What others did to the log meanwhile is theirs to look at:
 * the marks and the durable end are all that changes.
 */
static int
conclude(struct stream_partition *partition, struct stream_error *err)
{
	const struct stream_cover *cover = &partition->cover;
	struct stream_state *state = &partition->state;
	int status = stream_partition_lock_quickly(partition, err);

	if (status != STREAM_OK)
		return status;
	if (state->active_base == cover->base &&
	    cover->end > state->durable_end && cover->end <= state->end)
		state->durable_end = cover->end;
	state->marks &= (uint16_t)~STREAM_MARK_SYNCING;
	status = stream_state_write(
	    partition->statefd, &partition->identity, state, err);
	partition->written = state->sequence;
	stream_partition_unlock(partition);
	return status;
}

static int
fail_sync(struct stream_partition *partition,
    const struct stream_error *failure, struct stream_error *err)
{
	struct stream_state *state = &partition->state;
	const struct stream_cover *cover = &partition->cover;
	int status = stream_partition_lock_to_settle(partition, err);

	if (status != STREAM_OK)
		return status;
	/* Lost with a state file that was removed meanwhile. */
	if (state->active_base == cover->base &&
	    cover->durable_end > state->durable_end &&
	    cover->durable_end <= state->end)
		state->durable_end = cover->durable_end;
	take_back(partition, NULL);
	stream_partition_unlock(partition);
	partition->dirty = false;
	if (err != NULL)
		*err = *failure;
	return stream_fail_in(err, failure->status,
	    "%020lld.log: records after the last successful sync are taken "
	    "back, the log ends at offset %lld",
	    (long long)state->active_base, (long long)state->next_offset);
}

/*
 * With the mark set and the sync lock held, which is given back.  The sync
 * itself runs without the append lock, so that other writers go on; what they
 * append meanwhile is not counted as durable.  No segment can be closed
 * meanwhile, since that takes the sync lock.
 */
static int
finish_sync(struct stream_partition *partition, struct stream_error *err)
{
	struct stream_error failure;
	int status = stream_io_sync(partition->segment.log, &failure);

	if (status == STREAM_OK)
		status = conclude(partition, err);
	else
		status = fail_sync(partition, &failure, err);
	stream_partition_unlock_sync(partition);
	if (partition->company)
		stream_bell_ring(&partition->bell, partition->statefd);
	partition->company = false;
	return status;
}

/*
 * Let those whom the last sync released append again, so that this one covers
 * them too.  Without it, writers fall into two halves of which each waits for
 * the other's sync: with eight of them 4.5 records a sync, in place of 8.
 */
static void
gather(const struct stream_partition *partition)
{
	int64_t end_ns = stream_clock_steady_ns() + GATHER_NS;

	while (partition->company && stream_clock_steady_ns() < end_ns)
		sched_yield();
}

static int
sync_or_wait(struct stream_partition *partition, struct stream_error *err)
{
	bool covered, needed;
	int status = stream_partition_lock_or_wait(partition, &covered, err);

	if (status != STREAM_OK || covered)
		return status;
	gather(partition);
	status = prepare(partition, &needed, err);
	if (status == STREAM_OK && needed)
		return finish_sync(partition, err);
	stream_partition_unlock_sync(partition);
	return status;
}

int
stream_partition_sync(
    struct stream_partition *partition, struct stream_error *err)
{
	int status;

	if (partition->poisoned)
		return stream_fail(err, STREAM_EIO, STREAM_POS_NONE,
		    "an earlier write could not be undone");
	status = sync_or_wait(partition, err);
	if (status == STREAM_OK)
		partition->dirty = false;
	return status;
}

/* The append published that a sync began; do it. */
static int
sync_joined(struct stream_partition *partition, struct stream_error *err)
{
	int status;

	if (!partition->holds_sync)
		return stream_partition_sync(partition, err);
	status = finish_sync(partition, err);
	if (status == STREAM_OK)
		partition->dirty = false;
	return status;
}

int
stream_partition_append_durably(struct stream_partition *partition,
    uint8_t *batches, size_t size, size_t *done, struct stream_error *err)
{
	int status;

	partition->syncs_next = true;
	status = stream_partition_append(partition, batches, size, done, err);
	partition->syncs_next = false;
	if (status == STREAM_OK) {
		status = sync_joined(partition, err);
		if (status != STREAM_OK && done != NULL)
			*done = 0; /* taken back, or as good as */
		return status;
	}
	/* The mark may have been published: who finds it looks again. */
	if (partition->holds_sync)
		stream_partition_unlock_sync(partition);
	return status;
}

int
stream_partition_find_durable(struct stream_partition *partition,
    int64_t *base_offset, uint64_t *bytes, int *fd, struct stream_error *err)
{
	const struct stream_state *state = &partition->state;
	int status = stream_partition_sync(partition, err);
	int copy;

	if (status == STREAM_OK)
		status = stream_partition_lock(partition, err);
	if (status != STREAM_OK)
		return status;
	copy = fcntl(partition->segment.log, F_DUPFD_CLOEXEC, 0);
	stream_partition_unlock(partition);
	if (copy < 0)
		return stream_fail_sys(err, "cannot open the log again");
	*base_offset = state->active_base;
	*bytes = state->durable_end;
	*fd = copy;
	return STREAM_OK;
}
