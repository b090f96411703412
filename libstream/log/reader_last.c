/*
 * reader_last.c - the last n records of a log
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/reader.h"
#include "log/reader_places.h"

/* How far before the end the search for the last records begins, and by how
 * much it goes further back when that was not far enough. */
enum { LAST_FIRST = 1 << 20, LAST_FACTOR = 8 };

/* Offsets of counted records that are kept at most: half a megabyte. */
enum { MARKS = 1 << 16 };

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
	    .supply = reader->supply,
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
	struct stream_index_source source = stream_reader_index_source(reader);
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

int
stream_reader_find_last(struct stream_reader *reader, int64_t n, bool is_end,
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
