#include "log/summary.h"

#include <unistd.h>

#include "file/index.h"
#include "file/io.h"
#include "file/name.h"
#include "file/scan.h"
#include "file/tail.h"
#include "log/view.h"

struct summing {
	int dirfd;
	const struct stream_view *view;
	struct stream_log_summary *sum;
};

/* The first batch of a segment, and from its last index entry on the last
 * whole one. */
static int
read_ends(const struct summing *s, size_t index, int fd, uint64_t size,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int64_t base = s->view->segments[index].base_offset;
	struct stream_index_source source = {
	    s->dirfd, name, fd, base, STREAM_BATCH_CAP_DEFAULT};
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	struct stream_tail_known known;
	uint64_t position;
	int status;

	stream_name_put_plain(base, STREAM_NAME_LOG, name);
	status = stream_tail_load_known(s->dirfd, base, &known, err);
	if (status != STREAM_OK)
		return status;
	stream_index_find(&source, base + INT32_MAX, &position);
	position = stream_tail_begin(&known, position);
	if (base >= s->sum->log_end_offset)
		s->sum->log_end_offset = base;
	stream_scan_init(&scan, fd, 0, STREAM_SCAN_WHOLE, STREAM_BATCH_CAP_MOST,
	    STREAM_SCAN_SMALL_BLOCK);
	scan.limit = size;
	status = stream_scan_next(&scan, &batch, &bytes, err);
	if (status == STREAM_OK &&
	    s->sum->first_timestamp_ms == STREAM_NO_TIMESTAMP)
		s->sum->first_timestamp_ms = batch.base_timestamp_ms;
	stream_scan_move(&scan, fd, position);
	while ((status = stream_scan_next(&scan, &batch, &bytes, err)) ==
	       STREAM_OK) {
		s->sum->log_end_offset = batch.info.last_offset + 1;
		s->sum->last_timestamp_ms = batch.info.max_timestamp_ms;
	}
	stream_scan_release(&scan);
	return status == STREAM_EIO || status == STREAM_ENOMEM ? status
							       : STREAM_OK;
}

/* Every segment counts with its size; the ends are in the outer ones, or, if
 * those are empty, next to them. */
static int
add_segment(const struct summing *s, size_t index, struct stream_error *err)
{
	uint64_t size;
	int fd;
	int status = stream_view_open(s->view, index, s->dirfd, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_io_size(fd, &size, err);
	s->sum->bytes += size;
	if (status == STREAM_OK &&
	    (s->sum->first_timestamp_ms == STREAM_NO_TIMESTAMP ||
		index + 2 >= s->view->count))
		status = read_ends(s, index, fd, size, err);
	close(fd);
	return status;
}

static int
summarize(int dirfd, int64_t log_start_offset,
    struct stream_log_summary *summary, struct stream_error *err)
{
	struct stream_view view;
	struct stream_log_summary sum = {
	    .log_start_offset = log_start_offset,
	    .first_timestamp_ms = STREAM_NO_TIMESTAMP,
	    .last_timestamp_ms = STREAM_NO_TIMESTAMP,
	};
	struct summing s = {dirfd, &view, &sum};
	int status = stream_view_load(dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	sum.segments = (uint32_t)view.count;
	if (view.count > 0 && view.segments[0].base_offset > log_start_offset)
		sum.log_start_offset = view.segments[0].base_offset;
	for (size_t i = 0; i < view.count && status == STREAM_OK; i++)
		status = add_segment(&s, i, err);
	if (sum.log_end_offset < sum.log_start_offset)
		sum.log_end_offset = sum.log_start_offset;
	stream_view_release(&view);
	if (status == STREAM_OK)
		*summary = sum;
	return status;
}

int
stream_log_summarize(int dirfd, int64_t log_start_offset,
    struct stream_log_summary *summary, struct stream_error *err)
{
	int status = STREAM_ENOENT;

	/* What was listed may have been compacted or removed since. */
	for (int i = 0; status == STREAM_ENOENT && i < STREAM_VIEW_TRIES; i++)
		status = summarize(dirfd, log_start_offset, summary, err);
	return status;
}
