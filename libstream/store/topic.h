/*
 * topic.h - what is known of one topic
 *
 * Layer store/.
 *
 * A topic's state is in three places, which create.c and delete.c write in a
 * fixed order, so that it can be read without a lock:
 *
 *   partitions  settings  intent   the topic is
 *   any         yes       none     there, ours
 *   some        no        none     there, foreign
 *   any         yes       create   there, ours (committed, not cleared up)
 *   any         no        create   not there (unfinished, to be undone)
 *   any         any       delete   not there (committed, to be finished)
 *
 * A writer does not take part in an unfinished topic: it finishes or undoes
 * it first (recover.h).  Were it to write records to a topic whose settings
 * file is not yet durable, power loss could take the topic with them.
 */
#ifndef STREAM_STORE_TOPIC_H
#define STREAM_STORE_TOPIC_H

#include "store/catalog.h"
#include "store/topic_config.h"

struct stream_topic {
	struct stream_topic_settings settings; /* without a file: defaults */
	bool is_ours;
	int32_t *numbers; /* owned; NULL: 0 to count - 1 */
	size_t count;
};

/*
 * As stream_topic_open, without finishing anything.  catalog (borrowed) is a
 * listing that holds the topic if the store does; NULL makes one when it is
 * needed.
 */
int stream_topic_find(const struct stream_store *store, const char *name,
    const struct stream_catalog *catalog, struct stream_topic **topic,
    struct stream_error *err);

/*
 * STREAM_OK, or STREAM_ENOENT when an intent hides the topic; has_settings
 * says whether it has a settings file.  STREAM_ECORRUPT, STREAM_EIO...
 */
int stream_topic_check_visible(const struct stream_store *store,
    const char *name, bool has_settings, struct stream_error *err);

/* The name nearest to name, or NULL: "did you mean".  Lent. */
const char *stream_topic_list_nearest(
    const struct stream_topic_list *list, const char *name);

/*
 * Have the settings of topic, one of ours, say that offsets may be missing;
 * durably, under the structure lock, which it takes.  STREAM_ENOENT when the
 * topic was deleted; STREAM_EBUSY, STREAM_EIO, STREAM_ECORRUPT, STREAM_ENOMEM.
 */
int stream_topic_declare_gaps(
    struct stream_store *store, const char *topic, struct stream_error *err);

/* Load the settings or the intent of a topic; STREAM_ENOENT also when the
 * directory for them is missing. */
int stream_topic_load_settings(const struct stream_store *store,
    const char *name, struct stream_topic_settings *settings,
    struct stream_error *err);
int stream_topic_load_intent(const struct stream_store *store, const char *name,
    struct stream_intent *intent, struct stream_error *err);

#endif
