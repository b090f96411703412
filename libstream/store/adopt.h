/*
 * adopt.h - partitions that were built apart become topics of the store
 *
 * Layer store/.  SPEC section 8.4, with partitions that are not empty.
 */
#ifndef STREAM_STORE_ADOPT_H
#define STREAM_STORE_ADOPT_H

#include "store/topic_config.h"

struct stream_adopted {
	struct stream_topic_settings settings;
	int64_t *log_starts; /* of each partition; 0: nothing to say */
};

/*
 * Move the partitions 0 to settings.partitions - 1 of each topic (borrowed)
 * from the directory `from`, which is in the store's file system, into the
 * store.  Each is durable, and its partition.metadata has the id of the
 * settings.  A failure leaves none of the topics; a crash between the settings
 * of two topics leaves the first ones.
 *
 * STREAM_EEXIST  a topic is there already: nothing was changed
 * STREAM_EBUSY, STREAM_EIO, STREAM_ECORRUPT (log start offsets), STREAM_ENOMEM
 */
int stream_topics_adopt(struct stream_store *store, int from,
    const struct stream_adopted *topics, size_t count,
    struct stream_error *err);

#endif
