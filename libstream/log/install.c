#include "log/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/scan.h"
#include "log/epochs_rebuild.h"
#include "log/partition_private.h"
#include "log/segment_names.h"

/* Batches that are written at once. */
enum { PIECE = 1 << 20 };

/* ---- moving ------------------------------------------------------------- */

static int
move_file(int from, int to, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	char old[STREAM_NAME_SIZE], new[STREAM_NAME_SIZE];

	if (kind == STREAM_NAME_LOG)
		stream_install_name(base, old);
	else
		stream_name_put_plain(base, kind, old);
	stream_name_put_plain(base, kind, new);
	if (renameat(from, old, to, new) == 0 || errno == ENOENT)
		return STREAM_OK;
	return stream_fail_sys(err, "%s: cannot put in place", new);
}

int
stream_install_move(
    int from, int to, int64_t base_offset, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < STREAM_SEGMENT_KINDS && status == STREAM_OK; i++)
		status = move_file(
		    from, to, base_offset, stream_segment_kinds[i], err);
	return status == STREAM_OK
		   ? move_file(from, to, base_offset, STREAM_NAME_SNAPSHOT, err)
		   : status;
}

/* ---- leader epochs ------------------------------------------------------ */

static bool
is_same_list(
    const struct stream_buf *a, const struct stream_epoch *b, size_t count)
{
	const struct stream_epoch *list = (const void *)a->data;

	if (a->size != count * sizeof(*b))
		return false;
	for (size_t i = 0; i < count; i++)
		if (list[i].epoch != b[i].epoch ||
		    list[i].start_offset != b[i].start_offset)
			return false;
	return true;
}

static int
make_list(const struct stream_install *install, int64_t offset, bool exact,
    const struct stream_epoch *there, size_t count, struct stream_buf *list,
    struct stream_error *err)
{
	const struct stream_epoch *first = install->epochs;
	int status = STREAM_OK;

	for (size_t i = 0; i < count && !exact && status == STREAM_OK; i++)
		if (there[i].epoch < first->epoch &&
		    there[i].start_offset < first->start_offset)
			status = stream_buf_add(
			    list, &there[i], sizeof(there[i]), err);
	for (size_t i = 0; i < install->epoch_count && status == STREAM_OK;
	     i++) {
		struct stream_epoch entry = install->epochs[i];

		/* The other log was cut at the front, this one not yet.  Where
		 * later epochs began the other one knows. */
		for (size_t k = 0; k < count && i == 0 && !exact; k++)
			if (there[k].epoch == entry.epoch &&
			    there[k].start_offset < entry.start_offset)
				entry.start_offset = there[k].start_offset;
		if (entry.start_offset <= offset)
			status =
			    stream_buf_add(list, &entry, sizeof(entry), err);
	}
	return status;
}

int
stream_install_epochs(const struct stream_install *install, int64_t offset,
    bool exact, struct stream_error *err)
{
	struct stream_epoch *there = NULL;
	struct stream_buf list;
	size_t count = 0;
	int status;

	if (install->epoch_count == 0)
		return STREAM_OK;
	status = stream_epochs_load(install->dirfd, &there, &count, err);
	if (status == STREAM_ENOENT || status == STREAM_ECORRUPT) {
		there = NULL;
		count = 0;
		status = STREAM_OK;
	}
	stream_buf_init(&list);
	if (status == STREAM_OK)
		status =
		    make_list(install, offset, exact, there, count, &list, err);
	if (status == STREAM_OK && list.size > 0 &&
	    !is_same_list(&list, there, count))
		status = stream_epochs_save(install->dirfd,
		    (const struct stream_epoch *)(void *)list.data,
		    list.size / sizeof(struct stream_epoch), err);
	stream_buf_release(&list);
	free(there);
	return status;
}

/* The first epoch of the other log that begins after offset. */
static int64_t
next_epoch(const struct stream_install *install, int64_t offset)
{
	for (size_t i = 0; i < install->epoch_count; i++)
		if (install->epochs[i].start_offset > offset)
			return install->epochs[i].start_offset;
	return INT64_MAX;
}

/* {-1, -1}: there is none. */
static int
last_entry(const struct stream_install *install, struct stream_epoch *last,
    struct stream_error *err)
{
	int status = stream_epochs_last(install->dirfd, last, err);

	if (status != STREAM_ENOENT && status != STREAM_ECORRUPT)
		return status;
	*last = (struct stream_epoch){-1, -1};
	return STREAM_OK;
}

/* Does what begins at offset and has batches of epoch, and none of a later one,
 * need an entry that the other log, if it was cut at the front, has no more?
 * Its last one may be that of an end that is settled. */
static bool
is_untold(const struct stream_install *install, const struct stream_epoch *last,
    int64_t offset, int32_t epoch)
{
	if (install->epoch_count == 0 || epoch < 0)
		return false;
	return epoch > last->epoch ||
	       (epoch < last->epoch && last->start_offset >= offset);
}

/* ---- appending ---------------------------------------------------------- */

struct appending {
	const struct stream_install *install;
	struct stream_buf bytes; /* that are not yet in the log */
	int64_t next;            /* offset after them */
	int64_t last_position;
	int32_t leader_epoch;
	int64_t epoch_at;         /* the next epoch begins here */
	struct stream_epoch last; /* entry that is there */
};

static int
write_locked(struct appending *a, struct stream_error *err)
{
	struct stream_partition *partition = a->install->partition;
	struct stream_state *state = &partition->state;
	struct stream_segment *segment = &partition->segment;
	int status = stream_io_write_at(
	    segment->log, a->bytes.data, a->bytes.size, state->end, NULL, err);

	if (status != STREAM_OK) {
		/* Whole batches stay, which readers may have seen. */
		stream_partition_recover(partition, NULL);
		return status;
	}
	/* On its way to the disk while the rest is checked. */
	stream_io_begin_sync(
	    segment->log, state->end, state->end + a->bytes.size);
	stream_segment_flush_indexes(segment, NULL);
	state->end += a->bytes.size;
	state->last_position = a->last_position;
	state->next_offset = a->next;
	state->max_timestamp_ms = segment->indexer.max_timestamp_ms;
	state->max_timestamp_offset = segment->indexer.max_timestamp_offset;
	if (a->leader_epoch > state->leader_epoch)
		state->leader_epoch = a->leader_epoch;
	partition->dirty = true;
	partition->dirty_base = state->active_base;
	partition->dirty_end = state->end;
	partition->dirty_takebacks = state->takebacks;
	a->bytes.size = 0;
	return stream_partition_publish(partition, err);
}

/* Nobody else appends, so what the handle knew between two locks holds. */
static int
flush(struct appending *a, struct stream_error *err)
{
	struct stream_partition *partition = a->install->partition;
	int status;

	if (a->bytes.size == 0)
		return STREAM_OK;
	status = stream_partition_lock(partition, err);
	if (status != STREAM_OK)
		return status;
	status = write_locked(a, err);
	if (status != STREAM_OK)
		partition->known.sequence = 0;
	stream_partition_unlock(partition);
	return status;
}

/* An epoch is durable before its first batch, and no earlier than it can
 * begin. */
static int
begin_epoch(struct appending *a, const struct stream_batch_info *info,
    struct stream_error *err)
{
	const struct stream_install *install = a->install;
	int status = STREAM_OK;

	if (info->base_offset >= a->epoch_at) {
		status = flush(a, err);
		if (status == STREAM_OK)
			status = stream_install_epochs(
			    install, info->base_offset, false, err);
		if (status == STREAM_OK)
			status = last_entry(install, &a->last, err);
		a->epoch_at = next_epoch(install, info->base_offset);
	}
	if (status != STREAM_OK || !is_untold(install, &a->last,
				       info->base_offset, info->leader_epoch))
		return status;
	status = flush(a, err);
	if (status == STREAM_OK)
		status = stream_epochs_begin(install->dirfd,
		    (struct stream_epoch){
			info->leader_epoch, info->base_offset},
		    err);
	return status == STREAM_OK ? last_entry(install, &a->last, err)
				   : status;
}

static int
append_batch(void *context, const struct stream_batch *batch,
    const uint8_t *bytes, struct stream_error *err)
{
	struct appending *a = context;
	struct stream_partition *partition = a->install->partition;
	struct stream_batch_info info = batch->info;
	int status = begin_epoch(a, &info, err);

	info.position = partition->state.end + a->bytes.size;
	if (status == STREAM_OK && a->bytes.size > 0 &&
	    a->bytes.size + info.size > PIECE)
		status = flush(a, err);
	if (status == STREAM_OK)
		status =
		    stream_indexer_add(&partition->segment.indexer, &info, err);
	if (status == STREAM_OK)
		status = stream_buf_add(&a->bytes, bytes, info.size, err);
	a->next = info.last_offset + 1;
	a->last_position = (int64_t)info.position;
	if (info.leader_epoch > a->leader_epoch)
		a->leader_epoch = info.leader_epoch;
	return status;
}

int
stream_install_tail(const struct stream_install *install, int fd,
    uint64_t shift, uint64_t end, struct stream_error *err)
{
	struct stream_partition *partition = install->partition;
	struct appending a = {.install = install, .leader_epoch = -1};
	struct stream_measure measure;
	struct stream_measuring how = {
	    .fd = fd,
	    .shift = shift,
	    .limit = end,
	    .batch = append_batch,
	    .context = &a,
	    .mark_at = UINT64_MAX,
	    .go_on = install->go_on,
	    .go_on_context = install->context,
	};
	int status = stream_partition_lock(partition, err);

	if (status != STREAM_OK)
		return status;
	stream_partition_unlock(partition);
	status = last_entry(install, &a.last, err);
	if (status != STREAM_OK)
		return status;
	stream_buf_init(&a.bytes);
	stream_measure_init(&measure, partition->state.next_offset);
	measure.bytes = partition->state.end;
	a.epoch_at = next_epoch(install, -1);
	if (a.last.epoch >= 0)
		a.epoch_at =
		    next_epoch(install, partition->state.next_offset - 1);
	status = stream_measure_log(&how, &measure, err);
	if (status == STREAM_OK)
		status = flush(&a, err);
	stream_buf_release(&a.bytes);
	if (status == STREAM_OK && measure.bytes != end)
		status = stream_fail(err, STREAM_ECORRUPT, measure.bytes,
		    "what came is not whole");
	if (status != STREAM_OK)
		partition->known.sequence = 0;
	return status == STREAM_OK ? stream_partition_sync(partition, err)
				   : status;
}

/* ---- new segments ------------------------------------------------------- */

/* The mark of a sync that did not end has the log walked, which finds where the
 * next record would go: so that is dealt with before it is changed. */
static int
settle_mark(struct stream_partition *partition, struct stream_error *err)
{
	struct stream_state *state = &partition->state;
	int status = STREAM_OK;

	if ((state->marks & STREAM_MARK_SYNCING) == 0)
		return STREAM_OK;
	status =
	    stream_partition_begin_sync(partition, STREAM_MARK_SYNCING, err);
	if (status == STREAM_OK)
		status = stream_partition_sync_locked(partition, err);
	state->marks &= (uint16_t)~STREAM_MARK_SYNCING;
	return status == STREAM_OK ? stream_partition_publish(partition, err)
				   : status;
}

/* Were offsets taken away at the end of the segment before, the next one begins
 * later than the log seems to end. */
static int
roll_locked(
    struct stream_partition *partition, int64_t base, struct stream_error *err)
{
	int status = STREAM_OK;

	if (base == partition->state.active_base)
		return STREAM_OK;
	status = settle_mark(partition, err);
	if (status != STREAM_OK)
		return status;
	if (base > partition->state.next_offset)
		partition->state.next_offset = base;
	return stream_partition_roll(partition, err);
}

static int
roll_to(
    struct stream_partition *partition, int64_t base, struct stream_error *err)
{
	int status = stream_partition_lock_sync(partition, err);

	if (status != STREAM_OK)
		return status;
	status = stream_partition_lock(partition, err);
	if (status == STREAM_OK) {
		status = roll_locked(partition, base, err);
		if (status != STREAM_OK)
			partition->known.sequence = 0;
		stream_partition_unlock(partition);
	}
	stream_partition_unlock_sync(partition);
	return status;
}

int
stream_install_roll(const struct stream_install *install, int64_t base_offset,
    struct stream_error *err)
{
	return roll_to(install->partition, base_offset, err);
}

struct bringing {
	int from;
	int to;
	int64_t base;
};

static int
make_index(int dirfd, int64_t base, enum stream_name_kind kind,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int fd;
	int status;

	stream_name_put_plain(base, kind, name);
	status =
	    stream_io_open(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, &fd, err);
	if (status == STREAM_OK)
		close(fd);
	return status;
}

/*
 * At each point it is what a writer that dies leaves: the newest log, with
 * indexes that may be behind.  An index with entries but without its log would
 * look like a log that is lost, and a log without an index is damaged; so
 * there are empty indexes first, and those that came follow the log.
 */
static int
bring(void *context, struct stream_error *err)
{
	const struct bringing *b = context;
	int status = make_index(b->to, b->base, STREAM_NAME_INDEX, err);

	if (status == STREAM_OK)
		status = make_index(b->to, b->base, STREAM_NAME_TIMEINDEX, err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(b->to, err);
	if (status == STREAM_OK)
		status =
		    move_file(b->from, b->to, b->base, STREAM_NAME_LOG, err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(b->to, err);
	if (status == STREAM_OK)
		status = stream_install_move(b->from, b->to, b->base, err);
	return status == STREAM_OK ? stream_io_sync_dir(b->to, err) : status;
}

/* An epoch that begins in it must be durable before its first batch is there,
 * and would begin past the end of the log until then: so the segment is brought
 * in pieces. */
static int
bring_by_pieces(const struct stream_install *install, int from, int64_t base,
    const struct stream_measure *measure, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int fd;
	int status = roll_to(install->partition, base, err);

	if (status != STREAM_OK)
		return status;
	stream_install_name(base, name);
	status = stream_io_open(from, name, O_RDONLY, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_install_tail(install, fd, 0, measure->bytes, err);
	close(fd);
	return status;
}

int
stream_install_new(const struct stream_install *install, int from,
    int64_t base_offset, const struct stream_measure *measure,
    struct stream_error *err)
{
	struct bringing b = {from, install->dirfd, base_offset};
	struct stream_epoch last;
	int status;

	if (next_epoch(install, base_offset) < measure->next_offset)
		return bring_by_pieces(
		    install, from, base_offset, measure, err);
	status = stream_install_epochs(install, base_offset, false, err);
	if (status == STREAM_OK)
		status = last_entry(install, &last, err);
	if (status != STREAM_OK)
		return status;
	if (is_untold(install, &last, base_offset, measure->leader_epoch))
		return bring_by_pieces(
		    install, from, base_offset, measure, err);
	return stream_partition_adopt(
	    install->partition, base_offset, measure, bring, &b, err);
}
