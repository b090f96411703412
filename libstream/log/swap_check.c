#include "log/swap_check.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "file/name.h"
#include "file/scan.h"

static int
check_batch(int64_t base, int64_t next_offset, const struct stream_batch *batch,
    struct stream_error *err)
{
	if (batch->info.base_offset >= next_offset &&
	    batch->info.last_offset - base <= INT32_MAX)
		return STREAM_OK;
	return stream_fail(err, STREAM_ECORRUPT, batch->info.position,
	    "batch at offset %lld where %lld or more was expected",
	    (long long)batch->info.base_offset, (long long)next_offset);
}

/* All batches are good and follow each other to the end of the file. */
static int
check_chain(int fd, int64_t base, int64_t *end, struct stream_error *err)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	*end = base;
	stream_scan_init(&scan, fd, 0, STREAM_SCAN_WHOLE, STREAM_BATCH_CAP_MOST,
	    STREAM_SCAN_BLOCK);
	while ((status = stream_scan_next(&scan, &batch, &bytes, err)) ==
	       STREAM_OK) {
		status = check_batch(base, *end, &batch, err);
		if (status != STREAM_OK)
			break;
		*end = batch.info.last_offset + 1;
	}
	stream_scan_release(&scan);
	if (status == STREAM_END)
		return STREAM_OK;
	return status == STREAM_EIO || status == STREAM_ENOMEM
		   ? status
		   : STREAM_ECORRUPT;
}

static int
check_swap(int dirfd, const struct stream_view *view, size_t i, int64_t *end,
    struct stream_error *err)
{
	int fd;
	int status = stream_view_open(view, i, dirfd, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = check_chain(fd, view->segments[i].base_offset, end, err);
	close(fd);
	return status;
}

/* The offset after the last batch of a plain log, as its headers have it. */
static int
find_end(int dirfd, int64_t base, int64_t *end, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int fd;
	int status;

	*end = base;
	stream_name_put_plain(base, STREAM_NAME_LOG, name);
	status = stream_io_open(dirfd, name, O_RDONLY, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_view_raise_end(fd, end, err);
	close(fd);
	return status;
}

int
stream_swap_check(int dirfd, const struct stream_view *view, int64_t replaced,
    int64_t *base, struct stream_error *err)
{
	int64_t most;
	int status = find_end(dirfd, replaced, &most, err);

	for (size_t i = 0; i < view->count && status == STREAM_OK; i++) {
		int64_t end;

		if (!view->segments[i].swap)
			continue;
		*base = view->segments[i].base_offset;
		status = check_swap(dirfd, view, i, &end, err);
		/* What was compacted were closed segments. */
		if (status == STREAM_OK && end > most &&
		    view->segments[view->count - 1].base_offset <= replaced)
			status =
			    stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
				"it ends at offset %lld, and the log at %lld",
				(long long)end, (long long)most);
	}
	return status;
}
