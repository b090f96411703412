/*
 * reader_seek.c - from points to offsets
 */
#include <fcntl.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/reader_places.h"

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
	status = stream_reader_find_end_from(
	    reader, *offset, &end, &damaged, &why, err);
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
		return stream_reader_find_last(
		    reader, point.value, is_end, offset, err);
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
