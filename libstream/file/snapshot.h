/*
 * snapshot.h - producer state snapshots
 *
 * Layer file/.  SPEC section 6.4.  A hint (I5) with a CRC: a bad one counts as
 * none, as in Kafka's loader.
 */
#ifndef STREAM_FILE_SNAPSHOT_H
#define STREAM_FILE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include <stream/files.h>
#include <stream/record.h>

#include "base/buf.h"

/*
 * Decode a whole snapshot file (borrowed).  Gives *entries; free them with
 * free().  STREAM_ECORRUPT, STREAM_ENEWER (version), STREAM_ENOMEM.
 */
int stream_snapshot_parse(struct stream_bytes bytes,
    struct stream_snapshot_entry **entries, size_t *count,
    struct stream_error *err);

/*
 * Add a whole snapshot file of these entries (borrowed) to the end of out.
 * STREAM_ENOMEM.
 */
int stream_snapshot_put(const struct stream_snapshot_entry *entries,
    size_t count, struct stream_buf *out, struct stream_error *err);

/*
 * Load the snapshot of that offset.  Gives *entries; free().  STREAM_ENOENT,
 * STREAM_EIO, and as stream_snapshot_parse.
 */
int stream_snapshot_load(int dirfd, int64_t offset,
    struct stream_snapshot_entry **entries, size_t *count,
    struct stream_error *err);

/*
 * Load the newest sound snapshot at or below offset from the partition dirfd.
 * *at is the offset that it describes.  Gives *entries; free().
 * STREAM_ENOENT when there is none; STREAM_EIO when the directory cannot be
 * listed; STREAM_ENOMEM.
 */
int stream_snapshot_find(int dirfd, int64_t offset, int64_t *at,
    struct stream_snapshot_entry **entries, size_t *count,
    struct stream_error *err);

#endif
