/*
 * layout.h - where a store keeps what is its own
 *
 * Layer store/.  SPEC section 8.  All of it lies in .strm/:
 *
 *   lock              the structure lock
 *   topics/NAME.json  settings; this file makes a topic exist
 *   intents/NAME.json what is being done to the topic NAME
 *   build/            partitions that are not yet in the store
 *   replicate/        what is held for replicas (replica.h)
 *   incoming/         what comes to a replica, before it is put in place
 *   restore/          what an archive holds, before it is checked
 *   replica/          what the replica was when it was last whole
 *   last-compaction-checkpoint  when partitions were compacted
 */
#ifndef STREAM_STORE_LAYOUT_H
#define STREAM_STORE_LAYOUT_H

#include <stdbool.h>

#include "store/store.h"

#define STREAM_OWN_DIR ".strm"
#define STREAM_TOPICS_DIR "topics"
#define STREAM_INTENTS_DIR "intents"
#define STREAM_BUILD_DIR "build"
#define STREAM_REPLICATE_DIR "replicate"
#define STREAM_INCOMING_DIR "incoming"
#define STREAM_REPLICA_DIR "replica"
#define STREAM_RESTORE_DIR "restore"
#define STREAM_MEASURES_FILE "cache" /* in replicate/ */
#define STREAM_STORE_LOCK "lock"
/* Held by who copies to a replica, and by who promotes it. */
#define STREAM_ROLE_LOCK "replica.lock"
#define STREAM_COMPACTION_TIMES "last-compaction-checkpoint"

/* Bytes of "NAME.json" with its NUL; the longest name still fits NAME_MAX. */
enum { STREAM_DOCUMENT_NAME_SIZE = 255 };

/* Write "TOPIC.json" to name, which has STREAM_DOCUMENT_NAME_SIZE bytes. */
void stream_layout_document(const char *topic, char *name);

/* The topic of a document's name, to topic, which has STREAM_TOPIC_NAME_SIZE
 * bytes; false when it is not one. */
bool stream_layout_is_document(const char *name, char *topic);

/*
 * Open the directory .strm/part.  The caller closes *fd.  STREAM_ENOENT when
 * it is not there, STREAM_EIO.
 */
int stream_layout_open(const struct stream_store *store, const char *part,
    int *fd, struct stream_error *err);

/* The same, made when it is missing, with .strm; names not yet durable. */
int stream_layout_make(const struct stream_store *store, const char *part,
    int *fd, struct stream_error *err);

#endif
