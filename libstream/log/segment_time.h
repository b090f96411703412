/*
 * segment_time.h - how old a segment is, proved from its log
 *
 * Layer log/.  SPEC section 5.4.  Retention deletes by age, so no index is
 * believed here (I5): that a segment is young is proved by one batch with a
 * good CRC, which the index only helps to find; that it is old, by reading
 * every batch of it.
 */
#ifndef STREAM_LOG_SEGMENT_TIME_H
#define STREAM_LOG_SEGMENT_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/retain.h>

/* One segment, open for reading. */
struct stream_segment_time_source {
	int dirfd; /* of the partition; borrowed, as log */
	int log;
	int64_t base_offset;
	int64_t next_base; /* of the segment after it; -1: it is the newest */
	bool swap;         /* its files still end in ".swap" */
	bool dense;        /* offsets have no gaps */
	size_t cap;        /* largest batch */
	int64_t now_ms;
	/* As in struct stream_retain_options. */
	bool (*go_on)(void *context, uint64_t bytes);
	void *context;
};

struct stream_segment_time {
	/* The largest time, or one that is known to be reached. */
	int64_t ms;
	enum stream_retain_evidence evidence;
	bool is_whole;   /* every batch was read: ms is the largest */
	int64_t records; /* then, that can be read, without markers */
};

/*
 * Is there a batch of least_ms or later?  If so, time->ms is of one that is,
 * the latest if the index names it.  Else the whole log is read.  A segment
 * without timestamps has the time of its file, as in Kafka.  Of one that is
 * damaged it is the latest of the batches that can be read, the file's time
 * and what the time index says, as far as that is not later than now: what
 * cannot be read may have been younger than what can.
 *
 * STREAM_EINTR, STREAM_EIO, STREAM_ENOMEM.
 */
int stream_segment_time_find(const struct stream_segment_time_source *source,
    int64_t least_ms, struct stream_segment_time *time,
    struct stream_error *err);

/*
 * The time of the batch that the time index names as the latest, if it is
 * there: cheap, and not proved to be the largest.  Evidence is BATCHES or
 * NO_TIME.
 */
void stream_segment_time_guess(const struct stream_segment_time_source *source,
    struct stream_segment_time *time);

/*
 * The records that the segment holds, by the headers of its batches, without
 * markers; up to where it is damaged.  STREAM_EINTR, STREAM_EIO,
 * STREAM_ENOMEM.
 */
int stream_segment_count(const struct stream_segment_time_source *source,
    int64_t *records, struct stream_error *err);

#endif
