/*
 * lane.h - the batches on their way to one partition
 *
 * Layer log/.  Without a codec, records are encoded straight into the memory
 * from which several finished batches are written at once.  With one, a full
 * batch goes to the compress pool, which appends it when its turn comes.
 */
#ifndef STREAM_LOG_LANE_H
#define STREAM_LOG_LANE_H

#include "codec/batch_build.h"
#include "log/partition.h"

/* What all lanes of a producer share. */
struct stream_lane_rules {
	size_t batch_bytes; /* a batch with this much is finished */
	size_t group_bytes; /* finished batches of this much are written */
	size_t max_batch;   /* max.message.bytes, or segment.bytes if less */
	bool sync_each_write;
	struct stream_compress_pool *pool;  /* NULL: no codec */
	struct stream_write_behind *behind; /* NULL: write in this thread */
	void (*appended)(void *context, int32_t partition, int32_t count,
	    int64_t base_offset);
	void *context;
};

struct stream_lane {
	const struct stream_lane_rules *rules; /* borrowed */
	struct stream_partition *partition;    /* owned; NULL: not open */
	int32_t number;
	int dirfd; /* owned; -1: not open */
	struct stream_batch_build build;
	uint8_t *memory; /* owned: finished batches, then the open one */
	size_t capacity;
	size_t finished; /* bytes of finished batches in memory */
	uint8_t *limit;  /* the open batch ends here at the latest */
};

void stream_lane_init(struct stream_lane *lane,
    const struct stream_lane_rules *rules, int32_t number);

/* Close the partition and free the memory; what was not written is lost. */
void stream_lane_release(struct stream_lane *lane);

/* stream_lane_add when the record does not simply go to the open batch. */
int stream_lane_add_slow(struct stream_lane *lane,
    const struct stream_record *record, bool *full, struct stream_error *err);

/*
 * Add a record (borrowed) to the open batch.  *full is true when that batch
 * was finished first, which a sticky partitioner wants to know.  Failures as
 * stream_producer_send.
 */
static inline int
stream_lane_add(struct stream_lane *lane, const struct stream_record *record,
    bool *full, struct stream_error *err)
{
	size_t bound = stream_record_bound(record);

	*full = false;
	if (lane->build.count > 0 &&
	    (size_t)(lane->limit - lane->build.at) >= bound &&
	    stream_batch_build_add(&lane->build, record))
		return STREAM_OK;
	return stream_lane_add_slow(lane, record, full, err);
}

/* Finish the open batch and write; with a pool, only hand it over. */
int stream_lane_flush(struct stream_lane *lane, struct stream_error *err);

/* Append finished batches (borrowed), and sync if the rules say so.  *put is
 * set even on failure: the bytes of whole batches that are in the log; none
 * when the sync failed. */
int stream_lane_append(struct stream_lane *lane, uint8_t *batches, size_t size,
    size_t *put, struct stream_error *err);

/* Tell the producer of the batches (borrowed) that are in the log. */
void stream_lane_tell(
    const struct stream_lane *lane, const uint8_t *batches, size_t size);

/* Both. */
int stream_lane_write(struct stream_lane *lane, uint8_t *batches, size_t size,
    struct stream_error *err);

static inline bool
stream_lane_is_empty(const struct stream_lane *lane)
{
	return lane->finished == 0 && lane->build.count == 0;
}

#endif
