/*
 * index_check.h - do .index and .timeindex agree with the log?
 *
 * Layer log/.  SPEC section 5.  Wrong is what contradicts the log, or what a
 * closed segment cannot lack.  Odd is not wrong: entries of appends of several
 * batches, the few entries that compaction leaves, zero slots at the end.
 *
 * What interval the entries were made with stands nowhere in the files, so
 * while a log is walked, the entries that each likely interval gives are
 * compared with those that are there.  What fits most files of a partition is
 * what the others are rebuilt with: so the bytes come out as they were.
 */
#ifndef STREAM_LOG_INDEX_CHECK_H
#define STREAM_LOG_INDEX_CHECK_H

#include <stdbool.h>

#include "file/name.h"
#include "log/indexer.h"

/* Intervals that are tried: the topic's own setting, Kafka's default, and the
 * numbers that people set. */
enum { STREAM_INDEX_GUESSES = 32 };

/* The interval that guess i stands for; setting is guess 0. */
int64_t stream_index_guess(size_t i, int64_t setting);

/* What was found out of one of the two files. */
struct stream_index_verdict {
	bool wrong;
	char why[80]; /* when it is wrong */
	/* Guesses, as bits, by which the file is exactly as it should be, and
	 * those by which it is cut short. */
	uint32_t exact;
	uint32_t cut_short;
};

struct stream_index_check;

/*
 * Load the indexes of the segment whose log name (borrowed) has this base
 * offset and state.  closed: there is a newer segment.  slots: zero slots at
 * the end are in order, as brokers make them.  Gives *check. STREAM_EIO,
 * STREAM_ENOMEM; a file that is missing is a verdict.
 */
int stream_index_check_new(int dirfd, int64_t base_offset,
    enum stream_name_state state, bool closed, bool slots, int64_t setting,
    struct stream_index_check **check, struct stream_error *err);

/* NULL is allowed. */
void stream_index_check_free(struct stream_index_check *check);

/* The next batch of the log.  STREAM_ENOMEM. */
int stream_index_check_add(struct stream_index_check *check,
    const struct stream_batch *batch, struct stream_error *err);

/* The log ends here. */
int stream_index_check_end(struct stream_index_check *check,
    struct stream_index_verdict *offsets, struct stream_index_verdict *times,
    struct stream_error *err);

#endif
