/*
 * stream/producer.h - write records to a topic
 *
 * Records gather in batches and batches in writes; nothing is in the log
 * before stream_producer_flush, or before enough has gathered, and nothing is
 * durable before stream_producer_sync.  Not thread-safe: one thread per
 * struct stream_producer.
 */
#ifndef STREAM_PRODUCER_H
#define STREAM_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>

#include <stream/record.h>
#include <stream/topic.h>

struct stream_producer;

/* A batch is in the log, though not yet durable. */
struct stream_appended {
	int32_t partition;
	int32_t count;       /* records */
	int64_t base_offset; /* of the first; the others follow */
};

struct stream_producer_options {
	bool has_codec; /* false: the topic's compression.type, else none */
	enum stream_codec codec;
	int level;            /* STREAM_LEVEL_DEFAULT: the codec's own */
	size_t batch_bytes;   /* records in a batch; 0: 64 KiB, compressed
				 512 KiB; never more than the topic allows */
	bool sync_each_write; /* sync before a write counts as done */
	unsigned workers;     /* threads that compress, or one that writes
				 behind; 0: everything in this thread */
	/* Told of each batch in the log, in order by partition.  May be NULL.
	 * Kept; context is passed on. */
	void (*appended)(void *context, const struct stream_appended *appended);
	/* Told what recovery cut or set aside.  May be NULL.  Kept. */
	void (*note)(void *context, const char *text);
	void *context;
};

/* For the partition argument: by the key's hash, as Kafka's Java client does;
 * records without a key stay together batch by batch. */
enum { STREAM_PARTITION_BY_KEY = -1 };

/*
 * Open topic (borrowed) of store (kept until closed) for writing.  options is
 * borrowed and copied; NULL is all defaults.  Partitions are opened when they
 * get their first record.  Gives *producer; free it with
 * stream_producer_close.
 *
 * STREAM_EUSAGE  a level that the codec does not have; the store was opened
 *                for reading
 * STREAM_ENOMEM
 */
int stream_producer_open(struct stream_store *store,
    const struct stream_topic *topic,
    const struct stream_producer_options *options,
    struct stream_producer **producer, struct stream_error *err);

/* Free it.  What was not flushed is dropped.  NULL is allowed. */
void stream_producer_close(struct stream_producer *producer);

/*
 * The partition that stream_producer_send would choose for this record
 * (borrowed) with STREAM_PARTITION_BY_KEY, for a caller that wants to know.
 */
int32_t stream_producer_choose(
    const struct stream_producer *producer, const struct stream_record *record);

/* The same for a key that is not null (borrowed) in a topic of so many
 * partitions, 0 to partitions - 1. */
int32_t stream_key_partition(struct stream_bytes key, int32_t partitions);

/*
 * Add record (borrowed and copied) to a partition's batch.  May write batches
 * that are full.
 *
 * STREAM_ETOOBIG  alone in a batch it is larger than max.message.bytes or
 *                 segment.bytes; nothing was added
 * STREAM_ENOENT   no such partition, or the topic was deleted
 * STREAM_EUSAGE   a null key in a compacted topic
 * STREAM_ELOST, STREAM_ECORRUPT, STREAM_EBUSY, STREAM_EIO, STREAM_ENOMEM,
 * STREAM_EINTR    a write failed.  What was appended before stays; the rest of
 *                 the batches is dropped, and only closing makes sense
 */
int stream_producer_send(struct stream_producer *producer, int32_t partition,
    const struct stream_record *record, struct stream_error *err);

/* Write all that has gathered.  Readers see it afterwards.  Failures as
 * above. */
int stream_producer_flush(
    struct stream_producer *producer, struct stream_error *err);

/* Flush, and make everything durable.  STREAM_EIO: the sync failed, and what
 * was not durable is taken back.  STREAM_ELOST: another writer's sync took
 * records of this producer back. */
int stream_producer_sync(
    struct stream_producer *producer, struct stream_error *err);

/* Is there something that was sent and not yet flushed, or not yet synced? */
bool stream_producer_has_unflushed(const struct stream_producer *producer);
bool stream_producer_has_unsynced(const struct stream_producer *producer);

#endif
