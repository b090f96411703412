/*
 * metadata.h - partition.metadata, by which Kafka knows a partition's topic
 *
 * Layer store/.  SPEC section 6.1.  "version: 0\ntopic_id: ID", without a
 * newline at the end.
 */
#ifndef STREAM_STORE_METADATA_H
#define STREAM_STORE_METADATA_H

#include <stream/error.h>

#define STREAM_METADATA_FILE "partition.metadata"

/*
 * Read the id of the partition dirfd to id, which has STREAM_TOPIC_ID_SIZE
 * bytes.  STREAM_ENOENT, STREAM_ECORRUPT, STREAM_EIO.
 */
int stream_metadata_load(int dirfd, char *id, struct stream_error *err);

/* Make the file; it must not be there.  Not yet durable.  STREAM_EIO. */
int stream_metadata_create(int dirfd, const char *id, struct stream_error *err);

/* A new random id, as Kafka makes them (a version 4 UUID that does not begin
 * with '-').  STREAM_EIO. */
int stream_metadata_new_id(char *id, struct stream_error *err);

#endif
