/*
 * reader_time.c - the first record at or after a time
 */
#include "log/reader_places.h"

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
		status = stream_reader_next_in_chain(reader, &bytes, err);
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
	struct stream_index_source source = stream_reader_index_source(reader);
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
		if (stream_reader_is_fatal(status)) {
			if (err != NULL)
				*err = why;
			return status;
		}
		if (next < 0 && position > 0) {
			position = 0;
			continue;
		}
		next = next < 0 ? reader->base : next;
		if (stream_reader_is_torn_at(reader, reader->scan.next, next))
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
