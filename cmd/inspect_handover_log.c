/*
 * inspect_handover_log.c - the batches, as a broker would take them
 */
#include <stdio.h>
#include <stdlib.h>

#include "inspect_handover.h"

static void
look_at(struct handover_log *found, const char *name,
    const struct stream_piece *piece)
{
	if (piece->kind == STREAM_PIECE_TORN) {
		found->is_torn = true;
		return;
	}
	if ((piece->kind != STREAM_PIECE_BATCH || piece->breaks_chain) &&
	    !found->is_damaged) {
		found->is_damaged = true;
		snprintf(found->where, sizeof(found->where),
		    "%s, position %llu: %.180s", name,
		    (unsigned long long)piece->info.position, piece->why.text);
	}
	if (piece->kind != STREAM_PIECE_BATCH)
		return;
	if (piece->info.leader_epoch < 0)
		found->has_no_epoch = true;
	if (piece->info.leader_epoch < found->epoch)
		found->has_old_epoch = true;
	if (piece->info.producer_id >= 0)
		found->has_producer = true;
	found->epoch = piece->info.leader_epoch;
}

static void
walk_log(struct inspect *in, const struct stream_file *file, bool is_closed,
    struct handover_log *found)
{
	struct stream_log_walk_options options = {
	    .max_batch_bytes = (size_t)in->opts->max_batch_bytes,
	    .base_offset = file->base_offset,
	    .is_closed = is_closed,
	};
	char *path = inspect_path(in, in->path, file->name);
	struct stream_log_walk *walk;
	struct stream_piece piece;
	struct stream_error err;
	int status;

	if (path == NULL)
		return;
	status = stream_log_walk_open(path, &options, &walk, &err);
	free(path);
	while (status == STREAM_OK && !inspect_is_over(in)) {
		status = stream_log_walk_next(walk, &piece, &err);
		if (status != STREAM_OK)
			break;
		look_at(found, file->name, &piece);
		if (piece.kind == STREAM_PIECE_BATCH &&
		    piece.info.last_offset >= found->end)
			found->end = piece.info.last_offset + 1;
	}
	if (status != STREAM_OK && status != STREAM_END)
		inspect_fail(in, &err);
	if (status == STREAM_END || status == STREAM_OK)
		stream_log_walk_close(walk);
}

void
handover_walk(struct inspect *in, struct handover_log *found)
{
	const struct stream_files *files = &in->files;
	const struct stream_file *last = NULL;

	for (size_t i = 0; i < files->count; i++)
		if (handover_is_plain(&files->items[i], STREAM_FILE_LOG))
			last = &files->items[i];
	for (size_t i = 0; i < files->count; i++) {
		const struct stream_file *file = &files->items[i];

		if (!handover_is_plain(file, STREAM_FILE_LOG))
			continue;
		found->logs++;
		/* A batch of one segment may not reach into the next. */
		if (file->base_offset < found->end && !found->is_damaged) {
			found->is_damaged = true;
			snprintf(found->where, sizeof(found->where),
			    "%s: the segment before it ends at offset %lld",
			    file->name, (long long)found->end - 1);
		}
		if (file->base_offset > found->end)
			found->end = file->base_offset;
		walk_log(in, file, file != last, found);
	}
}
