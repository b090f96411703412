/*
 * reader_skip.c - go on behind damage, and tell of each hole
 *
 * SPEC section 10.1.  Nothing is shown that may be wrong: what is not known to
 * be right is part of the hole.
 */
#include <stdio.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/reader_private.h"
#include "file/resync.h"

/* Tell of a hole as far as it lies in the range. */
static void
tell(struct stream_reader *reader, struct stream_hole hole)
{
	char file[STREAM_NAME_SIZE + 300];

	if (reader->options.hole == NULL || reader->is_quiet)
		return;
	if (hole.first_offset >= reader->end)
		return;
	if (hole.last_offset < reader->next &&
	    (hole.last_offset >= hole.first_offset ||
		hole.first_offset < reader->next))
		return;
	if (hole.first_offset < reader->next)
		hole.first_offset = reader->next;
	if (hole.last_offset != STREAM_HOLE_UNKNOWN &&
	    hole.last_offset >= reader->end)
		hole.last_offset = reader->end - 1;
	snprintf(file, sizeof(file), "%.260s/%s", reader->name,
	    reader->only != NULL ? reader->only : reader->log_name);
	hole.file = file;
	reader->options.hole(reader->options.hole_context, &hole);
}

void
stream_reader_skip_batch(struct stream_reader *reader,
    const struct stream_batch_info *info, const struct stream_error *why)
{
	int64_t first = info->base_offset;

	if (first < reader->next)
		first = reader->next;
	tell(reader, (struct stream_hole){
			 .from_byte = info->position,
			 .to_byte = info->position + info->size,
			 .first_offset = first,
			 .last_offset = info->last_offset,
			 .exact = info->record_count ==
				  info->last_offset - info->base_offset + 1,
			 .producer_id = -1,
			 .why = why->text,
		     });
}

void
stream_reader_tell_hidden(struct stream_reader *reader,
    const struct stream_batch_info *info, int64_t last)
{
	tell(
	    reader, (struct stream_hole){
			.from_byte = info->position,
			.to_byte = info->position + info->size,
			.first_offset = info->base_offset,
			.last_offset = last,
			.producer_id = info->producer_id,
			.why = "the end of their transaction may lie in damage",
		    });
}

int64_t
stream_reader_next_base(const struct stream_reader *reader)
{
	const struct stream_view *view = &reader->view;

	for (size_t i = stream_view_find(view, reader->base); i < view->count;
	     i++)
		if (view->segments[i].base_offset > reader->base)
			return view->segments[i].base_offset;
	return -1;
}

/* What the next batch of the log begins with, or one further on. */
static int64_t
expected_offset(const struct stream_reader *reader)
{
	return reader->expected > reader->base ? reader->expected
					       : reader->base;
}

/* The offset of the last record by the state, if that can be believed. */
static int64_t
last_offset(struct stream_reader *reader, uint64_t size)
{
	struct stream_state state;

	if (stream_reader_read_state(reader, &state, NULL) != STREAM_OK ||
	    !stream_reader_trusts(reader, &state, size))
		return STREAM_HOLE_UNKNOWN;
	return state.next_offset - 1;
}

/* The bytes that count end where the reader's view of the log ends. */
static int
readable_end(
    struct stream_reader *reader, uint64_t *end, struct stream_error *err)
{
	int status = stream_io_size(reader->fd, end, err);

	if (status == STREAM_OK && reader->limit_base == reader->base &&
	    reader->limit_bytes < *end)
		*end = reader->limit_bytes;
	return status;
}

static struct stream_resync
resync_from(const struct stream_reader *reader, uint64_t from, uint64_t end,
    int64_t expected)
{
	return (struct stream_resync){
	    .fd = reader->fd,
	    .from = from,
	    .end = end,
	    .expected = expected,
	    .bound = stream_segment_bound(
		reader->base, stream_reader_next_base(reader)),
	    .cap = reader->options.max_batch_bytes,
	    .dense = reader->dense,
	};
}

/*
 * Is the batch at a byte right, and only offsets before it missing?  The batch
 * after it tells, or the next segment, or the state.
 */
static int
confirm(struct stream_reader *reader, uint64_t from, uint64_t end,
    int64_t *base_offset, bool *right, struct stream_error *err)
{
	struct stream_resync where =
	    resync_from(reader, from, end, expected_offset(reader));
	int64_t next_base = stream_reader_next_base(reader);
	int64_t last = STREAM_HOLE_UNKNOWN;

	*right = false;
	if (from >= end)
		return STREAM_OK;
	if (next_base < 0)
		last = last_offset(reader, end);
	if (last != STREAM_HOLE_UNKNOWN)
		next_base = last + 1;
	return stream_resync_confirms(
	    &where, next_base, base_offset, right, err);
}

bool
stream_reader_believes(struct stream_reader *reader, uint64_t position)
{
	int64_t base_offset;
	uint64_t end;
	bool right;

	return stream_io_size(reader->fd, &end, NULL) == STREAM_OK &&
	       confirm(reader, position, end, &base_offset, &right, NULL) ==
		   STREAM_OK &&
	       right;
}

int
stream_reader_resync(struct stream_reader *reader, uint64_t from,
    int64_t expected, uint64_t *position, int64_t *base_offset,
    struct stream_error *err)
{
	struct stream_resync where;
	uint64_t end;
	int status = readable_end(reader, &end, err);

	if (status != STREAM_OK)
		return status;
	where = resync_from(reader, from, end, expected);
	return stream_resync(&where, position, base_offset, err);
}

/* Go to a batch of this segment that was found to be good. */
static void
go_on_at(struct stream_reader *reader, uint64_t position, int64_t base_offset,
    const struct stream_error *why)
{
	int64_t first = expected_offset(reader);

	tell(reader, (struct stream_hole){
			 .from_byte = reader->scan.next,
			 .to_byte = position,
			 .first_offset = first,
			 .last_offset = base_offset - 1,
			 .exact = reader->dense,
			 .producer_id = -1,
			 .why = why->text,
		     });
	stream_scan_move(&reader->scan, reader->fd, position);
	reader->skipped_to = position;
	reader->has_last = false;
	reader->expected = base_offset;
}

/* Nothing good follows in the newest segment. */
static void
tell_of_end(
    struct stream_reader *reader, uint64_t end, const struct stream_error *why)
{
	uint64_t at = reader->scan.next;

	if (reader->is_quiet ||
	    (reader->is_end_told && reader->told_base == reader->base &&
		reader->told_at == at))
		return;
	reader->is_end_told = true;
	reader->told_base = reader->base;
	reader->told_at = at;
	tell(reader, (struct stream_hole){
			 .from_byte = at,
			 .to_byte = end > at ? end : at,
			 .first_offset = expected_offset(reader),
			 .last_offset = last_offset(reader, end),
			 .exact = reader->dense,
			 .producer_id = -1,
			 .why = why->text,
		     });
}

/* Nothing good follows in a closed segment: the next one begins the log again.
 */
static int
go_on_in_next(struct stream_reader *reader, uint64_t end,
    const struct stream_error *why, struct stream_error *err)
{
	int64_t next_base = stream_reader_next_base(reader);
	int64_t first = expected_offset(reader);
	uint64_t at = reader->scan.next;
	int status;

	if (!reader->is_end_told || reader->told_base != reader->base ||
	    reader->told_at != at)
		tell(
		    reader, (struct stream_hole){
				.from_byte = at,
				.to_byte = end > at ? end : at,
				.first_offset = first,
				.last_offset = next_base > first ? next_base - 1
								 : first - 1,
				.exact = reader->dense,
				.producer_id = -1,
				.why = why->text,
			    });
	/* Where that is replaced, reading goes on at this offset. */
	reader->expected = next_base > first ? next_base : first;
	status = stream_reader_open_next(reader, err);
	if (status != STREAM_OK)
		reader->expected = first;
	return status;
}

int
stream_reader_skip(struct stream_reader *reader, const struct stream_error *why,
    struct stream_error *err)
{
	uint64_t position = reader->scan.next;
	int64_t base_offset;
	uint64_t end;
	bool right;
	int status = readable_end(reader, &end, err);

	if (status == STREAM_OK)
		status = stream_reader_ask_gaps(reader, err);
	/* What was gone to and is bad all the same is passed. */
	right = false;
	if (status == STREAM_OK && reader->skipped_to != position)
		status =
		    confirm(reader, position, end, &base_offset, &right, err);
	if (status == STREAM_OK && !right)
		status = stream_reader_resync(reader, position,
		    expected_offset(reader), &position, &base_offset, err);
	if (status == STREAM_OK)
		go_on_at(reader, position, base_offset, why);
	if (status != STREAM_END)
		return status;
	if (stream_reader_next_base(reader) >= 0)
		return go_on_in_next(reader, end, why, err);
	tell_of_end(reader, end, why);
	return STREAM_END;
}
