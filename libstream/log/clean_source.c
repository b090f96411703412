#include "log/clean_source.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/resync.h"
#include "log/view.h"

int
stream_clean_source_open(struct stream_clean_source *source, int dirfd,
    int64_t base_offset, int64_t next_base, enum stream_scan_depth depth,
    size_t cap, struct stream_error *err)
{
	size_t block = depth == STREAM_SCAN_WHOLE ? STREAM_SCAN_BLOCK
						  : STREAM_SCAN_SMALL_BLOCK;
	int fd, status;

	stream_name_put_plain(base_offset, STREAM_NAME_LOG, source->name);
	status = stream_view_open_base(dirfd, base_offset, &fd, err);
	if (status != STREAM_OK)
		return status;
	stream_scan_init(&source->scan, fd, 0, depth, cap, block);
	stream_scan_init(&source->one, fd, 0, STREAM_SCAN_WHOLE, cap, 0);
	source->next_offset = base_offset;
	source->bound = stream_segment_bound(base_offset, next_base);
	return STREAM_OK;
}

void
stream_clean_source_close(struct stream_clean_source *source)
{
	close(source->scan.fd);
	stream_scan_release(&source->scan);
	stream_scan_release(&source->one);
}

static int
check_offsets(const struct stream_clean_source *source,
    const struct stream_batch *batch, struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;

	if (info->base_offset < source->next_offset)
		return stream_fail(err, STREAM_ECORRUPT, info->position,
		    "base offset %" PRId64 ", but %" PRId64
		    " or more should follow",
		    info->base_offset, source->next_offset);
	if (info->last_offset >= source->bound)
		return stream_fail(err, STREAM_ECORRUPT, info->position,
		    "last offset %" PRId64 ", but the segment ends before "
		    "%" PRId64,
		    info->last_offset, source->bound);
	return STREAM_OK;
}

int
stream_clean_source_next(struct stream_clean_source *source,
    struct stream_batch *batch, const uint8_t **bytes, struct stream_error *err)
{
	uint64_t position = source->scan.next;
	int status = stream_scan_next(&source->scan, batch, bytes, err);

	if (status == STREAM_END)
		return status;
	if (status == STREAM_OK)
		status = check_offsets(source, batch, err);
	if (status != STREAM_OK)
		return stream_clean_source_fail_at(
		    source, position, status, err);
	source->next_offset = batch->info.last_offset + 1;
	return STREAM_OK;
}

int
stream_clean_source_read(struct stream_clean_source *source,
    const struct stream_batch *batch, const uint8_t **bytes,
    struct stream_error *err)
{
	uint64_t position = batch->info.position;
	struct stream_batch same;
	int status;

	stream_scan_move(&source->one, source->scan.fd, position);
	status = stream_scan_next(&source->one, &same, bytes, err);
	return status == STREAM_OK
		   ? status
		   : stream_clean_source_fail_at(source, position, status, err);
}

int
stream_clean_source_fail_at(const struct stream_clean_source *source,
    uint64_t position, int status, struct stream_error *err)
{
	return stream_fail_in(
	    err, status, "%s: byte %" PRIu64, source->name, position);
}

int
stream_clean_source_fail(const struct stream_clean_source *source,
    const struct stream_batch *batch, int status, struct stream_error *err)
{
	if (err != NULL)
		err->pos = batch->info.position;
	return stream_fail_in(err, status,
	    "%s: byte %" PRIu64 ": batch at offset %" PRId64, source->name,
	    batch->info.position, batch->info.base_offset);
}
