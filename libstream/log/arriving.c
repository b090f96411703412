#include "log/arriving.h"

void
stream_arriving_init(struct stream_arriving *arriving, int64_t base_offset,
    int64_t interval_bytes)
{
	*arriving = (struct stream_arriving){
	    .base_offset = base_offset, .interval_bytes = interval_bytes};
	stream_measure_init(&arriving->measure, base_offset);
	stream_indexer_init(&arriving->indexer, base_offset, interval_bytes);
}

void
stream_arriving_release(struct stream_arriving *arriving)
{
	stream_indexer_release(&arriving->indexer);
}

void
stream_arriving_restart(struct stream_arriving *arriving)
{
	int64_t base_offset = arriving->base_offset;

	stream_arriving_release(arriving);
	stream_arriving_init(arriving, base_offset, arriving->interval_bytes);
}

bool
stream_arriving_is(const struct stream_arriving *arriving, int fd)
{
	struct stream_io_identity id;

	return stream_io_identify(fd, &id) &&
	       stream_io_is_same(&id, &arriving->id);
}

static int
add_to_index(void *context, const struct stream_batch *batch,
    const uint8_t *bytes, struct stream_error *err)
{
	(void)bytes;
	return stream_indexer_add(context, &batch->info, err);
}

int
stream_arriving_go_on(struct stream_arriving *arriving,
    struct stream_measuring *how, struct stream_error *err)
{
	if (!stream_arriving_is(arriving, how->fd)) {
		stream_arriving_restart(arriving);
		/* A file that cannot be told from another is begun again each
		 * time. */
		if (!stream_io_identify(how->fd, &arriving->id))
			arriving->id = (struct stream_io_identity){.inode = 0};
	}
	if (how->limit > arriving->begun) {
		stream_io_begin_sync(how->fd, arriving->begun, how->limit);
		arriving->begun = how->limit;
	}
	how->batch = add_to_index;
	how->context = &arriving->indexer;
	return stream_measure_log(how, &arriving->measure, err);
}
