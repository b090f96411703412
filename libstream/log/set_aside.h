/*
 * set_aside.h - nothing is deleted: it is kept under a name that does not count
 *
 * Layer log/.  SPEC section 7.5.  Bytes of a log become .strm-cut-OFFSET, whole
 * files .strm-old-NAME; if the name is taken, ".1", ".2"... follows.  Readers,
 * writers and Kafka pass over both.
 */
#ifndef STREAM_LOG_SET_ASIDE_H
#define STREAM_LOG_SET_ASIDE_H

#include <stdint.h>

#include <stream/error.h>

/*
 * Copy the bytes of the open file log from byte from to its end, durably, to
 * .strm-cut-OFFSET in the partition dirfd.  Half a copy is taken away again
 * after a failure.  STREAM_EIO.
 */
int stream_set_aside_bytes(int dirfd, int log, uint64_t from, int64_t offset,
    struct stream_error *err);

/*
 * Rename the file name (borrowed) of the partition to .strm-old-NAME.  Nothing
 * there is no failure.  The rename is durable after stream_io_sync_dir.
 * STREAM_EIO.
 */
int stream_set_aside_file(
    int dirfd, const char *name, struct stream_error *err);

#endif
