/*
 * records_check.h - are the records of a batch sound?  Nothing is given out
 *
 * Layer codec/.  SPEC section 3.  The checks of records.h by one who only
 * follows lengths: half the time of a walk that makes records.
 */
#ifndef STREAM_CODEC_RECORDS_CHECK_H
#define STREAM_CODEC_RECORDS_CHECK_H

#include "codec/batch.h"

/*
 * Check that the borrowed bytes, the records section of batch after it was
 * decompressed, are exactly its records.
 *
 * STREAM_ECORRUPT  as stream_records_start and stream_records_take; err->pos
 *                  is the byte in the section
 */
int stream_records_check(const struct stream_batch *batch,
    struct stream_bytes bytes, struct stream_error *err);

#endif
