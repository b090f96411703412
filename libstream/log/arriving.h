/*
 * arriving.h - check a log while it is still being brought
 *
 * Layer log/.  SPEC section 15.3.  Whoever brings a log writes a file of its
 * own from the first byte to the last, each once.  So what stands in it is
 * checked, and its way to the disk begun, while the rest is on its way;
 * stream_install_ready goes on from there.
 */
#ifndef STREAM_LOG_ARRIVING_H
#define STREAM_LOG_ARRIVING_H

#include <stdbool.h>

#include "file/io.h"
#include "log/indexer.h"
#include "log/measure.h"

struct stream_arriving {
	int64_t base_offset;
	int64_t interval_bytes;        /* of the indexes */
	struct stream_io_identity id;  /* of the file; none: not seen yet */
	uint64_t begun;                /* bytes on their way to the disk */
	struct stream_measure measure; /* of what was checked */
	struct stream_indexer indexer; /* the indexes of that */
};

/* Of a log of which nothing was seen. */
void stream_arriving_init(struct stream_arriving *arriving, int64_t base_offset,
    int64_t interval_bytes);
void stream_arriving_release(struct stream_arriving *arriving);

/* Forget what was seen. */
void stream_arriving_restart(struct stream_arriving *arriving);

/* Was it this open file that was seen? */
bool stream_arriving_is(const struct stream_arriving *arriving, int fd);

/*
 * Go on with how->fd up to how->limit, as stream_measure_log, whose mark and
 * questions how may ask for.  What was seen of another file counts for nothing.
 * The indexes follow.
 */
int stream_arriving_go_on(struct stream_arriving *arriving,
    struct stream_measuring *how, struct stream_error *err);

#endif
