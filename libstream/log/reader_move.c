/*
 * reader_move.c - from segment to segment, also when they are replaced
 *
 * SPEC sections 4.4 and 4.6.  Compaction puts one file in the place of several
 * and retention takes the oldest away, under a reader that holds neither lock
 * nor more than one of them open.  What it has open it reads to the end.  Then
 * offsets lead on and not names: where the open file is not the one of its name
 * any more, or the next one is gone, the directory is listed again, the segment
 * that holds the next offset is opened, and batches before that are passed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/reader_private.h"
#include "log/supply.h"

/* ---- the end of the range, when its segment is replaced ----------------- */

static bool
is_same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* The offset after the last batch below the byte that was the end. */
static int64_t
offset_of_limit(const struct stream_reader *reader)
{
	int64_t end = reader->limit_base;
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;

	stream_scan_init(&scan, reader->limit_fd, 0, STREAM_SCAN_HEADERS,
	    reader->options.max_batch_bytes, STREAM_SCAN_SMALL_BLOCK);
	while (stream_scan_next(&scan, &batch, &bytes, NULL) == STREAM_OK &&
	       scan.next <= reader->limit_bytes)
		end = batch.info.last_offset + 1;
	stream_scan_release(&scan);
	return end;
}

/* The segment that the log ended in when reading began is another file now, or
 * part of one: its bytes say nothing any more. */
static void
limit_by_offset(struct stream_reader *reader)
{
	int64_t end = offset_of_limit(reader);

	if (end < reader->end)
		reader->end = end;
	reader->limit_base = STREAM_NO_LIMIT;
	close(reader->limit_fd);
	reader->limit_fd = -1;
}

static void
check_limit(struct stream_reader *reader)
{
	const struct stream_view *view = &reader->view;
	size_t index;

	if (reader->limit_fd < 0 || view->count == 0)
		return;
	index = stream_view_find(view, reader->limit_base);
	if (view->segments[index].base_offset != reader->limit_base)
		limit_by_offset(reader);
}

/* ---- names -------------------------------------------------------------- */

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
	reader->relisted = true;
	check_limit(reader);
	return STREAM_OK;
}

static void
put_log_name(const struct stream_reader *reader, size_t index, char *text)
{
	struct stream_name name = {
	    .base_offset = reader->view.segments[index].base_offset,
	    .kind = STREAM_NAME_LOG,
	    .state = reader->view.segments[index].swap ? STREAM_NAME_SWAP
						       : STREAM_NAME_PLAIN,
	};

	stream_name_put(&name, text);
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
	char log_name[STREAM_NAME_SIZE];
	struct stream_error why = {0};
	const char *file;
	int fd;
	int status = stream_supply_fetch(&reader->supply, reader->name,
	    reader->view.segments[index].base_offset, err);

	if (status != STREAM_OK)
		return status;
	put_log_name(reader, index, log_name);
	file = reader->only != NULL ? reader->only : log_name;
	status = stream_io_open(reader->dirfd, file, O_RDONLY, &fd, &why);
	if (status == STREAM_OK &&
	    !stream_view_is_listed(&reader->view, index, fd)) {
		close(fd);
		status = stream_fail(&why, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: is another file by now", file);
	}
	if (status != STREAM_OK) {
		stream_fail_in(&why, status, "%s", reader->name);
		if (err != NULL)
			*err = why;
		if (!may_pass_unopened(reader, status, &why))
			return status;
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return status;
	}
	reader->is_unreadable = status != STREAM_OK;
	reader->unreadable_why = why;
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = fd;
	reader->base = reader->view.segments[index].base_offset;
	memcpy(reader->log_name, log_name, sizeof(log_name));
	reader->relisted = false;
	reader->closed_once = false;
	reader->skipped_to = UINT64_MAX;
	reader->has_last = false;
	stream_scan_move(&reader->scan, fd, position);
	stream_watch_moved(reader);
	if (reader->limit_fd >= 0 && reader->base == reader->limit_base &&
	    !is_same_file(fd, reader->limit_fd))
		limit_by_offset(reader);
	return STREAM_OK;
}

int
stream_reader_list_again(struct stream_reader *reader, struct stream_error *err)
{
	int status = stream_reader_load_view(reader, err);

	if (status == STREAM_OK && reader->view.count == 0)
		status = stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: all its segments are gone", reader->name);
	return status;
}

int
stream_reader_open_at(
    struct stream_reader *reader, int64_t offset, struct stream_error *err)
{
	for (int listings = 0;; listings++) {
		size_t index = stream_view_find(&reader->view, offset);
		int status = stream_reader_open_segment(reader, index, 0, err);

		if (status != STREAM_ENOENT || reader->only != NULL ||
		    listings == STREAM_VIEW_TRIES)
			return status;
		status = stream_reader_list_again(reader, err);
		if (status != STREAM_OK)
			return status;
	}
}

bool
stream_reader_is_replaced(const struct stream_reader *reader)
{
	return reader->relisted && !reader->is_unreadable &&
	       stream_view_is_replaced(
		   &reader->view, reader->base, reader->dirfd, reader->fd);
}

/* ---- overtaken ---------------------------------------------------------- */

/* The offset after the last record, or -1 when that cannot be said. */
static int64_t
end_of_log(struct stream_reader *reader)
{
	size_t newest = reader->view.count - 1;
	int64_t end = reader->view.segments[newest].base_offset;
	struct stream_state state;
	uint64_t size;
	int fd;

	if (stream_view_open(&reader->view, newest, reader->dirfd, &fd, NULL) !=
	    STREAM_OK)
		return -1;
	if (stream_io_size(fd, &size, NULL) == STREAM_OK &&
	    stream_reader_read_state(reader, &state, NULL) == STREAM_OK &&
	    stream_reader_trusts(reader, &state, size))
		end = state.next_offset;
	else
		stream_view_raise_end(fd, &end, NULL);
	close(fd);
	return end;
}

/*
 * What comes next at offset is gone for good: the log starts later by now.
 * That is told, unless the caller wants to go on with what is left.
 */
static int
be_overtaken(struct stream_reader *reader, int64_t offset, int64_t start,
    struct stream_error *err)
{
	char holds[100];
	int64_t end;

	if ((reader->options.flags & STREAM_READER_CLAMP) != 0) {
		char text[200];

		snprintf(text, sizeof(text),
		    "%.80s: offsets %lld to %lld were removed meanwhile; going "
		    "on at %lld",
		    reader->name, (long long)offset, (long long)start - 1,
		    (long long)start);
		if (reader->options.note != NULL)
			reader->options.note(
			    reader->options.note_context, text);
		reader->next = start;
		return STREAM_OK;
	}
	end = end_of_log(reader);
	if (end > start)
		snprintf(holds, sizeof(holds), "holds %lld to %lld",
		    (long long)start, (long long)end - 1);
	else if (end >= 0)
		snprintf(holds, sizeof(holds),
		    "is empty, its next offset is %lld", (long long)start);
	else
		snprintf(
		    holds, sizeof(holds), "starts at %lld", (long long)start);
	return stream_fail(err, STREAM_EOFFSET, STREAM_POS_NONE,
	    "%s: offsets %lld to %lld were removed meanwhile; the log now %s "
	    "(--clamp goes on there)",
	    reader->name, (long long)offset, (long long)start - 1, holds);
}

static int
ask_log_start(struct stream_reader *reader, struct stream_error *err)
{
	int status = stream_facts_ask_log_start(
	    &reader->facts, reader->dirfd, &reader->log_start_offset, err);

	return status == STREAM_OK
		   ? status
		   : stream_fail_in(err, status, "%s", reader->name);
}

/* The listing is from before: list again, and see that offset is still there.
 */
static int
find_again(
    struct stream_reader *reader, int64_t offset, struct stream_error *err)
{
	int64_t start;
	int status = stream_reader_list_again(reader, err);

	if (status == STREAM_OK)
		status = ask_log_start(reader, err);
	if (status != STREAM_OK)
		return status;
	start = stream_reader_log_start(reader);
	reader->next = offset;
	return offset >= start ? STREAM_OK
			       : be_overtaken(reader, offset, start, err);
}

/* Batches that wait to be given out come first; then what was met is met again.
 */
static bool
must_wait(const struct stream_reader *reader)
{
	return reader->ahead != NULL &&
	       !stream_read_ahead_is_empty(reader->ahead);
}

static int64_t
next_offset(const struct stream_reader *reader)
{
	return reader->expected > reader->next ? reader->expected
					       : reader->next;
}

int
stream_reader_obey_log_start(
    struct stream_reader *reader, int64_t offset, struct stream_error *err)
{
	int status = ask_log_start(reader, err);

	if (status != STREAM_OK || offset >= reader->log_start_offset)
		return status;
	if (must_wait(reader))
		return STREAM_END;
	status = be_overtaken(reader, offset, reader->log_start_offset, err);
	if (status == STREAM_OK)
		status = stream_reader_go_to(reader, reader->next, err);
	return status;
}

/* ---- moving ------------------------------------------------------------- */

int
stream_reader_go_to(
    struct stream_reader *reader, int64_t offset, struct stream_error *err)
{
	reader->next = offset;
	reader->expected = -1;
	if (reader->view.count == 0)
		return STREAM_OK;
	for (int listings = 0;; listings++) {
		size_t index = stream_view_find(&reader->view, reader->next);
		struct stream_index_source source;
		uint64_t position;
		int status = stream_reader_open_segment(reader, index, 0, err);

		if (status == STREAM_ENOENT && reader->only == NULL &&
		    listings < STREAM_VIEW_TRIES) {
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
		position = stream_reader_begin(reader, position);
		if (reader->dense && position > 0 &&
		    !stream_reader_believes(reader, position))
			position = 0;
		stream_scan_move(&reader->scan, reader->fd, position);
		if (position == 0 && reader->dense)
			reader->expected = source.base_offset;
		return STREAM_OK;
	}
}

/* What is at offset is not where it was when the view was loaded.  Nothing was
 * read of the file that is opened, so take-backs up to now do not concern it.
 */
static int
go_on_elsewhere(
    struct stream_reader *reader, int64_t offset, struct stream_error *err)
{
	int status;

	if (must_wait(reader))
		return STREAM_END;
	status = find_again(reader, offset, err);
	if (status == STREAM_OK)
		status = stream_reader_go_to(reader, reader->next, err);
	if (status == STREAM_OK)
		status = stream_reader_forget_takebacks(reader, err);
	return status;
}

/* The view is the one that the open file was found in, or has it still: so the
 * next segment of the view is what follows it, unless that is gone. */
static int
open_following(
    struct stream_reader *reader, int64_t offset, struct stream_error *err)
{
	const struct stream_view *view = &reader->view;
	size_t index = stream_view_find(view, reader->base);
	int status;

	if (view->segments[index].base_offset <= reader->base)
		index++;
	status = stream_reader_open_segment(reader, index, 0, err);
	return status == STREAM_ENOENT ? go_on_elsewhere(reader, offset, err)
				       : status;
}

int
stream_reader_open_next(struct stream_reader *reader, struct stream_error *err)
{
	int64_t offset = next_offset(reader);

	return stream_reader_is_replaced(reader)
		   ? go_on_elsewhere(reader, offset, err)
		   : open_following(reader, offset, err);
}

int
stream_reader_ask_gaps(struct stream_reader *reader, struct stream_error *err)
{
	bool gaps = false;
	int status;

	if (!reader->dense)
		return STREAM_OK;
	status =
	    stream_facts_ask_gaps(&reader->facts, reader->dirfd, &gaps, err);
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", reader->name);
	reader->dense = !gaps;
	return STREAM_OK;
}

/* A dense log goes on with the very next offset. */
static int
check_dense(
    struct stream_reader *reader, int64_t next_base, struct stream_error *err)
{
	int status;

	if (!reader->dense || reader->expected < 0 ||
	    reader->expected == next_base)
		return STREAM_OK;
	status = stream_reader_ask_gaps(reader, err);
	if (status != STREAM_OK || !reader->dense)
		return status;
	status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
	    "ends at offset %lld, but the next segment starts at %lld",
	    (long long)reader->expected, (long long)next_base);
	return stream_reader_fail_at(reader, status, reader->scan.next, err);
}

/*
 * The segment is read to its end and a newer one exists.  All offsets before
 * that were in this one.
 */
int
stream_reader_advance(struct stream_reader *reader, struct stream_error *err)
{
	int64_t offset = next_offset(reader);
	int64_t next_base;
	int status;

	if (stream_reader_is_replaced(reader))
		return go_on_elsewhere(reader, offset, err);
	next_base = stream_reader_next_base(reader);
	status = check_dense(reader, next_base, err);
	if (offset < next_base)
		offset = next_base;
	if (status == STREAM_OK)
		status = ask_log_start(reader, err);
	if (status == STREAM_OK && offset < reader->log_start_offset)
		return stream_reader_obey_log_start(reader, offset, err);
	if (status == STREAM_OK)
		status = open_following(reader, offset, err);
	if (status == STREAM_OK && reader->dense && reader->base == next_base)
		reader->expected = next_base;
	return status;
}
