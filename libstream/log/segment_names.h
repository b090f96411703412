/*
 * segment_names.h - the files of one segment change their names together
 *
 * Layer log/.  SPEC section 4.6.  A name ends in what its file is worth:
 * ".cleaned", ".swap", nothing or ".deleted".  None of this is durable before
 * stream_io_sync_dir.  The structure lock is held.
 */
#ifndef STREAM_LOG_SEGMENT_NAMES_H
#define STREAM_LOG_SEGMENT_NAMES_H

#include <stdint.h>

#include <stream/error.h>

#include "file/name.h"

/* The kinds of files of a segment, in the order in which Kafka renames them. */
enum { STREAM_SEGMENT_KINDS = 4 };
extern const enum stream_name_kind stream_segment_kinds[STREAM_SEGMENT_KINDS];

/*
 * Rename one file from one state to another, over what may be there.
 * STREAM_ENOENT when there is none; STREAM_EIO.
 */
int stream_segment_rename_file(int dirfd, int64_t base_offset,
    enum stream_name_kind kind, enum stream_name_state from,
    enum stream_name_state to, struct stream_error *err);

/*
 * Take a plain file's name away: it becomes ".deleted", or is removed at once
 * where the disk is too full for the longer name.  *bytes, if not NULL, grows
 * by the file's size.  STREAM_EIO.
 */
int stream_segment_put_away(int dirfd, int64_t base_offset,
    enum stream_name_kind kind, uint64_t *bytes, struct stream_error *err);

/* Make a closed segment's log durable: of one that another program closed it is
 * not known.  STREAM_ENOENT, STREAM_EIO. */
int stream_segment_sync_log(
    int dirfd, int64_t base_offset, struct stream_error *err);

/* Remove one file in this state.  STREAM_EIO. */
int stream_segment_remove_file(int dirfd, int64_t base_offset,
    enum stream_name_kind kind, enum stream_name_state state,
    struct stream_error *err);

#endif
