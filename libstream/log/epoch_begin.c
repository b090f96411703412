/*
 * epoch_begin.c - a new leader epoch at the end of the log
 */
#include <stdlib.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "log/epochs_rebuild.h"
#include "log/partition_private.h"
#include "log/view.h"

/* The entries that stand, from the batches where the file does not say. */
static int
load(int dirfd, struct stream_epoch **entries, size_t *count,
    struct stream_error *err)
{
	int status = stream_epochs_load(dirfd, entries, count, err);

	if (status != STREAM_ENOENT && status != STREAM_ECORRUPT)
		return status;
	status = stream_epochs_rebuild(dirfd, err);
	if (status == STREAM_OK)
		status = stream_epochs_load(dirfd, entries, count, err);
	if (status != STREAM_ENOENT)
		return status;
	*entries = NULL;
	*count = 0;
	return STREAM_OK;
}

/* A log without an entry is one that its first writer would give epoch 0: so
 * that one counts as used. */
static int
choose(const struct stream_partition *partition,
    const struct stream_epoch *entries, size_t count, int32_t *epoch,
    struct stream_error *err)
{
	int32_t last = partition->state.leader_epoch;

	if (count > 0 && entries[count - 1].epoch > last)
		last = entries[count - 1].epoch;
	if (last < 0)
		last = 0;
	if (last == INT32_MAX)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%s: leader epoch %d is the last that there is",
		    STREAM_EPOCHS_FILE, last);
	*epoch = last + 1;
	return STREAM_OK;
}

/* Who took the front of the log away may have died before its entries went. */
static int
cut_front(struct stream_partition *partition, struct stream_error *err)
{
	int64_t start = partition->config.log_start_offset;
	struct stream_view view;
	int status = stream_view_load(partition->dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	if (view.count > 0 && start < view.segments[0].base_offset)
		start = view.segments[0].base_offset;
	stream_view_release(&view);
	if (start > partition->state.next_offset)
		start = partition->state.next_offset;
	status = stream_epochs_cut_front(partition->dirfd, start, err);
	return status == STREAM_ENOENT ? STREAM_OK : status;
}

static int
save(struct stream_partition *partition, struct stream_epoch begun,
    struct stream_error *err)
{
	int status = cut_front(partition, err);

	return status == STREAM_OK
		   ? stream_epochs_begin(partition->dirfd, begun, err)
		   : status;
}

/* The file first: whoever rebuilds the state takes the epoch from there.  only:
 * say which one it would be. */
static int
begin(struct stream_partition *partition, bool only, struct stream_epoch *begun,
    struct stream_error *err)
{
	struct stream_epoch *entries;
	size_t count;
	int status = load(partition->dirfd, &entries, &count, err);

	if (status != STREAM_OK)
		return status;
	begun->start_offset = partition->state.next_offset;
	status = choose(partition, entries, count, &begun->epoch, err);
	if (status == STREAM_OK && !only)
		status = save(partition, *begun, err);
	free(entries);
	if (status != STREAM_OK || only)
		return status;
	partition->state.leader_epoch = begun->epoch;
	return stream_partition_publish(partition, err);
}

static int
lock_and_begin(struct stream_partition *partition, bool only,
    struct stream_epoch *begun, struct stream_error *err)
{
	struct stream_epoch new;
	int status = stream_partition_lock(partition, err);

	if (status != STREAM_OK)
		return status;
	status = begin(partition, only, &new, err);
	stream_partition_unlock(partition);
	if (status == STREAM_OK)
		*begun = new;
	return status;
}

int
stream_partition_begin_epoch(struct stream_partition *partition,
    struct stream_epoch *begun, struct stream_error *err)
{
	return lock_and_begin(partition, false, begun, err);
}

int
stream_partition_next_epoch(struct stream_partition *partition,
    struct stream_epoch *next, struct stream_error *err)
{
	return lock_and_begin(partition, true, next, err);
}
