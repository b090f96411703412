/*
 * reader_end.c - what it means that no whole batch follows
 *
 * SPEC section 10.  The file may end there for now; an append may be under
 * way; it may be torn, or damaged; the segment may be closed and the log go on
 * in the next; or a failed sync may have cut what was read already.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "file/io.h"
#include "file/tail.h"
#include "log/partition.h"
#include "log/quiet.h"
#include "log/reader_private.h"

enum {
	/* Looking every millisecond costs nothing. */
	SYNC_PAUSE_MS = 1,
	/* A writer with the default --sync syncs within a second, one with
	 * --ack at once: a reader that waits longer than this does it. */
	SYNC_PATIENCE_MS = 50
};

static void
pause_ms(int ms)
{
	struct timespec pause = {.tv_nsec = (long)ms * 1000000};

	nanosleep(&pause, NULL);
}

/* Someone removed the state file, and writers made another, which is where
 * they count take-backs now. */
static int
read_new_state(struct stream_reader *reader, struct stream_state *state,
    struct stream_error *err)
{
	int status;

	close(reader->statefd);
	stream_reader_open_state(reader);
	if (reader->statefd < 0)
		return STREAM_OK;
	status =
	    stream_state_read(reader->statefd, &reader->identity, state, err);
	if (status == STREAM_OK && state->takebacks < reader->takebacks)
		reader->takebacks = state->takebacks;
	return status;
}

int
stream_reader_read_state(struct stream_reader *reader,
    struct stream_state *state, struct stream_error *err)
{
	bool has_name;

	*state = (struct stream_state){0};
	if (reader->statefd < 0 || reader->only != NULL)
		return STREAM_OK;
	if (stream_io_has_name(reader->statefd, &has_name, NULL) == STREAM_OK &&
	    !has_name)
		return read_new_state(reader, state, err);
	return stream_state_read(
	    reader->statefd, &reader->identity, state, err);
}

bool
stream_reader_trusts(const struct stream_reader *reader,
    const struct stream_state *state, uint64_t size)
{
	const struct stream_view *view = &reader->view;

	return stream_state_is_current(state, &reader->identity) &&
	       (state->marks & STREAM_MARK_ROLLING) == 0 && view->count > 0 &&
	       size == state->end &&
	       view->segments[view->count - 1].base_offset ==
		   state->active_base;
}

/* Bytes of the open segment that are known to be synced. */
static uint64_t
durable_end(
    const struct stream_reader *reader, const struct stream_state *state)
{
	if (state->sequence == 0 ||
	    state->active_base != stream_reader_base(reader))
		return 0;
	return state->durable_end;
}

/* What is durable now is taken back by nobody. */
static void
note_safe(struct stream_reader *reader, const struct stream_state *state)
{
	reader->takebacks = state->takebacks;
	reader->safe_base = stream_reader_base(reader);
	reader->safe_end = durable_end(reader, state);
}

/* Did a take-back since the last look reach below byte at?  Only the last one
 * is known; if there were several, only what was durable before them is safe.
 */
static bool
reaches_below(const struct stream_reader *reader,
    const struct stream_state *state, uint64_t at)
{
	int64_t base = stream_reader_base(reader);

	if (state->takebacks == reader->takebacks)
		return false;
	if (state->takebacks == reader->takebacks + 1)
		return state->takeback_base == base && state->takeback_end < at;
	return reader->safe_base != base || reader->safe_end < at;
}

/*
 * A failed sync took records back that this reader had passed: what stands
 * there now, if anything, is not what it read.
 */
static int
compare_takeback(struct stream_reader *reader, const struct stream_state *state,
    uint64_t at, uint64_t size, struct stream_error *err)
{
	if (size >= at && !reaches_below(reader, state, at)) {
		note_safe(reader, state);
		return STREAM_OK;
	}
	return stream_fail(err, STREAM_ELOST, STREAM_POS_NONE,
	    "%s/%s: records up to offset %lld were read and then taken back, "
	    "by a failed sync or replicate-rsync --truncate; the file was cut "
	    "to %llu bytes",
	    reader->name, reader->log_name, (long long)reader->next - 1,
	    (unsigned long long)(state->takeback_base ==
					     stream_reader_base(reader) &&
					 state->takeback_end < at
				     ? state->takeback_end
				     : size));
}

int
stream_reader_forget_takebacks(
    struct stream_reader *reader, struct stream_error *err)
{
	struct stream_state state;
	int status = stream_reader_read_state(reader, &state, err);

	if (status == STREAM_OK)
		note_safe(reader, &state);
	return status;
}

/* Is there a newer segment by now?  Then load the view that has it. */
static int
look_for_newer(
    struct stream_reader *reader, bool *newer, struct stream_error *err)
{
	int status;

	*newer = !stream_reader_in_newest(reader);
	if (*newer || reader->only != NULL ||
	    stream_watch_may_skip_listing(reader))
		return STREAM_OK;
	if (reader->statefd < 0)
		stream_reader_open_state(reader);
	status = stream_reader_list_again(reader, err);
	if (status != STREAM_OK)
		return status;
	*newer = !stream_reader_in_newest(reader);
	return STREAM_OK;
}

int
stream_reader_check_takeback(
    struct stream_reader *reader, uint64_t at, struct stream_error *err)
{
	struct stream_state state;
	int status = stream_reader_read_state(reader, &state, err);

	if (status != STREAM_OK)
		return status;
	return compare_takeback(reader, &state, at, UINT64_MAX, err);
}

int
stream_reader_check_durable(
    struct stream_reader *reader, struct stream_error *err)
{
	struct stream_state state;
	uint64_t size;
	int status = stream_reader_read_state(reader, &state, err);

	/* The state first: a file that grows meanwhile is no shorter. */
	if (status == STREAM_OK)
		status = stream_io_size(reader->fd, &size, err);
	if (status != STREAM_OK || size >= durable_end(reader, &state))
		return status;
	status = stream_fail(err, STREAM_ECORRUPT, size,
	    "the file ends here, though %llu bytes were made durable",
	    (unsigned long long)state.durable_end);
	return stream_reader_fail_at(reader, status, size, err);
}

/* The file ends exactly after a batch. */
static int
at_end(struct stream_reader *reader, bool *go_on, struct stream_error *err)
{
	struct stream_state state;
	uint64_t size;
	bool newer;
	int status;

	status = stream_reader_read_state(reader, &state, err);
	if (status == STREAM_OK)
		status = stream_io_size(reader->fd, &size, err);
	if (status == STREAM_OK)
		status = compare_takeback(
		    reader, &state, reader->scan.next, size, err);
	if (status == STREAM_OK)
		status = stream_reader_check_durable(reader, err);
	if (status == STREAM_OK)
		status = look_for_newer(reader, &newer, err);
	if (status != STREAM_OK)
		return status;
	if (!newer) {
		reader->woken = false;
		return STREAM_END;
	}
	/* Its last bytes may have come after we read to its end. */
	*go_on = reader->closed_once;
	reader->closed_once = true;
	return STREAM_OK;
}

/* Read the batch at the scan's place once more and stay there. */
static int
read_again(void *owner, struct stream_error *err)
{
	struct stream_reader *reader = owner;
	uint64_t at = reader->scan.next;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status = stream_scan_next(&reader->scan, &batch, &bytes, err);

	stream_scan_move(&reader->scan, reader->fd, at);
	return status;
}

static int
look_again(struct stream_reader *reader, struct stream_error *err)
{
	struct stream_quiet quiet = {
	    .statefd = reader->statefd,
	    .identity = &reader->identity,
	    .timeout_ms = reader->options.lock_timeout_ms,
	    .again = read_again,
	    .owner = reader,
	};
	uint64_t size = 0;
	int status;

	/* One who skips damage meets it more than once. */
	if (stream_io_size(reader->fd, &size, NULL) == STREAM_OK &&
	    reader->settled_base == reader->base &&
	    reader->settled_bytes == size)
		return read_again(reader, err);
	status = stream_quiet_look(&quiet, err);
	if (reader->statefd < 0) {
		reader->settled_base = reader->base;
		reader->settled_bytes = size;
	}
	return status;
}

/* Whose bytes of the open segment are known to be whole?  The state first: a
 * writer may cut and go on meanwhile. */
static int
read_known(struct stream_reader *reader, struct stream_tail_known *known,
    struct stream_error *err)
{
	struct stream_state state;
	int status = stream_reader_read_state(reader, &state, err);

	if (status == STREAM_OK)
		*known = stream_tail_known(
		    &state, &reader->identity, stream_reader_base(reader));
	return status;
}

int
stream_reader_judge_tail(struct stream_reader *reader, uint64_t at,
    int64_t next, enum stream_tail *tail, struct stream_error *err)
{
	struct stream_tail_known known;
	int status = read_known(reader, &known, err);

	return status != STREAM_OK
		   ? status
		   : stream_tail_judge_known(reader->fd, at, next,
			 reader->options.max_batch_bytes, &known, tail, err);
}

uint64_t
stream_reader_begin(struct stream_reader *reader, uint64_t position)
{
	struct stream_tail_known known;

	if (position == 0 || read_known(reader, &known, NULL) != STREAM_OK)
		return 0;
	return stream_tail_begin(&known, position);
}

static int
note_torn(struct stream_reader *reader, enum stream_tail tail)
{
	char text[200];

	if (!reader->torn_is_noted && reader->options.note != NULL &&
	    (reader->options.flags & STREAM_READER_FOLLOW) == 0) {
		snprintf(text, sizeof(text),
		    "%.60s/%s: byte %llu: %s; not shown", reader->name,
		    reader->log_name, (unsigned long long)reader->scan.next,
		    tail == STREAM_TAIL_LOST
			? "what a loss of power left of appends follows"
			: "an append that did not finish follows (torn)");
		reader->options.note(reader->options.note_context, text);
	}
	reader->torn_is_noted = true;
	return STREAM_END;
}

/* In the newest segment, nobody writing: torn, bad or damaged? */
static int
judge(struct stream_reader *reader, int status, struct stream_error *err)
{
	struct stream_tail_known known;
	struct stream_error why;
	enum stream_tail tail;
	uint64_t at = reader->scan.next;
	int found = read_known(reader, &known, &why);

	if (found == STREAM_OK)
		found = stream_tail_judge_known(reader->fd, at,
		    reader->expected > reader->base ? reader->expected
						    : reader->base,
		    reader->options.max_batch_bytes, &known, &tail, &why);
	if (found != STREAM_OK) {
		if (err != NULL)
			*err = why;
		return stream_reader_fail_at(reader, found, at, err);
	}
	if (tail == STREAM_TAIL_NONE)
		return STREAM_OK;
	if (tail == STREAM_TAIL_LOST ||
	    (tail == STREAM_TAIL_TORN && at >= known.durable_end))
		return note_torn(reader, tail);
	if (tail == STREAM_TAIL_BAD && at >= known.durable_end)
		stream_fail_in(err, status,
		    "the last batch is bad (the next writer sets it aside)");
	if (status == STREAM_ENEWER && tail != STREAM_TAIL_NEWER) {
		/* Not a batch of another format, but no batch at all. */
		status = STREAM_ECORRUPT;
		if (err != NULL)
			err->status = STREAM_ECORRUPT;
		if (tail == STREAM_TAIL_DAMAGE)
			stream_fail_in(
			    err, status, "damaged before good batches");
	}
	if (status == STREAM_ETORN)
		status = stream_fail(err, STREAM_ECORRUPT, at,
		    tail == STREAM_TAIL_DAMAGE
			? "damaged: the batch's length is wrong, or bytes are "
			  "missing before good ones"
			: "damaged: the file ends within a batch that was "
			  "made durable");
	return stream_reader_fail_at(reader, status, at, err);
}

int
stream_reader_stopped(struct stream_reader *reader, int status, bool *go_on,
    struct stream_error *err)
{
	struct stream_error why;
	bool newer;
	int again;

	if (status == STREAM_END)
		return at_end(reader, go_on, err);
	if (!stream_quiet_is_bad(status))
		return stream_reader_fail_at(
		    reader, status, reader->scan.next, err);
	again = look_again(reader, &why);
	if (!stream_quiet_is_bad(again)) {
		if (again != STREAM_OK && again != STREAM_END && err != NULL)
			*err = why;
		return again == STREAM_END ? STREAM_OK : again;
	}
	if (err != NULL)
		*err = why;
	/* Bytes that were cut, and others written in their place. */
	status = stream_reader_check_takeback(reader, reader->scan.next, &why);
	if (status == STREAM_OK)
		status = look_for_newer(reader, &newer, &why);
	if (status != STREAM_OK) {
		if (err != NULL)
			*err = why;
		return status;
	}
	if (!newer)
		return judge(reader, again, err);
	if (!reader->closed_once) {
		reader->closed_once = true;
		return STREAM_OK;
	}
	/* A closed segment has no unfinished appends. */
	if (again == STREAM_ETORN) {
		again = STREAM_ECORRUPT;
		if (err != NULL)
			err->status = STREAM_ECORRUPT;
	}
	return stream_reader_fail_at(reader, again, reader->scan.next, err);
}

/* The same, but all of a segment that is closed: it was synced before. */
static uint64_t
synced_end(const struct stream_reader *reader, const struct stream_state *state)
{
	if (state->sequence != 0 &&
	    state->active_base > stream_reader_base(reader))
		return UINT64_MAX;
	return durable_end(reader, state);
}

/* By the protocol that writers use. */
static int
sync_as_writer(
    struct stream_reader *reader, uint64_t *durable, struct stream_error *err)
{
	struct stream_log_config config = {
	    .index_interval_bytes = 4096,
	    .dense = reader->dense,
	    .lock_timeout_ms = reader->options.lock_timeout_ms,
	    .note = reader->options.note,
	    .note_context = reader->options.note_context,
	};
	struct stream_partition *partition;
	struct stream_state state;
	int status =
	    stream_partition_open(reader->dirfd, &config, &partition, err);

	if (status != STREAM_OK)
		return status;
	status = stream_partition_sync(partition, err);
	stream_partition_close(partition);
	if (status != STREAM_OK)
		return status;
	/* The file may be another than the one that was opened long ago. */
	close(reader->statefd);
	stream_reader_open_state(reader);
	status = stream_reader_read_state(reader, &state, err);
	if (status == STREAM_OK)
		*durable = synced_end(reader, &state);
	return status;
}

static bool
may_not_write(int status, const struct stream_error *why)
{
	return status == STREAM_EIO &&
	       (why->sys == EACCES || why->sys == EPERM || why->sys == EROFS);
}

/*
 * Sync on behalf of a writer that does not.  Where this process may write, as
 * a writer; else by a plain fdatasync of what is there.
 */
static int
sync_log(
    struct stream_reader *reader, uint64_t *durable, struct stream_error *err)
{
	struct stream_error why;
	int status;

	if (reader->statefd >= 0 && reader->is_ours) {
		status = sync_as_writer(reader, durable, &why);
		if (!may_not_write(status, &why)) {
			if (status != STREAM_OK && err != NULL)
				*err = why;
			return status;
		}
	}
	status = stream_io_size(reader->fd, durable, err);
	if (status == STREAM_OK)
		status = stream_io_sync(reader->fd, err);
	return status;
}

int
stream_reader_update_durable(
    struct stream_reader *reader, struct stream_error *err)
{
	struct stream_state state;
	uint64_t durable, size;
	int64_t since_ms = stream_clock_steady_ms();
	int status;

	for (;;) {
		status = stream_reader_read_state(reader, &state, err);
		if (status == STREAM_OK)
			status = stream_io_size(reader->fd, &size, err);
		if (status != STREAM_OK)
			return status;
		durable = synced_end(reader, &state);
		if (durable >= size || reader->statefd < 0 ||
		    stream_clock_steady_ms() - since_ms >= SYNC_PATIENCE_MS)
			break;
		pause_ms(SYNC_PAUSE_MS);
	}
	if (durable < size)
		status = sync_log(reader, &durable, err);
	reader->limit_base = stream_reader_base(reader);
	reader->limit_bytes = durable;
	return status;
}
