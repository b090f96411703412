/*
 * segment.h - the segment that is written to: its log and its two indexes
 *
 * Layer log/.  SPEC sections 4 and 5.  Invariants I3 (a log is only appended
 * to) and I5 (indexes are hints).  Everything here happens under the append
 * lock.
 */
#ifndef STREAM_LOG_SEGMENT_H
#define STREAM_LOG_SEGMENT_H

#include "log/indexer.h"

struct stream_segment {
	int64_t base_offset; /* -1: none is open */
	int log;             /* descriptors */
	int index;
	int timeindex;
	int64_t first_timestamp_ms; /* of its first batch, -1: none or empty */
	bool first_is_known;
	uint64_t reserved; /* bytes of the log that have space on the disk */
	bool may_reserve;  /* the file system has not refused it */
	struct stream_indexer indexer;
};

/* Nothing open. */
void stream_segment_init(struct stream_segment *segment);

void stream_segment_close(struct stream_segment *segment);

/* Open the three files of the segment in the directory; missing indexes are
 * made, the log must be there.  STREAM_ENOENT, STREAM_EIO. */
int stream_segment_open(struct stream_segment *segment, int dirfd,
    int64_t base_offset, int64_t interval_bytes, struct stream_error *err);

/* Make an empty log file, which must not be there, and make its name durable.
 * STREAM_EEXIST, STREAM_EIO. */
int stream_segment_create(
    int dirfd, int64_t base_offset, struct stream_error *err);

/*
 * Learn from the files how far the indexes go, for a log of end bytes whose
 * next offset is next_offset and whose largest timestamp is as given.  *sound
 * is false when the last entries contradict that: then rebuild them.
 */
int stream_segment_load_indexes(struct stream_segment *segment, uint64_t end,
    int64_t next_offset, bool *sound, struct stream_error *err);

/*
 * Have space on the disk for a log that grows from byte from to byte end, and
 * some more, so that what is written next need not look for it: a third faster
 * on ext4.  The file's size stays.  most is the largest size that the log will
 * have.  Never fails, and does nothing where the file system cannot or the
 * disk is almost full.
 */
void stream_segment_reserve(
    struct stream_segment *segment, uint64_t from, uint64_t end, uint64_t most);

/* Give back what any process reserved and did not use.  Append lock held. */
void stream_segment_give_back(struct stream_segment *segment);

/*
 * Write the indexer's new entries behind the old ones and empty its buffers.
 * What cannot be written (a full disk) is left out: an index may lag, and the
 * next batch gets an entry then; but not that of a segment that is closed.
 * STREAM_EIO.
 */
int stream_segment_flush_indexes(
    struct stream_segment *segment, struct stream_error *err);

/* Replace both indexes by what the indexer's buffers hold, by temporary file
 * and rename, and open the new files. */
int stream_segment_replace_indexes(
    struct stream_segment *segment, int dirfd, struct stream_error *err);

/* The largest timestamp of the segment's first batch, which rolling by time
 * counts from; -1 when it has none or the segment is empty. */
int stream_segment_first_timestamp(struct stream_segment *segment,
    int64_t *timestamp_ms, struct stream_error *err);

#endif
