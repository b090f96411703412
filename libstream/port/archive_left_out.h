/*
 * archive_left_out.h - what looks like a partition or a log, and is none
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.4.  A tar may
 * hold what was meant to be restored and has not the name for it: a directory
 * whose name ends in "-" and digits, or in which a file is named as a log, and
 * that is no TOPIC-P; in a partition a file with the ending of a segment's that
 * does not count.  What lies in .strm/, names that begin with a dot and
 * directories in Kafka's form "-delete" are nobody's loss.
 */
#ifndef STREAM_PORT_ARCHIVE_LEFT_OUT_H
#define STREAM_PORT_ARCHIVE_LEFT_OUT_H

#include "port/archive_notes.h"
#include "port/archive_stream.h"

struct stream_left_out_item {
	char *path; /* owned; without "/" at its end; "" is where all lies */
	bool is_directory;
	bool has_log;
};

struct stream_left_out {
	struct stream_left_out_item items[STREAM_NOTES_MOST];
	size_t count;
	size_t more; /* members that are in none of those */
};

/* Look at a member (borrowed) of which nothing is taken.  STREAM_ENOMEM. */
int stream_left_out_look(struct stream_left_out *left,
    const struct stream_archive_entry *entry, struct stream_error *err);

/* Tell of all.  prefix (borrowed) is the directory of the partitions, "" or
 * with "/" at its end; NULL: there are none. */
void stream_left_out_tell(const struct stream_left_out *left,
    const char *prefix, const struct stream_archive_options *options);

void stream_left_out_release(struct stream_left_out *left);

#endif
