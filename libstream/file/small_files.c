/*
 * small_files.c - read small files by their paths, for who looks from outside
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/io.h"
#include "file/properties.h"
#include "file/snapshot.h"
#include "file/state.h"

enum {
	/* As the loaders of checkpoint.c and snapshot.c have it. */
	EPOCHS_LIMIT = 32 << 20,
	SNAPSHOT_LIMIT = 64 << 20,
	/* The real ones have a few hundred bytes. */
	PROPERTIES_LIMIT = 64 << 10
};

static int
load(const char *path, size_t limit, struct stream_buf *buf,
    struct stream_bytes *bytes, struct stream_error *err)
{
	int status;

	stream_buf_init(buf);
	status = stream_io_load(AT_FDCWD, path, limit, buf, err);
	*bytes = (struct stream_bytes){buf->data, buf->size};
	return status;
}

int
stream_epochs_read(const char *path, struct stream_epoch **epochs,
    size_t *count, struct stream_error *err)
{
	struct stream_buf buf;
	struct stream_bytes bytes;
	int status = load(path, EPOCHS_LIMIT, &buf, &bytes, err);

	if (status == STREAM_OK)
		status = stream_epochs_parse(bytes, epochs, count, err);
	stream_buf_release(&buf);
	return status;
}

int
stream_snapshot_read(const char *path, struct stream_snapshot_entry **entries,
    size_t *count, struct stream_error *err)
{
	struct stream_buf buf;
	struct stream_bytes bytes;
	int status = load(path, SNAPSHOT_LIMIT, &buf, &bytes, err);

	if (status == STREAM_OK)
		status = stream_snapshot_parse(bytes, entries, count, err);
	stream_buf_release(&buf);
	return status;
}

int
stream_properties_read(const char *path, struct stream_properties *properties,
    struct stream_error *err)
{
	struct stream_buf buf;
	struct stream_bytes bytes;
	int status = load(path, PROPERTIES_LIMIT, &buf, &bytes, err);

	if (status == STREAM_OK)
		status = stream_properties_parse(bytes, properties, err);
	stream_buf_release(&buf);
	return status;
}

int
stream_shutdown_read(
    const char *path, int64_t *broker_epoch, struct stream_error *err)
{
	struct stream_buf buf;
	struct stream_bytes bytes;
	int status = load(path, PROPERTIES_LIMIT, &buf, &bytes, err);

	if (status == STREAM_OK)
		*broker_epoch = stream_shutdown_parse(bytes);
	stream_buf_release(&buf);
	return status;
}

static void
view_slot(const uint8_t *slot, size_t size,
    const struct stream_state_identity *identity,
    struct stream_state_view *view)
{
	struct stream_state state;

	*view = (struct stream_state_view){.is_whole = false};
	if (!stream_state_take_slot(slot, size, &state))
		return;
	*view = (struct stream_state_view){
	    .is_whole = true,
	    .is_own = state.device == identity->device &&
		      state.inode == identity->inode,
	    .is_current = stream_state_is_current(&state, identity),
	    .sequence = state.sequence,
	    .device = state.device,
	    .inode = state.inode,
	    .is_rolling = (state.marks & STREAM_MARK_ROLLING) != 0,
	    .is_syncing = (state.marks & STREAM_MARK_SYNCING) != 0,
	    .is_deleted = (state.marks & STREAM_MARK_DELETED) != 0,
	    .is_replicating = (state.marks & STREAM_MARK_REPLICATING) != 0,
	    .leader_epoch = state.leader_epoch,
	    .active_base = state.active_base,
	    .end = state.end,
	    .last_position = state.last_position,
	    .next_offset = state.next_offset,
	    .durable_end = state.durable_end,
	    .max_timestamp_ms = state.max_timestamp_ms,
	    .max_timestamp_offset = state.max_timestamp_offset,
	    .takebacks = state.takebacks,
	    .takeback_base = state.takeback_base,
	    .takeback_end = state.takeback_end,
	    .structure = state.structure,
	};
	for (size_t i = 0; i < sizeof(view->boot_id); i++)
		view->boot_id[i] = state.boot_id[i];
}

int
stream_state_view(const char *path, struct stream_state_view slots[2],
    struct stream_error *err)
{
	uint8_t bytes[2 * STREAM_STATE_STRIDE] = {0};
	struct stream_state_identity identity;
	size_t got;
	int fd;
	int status = stream_io_open(AT_FDCWD, path, O_RDONLY, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_state_identify(fd, &identity, err);
	if (status == STREAM_OK)
		status =
		    stream_io_read_at(fd, bytes, sizeof(bytes), 0, &got, err);
	close(fd);
	if (status != STREAM_OK)
		return status;
	for (int i = 0; i < 2; i++)
		view_slot(bytes + i * STREAM_STATE_STRIDE, STREAM_STATE_STRIDE,
		    &identity, &slots[i]);
	return STREAM_OK;
}

int
stream_store_probe(const char *path, bool *broker, struct stream_error *err)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	int dirfd, fd;
	int status = stream_io_open_dir(AT_FDCWD, path, &dirfd, err);

	if (status != STREAM_OK)
		return status;
	*broker = false;
	status = stream_io_open(dirfd, ".lock", O_RDONLY, &fd, err);
	close(dirfd);
	if (status != STREAM_OK)
		return status == STREAM_ENOENT ? STREAM_OK : status;
	/* Writers of ours hold it shared, which a shared lock does not meet. */
	if (fcntl(fd, F_OFD_GETLK, &lock) != 0)
		status = stream_fail_sys(err, "%s/.lock: cannot ask", path);
	else
		*broker = lock.l_type != F_UNLCK;
	close(fd);
	return status;
}
