/*
 * survey.h - all good batches of one segment, and what lies between them
 *
 * Layer log/.  SPEC sections 4.2 and 10.  A reader stops at the first bad
 * byte; repair and salvage want to know what comes after it.  So this goes on
 * at the next good batch and gives each hole with the offsets that it took.
 */
#ifndef STREAM_LOG_SURVEY_H
#define STREAM_LOG_SURVEY_H

#include "codec/batch.h"
#include "file/scan.h"
#include "file/tail.h"

/* The segment: its open log, and what bounds it. */
struct stream_survey_source {
	int fd; /* borrowed */
	int64_t base_offset;
	int64_t next_base; /* of the segment after it; -1: it is the newest */
	struct stream_tail_known known; /* by it the end is judged */
	size_t cap;                     /* largest batch */
	bool dense;                     /* offsets have no gaps */
};

enum stream_survey_kind {
	STREAM_SURVEY_BATCH,
	STREAM_SURVEY_HOLE, /* damage, or offsets that are missing */
	STREAM_SURVEY_TAIL /* what a writer cuts: torn, lost or a bad last batch
			    */
};

struct stream_survey_find {
	enum stream_survey_kind kind;
	struct stream_batch batch; /* BATCH */
	const uint8_t *bytes;      /* BATCH: all of it; lent */
	/* The others: the bytes that are no good batch, maybe none, and the
	 * offsets that are missing. */
	uint64_t position;
	uint64_t size;
	int64_t first_offset;
	int64_t end_offset;    /* the one after the last; -1: not known */
	enum stream_tail tail; /* TAIL: TORN, BAD or LOST */
	int status;            /* HOLE: STREAM_ECORRUPT or STREAM_ENEWER */
	char text[128];        /* why */
};

struct stream_survey {
	struct stream_survey_source source;
	struct stream_scan scan;
	int64_t next_offset; /* that the next batch should have */
	uint64_t size;       /* of the file */
	bool ended;
};

/* Begin at the start of the segment.  Bytes that are added to the file from
 * now on do not count.  STREAM_EIO. */
int stream_survey_init(struct stream_survey *survey,
    const struct stream_survey_source *source, struct stream_error *err);

/* The descriptor stays open. */
void stream_survey_release(struct stream_survey *survey);

/*
 * The next find; *find lends from the survey until the next call.
 * STREAM_END after the last; STREAM_EIO, STREAM_ENOMEM.
 */
int stream_survey_next(struct stream_survey *survey,
    struct stream_survey_find *find, struct stream_error *err);

/*
 * How many records a hole or tail took at most: the offsets that are missing,
 * or where that is not known, what the header there says, if it can be read
 * (from fd, the log) and be true.  -1: not known.
 */
int64_t stream_survey_lost(const struct stream_survey_find *find, int fd);

#endif
