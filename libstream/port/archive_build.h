/*
 * archive_build.h - where a restore puts partitions before they are in the
 * store
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.6.  A directory
 * of its own in .strm/restore/, held by a lock, and removed at the end; one
 * whose holder died is removed by the next restore.
 */
#ifndef STREAM_PORT_ARCHIVE_BUILD_H
#define STREAM_PORT_ARCHIVE_BUILD_H

#include "port/archive_stream.h"
#include "store/store.h"

struct stream_build {
	int restores; /* .strm/restore */
	int dirfd;    /* of this build */
	int lock;
	char name[17];
	/* The file that is written. */
	int file;
	uint64_t position;
	int64_t time_s;
	bool is_log;
};

/* Make it.  stream_build_end in any case.  STREAM_EIO. */
int stream_build_begin(const struct stream_store *store,
    struct stream_build *build, struct stream_error *err);

/* Remove it, with all that is still in it. */
void stream_build_end(struct stream_build *build);

/* Begin the file of entry in TOPIC-P of the build, under the name that its
 * path means; write to it; end it.  STREAM_EIO. */
int stream_build_file(struct stream_build *build,
    const struct stream_archive_entry *entry, struct stream_error *err);
int stream_build_write(struct stream_build *build, const void *bytes, size_t n,
    struct stream_error *err);
int stream_build_close(struct stream_build *build, struct stream_error *err);

#endif
