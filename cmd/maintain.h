/*
 * maintain.h - what the files of strm maintain share
 *
 * maintain.c does the work on one partition after another; maintain_metrics.c
 * writes what was found to a file for Prometheus.
 */
#ifndef MAINTAIN_H
#define MAINTAIN_H

#include <stream/maintain.h>

#include "cli/context.h"

/* One partition, as it was left. */
struct maintain_part {
	const struct stream_place *place; /* borrowed */
	bool failed;
	bool is_measured;
	bool is_compacted; /* its policy has "compact" */
	struct stream_measures measures;
	uint64_t dirty_bytes;
	double dirty_ratio;
};

struct maintain_sum {
	const char *store; /* borrowed; of the first partition */
	int64_t now_ms;
	int64_t elapsed_ms;
	size_t errors; /* partitions and addresses that failed */
	size_t locked; /* partitions that were left out */
	size_t rolled;
	size_t segments; /* that retention took */
	uint64_t bytes;
	int64_t records;
	size_t compacted;    /* partitions */
	uint64_t records_in; /* of these */
	uint64_t records_out;
	uint64_t compacted_bytes; /* that went */
};

/*
 * May the file be written?  STREAM_EUSAGE when something is there that is no
 * regular file, STREAM_ENOENT for a symbolic link to nothing.
 */
int maintain_check_metrics(const char *path, struct stream_error *err);

/*
 * Write all (borrowed; parts are sorted) to the file path, as one step: what
 * was there before, or all of it.  STREAM_EIO, STREAM_ENOMEM, STREAM_ENOENT,
 * and STREAM_EUSAGE as above.
 */
int maintain_write_metrics(const char *path, const struct maintain_sum *sum,
    struct maintain_part *parts, size_t count, struct stream_error *err);

#endif
