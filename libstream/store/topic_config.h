/*
 * topic_config.h - a topic's settings file, and what is being done to it
 *
 * Layer store/.  SPEC section 8.  Both are JSON, written as one by
 * stream_io_replace under the structure lock, and read without a lock.
 * jansson's home, with port/jsonl.c.
 */
#ifndef STREAM_STORE_TOPIC_CONFIG_H
#define STREAM_STORE_TOPIC_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <stream/record.h>
#include <stream/topic.h>

struct stream_topic_settings {
	char topic[STREAM_TOPIC_NAME_SIZE];
	char id[STREAM_TOPIC_ID_SIZE];
	int32_t partitions;
	bool has_gaps;         /* set before anything can take offsets away */
	bool has_transactions; /* of a broker: the log was restored */
	struct stream_topic_config config;
};

/*
 * Read the settings of topic from the directory .strm/topics.
 *
 * STREAM_ENOENT   there are none
 * STREAM_ECORRUPT not a settings file, or of another topic
 * STREAM_ENEWER   a newer version wrote it
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_topic_settings_load(int topics_dirfd, const char *topic,
    struct stream_topic_settings *settings, struct stream_error *err);

/* The same for text (borrowed) that was read. */
int stream_topic_settings_parse(struct stream_bytes text, const char *topic,
    struct stream_topic_settings *settings, struct stream_error *err);

/* Write them durably.  STREAM_EIO, STREAM_ENOMEM. */
int stream_topic_settings_save(int topics_dirfd,
    const struct stream_topic_settings *settings, struct stream_error *err);

enum stream_intent_kind {
	STREAM_INTENT_CREATE, /* the settings file is the commit */
	STREAM_INTENT_DELETE  /* the intent is the commit */
};

/* Bytes of the mark of a deletion, 32 hexadecimal digits, and a NUL. */
enum { STREAM_MARK_SIZE = 33 };

struct stream_intent {
	enum stream_intent_kind kind;
	char topic[STREAM_TOPIC_NAME_SIZE];
	/* Creation: the topic's id, by which its partitions are known.
	 * Deletion: the mark that stands in the new names of its partitions,
	 * "TOPIC-P.MARK-delete". */
	char token[STREAM_MARK_SIZE];
	int32_t *partitions; /* owned; rising */
	size_t count;
};

/* As the functions for settings.  *intent owns memory; free it with
 * stream_intent_release. */
int stream_intent_load(int intents_dirfd, const char *topic,
    struct stream_intent *intent, struct stream_error *err);
int stream_intent_parse(struct stream_bytes text, const char *topic,
    struct stream_intent *intent, struct stream_error *err);
int stream_intent_save(int intents_dirfd, const struct stream_intent *intent,
    struct stream_error *err);
void stream_intent_release(struct stream_intent *intent);

#endif
