/*
 * reader_bounds.c - where a log begins and ends, as its bytes say
 */
#include "base/fail.h"
#include "file/io.h"
#include "file/tail.h"
#include "log/reader_places.h"

int64_t
stream_reader_log_start(const struct stream_reader *reader)
{
	int64_t start = reader->log_start_offset;

	if (reader->view.count > 0 &&
	    reader->view.segments[0].base_offset > start)
		start = reader->view.segments[0].base_offset;
	return start;
}

struct stream_index_source
stream_reader_index_source(const struct stream_reader *reader)
{
	return (struct stream_index_source){reader->dirfd, reader->log_name,
	    reader->fd, stream_reader_base(reader),
	    reader->options.max_batch_bytes};
}

bool
stream_reader_is_torn_at(
    struct stream_reader *reader, uint64_t at, int64_t next)
{
	enum stream_tail tail;

	return stream_reader_in_newest(reader) &&
	       stream_reader_judge_tail(reader, at, next, &tail, NULL) ==
		   STREAM_OK &&
	       (tail == STREAM_TAIL_NONE || tail == STREAM_TAIL_TORN ||
		   tail == STREAM_TAIL_LOST);
}

int
stream_reader_next_in_chain(struct stream_reader *reader, const uint8_t **bytes,
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

bool
stream_reader_is_fatal(int status)
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

	if (stream_reader_is_fatal(status))
		return status;
	if (status == STREAM_END || !stream_reader_skips(reader) ||
	    stream_reader_is_torn_at(reader, reader->scan.next, next))
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
		while ((status = stream_reader_next_in_chain(
			    reader, &bytes, why)) == STREAM_OK)
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
	struct stream_index_source source = stream_reader_index_source(reader);
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
	*damaged = stopped != STREAM_END && !stream_reader_is_torn_at(reader,
						reader->scan.next, *offset);
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

/*
 * As find_end, and not below least if the log reaches that far.  The segment
 * that was the newest can have been closed since it was listed, and compacted
 * since: then it ends before the log ended.
 */
int
stream_reader_find_end_from(struct stream_reader *reader, int64_t least,
    int64_t *end, bool *damaged, struct stream_error *why,
    struct stream_error *err)
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
