#include <stream/producer.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "codec/murmur2.h"
#include "log/compress_pool.h"
#include "log/lane.h"
#include "log/write_behind.h"
#include "store/store.h"

enum {
	BATCH_PLAIN = 64 << 10,
	/* A codec finds more to gain in more bytes: measured with zstd, 827
	 * MB/s against 704 with 64 KiB. */
	BATCH_PACKED = 512 << 10,
	/* Half a megabyte at a time makes the cost of a write small; all lanes
	 * together should stay near the second-level cache. */
	GROUP_MOST = 512 << 10,
	GROUPS_TOGETHER = 2 << 20,
	GROUP_LEAST = 64 << 10
};

struct stream_producer {
	struct stream_store *store; /* kept */
	char *topic;
	struct stream_topic_config config;
	bool dense;
	bool needs_key; /* the topic is compacted */
	struct stream_producer_options options;
	struct stream_lane_rules rules;
	struct stream_compress_pool *pool;  /* with a codec, or else: */
	struct stream_write_behind *behind; /* NULL without workers */
	struct stream_lane *lanes;          /* by index, as in the topic */
	size_t count;
	bool numbers_are_indexes; /* partition i is lane i */
	size_t sticky;            /* lane of records without a key */
	size_t unflushed;         /* records sent since the last flush */
	bool failed; /* a write failed: what came after it must not follow */
};

static void
tell(void *context, int32_t partition, int32_t count, int64_t base_offset)
{
	struct stream_producer *producer = context;
	struct stream_appended appended = {partition, count, base_offset};

	producer->options.appended(producer->options.context, &appended);
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void
set_rules(struct stream_producer *producer)
{
	const struct stream_topic_config *config = &producer->config;
	struct stream_lane_rules *rules = &producer->rules;
	size_t share = GROUPS_TOGETHER / producer->count;

	rules->max_batch =
	    (size_t)(config->max_message_bytes < config->segment_bytes
			 ? config->max_message_bytes
			 : config->segment_bytes);
	rules->batch_bytes = producer->options.batch_bytes;
	if (rules->batch_bytes == 0)
		rules->batch_bytes =
		    producer->pool == NULL ? BATCH_PLAIN : BATCH_PACKED;
	rules->batch_bytes = smaller(rules->batch_bytes, rules->max_batch);
	rules->group_bytes = smaller(share, GROUP_MOST);
	if (rules->group_bytes < GROUP_LEAST)
		rules->group_bytes = GROUP_LEAST;
	rules->sync_each_write = producer->options.sync_each_write;
	rules->pool = producer->pool;
	rules->behind = producer->behind;
	if (producer->options.appended != NULL)
		rules->appended = tell;
	rules->context = producer;
}

static int
make_lanes(struct stream_producer *producer, const struct stream_topic *topic,
    struct stream_error *err)
{
	producer->count = stream_topic_partition_count(topic);
	if (producer->count == 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: has no partitions", producer->topic);
	producer->lanes = calloc(producer->count, sizeof(*producer->lanes));
	if (producer->lanes == NULL)
		return stream_fail_memory(err);
	producer->numbers_are_indexes = true;
	for (size_t i = 0; i < producer->count; i++) {
		int32_t number = stream_topic_partition(topic, i);

		stream_lane_init(&producer->lanes[i], &producer->rules, number);
		if ((size_t)number != i)
			producer->numbers_are_indexes = false;
	}
	return STREAM_OK;
}

/* The codec that was asked for, else the topic's, else none. */
static int
make_pool(struct stream_producer *producer, struct stream_error *err)
{
	const struct stream_producer_options *options = &producer->options;
	enum stream_codec codec = STREAM_CODEC_NONE;
	int level = STREAM_LEVEL_DEFAULT;

	if (options->has_codec) {
		codec = options->codec;
		level = options->level;
	} else if (producer->config.compression_type !=
		   STREAM_COMPRESSION_PRODUCER) {
		codec = (enum stream_codec)producer->config.compression_type;
	}
	if (codec == STREAM_CODEC_NONE && options->workers == 0)
		return STREAM_OK;
	if (codec == STREAM_CODEC_NONE)
		return stream_write_behind_new(&producer->behind, err);
	return stream_compress_pool_new(
	    codec, level, options->workers, &producer->pool, err);
}

/* Many one-line producers should not all begin with the same partition. */
static size_t
first_sticky(size_t count)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((size_t)now.tv_nsec / 64 + (size_t)getpid()) % count;
}

int
stream_producer_open(struct stream_store *store,
    const struct stream_topic *topic,
    const struct stream_producer_options *options,
    struct stream_producer **producer, struct stream_error *err)
{
	struct stream_producer *new;
	int status;

	if ((store->flags & STREAM_STORE_WRITE) == 0)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "the store was opened for reading");
	new = calloc(1, sizeof(*new));
	if (new == NULL)
		return stream_fail_memory(err);
	new->store = store;
	new->config = *stream_topic_config(topic);
	new->dense = !stream_topic_has_gaps(topic);
	new->needs_key =
	    (new->config.cleanup_policy &STREAM_CLEANUP_COMPACT) != 0;
	if (options != NULL)
		new->options = *options;
	new->topic = strdup(stream_topic_name(topic));
	status = new->topic != NULL ? make_lanes(new, topic, err)
				    : stream_fail_memory(err);
	if (status == STREAM_OK)
		status = make_pool(new, err);
	if (status != STREAM_OK) {
		stream_producer_close(new);
		return status;
	}
	set_rules(new);
	new->sticky = first_sticky(new->count);
	*producer = new;
	return STREAM_OK;
}

void
stream_producer_close(struct stream_producer *producer)
{
	if (producer == NULL)
		return;
	stream_compress_pool_free(producer->pool);
	stream_write_behind_free(producer->behind);
	for (size_t i = 0; producer->lanes != NULL && i < producer->count; i++)
		stream_lane_release(&producer->lanes[i]);
	free(producer->lanes);
	free(producer->topic);
	free(producer);
}

/*
 * A partition that was restored from a backup, or cut, may end below what the
 * store's files say of the log that was there before.  Records that get these
 * offsets again would count as compacted, or be seen by no reader.  What was
 * read before the partition was opened cannot be past a log that is whole.
 */
static int
settle_end(const struct stream_producer *producer,
    const struct stream_lane *lane, int64_t log_start, int64_t clean_point,
    struct stream_error *err)
{
	int64_t end = stream_partition_next_offset(lane->partition);

	if (log_start > end)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "the log starts at offset %lld, past its end at %lld: no "
		    "reader would see a new record (a backup? "
		    "restore " STREAM_LOG_START_FILE
		    " with it, or remove its entry)",
		    (long long)log_start, (long long)end);
	if (clean_point <= end)
		return STREAM_OK;
	return stream_store_set_clean_point(
	    producer->store, producer->topic, lane->number, end, err);
}

static int
open_lane(struct stream_producer *producer, struct stream_lane *lane,
    struct stream_error *err)
{
	const struct stream_topic_config *topic = &producer->config;
	struct stream_log_config config = {
	    .segment_bytes = topic->segment_bytes,
	    .segment_ms = topic->segment_ms,
	    .segment_index_bytes = topic->segment_index_bytes,
	    .index_interval_bytes = topic->index_interval_bytes,
	    .max_message_bytes = topic->max_message_bytes,
	    .append_time =
		topic->message_timestamp_type == STREAM_LOG_APPEND_TIME,
	    .dense = producer->dense,
	    .lock_timeout_ms = producer->store->lock_timeout_ms,
	    .ask = stream_store_ask,
	    .ask_context = producer->store,
	    .note = producer->options.note,
	    .note_context = producer->options.context,
	};
	int64_t clean_point;
	int status = stream_store_open_partition(
	    producer->store, producer->topic, lane->number, &lane->dirfd, err);

	if (status != STREAM_OK) {
		stream_lane_release(lane);
		return status;
	}
	status = stream_store_log_start(producer->store, producer->topic,
	    lane->number, &config.log_start_offset, err);
	if (status == STREAM_OK)
		status = stream_store_clean_point(producer->store,
		    producer->topic, lane->number, &clean_point, err);
	if (status == STREAM_OK)
		status = stream_partition_open(
		    lane->dirfd, &config, &lane->partition, err);
	/* Its topic may have been deleted since the directory was opened. */
	if (status == STREAM_OK)
		status = stream_store_check_partition(producer->store,
		    producer->topic, lane->number, lane->dirfd, err);
	if (status == STREAM_OK)
		status = settle_end(
		    producer, lane, config.log_start_offset, clean_point, err);
	if (status == STREAM_OK)
		return STREAM_OK;
	stream_lane_release(lane);
	return stream_fail_in(
	    err, status, "%s-%d", producer->topic, lane->number);
}

static struct stream_lane *
find_lane(struct stream_producer *producer, int32_t number)
{
	if (number >= 0 && (size_t)number < producer->count &&
	    producer->numbers_are_indexes)
		return &producer->lanes[number];
	for (size_t i = 0; i < producer->count; i++)
		if (producer->lanes[i].number == number)
			return &producer->lanes[i];
	return NULL;
}

/* The lane that the record belongs in; NULL: there is no such partition. */
static struct stream_lane *
choose_lane(struct stream_producer *producer, int32_t partition,
    const struct stream_record *record)
{
	if (partition == STREAM_PARTITION_BY_KEY)
		partition = stream_producer_choose(producer, record);
	return find_lane(producer, partition);
}

int32_t
stream_key_partition(struct stream_bytes key, int32_t partitions)
{
	return stream_murmur2_partition(key.data, key.size, partitions);
}

int32_t
stream_producer_choose(
    const struct stream_producer *producer, const struct stream_record *record)
{
	if (producer->count == 1)
		return producer->lanes[0].number;
	if (record->key.data == NULL)
		return producer->lanes[producer->sticky].number;
	return stream_key_partition(record->key, (int32_t)producer->count);
}

static int
refuse_partition(const struct stream_producer *producer, int32_t partition,
    struct stream_error *err)
{
	return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
	    "%s: has no partition %d (it has %zu)", producer->topic, partition,
	    producer->count);
}

static int
fail_in_lane(struct stream_producer *producer, const struct stream_lane *lane,
    int status, struct stream_error *err)
{
	if (status == STREAM_OK || status == STREAM_ETOOBIG)
		return status;
	producer->failed = true;
	return stream_fail_in(
	    err, status, "%s-%d", producer->topic, lane->number);
}

static int
refuse_after_failure(struct stream_error *err)
{
	return stream_fail(err, STREAM_EIO, STREAM_POS_NONE,
	    "an earlier write failed; nothing more is written");
}

int
stream_producer_send(struct stream_producer *producer, int32_t partition,
    const struct stream_record *record, struct stream_error *err)
{
	struct stream_lane *lane = choose_lane(producer, partition, record);
	bool full;
	int status = STREAM_OK;

	if (producer->failed)
		return refuse_after_failure(err);
	if (lane == NULL)
		return refuse_partition(producer, partition, err);
	if (record->key.data == NULL && producer->needs_key)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "a record without a key in a compacted topic");
	if (lane->partition == NULL)
		status = open_lane(producer, lane, err);
	if (status != STREAM_OK)
		return status;
	status = stream_lane_add(lane, record, &full, err);
	if (status != STREAM_OK)
		return fail_in_lane(producer, lane, status, err);
	producer->unflushed++;
	if (full && lane == &producer->lanes[producer->sticky])
		producer->sticky = (producer->sticky + 1) % producer->count;
	return STREAM_OK;
}

int
stream_producer_flush(
    struct stream_producer *producer, struct stream_error *err)
{
	int status = STREAM_OK;

	if (!stream_producer_has_unflushed(producer))
		return STREAM_OK;
	if (producer->failed)
		return refuse_after_failure(err);
	for (size_t i = 0; i < producer->count && status == STREAM_OK; i++) {
		struct stream_lane *lane = &producer->lanes[i];

		if (stream_lane_is_empty(lane))
			continue;
		status = stream_lane_flush(lane, err);
		status = fail_in_lane(producer, lane, status, err);
	}
	if (status == STREAM_OK && producer->pool != NULL)
		status = stream_compress_pool_finish(producer->pool, err);
	if (status == STREAM_OK && producer->behind != NULL)
		status = stream_write_behind_finish(producer->behind, err);
	if (status == STREAM_OK)
		producer->unflushed = 0;
	else
		producer->failed = true;
	producer->sticky = (producer->sticky + 1) % producer->count;
	return status;
}

/* Goes on after a failure, so that one bad disk block costs one partition;
 * the first failure is told. */
int
stream_producer_sync(struct stream_producer *producer, struct stream_error *err)
{
	int first = STREAM_OK;

	if (!producer->failed)
		first = stream_producer_flush(producer, err);
	for (size_t i = 0; i < producer->count; i++) {
		struct stream_lane *lane = &producer->lanes[i];
		struct stream_error why;
		int status;

		if (lane->partition == NULL ||
		    !stream_partition_is_dirty(lane->partition))
			continue;
		status = stream_partition_sync(lane->partition, &why);
		status = fail_in_lane(producer, lane, status, &why);
		if (status == STREAM_OK || first != STREAM_OK)
			continue;
		first = status;
		if (err != NULL)
			*err = why;
	}
	return first;
}

bool
stream_producer_has_unflushed(const struct stream_producer *producer)
{
	return producer->unflushed > 0;
}

bool
stream_producer_has_unsynced(const struct stream_producer *producer)
{
	if (producer->unflushed > 0)
		return true;
	for (size_t i = 0; i < producer->count; i++)
		if (producer->lanes[i].partition != NULL &&
		    stream_partition_is_dirty(producer->lanes[i].partition))
			return true;
	return false;
}
