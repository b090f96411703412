/*
 * reader_batch.c - the next batch, wherever it is
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/reader_private.h"

int
stream_reader_load_view(struct stream_reader *reader, struct stream_error *err)
{
	struct stream_view view;
	int status;

	if (reader->only != NULL)
		return reader->view.count > 0
			   ? STREAM_OK
			   : stream_view_load_one(
				 reader->only, &reader->view, err);
	status = stream_view_load(reader->dirfd, &view, err);
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", reader->name);
	stream_view_release(&reader->view);
	reader->view = view;
	return STREAM_OK;
}

static void
put_log_name(struct stream_reader *reader, size_t index)
{
	struct stream_name name = {
	    .base_offset = reader->view.segments[index].base_offset,
	    .kind = STREAM_NAME_LOG,
	    .state = reader->view.segments[index].swap ? STREAM_NAME_SWAP
						       : STREAM_NAME_PLAIN,
	};

	stream_name_put(&name, reader->log_name);
}

/* A file that nobody can open, not for want of descriptors and such, is as good
 * as missing to one who skips damage: an empty one takes its place. */
static bool
may_pass_unopened(const struct stream_reader *reader, int status,
    const struct stream_error *why)
{
	int sys = why->sys;

	return status == STREAM_EIO && stream_reader_skips(reader) &&
	       (sys == 0 || sys == ELOOP || sys == EACCES || sys == EPERM ||
		   sys == ENXIO);
}

int
stream_reader_open_segment(struct stream_reader *reader, size_t index,
    uint64_t position, struct stream_error *err)
{
	struct stream_error why = {0};
	const char *file;
	int fd;
	int status;

	put_log_name(reader, index);
	file = reader->only != NULL ? reader->only : reader->log_name;
	status = stream_io_open(reader->dirfd, file, O_RDONLY, &fd, &why);
	reader->is_unreadable = may_pass_unopened(reader, status, &why);
	if (status != STREAM_OK) {
		stream_fail_in(&why, status, "%s", reader->name);
		if (err != NULL)
			*err = why;
		if (!reader->is_unreadable)
			return status;
		reader->unreadable_why = why;
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return status;
	}
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = fd;
	reader->base = reader->view.segments[index].base_offset;
	reader->closed_once = false;
	reader->skipped_to = UINT64_MAX;
	reader->has_last = false;
	stream_scan_move(&reader->scan, fd, position);
	stream_watch_moved(reader);
	return STREAM_OK;
}

/*
 * The listing is from before: compaction may have swapped the file away, or
 * retention removed it.  List again and look for the offset; what is gone for
 * good is told, unless the caller wants to go on with what is left.
 */
static int
find_again(
    struct stream_reader *reader, int64_t offset, struct stream_error *err)
{
	int64_t start;
	int status = stream_reader_load_view(reader, err);

	if (status != STREAM_OK)
		return status;
	if (reader->view.count == 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: all its segments are gone", reader->name);
	start = reader->view.segments[0].base_offset;
	if (offset >= start)
		return STREAM_OK;
	if ((reader->options.flags & STREAM_READER_CLAMP) != 0) {
		reader->next = start;
		return STREAM_OK;
	}
	return stream_fail(err, STREAM_EOFFSET, STREAM_POS_NONE,
	    "%s: offsets %lld to %lld were removed meanwhile; the log now "
	    "starts at %lld (--clamp goes on there)",
	    reader->name, (long long)offset, (long long)start - 1,
	    (long long)start);
}

int
stream_reader_go_to(
    struct stream_reader *reader, int64_t offset, struct stream_error *err)
{
	int status;

	reader->next = offset;
	reader->expected = -1;
	if (reader->view.count == 0)
		return STREAM_OK;
	for (int tries = 0;; tries++) {
		size_t index = stream_view_find(&reader->view, reader->next);
		struct stream_index_source source;
		uint64_t position;

		status = stream_reader_open_segment(reader, index, 0, err);
		if (status == STREAM_ENOENT && tries < STREAM_VIEW_TRIES) {
			status = find_again(reader, reader->next, err);
			if (status != STREAM_OK)
				return status;
			continue;
		}
		if (status != STREAM_OK)
			return status;
		source = (struct stream_index_source){reader->dirfd,
		    reader->log_name, reader->fd, stream_reader_base(reader),
		    reader->options.max_batch_bytes};
		stream_index_find(&source, reader->next, &position);
		if (reader->dense && position > 0 &&
		    !stream_reader_believes(reader, position))
			position = 0;
		stream_scan_move(&reader->scan, reader->fd, position);
		if (position == 0 && reader->dense)
			reader->expected = source.base_offset;
		return STREAM_OK;
	}
}

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
		status = stream_reader_load_view(reader, err);
		if (status == STREAM_OK && reader->view.count == 0)
			status =
			    stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
				"%s: all its segments are gone", reader->name);
		next = stream_reader_next_base(reader);
	}
	*reaches = next >= 0 && info->last_offset >= next;
	return status;
}

int
stream_reader_check_chain(struct stream_reader *reader,
    const struct stream_batch *batch, struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;
	int64_t expected = reader->expected;
	bool reaches;
	int status = reaches_next(reader, info, &reaches, err);

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

/* What follows is not where it was when the view was loaded.  Batches that wait
 * to be given out come first; then this is found again. */
static int
go_on_elsewhere(struct stream_reader *reader, struct stream_error *err)
{
	int status;

	if (reader->ahead != NULL && !stream_read_ahead_is_empty(reader->ahead))
		return STREAM_END;
	status = find_again(reader,
	    reader->expected > reader->next ? reader->expected : reader->next,
	    err);
	if (status == STREAM_OK)
		status = stream_reader_go_to(reader, reader->next, err);
	return status;
}

int
stream_reader_open_next(struct stream_reader *reader, struct stream_error *err)
{
	const struct stream_view *view = &reader->view;
	size_t index = stream_view_find(view, reader->base);
	int status;

	if (view->segments[index].base_offset <= reader->base)
		index++;
	status = stream_reader_open_segment(reader, index, 0, err);
	if (status != STREAM_ENOENT)
		return status;
	return go_on_elsewhere(reader, err);
}

/* The segment is read to its end and a newer one exists. */
static int
advance(struct stream_reader *reader, struct stream_error *err)
{
	const struct stream_view *view = &reader->view;
	int64_t next_base = stream_reader_next_base(reader);
	int status;

	if (view->segments[0].base_offset > reader->base &&
	    next_base != reader->expected)
		return go_on_elsewhere(reader, err); /* by retention */
	if (reader->dense && reader->expected >= 0 &&
	    reader->expected != next_base) {
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "ends at offset %lld, but the next segment starts at %lld",
		    (long long)reader->expected, (long long)next_base);
		return stream_reader_fail_at(
		    reader, status, reader->scan.next, err);
	}
	if (reader->expected != next_base && reader->only == NULL &&
	    !reader->is_unreadable &&
	    stream_view_is_replaced(
		view, reader->base, reader->dirfd, reader->fd))
		return go_on_elsewhere(reader, err); /* by compaction */
	status = stream_reader_open_next(reader, err);
	if (status == STREAM_OK && reader->dense && reader->base == next_base)
		reader->expected = next_base;
	return status;
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

/* Before anything new is read, see that what was read is there.  One who is
 * watched and was not woken need not look. */
static int
wake_up(struct stream_reader *reader, struct stream_error *err)
{
	int status;

	if (reader->watch != NULL && !reader->woken)
		return STREAM_OK;
	reader->woken = false;
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
			status = advance(reader, err);
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
