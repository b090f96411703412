/*
 * archive_cut.h - take from an unpacked log what is outside of a range
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.6, step 4.
 */
#ifndef STREAM_PORT_ARCHIVE_CUT_H
#define STREAM_PORT_ARCHIVE_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

/*
 * Keep the batches of the partition dirfd that hold offsets from `from` to
 * below `to`.  *cut_end: some at the end went.  Nothing else uses the
 * directory. STREAM_ECORRUPT, STREAM_ENEWER, STREAM_EIO, STREAM_ENOMEM.
 */
int stream_cut_to_range(int dirfd, int64_t from, int64_t to, size_t cap,
    bool *cut_end, struct stream_error *err);

#endif
