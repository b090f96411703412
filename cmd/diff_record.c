/*
 * diff_record.c - records of one side, and how two of them differ
 */
#include <string.h>

#include "cli/message.h"
#include "cli/signals.h"
#include "diff.h"
#include "opening.h"

static void
note(void *context, const char *text)
{
	cli_note(context, NULL, "%s", text);
}

int
diff_cursor_open(struct diff_cursor *cursor, const struct diff *diff,
    enum diff_side side, const struct stream_place *place,
    struct stream_error *err)
{
	struct stream_reader_options options = {
	    .range = diff->sources[side].address.range,
	    .flags = diff->reader_flags,
	    .max_batch_bytes = diff->max_batch_bytes,
	    .workers = opening_workers(),
	    .note = note,
	    .note_context = (void *)diff->context,
	};

	return stream_reader_open(place, &options, &cursor->reader, err);
}

void
diff_cursor_close(struct diff_cursor *cursor)
{
	stream_reader_close(cursor->reader);
	*cursor = (struct diff_cursor){0};
}

int
diff_cursor_peek(struct diff_cursor *cursor,
    const struct stream_record **record, struct stream_error *err)
{
	if (cursor->at == cursor->count) {
		int status = stream_reader_read(
		    cursor->reader, &cursor->records, &cursor->count, err);

		cursor->at = 0;
		if (status != STREAM_OK)
			cursor->count = 0;
		*record = NULL;
		if (status == STREAM_OK && cli_signals_pending() != 0)
			return cli_fail(err, STREAM_EINTR, "stopped");
		if (status != STREAM_OK)
			return status == STREAM_END ? STREAM_OK : status;
	}
	*record = &cursor->records[cursor->at];
	return STREAM_OK;
}

/* Null and empty are two things. */
static bool
is_same(struct stream_bytes a, struct stream_bytes b)
{
	return (a.data == NULL) == (b.data == NULL) && a.size == b.size &&
	       (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Headers can be encoded in more than one way. */
static bool
are_headers_same(const struct stream_record *a, const struct stream_record *b)
{
	struct stream_bytes rest[2] = {a->headers, b->headers};
	struct stream_header header[2];

	if (a->header_count != b->header_count)
		return false;
	if (a->header_count == 0 || is_same(a->headers, b->headers))
		return true;
	while (stream_header_take(&rest[0], &header[0]) &&
	       stream_header_take(&rest[1], &header[1]))
		if (!is_same(header[0].name, header[1].name) ||
		    !is_same(header[0].value, header[1].value))
			return false;
	return true;
}

unsigned
diff_compare(
    const struct stream_record *a, const struct stream_record *b, unsigned mask)
{
	unsigned fields = 0;

	if (!is_same(a->key, b->key))
		fields |= DIFF_KEY;
	if (!is_same(a->value, b->value))
		fields |= DIFF_VALUE;
	if ((mask & DIFF_HEADERS) != 0 && !are_headers_same(a, b))
		fields |= DIFF_HEADERS;
	if (a->timestamp_ms != b->timestamp_ms)
		fields |= DIFF_TIMESTAMP;
	if (a->offset != b->offset)
		fields |= DIFF_OFFSET;
	return fields & mask;
}
