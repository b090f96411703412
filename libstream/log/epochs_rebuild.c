#include "log/epochs_rebuild.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "file/checkpoint.h"
#include "file/scan.h"
#include "log/view.h"

int
stream_epochs_note(struct stream_buf *epochs,
    const struct stream_batch_info *info, struct stream_error *err)
{
	struct stream_epoch new = {info->leader_epoch, info->base_offset};
	const struct stream_epoch *last = NULL;

	if (epochs->size > 0)
		last =
		    (const struct stream_epoch *)(const void *)(epochs->data +
								epochs->size -
								sizeof(*last));
	if (new.epoch < 0 ||
	    (last != NULL && (new.epoch <= last->epoch ||
				 new.start_offset <= last->start_offset)))
		return STREAM_OK;
	return stream_buf_add(epochs, &new, sizeof(new), err);
}

/* The epoch in which the checkpoint says that offset was written; -1. */
static int32_t
epoch_at(const struct stream_epoch *entries, size_t count, int64_t offset)
{
	int32_t epoch = -1;

	for (size_t i = 0; i < count && entries[i].start_offset <= offset; i++)
		epoch = entries[i].epoch;
	return epoch;
}

bool
stream_epochs_agree(const struct stream_epoch *entries, size_t count,
    const struct stream_buf *noted, int64_t end_offset)
{
	size_t n = noted->size / sizeof(struct stream_epoch);
	const struct stream_epoch *begun = (const void *)noted->data;

	if (count > 0 && entries[count - 1].start_offset > end_offset)
		return false;
	for (size_t i = 0; i < n; i++)
		if (epoch_at(entries, count, begun[i].start_offset) !=
		    begun[i].epoch)
			return false;
	return true;
}

static int
walk_segment(int fd, struct stream_buf *epochs, struct stream_error *err)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	stream_scan_init(&scan, fd, 0, STREAM_SCAN_HEADERS,
	    STREAM_BATCH_CAP_MOST, STREAM_SCAN_SMALL_BLOCK);
	while ((status = stream_scan_next(&scan, &batch, &bytes, err)) ==
	       STREAM_OK) {
		status = stream_epochs_note(epochs, &batch.info, err);
		if (status != STREAM_OK)
			break;
	}
	stream_scan_release(&scan);
	return status == STREAM_EIO || status == STREAM_ENOMEM ? status
							       : STREAM_OK;
}

int
stream_epochs_rebuild(int dirfd, struct stream_error *err)
{
	struct stream_view view;
	struct stream_buf epochs;
	int status = stream_view_load(dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	stream_buf_init(&epochs);
	for (size_t i = 0; i < view.count && status == STREAM_OK; i++) {
		int fd;

		status = stream_view_open(&view, i, dirfd, &fd, err);
		if (status != STREAM_OK)
			break;
		status = walk_segment(fd, &epochs, err);
		close(fd);
	}
	if (status == STREAM_OK && epochs.size > 0)
		status = stream_epochs_save(dirfd,
		    (const struct stream_epoch *)(const void *)epochs.data,
		    epochs.size / sizeof(struct stream_epoch), err);
	stream_buf_release(&epochs);
	stream_view_release(&view);
	return status;
}

int
stream_epochs_pull_back(
    int dirfd, int64_t next_offset, struct stream_error *err)
{
	struct stream_epoch *entries;
	size_t count, kept = 0;
	int status = stream_epochs_load(dirfd, &entries, &count, err);

	if (status != STREAM_OK)
		return status;
	while (kept < count && entries[kept].start_offset < next_offset)
		kept++;
	if (kept < count) {
		entries[kept] = (struct stream_epoch){
		    entries[count - 1].epoch, next_offset};
		status = stream_epochs_save(dirfd, entries, kept + 1, err);
	}
	free(entries);
	return status;
}
