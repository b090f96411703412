/*
 * roll_due.h - has the time of an active segment come?
 *
 * Layer log/.  SPEC section 4.3.  A roll by time waits for the next batch;
 * this asks what would happen if that came now, and whether retention would
 * take the segment if it were closed, as Kafka closes it then.
 */
#ifndef STREAM_LOG_ROLL_DUE_H
#define STREAM_LOG_ROLL_DUE_H

#include <stream/maintain.h>

/* Limits are -1 when there is none. */
struct stream_roll_rules {
	int64_t now_ms;
	int64_t age_ms; /* segment.ms */
	int64_t lag_ms; /* max.compaction.lag.ms of a topic that is compacted */
	int64_t retention_ms;
	int64_t retention_bytes;
	int64_t log_start_offset;
};

struct stream_roll_source {
	int dirfd; /* of the partition; borrowed */
	bool dense;
	size_t cap;
	struct stream_roll_rules rules;
	bool (*go_on)(void *context, uint64_t bytes);
	void *context;
};

/*
 * Look at the newest segment.  due->rolled is not set but for its base_offset,
 * that of the segment that was looked at; the rest is.
 * Takes no lock.  STREAM_EINTR, STREAM_EBUSY, STREAM_EIO, STREAM_ENOMEM.
 */
int stream_log_roll_due(const struct stream_roll_source *source,
    struct stream_roll_due *due, struct stream_error *err);

#endif
