/*
 * reader_seek.c - from points to offsets
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "file/tail.h"
#include "log/reader.h"
#include "log/reader_private.h"

/* How far before the end the search for the last records begins, and by how
 * much it goes further back when that was not far enough. */
enum { LAST_FIRST = 1 << 20, LAST_FACTOR = 8 };

int64_t
stream_reader_log_start(const struct stream_reader *reader)
{
	int64_t start = reader->log_start_offset;

	if (reader->view.count > 0 &&
	    reader->view.segments[0].base_offset > start)
		start = reader->view.segments[0].base_offset;
	return start;
}

static struct stream_index_source
index_source(const struct stream_reader *reader)
{
	return (struct stream_index_source){reader->dirfd, reader->log_name,
	    reader->fd, stream_reader_base(reader),
	    reader->options.max_batch_bytes};
}

/* The end as it is now, for one who does not follow: bytes of the newest
 * segment. */
static int
set_limit(struct stream_reader *reader, struct stream_error *err)
{
	size_t newest = reader->view.count - 1;
	int status = stream_reader_open_segment(reader, newest, 0, err);

	if (status != STREAM_OK)
		return status;
	if ((reader->options.flags & STREAM_READER_DURABLE) != 0)
		return stream_reader_update_durable(reader, err);
	if ((reader->options.flags & STREAM_READER_FOLLOW) != 0)
		return STREAM_OK;
	/* It may be there again when it is come to. */
	if (reader->is_unreadable)
		return STREAM_OK;
	reader->limit_base = stream_reader_base(reader);
	return stream_io_size(reader->fd, &reader->limit_bytes, err);
}

/* Is what follows at a byte of the open segment no damage, but an append that
 * did not finish? */
static bool
is_torn(struct stream_reader *reader, uint64_t at, int64_t next)
{
	enum stream_tail tail;

	return stream_reader_in_newest(reader) &&
	       stream_tail_judge(reader->fd, at, next,
		   reader->options.max_batch_bytes, &tail, NULL) == STREAM_OK &&
	       (tail == STREAM_TAIL_NONE || tail == STREAM_TAIL_TORN);
}

/* The next batch of the scan, if it is the one that follows the last.  Where an
 * index led to the first of them, the one after it must say so. */
static int
next_in_chain(struct stream_reader *reader, const uint8_t **bytes,
    struct stream_error *err)
{
	uint64_t at = reader->scan.next;
	int status =
	    stream_scan_next(&reader->scan, &reader->batch, bytes, err);

	if (status == STREAM_END)
		return status;
	if (status != STREAM_OK)
		return stream_reader_fail_at(reader, status, at, err);
	if (reader->dense && reader->expected < 0 &&
	    !stream_reader_believes(reader, at)) {
		reader->scan.next = at;
		status = stream_fail(err, STREAM_ECORRUPT, at,
		    "batch at offset %lld, which what follows does not confirm",
		    (long long)reader->batch.info.base_offset);
		return stream_reader_fail_at(reader, status, at, err);
	}
	return stream_reader_check_chain(reader, &reader->batch, err);
}

/* The walk over the open segment stopped with status.  One who skips damage
 * goes to the next good batch; else STREAM_END, or status when that is fatal.
 */
static int
pass_damage(struct stream_reader *reader, int64_t next, int status,
    struct stream_error *err)
{
	uint64_t position;

	if (status == STREAM_EIO || status == STREAM_ENOMEM)
		return status;
	if (status == STREAM_END || !stream_reader_skips(reader))
		return STREAM_END;
	status = stream_reader_resync(
	    reader, reader->scan.next, next, &position, &reader->expected, err);
	if (status == STREAM_OK)
		stream_scan_move(&reader->scan, reader->fd, position);
	return status;
}

/* The offset after the last good batch from a byte on; *offset stays if there
 * is none.  *stopped is what ended the walk. */
static int
walk_from(struct stream_reader *reader, uint64_t position, int64_t *offset,
    int *stopped, struct stream_error *why)
{
	const uint8_t *bytes;
	int status;

	stream_scan_move(&reader->scan, reader->fd, position);
	reader->expected = position == 0 ? reader->base : -1;
	do {
		while (
		    (status = next_in_chain(reader, &bytes, why)) == STREAM_OK)
			*offset = reader->batch.info.last_offset + 1;
		*stopped = status;
		status = pass_damage(reader, *offset, status, why);
	} while (status == STREAM_OK);
	return status;
}

/* Walk the newest segment from its last index entry to the last good batch.
 * *damaged: more was behind it, as *why says; nobody knows how much. */
static int
walk_to_end(struct stream_reader *reader, int64_t *offset, bool *damaged,
    struct stream_error *why, struct stream_error *err)
{
	struct stream_index_source source = index_source(reader);
	uint64_t position;
	int stopped;
	int status;

	*offset = reader->base;
	stream_index_find(&source, reader->base + INT32_MAX, &position);
	status = walk_from(reader, position, offset, &stopped, why);
	/* An index that led to what cannot be right. */
	if (status == STREAM_END && *offset == reader->base && position > 0)
		status = walk_from(reader, 0, offset, &stopped, why);
	*damaged = stopped != STREAM_END &&
		   !is_torn(reader, reader->scan.next, *offset);
	reader->is_end_unknown = reader->is_end_unknown || *damaged;
	if (status != STREAM_END && err != NULL)
		*err = *why;
	return status == STREAM_END ? STREAM_OK : status;
}

/* As stream_reader_log_end; *damaged as walk_to_end. */
static int
find_end(struct stream_reader *reader, int64_t *offset, bool *damaged,
    struct stream_error *why, struct stream_error *err)
{
	struct stream_state state;
	uint64_t size;
	int status;

	*damaged = false;
	*offset = stream_reader_log_start(reader);
	if (reader->view.count == 0)
		return STREAM_OK;
	status =
	    stream_reader_open_segment(reader, reader->view.count - 1, 0, err);
	if (status == STREAM_OK && reader->is_unreadable) {
		*damaged = true;
		*why = reader->unreadable_why;
		reader->is_end_unknown = true;
		*offset = reader->base;
		return STREAM_OK;
	}
	if (status == STREAM_OK)
		status = stream_reader_read_state(reader, &state, err);
	if (status == STREAM_OK)
		status = stream_io_size(reader->fd, &size, err);
	if (status != STREAM_OK)
		return status;
	if (stream_reader_trusts(reader, &state, size))
		*offset = state.next_offset;
	else
		status = walk_to_end(reader, offset, damaged, why, err);
	if (*offset < stream_reader_log_start(reader))
		*offset = stream_reader_log_start(reader);
	return status;
}

int
stream_reader_log_end(
    struct stream_reader *reader, int64_t *offset, struct stream_error *err)
{
	struct stream_error why;
	bool damaged;

	return find_end(reader, offset, &damaged, &why, err);
}

/* The first record of this batch at or after the time, of those that the log
 * start leaves to see. */
static int
find_in_batch(struct stream_reader *reader, const uint8_t *bytes,
    int64_t timestamp_ms, int64_t *offset, bool *found,
    struct stream_error *err)
{
	int64_t start = stream_reader_log_start(reader);
	size_t count;
	int status = stream_reader_enter(reader, bytes, err);

	while (status == STREAM_OK && !*found && reader->walk.left > 0) {
		status = stream_records_take(&reader->walk, reader->records,
		    STREAM_READER_RECORDS, &count, err);
		for (size_t i = 0; status == STREAM_OK && i < count; i++)
			if (reader->records[i].timestamp_ms >= timestamp_ms &&
			    reader->records[i].offset >= start) {
				*offset = reader->records[i].offset;
				*found = true;
				break;
			}
	}
	reader->walk.left = 0;
	return status;
}

/* May this batch hold the first record at or after the time? */
static bool
reaches(const struct stream_reader *reader, int64_t timestamp_ms)
{
	const struct stream_batch_info *info = &reader->batch.info;

	return info->max_timestamp_ms >= timestamp_ms &&
	       info->last_offset >= stream_reader_log_start(reader) &&
	       !stream_batch_is_control(info);
}

/*
 * In the segment that is open, from a batch on.  All is read whole, since a
 * time in a header that is damaged would pass a batch over.  *next is the
 * offset after the batches that were passed.  STREAM_END when none of them has
 * the record, and what else ends the walk.
 */
static int
walk_to_time(struct stream_reader *reader, uint64_t position,
    int64_t timestamp_ms, int64_t *next, int64_t *offset,
    struct stream_error *err)
{
	const uint8_t *bytes;
	bool found = false;
	int status = STREAM_OK;

	stream_scan_move(&reader->scan, reader->fd, position);
	reader->expected = *next;
	if (*next < 0 && position == 0)
		reader->expected = reader->base;
	while (status == STREAM_OK && !found) {
		status = next_in_chain(reader, &bytes, err);
		if (status == STREAM_OK && reaches(reader, timestamp_ms))
			status = find_in_batch(
			    reader, bytes, timestamp_ms, offset, &found, err);
		if (status == STREAM_OK)
			*next = reader->batch.info.last_offset + 1;
	}
	return status;
}

/* Go on behind the damage (why) that the scan came to, and tell of it; in this
 * segment, or not at all: STREAM_END. */
static int
skip_here(struct stream_reader *reader, int64_t next, uint64_t *position,
    const struct stream_error *why, struct stream_error *err)
{
	int64_t base = reader->base;
	int status;

	reader->expected = next;
	status = stream_reader_skip(reader, why, err);
	*position = reader->scan.next;
	if (status == STREAM_OK && reader->base != base)
		return STREAM_END;
	return status;
}

/*
 * In the segment that is open.  Where it is damaged nobody can tell what was
 * there, so that is where reading begins, and is told; but the end of the
 * newest one may just be under way.  One who skips damage looks behind it.
 */
static int
find_time_here(struct stream_reader *reader, int64_t timestamp_ms,
    int64_t *offset, bool *found, struct stream_error *err)
{
	struct stream_index_source source = index_source(reader);
	struct stream_error why = reader->unreadable_why;
	int64_t next = -1;
	uint64_t position;
	int status = STREAM_ECORRUPT;

	stream_index_find_time(&source, timestamp_ms, &position);
	for (;;) {
		if (!reader->is_unreadable)
			status = walk_to_time(reader, position, timestamp_ms,
			    &next, offset, &why);
		*found = status == STREAM_OK;
		if (status == STREAM_OK || status == STREAM_END)
			return STREAM_OK;
		if (status == STREAM_EIO || status == STREAM_ENOMEM) {
			if (err != NULL)
				*err = why;
			return status;
		}
		if (next < 0 && position > 0) {
			position = 0;
			continue;
		}
		next = next < 0 ? reader->base : next;
		if (is_torn(reader, reader->scan.next, next))
			return STREAM_OK;
		*offset = next;
		*found = !stream_reader_skips(reader);
		reader->is_end_unknown = reader->is_end_unknown || *found;
		if (*found)
			return STREAM_OK;
		status = skip_here(reader, next, &position, &why, err);
		if (status != STREAM_OK)
			return status == STREAM_END ? STREAM_OK : status;
		next = reader->expected;
	}
}

int
stream_reader_find_time(struct stream_reader *reader, int64_t timestamp_ms,
    int64_t *offset, struct stream_error *err)
{
	bool found = false;

	for (size_t i = 0; i < reader->view.count && !found; i++) {
		int status = stream_reader_open_segment(reader, i, 0, err);

		if (status == STREAM_OK)
			status = find_time_here(
			    reader, timestamp_ms, offset, &found, err);
		if (status != STREAM_OK)
			return status;
	}
	if (!found)
		return stream_reader_log_end(reader, offset, err);
	if (*offset < stream_reader_log_start(reader))
		*offset = stream_reader_log_start(reader);
	return STREAM_OK;
}

static int
refuse_offset(const struct stream_reader *reader, int64_t offset, int64_t end,
    struct stream_error *err)
{
	int64_t start = stream_reader_log_start(reader);

	if (start == end)
		return stream_fail(err, STREAM_EOFFSET, STREAM_POS_NONE,
		    "%s: no offset %lld: the log is empty, its next offset is "
		    "%lld",
		    reader->name, (long long)offset, (long long)end);
	return stream_fail(err, STREAM_EOFFSET, STREAM_POS_NONE,
	    "%s: no offset %lld: the log holds %lld to %lld (--clamp takes "
	    "the nearest)",
	    reader->name, (long long)offset, (long long)start,
	    (long long)end - 1);
}

/* An offset that the log holds, or its end; one who follows may name a later
 * one as the end of the range. */
static int
check_offset(struct stream_reader *reader, bool is_end, int64_t *offset,
    struct stream_error *err)
{
	int64_t start = stream_reader_log_start(reader);
	struct stream_error why;
	bool damaged;
	int64_t end;
	int status;

	if (is_end && (reader->options.flags & STREAM_READER_FOLLOW) != 0 &&
	    *offset >= start)
		return STREAM_OK;
	status = find_end(reader, &end, &damaged, &why, err);
	if (status != STREAM_OK || (*offset >= start && *offset <= end))
		return status;
	/* Where the end of the log is damaged it may have held this. */
	if (damaged && *offset > end && stream_reader_skips(reader))
		return STREAM_OK;
	if (damaged && *offset > end) {
		if (err != NULL)
			*err = why;
		return STREAM_ECORRUPT;
	}
	if ((reader->options.flags & STREAM_READER_CLAMP) == 0)
		return refuse_offset(reader, *offset, end, err);
	*offset = *offset < start ? start : end;
	return STREAM_OK;
}

/* A reader of the same log from an offset on, up to the end. */
static int
open_counter(const struct stream_reader *reader, int64_t offset,
    struct stream_reader **counter, struct stream_error *err)
{
	struct stream_reader_source source = {
	    .dirfd = fcntl(reader->dirfd, F_DUPFD_CLOEXEC, 0),
	    .name = reader->name,
	    .only = reader->only,
	    .log_start_offset = reader->log_start_offset,
	    .is_ours = reader->is_ours,
	    .has_transactions = reader->has_transactions,
	    .dense = reader->dense,
	};
	struct stream_reader_options options = reader->options;

	if (source.dirfd < 0)
		return stream_fail_sys(err, "%s: cannot open", reader->name);
	options.range =
	    (struct stream_range){.from = {STREAM_POINT_OFFSET, offset}};
	options.flags &= (unsigned)~STREAM_READER_FOLLOW;
	options.flags |= STREAM_READER_CLAMP;
	options.note = NULL;
	options.hole = NULL;
	return stream_reader_open_source(&source, &options, counter, err);
}

/* How many records that would be shown stand at or after an offset?  Stops at
 * most, and then *offset is that of the record after so many. */
static int
count_from(const struct stream_reader *reader, int64_t most, int64_t *offset,
    int64_t *count, struct stream_error *err)
{
	const struct stream_record *records;
	struct stream_reader *counter;
	size_t some;
	int status = open_counter(reader, *offset, &counter, err);

	*count = 0;
	if (status != STREAM_OK)
		return status;
	while (*count <= most && (status = stream_reader_read(counter, &records,
				      &some, err)) == STREAM_OK) {
		if ((int64_t)some > most - *count)
			*offset = records[most - *count].offset;
		*count += (int64_t)some;
	}
	stream_reader_close(counter);
	return status == STREAM_END ? STREAM_OK : status;
}

/* The base offset of the batch about bytes before the end of the segment that
 * is open; *whole when that is its first. */
static int
offset_before_end(struct stream_reader *reader, uint64_t bytes, int64_t *offset,
    bool *whole, struct stream_error *err)
{
	struct stream_index_source source = index_source(reader);
	uint8_t start[8];
	uint64_t size, position;
	size_t got;
	int status = stream_io_size(reader->fd, &size, err);

	if (status != STREAM_OK)
		return status;
	stream_index_find_before(&source, size, bytes, &position);
	*whole = position == 0;
	*offset = source.base_offset;
	if (*whole)
		return STREAM_OK;
	status = stream_io_read_at(
	    reader->fd, start, sizeof(start), position, &got, err);
	if (status == STREAM_OK && got == sizeof(start)) {
		*offset = 0;
		for (size_t i = 0; i < sizeof(start); i++)
			*offset = *offset << 8 | start[i];
	}
	return status;
}

/*
 * The last n records where offsets have gaps, or records are hidden: count
 * from further and further back until there are enough.  Then *skip of the
 * records at and after *offset are too many.
 */
static int
find_last(struct stream_reader *reader, int64_t n, int64_t *offset,
    int64_t *skip, struct stream_error *err)
{
	int64_t start = stream_reader_log_start(reader);
	uint64_t bytes = LAST_FIRST;
	size_t index = reader->view.count - 1;
	int64_t count = 0;

	for (;;) {
		bool whole;
		int status = stream_reader_open_segment(reader, index, 0, err);

		if (status == STREAM_OK)
			status = offset_before_end(
			    reader, bytes, offset, &whole, err);
		if (status == STREAM_OK && *offset < start)
			*offset = start;
		if (status == STREAM_OK)
			status =
			    count_from(reader, INT64_MAX, offset, &count, err);
		if (status != STREAM_OK)
			return status;
		if (count >= n || *offset == start || (whole && index == 0))
			break;
		if (whole)
			index--;
		bytes = whole ? LAST_FIRST : bytes * LAST_FACTOR;
	}
	*skip = count > n ? count - n : 0;
	return STREAM_OK;
}

static int
resolve_last(struct stream_reader *reader, int64_t n, bool is_end,
    int64_t *offset, struct stream_error *err)
{
	int64_t start = stream_reader_log_start(reader);
	int64_t end, skip, count;
	int status = stream_reader_log_end(reader, &end, err);

	if (status != STREAM_OK)
		return status;
	*offset = end - start < n ? start : end - n;
	if ((reader->dense && !stream_reader_skips(reader)) || n == 0 ||
	    reader->view.count == 0)
		return STREAM_OK;
	status = find_last(reader, n, offset, &skip, err);
	if (status == STREAM_OK && is_end)
		return count_from(reader, skip, offset, &count, err);
	if (status == STREAM_OK)
		reader->skip = skip;
	return status;
}

static int
resolve(struct stream_reader *reader, struct stream_point point, bool is_end,
    int64_t *offset, struct stream_error *err)
{
	*offset = point.value;
	switch (point.kind) {
	case STREAM_POINT_END:
		return stream_reader_log_end(reader, offset, err);
	case STREAM_POINT_OFFSET:
		return check_offset(reader, is_end, offset, err);
	case STREAM_POINT_LAST:
		return resolve_last(reader, point.value, is_end, offset, err);
	case STREAM_POINT_TIME:
		return stream_reader_find_time(
		    reader, point.value, offset, err);
	case STREAM_POINT_AFTER:
		if (!is_end)
			reader->skip = point.value;
		*offset = stream_reader_log_start(reader);
		return STREAM_OK;
	case STREAM_POINT_NONE:
	case STREAM_POINT_START:
		break;
	}
	*offset = stream_reader_log_start(reader);
	return STREAM_OK;
}

static int
resolve_end(struct stream_reader *reader, struct stream_error *err)
{
	enum { BOTH = STREAM_READER_FOLLOW | STREAM_READER_SKIP_CORRUPT };
	struct stream_point to = reader->options.range.to;
	int status;

	if (to.kind == STREAM_POINT_NONE)
		return STREAM_OK;
	if (to.kind == STREAM_POINT_AFTER) {
		reader->left = to.value;
		return STREAM_OK;
	}
	/* Damage on the way to it is told when it is read; and where damage
	 * leaves open what the end is, reading has to come to it. */
	reader->is_quiet = true;
	reader->is_end_unknown = false;
	status = resolve(reader, to, true, &reader->end, err);
	reader->is_quiet = false;
	if (status == STREAM_OK && reader->is_end_unknown &&
	    to.kind != STREAM_POINT_OFFSET &&
	    (reader->options.flags & BOTH) != BOTH)
		reader->end = STREAM_NO_LIMIT;
	return status;
}

static int
seek(struct stream_reader *reader, struct stream_error *err)
{
	int64_t from;
	int status = STREAM_OK;

	if (reader->view.count > 0)
		status = set_limit(reader, err);
	if (status == STREAM_OK)
		status = resolve(
		    reader, reader->options.range.from, false, &from, err);
	if (status == STREAM_OK)
		status = resolve_end(reader, err);
	if (status == STREAM_OK)
		status = stream_reader_go_to(reader, from, err);
	return status;
}

/* A point may take long to find, and compaction or retention may take segments
 * away meanwhile: then with what is there now. */
int
stream_reader_seek(struct stream_reader *reader, struct stream_error *err)
{
	int status = seek(reader, err);

	for (int i = 0; status == STREAM_ENOENT && i < STREAM_VIEW_TRIES; i++) {
		status = stream_reader_load_view(reader, err);
		if (status == STREAM_OK)
			status = seek(reader, err);
	}
	return status;
}
