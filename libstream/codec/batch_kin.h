/*
 * batch_kin.h - may two batches be one, from which compaction took records?
 *
 * Layer codec/.  SPEC sections 3.5 and 15.4.  Each may have lost records that
 * the other still has; those that both have must be the same, whatever the
 * bytes around them are.  Reads and writes no file.  Not thread-safe: one
 * object a thread.
 */
#ifndef STREAM_CODEC_BATCH_KIN_H
#define STREAM_CODEC_BATCH_KIN_H

#include "codec/batch.h"

struct stream_batch_kin;

/* cap is the most bytes that records may have when decompressed.  Gives *kin;
 * free it with stream_batch_kin_free.  STREAM_ENOMEM. */
int stream_batch_kin_new(
    size_t cap, struct stream_batch_kin **kin, struct stream_error *err);

/* NULL is allowed. */
void stream_batch_kin_free(struct stream_batch_kin *kin);

/* Are both one batch, as it was? */
bool stream_batch_is_twin(
    const struct stream_batch *a, const struct stream_batch *b);

/* One whole batch (borrowed), whose header batch is and whose CRC is good. */
struct stream_batch_kin_side {
	const struct stream_batch *batch;
	const uint8_t *bytes;
	bool may_lack; /* records may have been taken from it */
};

/*
 * *is tells.  STREAM_ECORRUPT: the records of one cannot be read.
 * STREAM_ENEWER, STREAM_ETOOBIG as stream_decompress; STREAM_ENOMEM.
 */
int stream_batch_kin_check(struct stream_batch_kin *kin,
    const struct stream_batch_kin_side *a,
    const struct stream_batch_kin_side *b, bool *is, struct stream_error *err);

#endif
