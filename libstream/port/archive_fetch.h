/*
 * archive_fetch.h - what a restore wants of an archive, found by its index
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.6.
 */
#ifndef STREAM_PORT_ARCHIVE_FETCH_H
#define STREAM_PORT_ARCHIVE_FETCH_H

#include <stream/range.h>

#include "port/archive_build.h"
#include "port/archive_index.h"

struct stream_fetch {
	/* Borrowed, both. */
	struct stream_archive *archive; /* not a foreign one */
	struct stream_build *build;
	size_t max_batch_bytes; /* 0: 64 MiB */
	uint64_t left;          /* bytes that may still be unpacked */
};

/* Add the bytes of the logs that stream_fetch_partition would build to *bytes.
 * STREAM_ECORRUPT and STREAM_ENEWER: the settings are not in their form. */
int stream_fetch_measure(const struct stream_archive_partition *partition,
    const struct stream_range *range, uint64_t *bytes,
    struct stream_error *err);

/*
 * Build the files of partition (lent by the archive) that range needs: whole
 * segments, and what stands beside them.  Each is compared with its digest,
 * each batch is checked.  *cut_end: segments with records that follow were left
 * out.
 *
 * STREAM_ECORRUPT  damaged, not what the index says, or more than is left
 * STREAM_EINTR, STREAM_EIO, STREAM_ENOMEM
 */
int stream_fetch_partition(struct stream_fetch *fetch,
    const struct stream_archive_partition *partition,
    const struct stream_range *range, bool *cut_end, struct stream_error *err);

#endif
