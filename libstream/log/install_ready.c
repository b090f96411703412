/*
 * install_ready.c - a log that was brought: checked, indexed and durable
 */
#include "log/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"

static int
add_to_index(void *context, const struct stream_batch *batch,
    const uint8_t *bytes, struct stream_error *err)
{
	(void)bytes;
	return stream_indexer_add(context, &batch->info, err);
}

static int
put_index(int dirfd, int64_t base, enum stream_name_kind kind,
    const struct stream_buf *entries, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int fd;
	int status;

	stream_name_put_plain(base, kind, name);
	status = stream_dir_remove_file(dirfd, name, err);
	if (status == STREAM_OK)
		status = stream_io_open(
		    dirfd, name, O_WRONLY | O_CREAT | O_EXCL, &fd, err);
	if (status != STREAM_OK)
		return status;
	status =
	    stream_io_write_at(fd, entries->data, entries->size, 0, NULL, err);
	if (status == STREAM_OK)
		status = stream_io_sync_whole(fd, err);
	if (close(fd) != 0 && status == STREAM_OK)
		status = stream_fail_sys(err, "%s: close failed", name);
	return status;
}

static int
put_indexes(int dirfd, const struct stream_install_check *check,
    struct stream_indexer *indexer, struct stream_error *err)
{
	int status =
	    check->closed ? stream_indexer_finish(indexer, err) : STREAM_OK;

	if (status == STREAM_OK)
		status = put_index(dirfd, check->base_offset, STREAM_NAME_INDEX,
		    &indexer->offsets, err);
	if (status == STREAM_OK)
		status = put_index(dirfd, check->base_offset,
		    STREAM_NAME_TIMEINDEX, &indexer->times, err);
	return status;
}

static int
check_log(int fd, struct stream_install_check *check,
    struct stream_indexer *indexer, struct stream_error *err)
{
	struct stream_measure found;
	struct stream_measuring how = {
	    .fd = fd,
	    .limit = check->measure->bytes,
	    .batch = add_to_index,
	    .context = indexer,
	    .mark_at = check->mark_at,
	    .go_on = check->go_on,
	    .go_on_context = check->context,
	};
	int status;

	stream_measure_init(&found, check->base_offset);
	status = stream_measure_log(&how, &found, err);
	check->mark = how.mark;
	check->marked = how.marked;
	if (status == STREAM_OK &&
	    !stream_measure_bears_out(&found, check->measure))
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "what came is not what was sent");
	return status;
}

/* Files that came whole are as durable as any other. */
static int
sync_file(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int fd;
	int status;

	stream_name_put_plain(base, kind, name);
	status = stream_io_open(dirfd, name, O_RDONLY, &fd, err);
	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	status = stream_io_sync_whole(fd, err);
	close(fd);
	return status;
}

static int
settle_log(int fd, uint64_t bytes, struct stream_error *err)
{
	uint64_t size;
	int status = stream_io_size(fd, &size, err);

	if (status == STREAM_OK && size > bytes)
		status = stream_io_truncate(fd, bytes, err);
	return status == STREAM_OK ? stream_io_sync_whole(fd, err) : status;
}

void
stream_install_name(int64_t base_offset, char *name)
{
	struct stream_name ready = {
	    base_offset, STREAM_NAME_LOG, STREAM_NAME_CLEANED};

	stream_name_put(&ready, name);
}

/* A run that was killed may have left one that has its name already. */
static int
take_name(int dirfd, int64_t base, char *name, struct stream_error *err)
{
	char plain[STREAM_NAME_SIZE];

	stream_name_put_plain(base, STREAM_NAME_LOG, plain);
	stream_install_name(base, name);
	if (renameat(dirfd, plain, dirfd, name) == 0 || errno == ENOENT)
		return STREAM_OK;
	return stream_fail_sys(err, "%s: cannot rename", plain);
}

int
stream_install_ready(
    int dirfd, struct stream_install_check *check, struct stream_error *err)
{
	struct stream_indexer indexer;
	char name[STREAM_NAME_SIZE];
	int fd;
	int status;

	status = take_name(dirfd, check->base_offset, name, err);
	if (status == STREAM_OK)
		status = stream_io_open(dirfd, name, O_RDWR, &fd, err);
	if (status != STREAM_OK)
		return status;
	stream_indexer_init(
	    &indexer, check->base_offset, check->interval_bytes);
	status = check_log(fd, check, &indexer, err);
	if (status == STREAM_OK)
		status = settle_log(fd, check->measure->bytes, err);
	close(fd);
	if (status == STREAM_OK)
		status = put_indexes(dirfd, check, &indexer, err);
	stream_indexer_release(&indexer);
	if (status == STREAM_OK)
		status = sync_file(
		    dirfd, check->base_offset, STREAM_NAME_TXNINDEX, err);
	if (status == STREAM_OK)
		status = sync_file(
		    dirfd, check->base_offset, STREAM_NAME_SNAPSHOT, err);
	return status == STREAM_OK ? STREAM_OK
				   : stream_fail_in(err, status, "%s", name);
}
