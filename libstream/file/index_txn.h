/*
 * index_txn.h - entries of .txnindex, Kafka's index of aborted transactions
 *
 * Layer file/.  SPEC section 5.5.  34 bytes each, without header or checksum:
 * a hint that is derived from the log.
 */
#ifndef STREAM_FILE_INDEX_TXN_H
#define STREAM_FILE_INDEX_TXN_H

#include <stddef.h>
#include <stdint.h>

#include <stream/record.h>

enum { STREAM_TXNINDEX_ENTRY = 34 };

struct stream_aborted {
	int64_t producer_id;
	int64_t first_offset;       /* of the transaction's first batch */
	int64_t last_offset;        /* of its ABORT marker */
	int64_t last_stable_offset; /* when the marker was written */
};

/* Write one entry to the STREAM_TXNINDEX_ENTRY bytes at to. */
void stream_aborted_put(uint8_t *to, const struct stream_aborted *aborted);

/*
 * Read the entry at the front of size borrowed bytes.
 *
 * STREAM_END       no byte is left
 * STREAM_ETORN     fewer bytes than an entry has
 * STREAM_ENEWER    a version other than 0
 * STREAM_ECORRUPT  a negative number, a last offset below the first, or a
 *                  last stable offset past the one after the marker
 */
int stream_aborted_take(const uint8_t *bytes, size_t size,
    struct stream_aborted *aborted, struct stream_error *err);

/*
 * Check a whole file (borrowed) of the segment that holds the offsets from
 * base_offset up to, and without, end_offset: each entry is sound, its marker
 * lies in the segment, and markers rise from entry to entry.  *count is the
 * number of entries.
 *
 * STREAM_ETORN, STREAM_ENEWER, STREAM_ECORRUPT; err->pos is the entry's byte
 */
int stream_txnindex_check(struct stream_bytes bytes, int64_t base_offset,
    int64_t end_offset, size_t *count, struct stream_error *err);

#endif
