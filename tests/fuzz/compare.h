/* compare.h - what libstream reads against what refdec reads */
#ifndef FUZZ_COMPARE_H
#define FUZZ_COMPARE_H

#include <stdbool.h>

#include "fuzz.h"
#include "refdec/refdec.h"

/* The verdict that a status of libstream is. */
enum refdec_verdict fuzz_verdict(int status);

/*
 * Do a status and refdec's verdict agree?  Of a stream that both refuse, one
 * may find first that it is not supported and the other that it is damaged:
 * SPEC 2.3 sets no order for what stands in a codec's own headers.
 */
bool fuzz_agree(int status, int verdict);
bool fuzz_agree_on_stream(int status, int verdict);

/* All of a record as bytes, so that two records can be compared. */
void fuzz_put_record(
    struct stream_buf *out, const struct stream_record *record);
void fuzz_put_refdec(void *buf, const struct refdec_record *record);

/* Both the same bytes? */
bool fuzz_same(const struct stream_buf *a, const struct stream_buf *b);

#endif
