/*
 * summary.h - what a partition holds, in a few numbers
 */
#ifndef STREAM_LOG_SUMMARY_H
#define STREAM_LOG_SUMMARY_H

#include <stdint.h>

#include <stream/error.h>

struct stream_log_summary {
	uint32_t segments;
	uint64_t bytes; /* of all .log files */
	int64_t log_start_offset;
	int64_t log_end_offset;
	int64_t first_timestamp_ms; /* of the first batch; -1: none */
	int64_t last_timestamp_ms;  /* of the last batch; -1: none */
};

/*
 * Sum up the partition dirfd (borrowed), which starts at log_start_offset if
 * that lies above its first segment's base.  Reads the first batch and the
 * newest segment's end; takes no lock.  STREAM_EIO, STREAM_ENOMEM,
 * STREAM_ENOENT.
 */
int stream_log_summarize(int dirfd, int64_t log_start_offset,
    struct stream_log_summary *summary, struct stream_error *err);

#endif
