/*
 * stream/range.h - the part of a log that someone asked for
 *
 * A range runs from one point (included) to another (excluded).  Durations
 * ago are times by the moment a point is made; see stream/address.h.
 */
#ifndef STREAM_RANGE_H
#define STREAM_RANGE_H

#include <stdint.h>

enum stream_point_kind {
	STREAM_POINT_NONE = 0, /* not given: as an end, no end */
	STREAM_POINT_START,    /* the log start offset */
	STREAM_POINT_END,      /* the log end as seen when reading begins */
	STREAM_POINT_OFFSET,   /* value is an offset */
	STREAM_POINT_LAST,     /* the last value records, counted as records */
	STREAM_POINT_AFTER,    /* value records after the other point */
	STREAM_POINT_TIME      /* value is milliseconds since 1970 UTC */
};

/* value is 0 for the kinds that need none; never negative for LAST, AFTER
 * and OFFSET. */
struct stream_point {
	enum stream_point_kind kind;
	int64_t value;
};

/* All zeros is "nothing was said": from is the caller's default, no end. */
struct stream_range {
	struct stream_point from;
	struct stream_point to;
};

#endif
