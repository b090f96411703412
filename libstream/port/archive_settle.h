/*
 * archive_settle.h - a partition that was unpacked becomes a good one
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.6.
 */
#ifndef STREAM_PORT_ARCHIVE_SETTLE_H
#define STREAM_PORT_ARCHIVE_SETTLE_H

#include <stream/range.h>

#include "port/archive_build.h"
#include "store/topic_config.h"

struct stream_settle {
	const struct stream_build *build;
	const char *topic; /* as it is named in the archive and the build */
	int32_t partition;
	const struct stream_range *range;             /* of kind NONE: all */
	const struct stream_topic_settings *settings; /* that it will have */
	int64_t next_offset; /* of an archive of ours; -1: the logs tell */
	int64_t log_start_offset;
	size_t max_batch_bytes; /* 0: 64 MiB */
	/* What became of it. */
	size_t segments;
	int64_t first_offset;
	int64_t end_offset;
	int64_t records;
	uint64_t bytes;
	bool has_transactions;
};

/*
 * Cut the partition to the range, check every batch, make what is derived, end
 * it with an empty segment where that is due, and sync it.  One that is not
 * there is made, empty.  settings' id is written to it.
 *
 * STREAM_ECORRUPT, STREAM_ENEWER  a log is damaged
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_settle_partition(
    struct stream_settle *settle, struct stream_error *err);

#endif
