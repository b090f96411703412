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

/* What was seen of it while it came, if that serves; else all of it is read. */
static int
check_log(int fd, struct stream_install_check *check,
    struct stream_arriving *arriving, struct stream_error *err)
{
	const struct stream_measure *found = &arriving->measure;
	struct stream_measuring how = {
	    .fd = fd,
	    .limit = check->measure->bytes,
	    .mark_at = check->mark_at,
	    .go_on = check->go_on,
	    .go_on_context = check->context,
	};
	int status;

	if (found->bytes > check->mark_at || found->bytes > how.limit)
		stream_arriving_restart(arriving);
	status = stream_arriving_go_on(arriving, &how, err);
	check->mark = how.mark;
	check->marked = how.marked;
	if (status == STREAM_OK &&
	    !stream_measure_bears_out(found, check->measure))
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

static int
make_ready(int dirfd, const char *name, struct stream_install_check *check,
    struct stream_arriving *arriving, struct stream_error *err)
{
	int fd;
	int status = stream_io_open(dirfd, name, O_RDWR, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = check_log(fd, check, arriving, err);
	if (status == STREAM_OK)
		status = settle_log(fd, check->measure->bytes, err);
	close(fd);
	return status == STREAM_OK
		   ? put_indexes(dirfd, check, &arriving->indexer, err)
		   : status;
}

int
stream_install_ready(
    int dirfd, struct stream_install_check *check, struct stream_error *err)
{
	struct stream_arriving own;
	struct stream_arriving *arriving = check->arriving;
	char name[STREAM_NAME_SIZE];
	int status;

	stream_arriving_init(&own, check->base_offset, check->interval_bytes);
	if (arriving == NULL)
		arriving = &own;
	status = take_name(dirfd, check->base_offset, name, err);
	if (status == STREAM_OK)
		status = make_ready(dirfd, name, check, arriving, err);
	/* Its indexes are finished, or what was seen was of no use. */
	stream_arriving_restart(arriving);
	stream_arriving_release(&own);
	if (status == STREAM_OK)
		status = sync_file(
		    dirfd, check->base_offset, STREAM_NAME_TXNINDEX, err);
	if (status == STREAM_OK)
		status = sync_file(
		    dirfd, check->base_offset, STREAM_NAME_SNAPSHOT, err);
	return status == STREAM_OK ? STREAM_OK
				   : stream_fail_in(err, status, "%s", name);
}
