/*
 * reader_batch.c - the next batch, wherever it is
 */
#include <string.h>

#include "base/fail.h"
#include "log/reader_private.h"

/*
 * Does the batch reach into the next segment?  The view may be older than this
 * file, which took the place of several when they were compacted: then the
 * next one is another by now.
 */
static int
reaches_next(struct stream_reader *reader, const struct stream_batch_info *info,
    bool *reaches, struct stream_error *err)
{
	int64_t next = stream_reader_next_base(reader);
	int status = STREAM_OK;

	if (next >= 0 && info->last_offset >= next) {
		status = stream_reader_list_again(reader, err);
		next = stream_reader_next_base(reader);
	}
	/* Of a file that the view does not hold it says nothing. */
	*reaches = next >= 0 && info->last_offset >= next &&
		   status == STREAM_OK && !stream_reader_is_replaced(reader);
	return status;
}

/* Is the batch one that a dense log cannot hold at this place? */
static bool
has_gap(const struct stream_reader *reader, const struct stream_batch *batch)
{
	return (reader->expected >= 0 &&
		   batch->info.base_offset != reader->expected) ||
	       batch->last_offset_delta != batch->info.record_count - 1;
}

/* What the log is compared with: the names and the settings as they are now,
 * should they say otherwise by now. */
static int
ask_again(struct stream_reader *reader, const struct stream_batch *batch,
    bool *reaches, struct stream_error *err)
{
	int status = reaches_next(reader, &batch->info, reaches, err);

	if (status == STREAM_OK && reader->dense && has_gap(reader, batch))
		status = stream_reader_ask_gaps(reader, err);
	if (status != STREAM_OK)
		reader->scan.next = batch->info.position;
	return status;
}

int
stream_reader_check_chain(struct stream_reader *reader,
    const struct stream_batch *batch, struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;
	int64_t expected = reader->expected;
	bool reaches;
	int status = ask_again(reader, batch, &reaches, err);

	if (status != STREAM_OK)
		return status;
	if (info->base_offset < reader->base ||
	    info->last_offset - reader->base > INT32_MAX)
		status = stream_fail(err, STREAM_ECORRUPT, info->position,
		    "batch at offset %lld in a segment that starts at %lld",
		    (long long)info->base_offset, (long long)reader->base);
	else if (reaches)
		status = stream_fail(err, STREAM_ECORRUPT, info->position,
		    "batch at offset %lld to %lld, but the next segment starts "
		    "at %lld",
		    (long long)info->base_offset, (long long)info->last_offset,
		    (long long)stream_reader_next_base(reader));
	else if (expected >= 0 &&
		 (reader->dense ? info->base_offset != expected
				: info->base_offset < expected))
		status = stream_fail(err, STREAM_ECORRUPT, info->position,
		    "batch at offset %lld where %lld was expected",
		    (long long)info->base_offset, (long long)expected);
	else if (reader->dense &&
		 batch->last_offset_delta != info->record_count - 1)
		status = stream_fail(err, STREAM_ECORRUPT, info->position,
		    "batch at offset %lld: %d records for %lld offsets",
		    (long long)info->base_offset, info->record_count,
		    (long long)batch->last_offset_delta + 1);
	else if (stream_reader_skips(reader) && !reader->dense &&
		 expected >= 0 && info->base_offset > expected &&
		 !stream_reader_believes(reader, info->position))
		status = stream_fail(err, STREAM_ECORRUPT, info->position,
		    "batch at offset %lld, but the one after it is before its "
		    "end",
		    (long long)info->base_offset);
	if (status != STREAM_OK) {
		reader->scan.next = info->position;
		return stream_reader_fail_at(
		    reader, status, info->position, err);
	}
	reader->expected = info->last_offset + 1;
	return STREAM_OK;
}

/* Has the reader come to the end that it was given? */
static bool
is_at_limit(const struct stream_reader *reader)
{
	int64_t base;

	if (reader->limit_base == STREAM_NO_LIMIT)
		return false;
	base = stream_reader_base(reader);
	return base > reader->limit_base ||
	       (base == reader->limit_base &&
		   reader->scan.next >= reader->limit_bytes);
}

/* At the limit: more may be durable by now, for one who follows. */
static int
at_limit(struct stream_reader *reader, bool *go_on, struct stream_error *err)
{
	enum { BOTH = STREAM_READER_FOLLOW | STREAM_READER_DURABLE };
	int status;

	if ((reader->options.flags & BOTH) != BOTH) {
		status = stream_reader_check_takeback(
		    reader, reader->scan.next, err);
		if (status == STREAM_OK)
			status = stream_reader_check_durable(reader, err);
		return status == STREAM_OK ? STREAM_END : status;
	}
	status = stream_reader_update_durable(reader, err);
	if (status != STREAM_OK || !is_at_limit(reader))
		return status;
	return stream_reader_stopped(reader, STREAM_END, go_on, err);
}

/*
 * One who follows and has read to the end of the file need not look again
 * before something happens to it: the watch was set before the read.  Every
 * call that a reader makes after it has shown a line delays the next.
 */
static bool
is_asleep(const struct stream_reader *reader)
{
	return reader->watch != NULL && stream_watch_is_set(reader) &&
	       stream_reader_in_newest(reader) && !reader->woken &&
	       !reader->names_changed && reader->scan.saw_end &&
	       !stream_scan_has_buffered(&reader->scan);
}

/* Batches up to this size are read again together with what follows them,
 * which costs nothing; for larger ones the state is asked. */
enum { LAST_MOST = 4096 };

/* Does the batch that was read last still stand before the scan's place? */
static bool
is_last_there(struct stream_reader *reader)
{
	uint64_t at = reader->scan.next;
	struct stream_batch batch;
	const uint8_t *bytes;
	bool there;

	if (!reader->has_last || at - reader->last_position > LAST_MOST)
		return false;
	stream_scan_move(&reader->scan, reader->fd, reader->last_position);
	there = stream_scan_next(&reader->scan, &batch, &bytes, NULL) ==
		    STREAM_OK &&
		memcmp(bytes, reader->last_header, STREAM_BATCH_HEADER) == 0;
	if (!there)
		stream_scan_move(&reader->scan, reader->fd, at);
	return there;
}

/* One who follows learns when the log start is raised. */
static int
follow_log_start(struct stream_reader *reader, struct stream_error *err)
{
	int64_t next =
	    reader->expected > reader->next ? reader->expected : reader->next;
	int status;

	if (reader->watch == NULL || stream_watch_may_skip_log_start(reader))
		return STREAM_OK;
	status = stream_reader_obey_log_start(reader, next, err);
	if (status != STREAM_OK)
		reader->start_changed = true; /* to fail again */
	return status;
}

/* Before anything new is read, see that what was read is there.  One who is
 * watched and was not woken need not look. */
static int
wake_up(struct stream_reader *reader, struct stream_error *err)
{
	int status;

	if (reader->watch != NULL && !reader->woken)
		return STREAM_OK;
	reader->woken = false;
	status = follow_log_start(reader, err);
	if (status != STREAM_OK) {
		reader->woken = true; /* to fail again */
		return status;
	}
	if (stream_scan_has_buffered(&reader->scan) || is_last_there(reader))
		return STREAM_OK;
	status = stream_reader_check_takeback(reader, reader->scan.next, err);
	if (status != STREAM_OK)
		reader->woken = true; /* to fail again */
	return status;
}

/* The next batch of the file.  When more was read for one that had begun in
 * memory, what was read before it may have been taken back meanwhile. */
static int
scan_next(struct stream_reader *reader, struct stream_batch *batch,
    const uint8_t **bytes, struct stream_error *err)
{
	bool had_begun = stream_scan_has_buffered(&reader->scan);
	uint64_t from = reader->scan.base;
	int status = stream_scan_next(&reader->scan, batch, bytes, err);

	if (status != STREAM_OK || !had_begun || reader->scan.base == from)
		return status;
	status =
	    stream_reader_check_takeback(reader, batch->info.position, err);
	if (status != STREAM_OK)
		reader->scan.next = batch->info.position;
	return status;
}

/* Only one who follows comes back to see whether it is still there. */
static void
remember(struct stream_reader *reader, const struct stream_batch *batch,
    const uint8_t *bytes)
{
	if (reader->watch == NULL || batch->info.size > LAST_MOST)
		reader->has_last = false;
	else {
		reader->has_last = true;
		reader->last_position = batch->info.position;
		memcpy(reader->last_header, bytes, STREAM_BATCH_HEADER);
	}
}

/* There was no segment yet: is there one by now? */
static int
find_first_segment(struct stream_reader *reader, struct stream_error *err)
{
	int status;

	if ((reader->options.flags & STREAM_READER_FOLLOW) == 0 ||
	    stream_watch_may_skip_listing(reader))
		return STREAM_END;
	reader->woken = false;
	status = stream_reader_load_view(reader, err);
	if (status == STREAM_OK && reader->view.count == 0)
		return STREAM_END;
	if (status == STREAM_OK)
		status = stream_reader_go_to(reader, reader->next, err);
	return status;
}

/* As stream_reader_next_batch, but stops at damage. */
static int
next_good(struct stream_reader *reader, struct stream_batch *batch,
    const uint8_t **bytes, struct stream_error *err)
{
	if (reader->view.count == 0) {
		int status = find_first_segment(reader, err);

		if (status != STREAM_OK)
			return status;
	}
	for (;;) {
		bool go_on = false;
		int status;

		if (reader->is_unreadable) {
			if (err != NULL)
				*err = reader->unreadable_why;
			reader->scan.next = 0;
			return STREAM_ECORRUPT;
		}
		if (is_asleep(reader))
			return STREAM_END;
		status = wake_up(reader, err);
		if (status != STREAM_OK)
			return status;
		if (is_at_limit(reader)) {
			status = at_limit(reader, &go_on, err);
		} else {
			status = scan_next(reader, batch, bytes, err);
			if (status == STREAM_OK) {
				remember(reader, batch, *bytes);
				return stream_reader_check_chain(
				    reader, batch, err);
			}
			status =
			    stream_reader_stopped(reader, status, &go_on, err);
		}
		if (status == STREAM_OK && go_on)
			status = stream_reader_advance(reader, err);
		if (status != STREAM_OK)
			return status;
	}
}

/* Batches that wait to be given out come before a hole; it is found again. */
static bool
may_skip_now(const struct stream_reader *reader, int status)
{
	return stream_reader_may_skip(reader, status) &&
	       (reader->ahead == NULL ||
		   stream_read_ahead_is_empty(reader->ahead));
}

int
stream_reader_next_batch(struct stream_reader *reader,
    struct stream_batch *batch, const uint8_t **bytes, struct stream_error *err)
{
	struct stream_error why;

	for (;;) {
		int status = next_good(reader, batch, bytes, &why);

		if (status == STREAM_OK || status == STREAM_END)
			return status;
		if (!may_skip_now(reader, status)) {
			if (err != NULL)
				*err = why;
			return status;
		}
		status = stream_reader_skip(reader, &why, err);
		if (status != STREAM_OK)
			return status;
	}
}
