/*
 * records_check.h - are the records of a batch sound?  Nothing is given out
 *
 * Layer codec/.  SPEC section 3.  The checks of records.h by one who only
 * follows lengths: half the time of a walk that makes records.
 */
#ifndef STREAM_CODEC_RECORDS_CHECK_H
#define STREAM_CODEC_RECORDS_CHECK_H

#include "base/buf.h"
#include "codec/batch.h"
#include "codec/compress.h"

/*
 * Check that the borrowed bytes, the records section of batch after it was
 * decompressed, are exactly its records.
 *
 * STREAM_ECORRUPT  as stream_records_start and stream_records_take; err->pos
 *                  is the byte in the section
 */
int stream_records_check(const struct stream_batch *batch,
    struct stream_bytes bytes, struct stream_error *err);

/* What decompressing needs, kept from batch to batch. */
struct stream_unpacker {
	struct stream_decompressor *decompressor; /* NULL: not needed yet */
	struct stream_buf plain;
	size_t cap; /* records may grow to so many bytes */
};

/* The buffer is empty; free it with stream_unpacker_release. */
void stream_unpacker_init(struct stream_unpacker *unpacker, size_t cap);
void stream_unpacker_release(struct stream_unpacker *unpacker);

/*
 * The records section of a whole batch (borrowed), whose header batch is, as it
 * is without compression.  *section is lent by the batch or by the unpacker,
 * until its next call.  Not for a batch without records.
 * STREAM_ECORRUPT, STREAM_ENEWER, STREAM_ETOOBIG, STREAM_ENOMEM as
 * stream_decompress.
 */
int stream_unpacker_open(struct stream_unpacker *unpacker,
    const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_bytes *section, struct stream_error *err);

/*
 * The same of a whole batch: bytes (borrowed) has its header and its records as
 * they stand in the log.  A batch without records, which compaction leaves, has
 * none that could be wrong.
 *
 * STREAM_ECORRUPT, STREAM_ENEWER  also as stream_decompress; err->pos is the
 *                                 byte in the section, decompressed
 * STREAM_ENOMEM
 */
int stream_records_check_packed(struct stream_unpacker *unpacker,
    const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_error *err);

#endif
