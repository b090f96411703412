/*
 * archive_restore.h - an archive becomes topics of a store
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.6.
 */
#ifndef STREAM_PORT_ARCHIVE_RESTORE_H
#define STREAM_PORT_ARCHIVE_RESTORE_H

#include <stream/address.h>
#include <stream/topic.h>

#include "port/archive_index.h"

struct stream_restore_options {
	struct stream_archive_options archive;
	/* What is wanted: topics, partitions, ranges; none: all.  Borrowed. */
	const struct stream_address *wanted;
	size_t wanted_count;
	const char *as; /* the name of the one topic, or NULL.  Borrowed */
	/* Told about how many bytes of the archive are to be read, if it is
	 * only a part.  May be NULL. */
	void (*reads)(void *context, uint64_t bytes);
	/* Told what is worth a word but no failure.  May be NULL. */
	void (*note)(void *context, const char *text);
	void *context;
};

/* A partition that was restored. */
struct stream_restored {
	char topic[STREAM_TOPIC_NAME_SIZE];
	int32_t partition;
	size_t segments;
	int64_t first_offset;
	int64_t end_offset;
	int64_t records;
	uint64_t bytes; /* of logs */
	bool was_in_it; /* else it was made empty */
};

/*
 * Restore from fd (borrowed; may be a pipe), which name (borrowed) names, into
 * store, which is open for writing: all that is wanted, or nothing.  Gives
 * *restored, of *count; free() it.
 *
 * STREAM_ENOENT    what is wanted is not in the archive
 * STREAM_EEXIST    a topic is there already
 * STREAM_EUSAGE    as, for several topics or not a name
 * STREAM_ECORRUPT  damaged or hostile; more partitions than a topic has
 * STREAM_ENEWER, STREAM_EBUSY, STREAM_EINTR, STREAM_EIO,
 * STREAM_ENOMEM
 */
int stream_archive_restore(struct stream_store *store, int fd, const char *name,
    const struct stream_restore_options *options,
    struct stream_restored **restored, size_t *count, struct stream_error *err);

#endif
