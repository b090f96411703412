#include "port/archive_fill.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "codec/batch_build.h"
#include "file/io.h"

static void
note_damage(const struct stream_fill *fill,
    const struct stream_archive_block *block, const struct stream_error *why)
{
	char text[sizeof(why->text) + 80];

	snprintf(text, sizeof(text),
	    "%s; offsets %" PRId64 " to %" PRId64 " cannot be unpacked",
	    why->text, block->base_offset, block->last_offset);
	if (fill->note != NULL)
		fill->note(fill->context, text);
}

/* One batch with the block's offsets and time, so that all is found as before;
 * nobody takes it for a good one. */
static int
put_damage(struct stream_fill *fill, const struct stream_archive_block *block,
    const struct stream_error *why, struct stream_error *err)
{
	int64_t last = block->last_offset - block->base_offset;
	struct stream_batch_build build = {
	    .base_timestamp_ms = block->largest_ms,
	    .max_timestamp_ms = block->largest_ms,
	    .count = (int32_t)last + 1,
	};
	size_t size = (size_t)block->bytes;
	uint8_t *bytes;
	int status;

	if (size < STREAM_BATCH_HEADER || size > STREAM_BATCH_CAP_DEFAULT ||
	    last >= INT32_MAX)
		return stream_fail(
		    err, STREAM_ECORRUPT, STREAM_POS_NONE, "%s", why->text);
	fill->block.size = 0;
	status = stream_buf_reserve(&fill->block, size, err);
	if (status != STREAM_OK)
		return status;
	bytes = fill->block.data;
	memset(bytes, 0, size);
	stream_batch_build_header(&build, STREAM_CODEC_NONE, bytes, size);
	stream_batch_place(bytes, block->base_offset, 0);
	stream_batch_seal(bytes, size);
	bytes[STREAM_BATCH_CRC_AT] ^= 1;
	fill->block.size = size;
	note_damage(fill, block, why);
	return STREAM_OK;
}

static int
read_block(struct stream_fill *fill,
    const struct stream_archive_segment *segment,
    const struct stream_archive_block *block, struct stream_error *err)
{
	struct stream_error why;
	int status;

	fill->block.size = 0;
	status = stream_archive_read_block(
	    fill->archive, segment, block, &fill->block, &why);
	if (status == STREAM_ECORRUPT)
		status = put_damage(fill, block, &why, err);
	else if (status != STREAM_OK && err != NULL)
		*err = why;
	return status;
}

static int
put_block(struct stream_fill *fill, int log, uint64_t *position,
    struct stream_error *err)
{
	int status = stream_io_write_at(
	    log, fill->block.data, fill->block.size, *position, NULL, err);

	*position += fill->block.size;
	return status;
}

int
stream_fill_part(struct stream_fill *fill, const struct stream_part *part,
    int log, struct stream_error *err)
{
	const struct stream_archive_segment *segment = part->segment;
	uint64_t position = 0;
	int status = STREAM_OK;

	for (size_t i = part->first; i < part->end && status == STREAM_OK;
	     i++) {
		status = read_block(fill, segment, &segment->blocks[i], err);
		if (status == STREAM_OK)
			status = put_block(fill, log, &position, err);
	}
	return status;
}
