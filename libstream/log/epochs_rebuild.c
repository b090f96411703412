#include "log/epochs_rebuild.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/io.h"
#include "file/scan.h"
#include "log/view.h"

void
stream_epochs_noter_init(struct stream_epochs_noter *noter)
{
	*noter = (struct stream_epochs_noter){.holds = false};
	stream_buf_init(&noter->entries);
}

void
stream_epochs_noter_release(struct stream_epochs_noter *noter)
{
	stream_buf_release(&noter->entries);
}

static bool
begins_epoch(const struct stream_epochs_noter *noter)
{
	const struct stream_epoch *entries = (const void *)noter->entries.data;
	size_t count = noter->entries.size / sizeof(*entries);

	return count == 0 ||
	       (noter->held.epoch > entries[count - 1].epoch &&
		   noter->held.start_offset > entries[count - 1].start_offset);
}

int
stream_epochs_noted(struct stream_epochs_noter *noter, struct stream_error *err)
{
	if (!noter->holds || !begins_epoch(noter))
		return STREAM_OK;
	return stream_buf_add(
	    &noter->entries, &noter->held, sizeof(noter->held), err);
}

int
stream_epochs_note(struct stream_epochs_noter *noter,
    const struct stream_batch_info *info, struct stream_error *err)
{
	int status = STREAM_OK;

	if (info->leader_epoch < 0)
		return STREAM_OK;
	if (noter->holds && noter->held.epoch <= info->leader_epoch)
		status = stream_epochs_noted(noter, err);
	noter->held =
	    (struct stream_epoch){info->leader_epoch, info->base_offset};
	noter->holds = true;
	return status;
}

static int
walk_segment(
    int fd, struct stream_epochs_noter *noter, struct stream_error *err)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	stream_scan_init(&scan, fd, 0, STREAM_SCAN_HEADERS,
	    STREAM_BATCH_CAP_MOST, STREAM_SCAN_SMALL_BLOCK);
	while ((status = stream_scan_next(&scan, &batch, &bytes, err)) ==
	       STREAM_OK) {
		status = stream_epochs_note(noter, &batch.info, err);
		if (status != STREAM_OK)
			break;
	}
	stream_scan_release(&scan);
	return status == STREAM_EIO || status == STREAM_ENOMEM ? status
							       : STREAM_OK;
}

static int
walk_all(int dirfd, struct stream_epochs_noter *noter, struct stream_error *err)
{
	struct stream_view view;
	int status = stream_view_load(dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	for (size_t i = 0; i < view.count && status == STREAM_OK; i++) {
		int fd;

		status = stream_view_open(&view, i, dirfd, &fd, err);
		if (status != STREAM_OK)
			break;
		status = walk_segment(fd, noter, err);
		close(fd);
	}
	if (status == STREAM_OK)
		status = stream_epochs_noted(noter, err);
	stream_view_release(&view);
	return status;
}

static int
walk_newest(
    int dirfd, struct stream_epochs_noter *noter, struct stream_error *err)
{
	struct stream_view view;
	uint64_t size = 0;
	int status = stream_view_load(dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	for (size_t i = view.count; i > 0 && size == 0 && status == STREAM_OK;
	     i--) {
		int fd;

		status = stream_view_open(&view, i - 1, dirfd, &fd, err);
		if (status != STREAM_OK)
			break;
		status = stream_io_size(fd, &size, err);
		if (status == STREAM_OK && size > 0)
			status = walk_segment(fd, noter, err);
		close(fd);
	}
	if (status == STREAM_OK)
		status = stream_epochs_noted(noter, err);
	stream_view_release(&view);
	return status;
}

/* Closed segments may be compacted or removed meanwhile. */
static int
try_walk(int dirfd,
    int (*walk)(
	int dirfd, struct stream_epochs_noter *noter, struct stream_error *err),
    struct stream_epochs_noter *noter, struct stream_error *err)
{
	int status = STREAM_ENOENT;

	for (int i = 0; status == STREAM_ENOENT && i < STREAM_VIEW_TRIES; i++) {
		stream_epochs_noter_release(noter);
		stream_epochs_noter_init(noter);
		status = walk(dirfd, noter, err);
	}
	return status;
}

int
stream_epochs_walk(
    int dirfd, struct stream_epochs_noter *noter, struct stream_error *err)
{
	return try_walk(dirfd, walk_all, noter, err);
}

int
stream_epochs_newest(int dirfd, int32_t *epoch, struct stream_error *err)
{
	struct stream_epochs_noter noter;
	const struct stream_epoch *entries;
	size_t count;
	int status;

	stream_epochs_noter_init(&noter);
	status = try_walk(dirfd, walk_newest, &noter, err);
	entries = (const void *)noter.entries.data;
	count = noter.entries.size / sizeof(*entries);
	if (status == STREAM_OK)
		*epoch = count == 0 ? -1 : entries[count - 1].epoch;
	stream_epochs_noter_release(&noter);
	return status;
}

int
stream_epochs_rebuild(int dirfd, struct stream_error *err)
{
	struct stream_epochs_noter noter;
	int status;

	stream_epochs_noter_init(&noter);
	status = stream_epochs_walk(dirfd, &noter, err);
	if (status == STREAM_OK && noter.entries.size > 0)
		status =
		    stream_epochs_save(dirfd, (const void *)noter.entries.data,
			noter.entries.size / sizeof(struct stream_epoch), err);
	stream_epochs_noter_release(&noter);
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

int
stream_epochs_begin(
    int dirfd, struct stream_epoch begun, struct stream_error *err)
{
	struct stream_epoch *entries = NULL, *list;
	size_t count = 0;
	int status = stream_epochs_load(dirfd, &entries, &count, err);

	if (status != STREAM_OK && status != STREAM_ENOENT)
		return status;
	while (
	    count > 0 && entries[count - 1].start_offset >= begun.start_offset)
		count--;
	list = realloc(entries, (count + 1) * sizeof(*list));
	if (list == NULL) {
		free(entries);
		return stream_fail_memory(err);
	}
	if (count == 0 || list[count - 1].epoch < begun.epoch)
		list[count++] = begun;
	status = stream_epochs_save(dirfd, list, count, err);
	free(list);
	return status;
}

/* Of the batches' entries, those before the first one that is there. */
static int
put_in_front(int dirfd, const struct stream_buf *noted,
    struct stream_epoch *there, size_t count, struct stream_error *err)
{
	const struct stream_epoch *found = (const void *)noted->data;
	size_t n = noted->size / sizeof(*found), front = 0;
	struct stream_epoch *list;
	int status;

	while (front < n && found[front].epoch < there->epoch &&
	       found[front].start_offset < there->start_offset)
		front++;
	if (front < n && found[front].epoch == there->epoch &&
	    found[front].start_offset < there->start_offset)
		there->start_offset = found[front].start_offset;
	else if (front == 0)
		return STREAM_OK;
	list = calloc(front + count, sizeof(*list));
	if (list == NULL)
		return stream_fail_memory(err);
	if (front > 0)
		memcpy(list, found, front * sizeof(*list));
	memcpy(list + front, there, count * sizeof(*list));
	status = stream_epochs_save(dirfd, list, front + count, err);
	free(list);
	return status;
}

int
stream_epochs_add_front(int dirfd, struct stream_error *err)
{
	struct stream_epochs_noter noter;
	struct stream_epoch *there;
	size_t count;
	int status = stream_epochs_load(dirfd, &there, &count, err);

	if (status == STREAM_ENOENT || status == STREAM_ECORRUPT ||
	    (status == STREAM_OK && count == 0))
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	stream_epochs_noter_init(&noter);
	status = stream_epochs_walk(dirfd, &noter, err);
	if (status == STREAM_OK)
		status = put_in_front(dirfd, &noter.entries, there, count, err);
	stream_epochs_noter_release(&noter);
	free(there);
	return status;
}

int
stream_epochs_cut_front(int dirfd, int64_t start, struct stream_error *err)
{
	struct stream_epoch *entries;
	size_t count, before = 0;
	int status = stream_epochs_load(dirfd, &entries, &count, err);

	if (status != STREAM_OK)
		return status;
	while (before < count && entries[before].start_offset <= start)
		before++;
	if (before > 1 || (before == 1 && entries[0].start_offset < start)) {
		entries[before - 1].start_offset = start;
		status = stream_epochs_save(
		    dirfd, entries + before - 1, count - before + 1, err);
	}
	free(entries);
	return status;
}
