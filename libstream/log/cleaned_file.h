/*
 * cleaned_file.h - write the segment that a compaction makes
 *
 * Layer log/.  SPEC sections 4.6, 5.3 and 5.5.  Its files end in ".cleaned",
 * which no reader looks at.  Batches are gathered and written in large pieces;
 * what an index says is what a recovery would rebuild from the log.  A segment
 * can also only be planned, until something makes it differ from its source.
 */
#ifndef STREAM_LOG_CLEANED_FILE_H
#define STREAM_LOG_CLEANED_FILE_H

#include <stdbool.h>

#include "file/index_txn.h"
#include "file/name.h"
#include "log/indexer.h"

/* What was put into a log, to be found in it again. */
struct stream_cleaned_sum {
	uint64_t bytes;
	uint64_t batches;
	uint64_t digest; /* of places, sizes and checksums */
};

struct stream_cleaned_file {
	int dirfd; /* borrowed */
	int64_t base_offset;
	int log; /* descriptor; -1: only planned so far */
	struct stream_cleaned_sum sum;
	uint8_t *memory; /* owned: bytes that are not in the file yet */
	size_t gathered;
	uint64_t written; /* bytes in the file */
	struct stream_indexer indexer;
	struct stream_buf aborts;           /* of .txnindex */
	bool has[STREAM_NAME_TXNINDEX + 1]; /* files that were made */
};

/* Plan a segment in the partition dirfd (borrowed until released). */
void stream_cleaned_file_init(struct stream_cleaned_file *file, int dirfd,
    int64_t base_offset, int64_t interval_bytes);

/* Close, free the memory, and remove what was made unless it was finished. */
void stream_cleaned_file_release(struct stream_cleaned_file *file);

/* Make the log.  What was planned so far must be copied to it then.
 * STREAM_EEXIST, STREAM_EIO, STREAM_ENOMEM. */
int stream_cleaned_file_begin(
    struct stream_cleaned_file *file, struct stream_error *err);

/* Copy planned bytes: those at the front of the open log source (borrowed), up
 * to its end or to the last one planned.  STREAM_EIO. */
int stream_cleaned_file_copy(
    struct stream_cleaned_file *file, int source, struct stream_error *err);

/* Can it take this batch without having more bytes, or wider offsets, than a
 * segment can? */
bool stream_cleaned_file_fits(const struct stream_cleaned_file *file,
    const struct stream_batch_info *info);

/* Add a batch (borrowed).  STREAM_EIO, STREAM_ENOMEM. */
int stream_cleaned_file_add(struct stream_cleaned_file *file,
    const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_error *err);

/* Add an entry of .txnindex.  STREAM_ENOMEM. */
int stream_cleaned_file_add_abort(struct stream_cleaned_file *file,
    const struct stream_aborted *entry, struct stream_error *err);

/*
 * Write what is left and the indexes; give all files the mode, the owner and
 * the time of modification of like (an open log, borrowed); sync them; and
 * read the log again.  STREAM_ECORRUPT when it does not hold what was put
 * there; STREAM_EIO, STREAM_ENOMEM.
 */
int stream_cleaned_file_finish(
    struct stream_cleaned_file *file, int like, struct stream_error *err);

#endif
