#include "log/truncate.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/scan.h"
#include "log/partition_private.h"
#include "log/segment_names.h"
#include "log/set_aside.h"
#include "log/view.h"

struct cutting {
	struct stream_partition *partition;
	int dirfd;
	struct stream_view view;
	size_t keep;       /* index of the segment that is the newest now */
	uint64_t position; /* where it ends */
	int64_t end;       /* the offset after it */
	bool whole;        /* no record goes */
};

/* ---- where -------------------------------------------------------------- */

static int
find_position(struct cutting *c, int64_t limit, struct stream_error *err)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int fd;
	int status = stream_view_open(&c->view, c->keep, c->dirfd, &fd, err);

	if (status != STREAM_OK)
		return status;
	c->end = c->view.segments[c->keep].base_offset;
	stream_scan_init(&scan, fd, 0, STREAM_SCAN_WHOLE, STREAM_BATCH_CAP_MOST,
	    STREAM_SCAN_BLOCK);
	while ((status = stream_scan_next(&scan, &batch, &bytes, err)) ==
		   STREAM_OK &&
	       batch.info.last_offset < limit) {
		c->position = scan.next;
		c->end = batch.info.last_offset + 1;
	}
	stream_scan_release(&scan);
	close(fd);
	return status == STREAM_END || status == STREAM_ETORN ? STREAM_OK
							      : status;
}

/* The segment of offset is the newest, up to the first batch that reaches
 * limit. */
static int
find(struct cutting *c, int64_t offset, int64_t limit, struct stream_error *err)
{
	int status = stream_view_load(c->dirfd, &c->view, err);

	if (status != STREAM_OK)
		return status;
	if (c->view.count == 0)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "there is no segment");
	c->keep = stream_view_find(&c->view, offset);
	/* Swap files are settled when the structure lock is taken. */
	for (size_t i = 0; i < c->view.count; i++)
		if (c->view.segments[i].swap)
			return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
			    "an interrupted compaction is not settled");
	return find_position(c, limit, err);
}

/* ---- cutting ------------------------------------------------------------ */

/*
 * First of all the state, durably: from then on it says of no later segment
 * that it was there, and a reader that has passed the cut is told (SPEC section
 * 7.4).  Should the rest not be done, the next writer finds the longer log
 * again.
 */
static int
publish(struct cutting *c, struct stream_error *err)
{
	struct stream_state *state = &c->partition->state;
	int status;

	state->active_base = c->view.segments[c->keep].base_offset;
	state->end = 0;
	state->last_position = -1;
	state->next_offset = state->active_base;
	state->durable_end = 0;
	state->takebacks++;
	state->takeback_base = state->active_base;
	state->takeback_end = c->position;
	state->marks |= STREAM_MARK_ROLLING;
	status = stream_state_write(
	    c->partition->statefd, &c->partition->identity, state, err);
	return status == STREAM_OK ? stream_io_sync(c->partition->statefd, err)
				   : status;
}

/* Of a segment without a byte there is nothing to keep. */
static int
set_aside_segment(int dirfd, int64_t base, struct stream_error *err)
{
	static const enum stream_name_kind kinds[] = {STREAM_NAME_LOG,
	    STREAM_NAME_INDEX, STREAM_NAME_TIMEINDEX, STREAM_NAME_TXNINDEX,
	    STREAM_NAME_SNAPSHOT};
	char name[STREAM_NAME_SIZE];
	struct stat st;
	bool empty;
	int status = STREAM_OK;

	stream_name_put_plain(base, STREAM_NAME_LOG, name);
	empty = fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_size == 0;
	for (size_t i = 0; i < 5 && status == STREAM_OK; i++) {
		stream_name_put_plain(base, kinds[i], name);
		status = empty ? stream_dir_remove_file(dirfd, name, err)
			       : stream_set_aside_file(dirfd, name, err);
	}
	return status == STREAM_OK ? stream_io_sync_dir(dirfd, err) : status;
}

/* One that was closed may be held for a replica by a hard link, which must not
 * be cut with it, and keeps writers out. */
static int
make_own(struct cutting *c, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	stream_name_put_plain(
	    c->view.segments[c->keep].base_offset, STREAM_NAME_LOG, name);
	return stream_io_make_own(c->dirfd, name, err);
}

static int
empty_index(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int fd;
	int status;

	stream_name_put_plain(base, kind, name);
	status = stream_io_open(dirfd, name, O_RDWR, &fd, err);
	if (status != STREAM_OK)
		return status == STREAM_ENOENT ? STREAM_OK : status;
	status = stream_io_truncate(fd, 0, err);
	if (status == STREAM_OK)
		status = stream_io_sync(fd, err);
	close(fd);
	return status;
}

/* Indexes of the newest segment may be behind it, and are brought up to it by
 * the next writer; none may tell of what is not there. */
static int
empty_indexes(const struct cutting *c, struct stream_error *err)
{
	int64_t base = c->view.segments[c->keep].base_offset;
	int status = empty_index(c->dirfd, base, STREAM_NAME_INDEX, err);

	return status == STREAM_OK
		   ? empty_index(c->dirfd, base, STREAM_NAME_TIMEINDEX, err)
		   : status;
}

static int
cut_newest(struct cutting *c, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	uint64_t size;
	int fd;
	int status;

	stream_name_put_plain(
	    c->view.segments[c->keep].base_offset, STREAM_NAME_LOG, name);
	status = stream_io_open(c->dirfd, name, O_RDWR, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_io_size(fd, &size, err);
	if (status == STREAM_OK && size > c->position) {
		status = stream_set_aside_bytes(
		    c->dirfd, fd, c->position, c->end, err);
		if (status == STREAM_OK)
			status = empty_indexes(c, err);
		if (status == STREAM_OK)
			status = stream_io_truncate(fd, c->position, err);
	}
	if (status == STREAM_OK)
		status = stream_io_sync(fd, err);
	close(fd);
	return status;
}

static int
cut_epochs(struct cutting *c, struct stream_error *err)
{
	struct stream_epoch *entries;
	size_t count, kept = 0;
	int status = stream_epochs_load(c->dirfd, &entries, &count, err);

	if (status == STREAM_ENOENT || status == STREAM_ECORRUPT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	while (kept < count && (entries[kept].start_offset < c->end ||
				   (kept == 0 && count > 0)))
		kept++;
	if (kept < count)
		status = stream_epochs_save(c->dirfd, entries, kept, err);
	free(entries);
	return status;
}

/* Newest first: at each point the log is whole up to where it ends. */
static int
cut(struct cutting *c, struct stream_error *err)
{
	int status = make_own(c, err);

	if (status == STREAM_OK)
		status = publish(c, err);
	for (size_t i = c->view.count; --i > c->keep && status == STREAM_OK;)
		status = set_aside_segment(
		    c->dirfd, c->view.segments[i].base_offset, err);
	if (status == STREAM_OK)
		status = cut_newest(c, err);
	/* Without a record that goes, each epoch begins where it did. */
	if (status == STREAM_OK && !c->whole)
		status = cut_epochs(c, err);
	c->partition->known.sequence = 0;
	c->partition->state.leader_epoch = -1;
	return status == STREAM_OK
		   ? stream_partition_settle(c->partition,
			 c->partition->config.index_interval_bytes, err)
		   : status;
}

static int
truncate_log(int dirfd, const struct stream_log_config *config, int64_t offset,
    int64_t limit, int64_t *end, struct stream_error *err)
{
	struct cutting c = {.dirfd = dirfd, .whole = limit == INT64_MAX};
	int status =
	    stream_partition_open_locked(dirfd, config, &c.partition, err);

	if (status != STREAM_OK)
		return status;
	status = find(&c, offset, limit, err);
	if (status == STREAM_OK)
		status = cut(&c, err);
	if (status == STREAM_OK)
		*end = c.end;
	stream_view_release(&c.view);
	stream_partition_close(c.partition);
	return status;
}

int
stream_log_truncate(int dirfd, const struct stream_log_config *config,
    int64_t offset, int64_t *end, struct stream_error *err)
{
	return truncate_log(dirfd, config, offset, offset, end, err);
}

int
stream_log_end_with(int dirfd, const struct stream_log_config *config,
    int64_t base_offset, struct stream_error *err)
{
	int64_t end;

	return truncate_log(dirfd, config, base_offset, INT64_MAX, &end, err);
}
