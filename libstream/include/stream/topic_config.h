/*
 * stream/topic_config.h - the settings of a topic
 *
 * Kafka's property names, meanings and limits.  Sizes may also be written as
 * "1GiB" and durations as "7d".
 */
#ifndef STREAM_TOPIC_CONFIG_H
#define STREAM_TOPIC_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>
#include <stream/record.h>

/* The part of one setting; retention and compaction may both be on. */
enum stream_cleanup_policy {
	STREAM_CLEANUP_DELETE = 1 << 0,
	STREAM_CLEANUP_COMPACT = 1 << 1
};

enum stream_timestamp_type {
	STREAM_CREATE_TIME = 0,
	STREAM_LOG_APPEND_TIME = 1
};

/* compression.type: what the producer chooses, or else a codec's number. */
enum { STREAM_COMPRESSION_PRODUCER = -1 };

/* Fields are named as Kafka's properties, with '_' for '.'. */
struct stream_topic_config {
	int64_t segment_bytes;
	int64_t segment_ms;
	int64_t segment_index_bytes;
	int64_t index_interval_bytes;
	int64_t max_message_bytes;
	int64_t retention_ms;    /* -1: for ever */
	int64_t retention_bytes; /* -1: any size */
	int64_t delete_retention_ms;
	int64_t min_compaction_lag_ms;
	int64_t max_compaction_lag_ms; /* INT64_MAX: no limit */
	double min_cleanable_dirty_ratio;
	int64_t cleanup_policy;         /* of enum stream_cleanup_policy */
	int64_t compression_type;       /* of enum stream_codec, or PRODUCER */
	int64_t message_timestamp_type; /* of enum stream_timestamp_type */
	uint32_t is_set; /* bit i: setting i is the topic's, not the default */
};

/* Kafka's defaults, none of them set. */
void stream_topic_config_init(struct stream_topic_config *config);

/*
 * Set one setting from its text.  On failure config is unchanged.
 *
 * STREAM_EUSAGE  no such setting (the message suggests the nearest), or the
 *                value is not allowed
 */
int stream_topic_config_set(struct stream_topic_config *config,
    const char *name, const char *value, struct stream_error *err);

/* Put one setting back to its default.  STREAM_EUSAGE: no such setting. */
int stream_topic_config_unset(struct stream_topic_config *config,
    const char *name, struct stream_error *err);

/* Check the settings that depend on each other, after the last one was set.
 * STREAM_EUSAGE. */
int stream_topic_config_check(
    const struct stream_topic_config *config, struct stream_error *err);

/* The settings by number, in the order of their names. */
size_t stream_topic_config_count(void);
const char *stream_topic_config_name(size_t i);

/* false: the value is the default. */
bool stream_topic_config_is_set(
    const struct stream_topic_config *config, size_t i);

/* Bytes that stream_topic_config_value writes at most, with the NUL. */
enum { STREAM_SETTING_SIZE = 40 };

/* Write the value as Kafka does (plain numbers, "compact,delete") to text,
 * which has STREAM_SETTING_SIZE bytes. */
void stream_topic_config_value(
    const struct stream_topic_config *config, size_t i, char *text);

#endif
