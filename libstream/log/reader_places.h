/*
 * reader_places.h - places in a log: its bounds, times, the last records
 *
 * Layer log/.  reader_bounds.c finds where the log ends; reader_time.c and
 * reader_last.c walk its segments for a time and for a count; reader_seek.c
 * asks them for what a range names.  All of them move the reader.
 */
#ifndef STREAM_LOG_READER_PLACES_H
#define STREAM_LOG_READER_PLACES_H

#include "file/index.h"
#include "log/reader_private.h"

/* The open segment, as lookups in its indexes want it.  Lends the reader's
 * descriptors and name. */
struct stream_index_source stream_reader_index_source(
    const struct stream_reader *reader);

/* Is what follows at byte at of the open segment, where offset next would
 * come, no damage, but an append that did not finish? */
bool stream_reader_is_torn_at(
    struct stream_reader *reader, uint64_t at, int64_t next);

/*
 * The next batch of the scan, into reader->batch, if it is the one that follows
 * the last; *bytes are lent until the scan moves.  Where an index led to the
 * first of them, the one after it must say so.  STREAM_END at the end of the
 * file; STREAM_ECORRUPT, STREAM_ETORN, STREAM_ENEWER, STREAM_EIO.
 */
int stream_reader_next_in_chain(struct stream_reader *reader,
    const uint8_t **bytes, struct stream_error *err);

/* Does the status say not what the bytes of the log are, but that they cannot
 * be had? */
bool stream_reader_is_fatal(int status);

/*
 * The offset after the last whole batch, and not below least if the log reaches
 * that far.  *damaged: more was behind it, as *why says; nobody knows how much.
 * STREAM_EIO, STREAM_ENOMEM, STREAM_EBUSY, STREAM_ENOENT.
 */
int stream_reader_find_end_from(struct stream_reader *reader, int64_t least,
    int64_t *end, bool *damaged, struct stream_error *why,
    struct stream_error *err);

/*
 * Where the last n records begin.  Of those that are read from *offset on the
 * first reader->skip are too many, which this sets; for the end of a range
 * (is_end) *offset is exact, and skip stays.  Errors as above.
 */
int stream_reader_find_last(struct stream_reader *reader, int64_t n,
    bool is_end, int64_t *offset, struct stream_error *err);

#endif
