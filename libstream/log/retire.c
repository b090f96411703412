/*
 * retire.c - segments and snapshots go, oldest first
 *
 * Snapshots go before the segments: a reader takes the newest one at or below
 * its place and walks the log from there, which must still be whole.  With no
 * snapshot it begins at the log start.
 */
#include "log/retire.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "log/epochs_rebuild.h"
#include "log/partition_private.h"
#include "log/segment_names.h"
#include "log/structure.h"
#include "log/view.h"

struct retiring {
	const struct stream_partition *partition;
	int dirfd;
	struct stream_view view;
	size_t last;    /* as many of the view's segments go */
	int64_t first;  /* base offset of the first that stays */
	size_t removed; /* so many have no ".deleted" files any more */
	size_t segments;
	uint64_t bytes;
};

/* One has a next one, so it is closed. */
static size_t
count_below(const struct stream_view *view, int64_t below)
{
	size_t n = 0;

	while (
	    n + 1 < view->count && view->segments[n + 1].base_offset <= below)
		n++;
	return n;
}

static int
by_offset(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The offsets of snapshots below the first segment that stays. */
static int
list_snapshots(const struct retiring *r, struct stream_buf *offsets,
    struct stream_error *err)
{
	struct stream_buf names;
	int status;

	stream_buf_init(&names);
	status = stream_dir_list(r->dirfd, &names, err);
	for (const char *n = stream_dir_next(&names, NULL);
	     n != NULL && status == STREAM_OK; n = stream_dir_next(&names, n)) {
		struct stream_name name;

		if (stream_name_parse(n, &name) &&
		    name.kind == STREAM_NAME_SNAPSHOT &&
		    name.state == STREAM_NAME_PLAIN &&
		    name.base_offset < r->first)
			status = stream_buf_add(offsets, &name.base_offset,
			    sizeof(name.base_offset), err);
	}
	stream_buf_release(&names);
	return status;
}

/* Oldest first, so that no older one takes a newer one's part. */
static int
remove_snapshots(const struct retiring *r, struct stream_error *err)
{
	struct stream_buf offsets;
	const int64_t *list;
	size_t count;
	int status;

	stream_buf_init(&offsets);
	status = list_snapshots(r, &offsets, err);
	list = (const void *)offsets.data;
	count = offsets.size / sizeof(*list);
	if (count > 0)
		qsort(offsets.data, count, sizeof(*list), by_offset);
	for (size_t i = 0; i < count && status == STREAM_OK; i++)
		status = stream_segment_remove_file(r->dirfd, list[i],
		    STREAM_NAME_SNAPSHOT, STREAM_NAME_PLAIN, err);
	if (status == STREAM_OK && count > 0)
		status = stream_io_sync_dir(r->dirfd, err);
	stream_buf_release(&offsets);
	return status;
}

/* It has gone when its log has no plain name any more. */
static int
put_away(struct retiring *r, size_t i, struct stream_error *err)
{
	int status = stream_partition_check_structure(r->partition, err);

	for (size_t k = 0; k < STREAM_SEGMENT_KINDS && status == STREAM_OK;
	     k++) {
		status = stream_segment_put_away(r->dirfd,
		    r->view.segments[i].base_offset, stream_segment_kinds[k],
		    k == 0 ? &r->bytes : NULL, err);
		if (k == 0 && status == STREAM_OK)
			r->segments++;
	}
	return status;
}

/* Sync the names of those that went, and give their space back. */
static int
remove_deleted(struct retiring *r, struct stream_error *err)
{
	int status = STREAM_OK;

	if (r->removed < r->segments)
		status = stream_io_sync_dir(r->dirfd, err);
	for (; r->removed < r->segments && status == STREAM_OK; r->removed++)
		for (size_t k = 0;
		     k < STREAM_SEGMENT_KINDS && status == STREAM_OK; k++)
			status = stream_segment_remove_file(r->dirfd,
			    r->view.segments[r->removed].base_offset,
			    stream_segment_kinds[k], STREAM_NAME_DELETED, err);
	return status;
}

/* Also after a failure, what has gone gives its space back. */
static int
retire_segments(struct retiring *r, bool careful, struct stream_error *err)
{
	int status = STREAM_OK;
	int removed;

	for (size_t i = 0; i < r->last && status == STREAM_OK; i++) {
		status = put_away(r, i, err);
		if (status == STREAM_OK && careful)
			status = remove_deleted(r, err);
	}
	removed = remove_deleted(r, status == STREAM_OK ? err : NULL);
	return status == STREAM_OK ? removed : status;
}

static int
retire(
    struct retiring *r, int64_t below, bool careful, struct stream_error *err)
{
	int status = stream_partition_check_structure(r->partition, err);

	if (status == STREAM_OK)
		status = stream_view_load(r->dirfd, &r->view, err);

	if (status != STREAM_OK || r->view.count == 0)
		return status;
	r->last = count_below(&r->view, below);
	r->first = r->view.segments[r->last].base_offset;
	status = remove_snapshots(r, err);
	if (status == STREAM_OK)
		status = retire_segments(r, careful, err);
	return status;
}

/* The log start is not past the log's end: no epoch may begin there. */
int
stream_partition_cut_epochs(
    struct stream_partition *partition, int64_t start, struct stream_error *err)
{
	struct stream_error why = {.sys = 0};
	int status = stream_partition_lock(partition, err);

	if (status != STREAM_OK)
		return status;
	if (start > partition->state.next_offset)
		start = partition->state.next_offset;
	status = stream_epochs_cut_front(partition->dirfd, start, &why);
	stream_partition_unlock(partition);
	if (status == STREAM_ENOENT || status == STREAM_ECORRUPT ||
	    why.sys == ENOSPC || why.sys == EDQUOT)
		return STREAM_OK;
	if (status != STREAM_OK && err != NULL)
		*err = why;
	return status;
}

int
stream_partition_drop(struct stream_partition *partition, int64_t base_offset,
    struct stream_error *err)
{
	struct stream_view_segment one = {.base_offset = base_offset};
	struct retiring r = {
	    .partition = partition,
	    .dirfd = partition->dirfd,
	    .view = {.segments = &one, .count = 1},
	    .last = 1,
	};
	int status = stream_partition_check_structure(partition, err);

	if (status == STREAM_OK)
		status = stream_segment_remove_file(r.dirfd, base_offset,
		    STREAM_NAME_SNAPSHOT, STREAM_NAME_PLAIN, err);
	return status == STREAM_OK ? retire_segments(&r, true, err) : status;
}

int
stream_partition_retire(struct stream_partition *partition, int64_t below,
    bool careful, size_t *segments, uint64_t *bytes, struct stream_error *err)
{
	struct retiring r = {.partition = partition, .dirfd = partition->dirfd};
	int status = retire(&r, below, careful, err);

	if (status == STREAM_OK)
		status = stream_partition_cut_epochs(
		    partition, r.first > below ? r.first : below, err);
	*segments = r.segments;
	*bytes = r.bytes;
	stream_view_release(&r.view);
	return status;
}
