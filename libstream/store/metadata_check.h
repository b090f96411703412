/*
 * metadata_check.h - is the partition.metadata of a partition right?
 *
 * Layer store/.  SPEC section 6.1.  For those who look for damage: the topic's
 * id stands in its settings as well, or with its other partitions.
 */
#ifndef STREAM_STORE_METADATA_CHECK_H
#define STREAM_STORE_METADATA_CHECK_H

#include <stream/address.h>

#include "store/metadata.h"

/* What is wrong with the file of the partition dirfd, which is place (both
 * borrowed): *fault is a constant, or NULL.  STREAM_EIO, STREAM_ENOMEM. */
int stream_metadata_check(const struct stream_place *place, int dirfd,
    const char **fault, struct stream_error *err);

#endif
