/*
 * compact.h - what the files of strm compact share
 *
 * compact.c runs it, compact_show.c prints plans and results, compact_why.c
 * what becomes of one key.
 */
#ifndef COMPACT_H
#define COMPACT_H

#include <stdatomic.h>

#include <stream/compact.h>

#include "cli/progress.h"
#include "jobs.h"
#include "upkeep.h"

struct compact_opts {
	bool force;
	bool if_unlocked;
	int64_t memory;
	uint64_t jobs;
	const char *why; /* NULL: compact */
	struct upkeep_opts upkeep;
	struct topic_write_opts write;
};

struct compact_run {
	struct upkeep upkeep; /* used under the lock of jobs */
	const struct compact_opts *opts;
	struct stream_compact_options options; /* but for context */
	struct jobs jobs;
	_Atomic uint64_t to_read;
	_Atomic uint64_t read;
	struct cli_progress progress;
	int64_t start_ms;
	struct stream_compact_counts sum; /* of all partitions */
	size_t compacted;                 /* partitions */
	uint64_t found;                   /* records of the key */
};

/* What a thread works on. */
struct compact_job {
	struct compact_run *run;
	const struct stream_place *place;
};

/* ---- compact_show.c; all under the lock ---- */

/* What was done, or would be, with upkeep.place, in elapsed_ms. */
void compact_show(struct compact_run *run, const struct stream_compact *compact,
    int64_t elapsed_ms);

/* Why a log is, or is not, cleaned: "dirty ratio 0.62, above 0.50".  text has
 * COMPACT_VERDICT_SIZE bytes. */
enum { COMPACT_VERDICT_SIZE = 256 };
void compact_put_verdict(const struct stream_compacted *sum, char *text);

/* The members of a summary that say whether it is cleaned. */
void compact_put_json_verdict(
    struct json_line *json, const struct stream_compacted *sum);

/* The last lines. */
void compact_show_sum(struct upkeep *upkeep);

/* ---- compact_why.c ---- */

/* Tell what becomes of the records of opts->why in the place of the job. */
void compact_why(struct compact_job *job);

/* The last lines. */
void compact_why_sum(struct upkeep *upkeep);

#endif
