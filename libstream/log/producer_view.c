/*
 * producer_view.c - the producers of a partition, for who looks from outside
 */
#include <stream/inspect.h>

#include <stdlib.h>

#include "base/fail.h"
#include "log/producers.h"

struct stream_producer_view {
	struct stream_producers *producers;
};

int
stream_producer_view_new(const struct stream_snapshot_entry *entries,
    size_t count, struct stream_producer_view **view, struct stream_error *err)
{
	struct stream_producer_view *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	status = stream_producers_new(&new->producers, err);
	if (status == STREAM_OK)
		status =
		    stream_producers_load(new->producers, entries, count, err);
	if (status == STREAM_OK)
		*view = new;
	else
		stream_producer_view_free(new);
	return status;
}

void
stream_producer_view_free(struct stream_producer_view *view)
{
	if (view == NULL)
		return;
	stream_producers_free(view->producers);
	free(view);
}

int
stream_producer_view_add(struct stream_producer_view *view,
    const struct stream_batch_info *info, struct stream_bytes bytes,
    struct stream_error *err)
{
	struct stream_producers_abort abort;

	return stream_producers_add(
	    view->producers, info, bytes.data, &abort, err);
}

int
stream_producer_view_entries(const struct stream_producer_view *view,
    struct stream_snapshot_entry **entries, size_t *count,
    struct stream_error *err)
{
	struct stream_buf file;
	int status;

	stream_buf_init(&file);
	status = stream_producers_snapshot(view->producers, &file, err);
	if (status == STREAM_OK)
		status = stream_snapshot_parse(
		    (struct stream_bytes){file.data, file.size}, entries, count,
		    err);
	stream_buf_release(&file);
	return status;
}
