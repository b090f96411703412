/*
 * properties.h - names and values in Kafka's text files
 *
 * Layer file/.  SPEC section 13.5: meta.properties, partition.metadata and
 * .kafka_cleanshutdown.  Pure.
 */
#ifndef STREAM_FILE_PROPERTIES_H
#define STREAM_FILE_PROPERTIES_H

#include <stream/files.h>
#include <stream/record.h>

/* Take the bytes (borrowed) of a file of properties apart.  STREAM_ECORRUPT,
 * STREAM_ENOMEM. */
int stream_properties_parse(struct stream_bytes bytes,
    struct stream_properties *properties, struct stream_error *err);

/* The brokerEpoch in the bytes (borrowed) of .kafka_cleanshutdown; -1 when
 * there is none. */
int64_t stream_shutdown_parse(struct stream_bytes bytes);

#endif
