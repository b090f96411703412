/*
 * archive_part.c - which closed segments of a partition a range means
 */
#include <stdlib.h>

#include <stream/reader.h>

#include "base/fail.h"
#include "port/archive_write.h"

void
stream_archive_part_release(struct stream_archive_part *part)
{
	free(part->identities);
	part->identities = NULL;
}

/* A reader that begins at the point knows its offset. */
static int
find_point(const struct stream_place *place, const struct stream_point *point,
    int64_t *offset, struct stream_error *err)
{
	struct stream_reader_options how = {
	    .range.from = *point,
	    .flags = STREAM_READER_UNCOMMITTED | STREAM_READER_CLAMP,
	};
	struct stream_reader *reader;
	int status;

	if (point->kind == STREAM_POINT_OFFSET) {
		*offset = point->value;
		return STREAM_OK;
	}
	status = stream_reader_open(place, &how, &reader, err);
	if (status != STREAM_OK)
		return status;
	*offset = stream_reader_position(reader);
	stream_reader_close(reader);
	return STREAM_OK;
}

int
stream_archive_part_range(struct stream_archive_part *part,
    const struct stream_range *range, struct stream_error *err)
{
	int64_t from = 0, to = INT64_MAX;
	int status = STREAM_OK;

	/* From the start means all that is there, also what the log start
	 * hides: retention may have to keep it before it takes it. */
	if (range->from.kind != STREAM_POINT_NONE &&
	    range->from.kind != STREAM_POINT_START)
		status = find_point(part->place, &range->from, &from, err);
	if (status == STREAM_OK && range->to.kind == STREAM_POINT_AFTER)
		to = range->to.value < INT64_MAX - from ? from + range->to.value
							: INT64_MAX;
	else if (status == STREAM_OK && range->to.kind != STREAM_POINT_NONE)
		status = find_point(part->place, &range->to, &to, err);
	if (status != STREAM_OK)
		return status;
	part->from = from;
	part->to = to;
	return STREAM_OK;
}

/* The part as it is now, which may be more than when it was looked at. */
int
stream_archive_part_update(struct stream_archive_part *part,
    const struct stream_source *source, struct stream_error *err)
{
	struct stream_source_identity *identities =
	    calloc(source->count + 1, sizeof(*identities));

	if (identities == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i < source->count; i++)
		identities[i] = source->segments[i].identity;
	free(part->identities);
	part->identities = identities;
	part->segments = source->count;
	part->bytes = stream_source_bytes(source);
	part->next_offset = source->next_offset;
	part->first_offset = source->count > 0 ? source->segments[0].base_offset
					       : source->next_offset;
	part->active_is_used = source->active_is_used;
	part->records = 0;
	return STREAM_OK;
}

int
stream_archive_part_look(
    struct stream_archive_part *part, struct stream_error *err)
{
	struct stream_source source;
	int status =
	    stream_source_open(part->place, part->from, part->to, &source, err);

	if (status == STREAM_OK)
		status = stream_archive_part_update(part, &source, err);
	stream_source_close(&source);
	return status;
}
