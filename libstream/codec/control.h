/*
 * control.h - control records: transaction markers and the like
 *
 * Layer codec/.  SPEC section 3.3.  They say something about the log and are
 * never data.
 */
#ifndef STREAM_CODEC_CONTROL_H
#define STREAM_CODEC_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

enum stream_control_type {
	STREAM_CONTROL_ABORT = 0,
	STREAM_CONTROL_COMMIT = 1,
	STREAM_CONTROL_OTHER = 2 /* a type that says nothing of transactions */
};

/*
 * The type of the first record of a whole control batch (size borrowed
 * bytes).  STREAM_ECORRUPT when it has no such record; a compressed control
 * batch, which no broker writes, is STREAM_ENEWER.
 */
int stream_control_type(const uint8_t *bytes, size_t size,
    enum stream_control_type *type, struct stream_error *err);

/* The end of a transaction. */
struct stream_control_marker {
	enum stream_control_type type; /* OTHER: it is no such marker */
	int32_t coordinator_epoch;     /* -1: the value does not tell */
	int64_t timestamp_ms;
};

/*
 * The same with what the record's value says.  A batch whose record compaction
 * took away is a marker of type OTHER.
 */
int stream_control_marker_take(const uint8_t *bytes, size_t size,
    struct stream_control_marker *marker, struct stream_error *err);

#endif
