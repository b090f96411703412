/*
 * reader_seek.c - from points to offsets
 */
#include <fcntl.h>
#include <stdlib.h>
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

/* Offsets of counted records that are kept at most: half a megabyte. */
enum { MARKS = 1 << 16 };

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
	bool follows = (reader->options.flags & STREAM_READER_FOLLOW) != 0;
	int status = stream_reader_open_at(reader, INT64_MAX, err);

	if (status != STREAM_OK)
		return status;
	if ((reader->options.flags & STREAM_READER_DURABLE) != 0) {
		status = stream_reader_update_durable(reader, err);
	} else if (!follows && !reader->is_unreadable) {
		/* An unreadable one may be there when it is come to. */
		reader->limit_base = stream_reader_base(reader);
		status = stream_io_size(reader->fd, &reader->limit_bytes, err);
	}
	if (status != STREAM_OK || follows ||
	    reader->limit_base == STREAM_NO_LIMIT || reader->only != NULL)
		return status;
	/* Kept, to know what its bytes were when another has its name. */
	reader->limit_fd = fcntl(reader->fd, F_DUPFD_CLOEXEC, 0);
	return reader->limit_fd >= 0
		   ? STREAM_OK
		   : stream_fail_sys(err, "%s: cannot open", reader->name);
}

/* Is what follows at a byte of the open segment no damage, but an append that
 * did not finish? */
static bool
is_torn(struct stream_reader *reader, uint64_t at, int64_t next)
{
	enum stream_tail tail;

	return stream_reader_in_newest(reader) &&
	       stream_reader_judge_tail(reader, at, next, &tail, NULL) ==
		   STREAM_OK &&
	       (tail == STREAM_TAIL_NONE || tail == STREAM_TAIL_TORN ||
		   tail == STREAM_TAIL_LOST);
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
		status = stream_reader_ask_gaps(reader, err);
		if (status != STREAM_OK)
			return status;
	}
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

/* Not what the bytes of the log are, but that they cannot be had. */
static bool
is_fatal(int status)
{
	return status == STREAM_EIO || status == STREAM_ENOMEM ||
	       status == STREAM_EBUSY || status == STREAM_ENOENT;
}

/* The walk over the open segment stopped with status.  One who skips damage
 * goes to the next good batch; else STREAM_END, or status when that is fatal.
 */
static int
pass_damage(struct stream_reader *reader, int64_t next, int status,
    struct stream_error *err)
{
	uint64_t position;

	if (is_fatal(status))
		return status;
	if (status == STREAM_END || !stream_reader_skips(reader) ||
	    is_torn(reader, reader->scan.next, next))
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
	position = stream_reader_begin(reader, position);
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
	status = stream_reader_open_at(reader, INT64_MAX, err);
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
 * *passed is raised to the offset after the batches that do not reach it.
 */
static int
find_time_here(struct stream_reader *reader, int64_t timestamp_ms,
    int64_t *passed, int64_t *offset, bool *found, struct stream_error *err)
{
	struct stream_index_source source = index_source(reader);
	struct stream_error why = reader->unreadable_why;
	int64_t next = -1;
	uint64_t position;
	int status = STREAM_ECORRUPT;

	stream_index_find_time(&source, timestamp_ms, &position);
	position = stream_reader_begin(reader, position);
	for (;;) {
		if (!reader->is_unreadable)
			status = walk_to_time(reader, position, timestamp_ms,
			    &next, offset, &why);
		if (next > *passed)
			*passed = next;
		*found = status == STREAM_OK;
		if (status == STREAM_OK || status == STREAM_END)
			return STREAM_OK;
		if (is_fatal(status)) {
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

/* From which offset on to look, when the segment of base was looked through;
 * one who skipped its end is in the next already. */
static int64_t
look_next(const struct stream_reader *reader, int64_t base, int64_t passed)
{
	if (reader->base != base)
		return reader->base;
	if (stream_reader_is_replaced(reader))
		return passed > reader->base ? passed : reader->base;
	return stream_reader_next_base(reader);
}

int
stream_reader_find_time(struct stream_reader *reader, int64_t timestamp_ms,
    int64_t *offset, struct stream_error *err)
{
	int64_t at = reader->view.count > 0 ? 0 : -1;
	int64_t passed = -1;
	bool found = false;

	while (at >= 0 && !found) {
		int status = stream_reader_open_at(reader, at, err);
		int64_t base = reader->base;

		if (status == STREAM_OK)
			status = find_time_here(
			    reader, timestamp_ms, &passed, offset, &found, err);
		if (status != STREAM_OK)
			return status;
		at = look_next(reader, base, passed);
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

/*
 * As find_end, and not below least if the log reaches that far.  The segment
 * that was the newest can have been closed since it was listed, and compacted
 * since: then it ends before the log ended.
 */
static int
find_end_from(struct stream_reader *reader, int64_t least, int64_t *end,
    bool *damaged, struct stream_error *why, struct stream_error *err)
{
	int64_t newest;
	int status;

	do {
		status = find_end(reader, end, damaged, why, err);
		if (status != STREAM_OK || *end >= least || *damaged ||
		    reader->only != NULL || reader->view.count == 0)
			return status;
		newest = reader->base;
		status = stream_reader_list_again(reader, err);
	} while (status == STREAM_OK &&
		 (reader->view.segments[reader->view.count - 1].base_offset !=
			 newest ||
		     stream_view_is_replaced(
			 &reader->view, newest, reader->dirfd, reader->fd)));
	return status;
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
	status = find_end_from(reader, *offset, &end, &damaged, &why, err);
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
	    .facts = reader->facts,
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

/* The offset of the record so many after the first one at or after *offset. */
static int
pass_records(const struct stream_reader *reader, int64_t many, int64_t *offset,
    struct stream_error *err)
{
	const struct stream_record *records;
	struct stream_reader *counter;
	size_t some;
	int status = open_counter(reader, *offset, &counter, err);

	if (status != STREAM_OK)
		return status;
	while (many >= 0 && (status = stream_reader_read(
				 counter, &records, &some, err)) == STREAM_OK) {
		if ((int64_t)some > many)
			*offset = records[many].offset;
		many -= (int64_t)some;
	}
	stream_reader_close(counter);
	return status == STREAM_END ? STREAM_OK : status;
}

/* Offsets of every so many-th record that a reader gives, of the last of them.
 * What was counted once need not be counted again to find a place: by then a
 * compaction may have taken some of it away. */
struct marks {
	int64_t *offsets; /* a ring; owned */
	int64_t size;
	int64_t stride;
	int64_t count; /* records */
};

static void
mark(struct marks *marks, const struct stream_record *records, size_t count)
{
	for (size_t i = 0; i < count; i++, marks->count++)
		if (marks->count % marks->stride == 0)
			marks->offsets[marks->count / marks->stride %
				       marks->size] = records[i].offset;
}

/* Count the records that would be shown at or after *offset.  When they are
 * more than n, *offset is raised: *skip records from there on are too many,
 * none if n is not very large. */
static int
count_last(const struct stream_reader *reader, struct marks *marks, int64_t n,
    int64_t *offset, int64_t *skip, struct stream_error *err)
{
	const struct stream_record *records;
	struct stream_reader *counter;
	size_t some;
	int status = open_counter(reader, *offset, &counter, err);

	if (status != STREAM_OK)
		return status;
	marks->count = 0;
	while ((status = stream_reader_read(counter, &records, &some, err)) ==
	       STREAM_OK)
		mark(marks, records, some);
	stream_reader_close(counter);
	*skip = marks->count > n ? marks->count - n : 0;
	if (*skip > 0) {
		*offset = marks->offsets[*skip / marks->stride % marks->size];
		*skip %= marks->stride;
	}
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
count_back(struct stream_reader *reader, struct marks *marks, int64_t n,
    int64_t *offset, int64_t *skip, struct stream_error *err)
{
	int64_t start = stream_reader_log_start(reader);
	uint64_t bytes = LAST_FIRST;
	int64_t at = INT64_MAX;

	for (;;) {
		bool whole, is_first;
		int status = stream_reader_open_at(reader, at, err);

		if (status == STREAM_OK)
			status = offset_before_end(
			    reader, bytes, offset, &whole, err);
		if (status != STREAM_OK)
			return status;
		if (*offset < start)
			*offset = start;
		is_first = *offset == start ||
			   (whole && reader->view.segments[0].base_offset >=
					 reader->base);
		status = count_last(reader, marks, n, offset, skip, err);
		if (status != STREAM_OK || marks->count >= n || is_first)
			return status;
		at = whole ? reader->base - 1 : reader->base;
		bytes = whole ? LAST_FIRST : bytes * LAST_FACTOR;
	}
}

static int
find_last(struct stream_reader *reader, int64_t n, int64_t *offset,
    int64_t *skip, struct stream_error *err)
{
	struct marks marks = {.stride = n / MARKS + 1};
	int status;

	marks.size = n / marks.stride + 2;
	marks.offsets = calloc((size_t)marks.size, sizeof(*marks.offsets));
	if (marks.offsets == NULL)
		return stream_fail_memory(err);
	status = count_back(reader, &marks, n, offset, skip, err);
	free(marks.offsets);
	return status;
}

static int
resolve_last(struct stream_reader *reader, int64_t n, bool is_end,
    int64_t *offset, struct stream_error *err)
{
	int64_t start = stream_reader_log_start(reader);
	int64_t end, skip;
	int status = stream_reader_log_end(reader, &end, err);

	if (status != STREAM_OK)
		return status;
	*offset = end - start < n ? start : end - n;
	/* The names were listed before this asks. */
	status = stream_reader_ask_gaps(reader, err);
	if (status != STREAM_OK ||
	    (reader->dense && !stream_reader_skips(reader)) || n == 0 ||
	    reader->view.count == 0)
		return status;
	status = find_last(reader, n, offset, &skip, err);
	if (status == STREAM_OK && is_end)
		return skip > 0 ? pass_records(reader, skip, offset, err)
				: STREAM_OK;
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

/* The start of the log is wherever it is by the time that it is opened; an
 * offset that is gone by then is told. */
static int
go_to_begin(
    struct stream_reader *reader, int64_t from, struct stream_error *err)
{
	enum stream_point_kind kind = reader->options.range.from.kind;
	struct stream_reader_options options = reader->options;
	int status;

	if (kind == STREAM_POINT_NONE || kind == STREAM_POINT_START) {
		reader->options.flags |= STREAM_READER_CLAMP;
		reader->options.note = NULL;
	}
	status = stream_reader_go_to(reader, from, err);
	reader->options = options;
	return status;
}

int
stream_reader_seek(struct stream_reader *reader, struct stream_error *err)
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
		status = go_to_begin(reader, from, err);
	return status;
}
