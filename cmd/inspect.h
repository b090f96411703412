/*
 * inspect.h - what the parts of "strm inspect" share
 *
 * One partition after another is walked once; each part that was asked for
 * sees the batches and records of that walk.
 */
#ifndef INSPECT_H
#define INSPECT_H

#include <stream.h>

#include "cli/command.h"
#include "cli/output.h"
#include "columns.h"
#include "json_line.h"

/* Filled by the option table. */
struct inspect_opts {
	bool all;
	bool batches;
	bool records;
	bool index;
	bool producers;
	bool open_txns;
	bool groups;
	bool stats;
	bool hand_over;
	bool json;
	bool clamp;
	uint64_t count;
	int64_t max_batch_bytes;
};

/* What is shown; made of the options and of what they leave open. */
struct inspect_shows {
	bool segments; /* a line or row for each, and the summary */
	bool batches;
	bool records;
	bool index;
	bool files; /* snapshots, epochs, checkpoints and the like */
	bool producers;
	bool open_txns;
	bool groups;
	bool stats;
};

/* Notes kept for the end of an overview. */
enum { INSPECT_KEPT = 100 };

struct inspect_stats;
struct inspect_groups;
struct inspect_producers;

struct inspect {
	struct cli_context *context;
	const struct inspect_opts *opts;
	struct inspect_shows shows;
	struct stream_store *store; /* NULL: only paths so far */
	struct cli_out out;
	struct json_line json;
	enum cli_exit code; /* of the first failure */
	int64_t left;       /* records (or batches) to show; -1: all */
	bool one_file;      /* a single file was named */
	bool is_many;       /* of several partitions that one word named */
	bool is_silent;     /* problems are counted and not shown */
	bool is_heading;    /* a partition was printed before, as text */

	/* The partition at hand. */
	const char *topic;
	int32_t partition;
	const char *path; /* of its directory */
	const char *store_path;
	const char *label; /* "TOPIC-P" */
	int64_t log_start_offset;
	enum stream_message_kind kind; /* of its records, if has_kind */
	bool has_kind;
	int64_t from; /* offsets shown: from from, before to */
	int64_t to;
	int64_t records_left; /* of a range that ends N records on; -1 */
	struct stream_files files;
	struct columns segments; /* rows of the overview */
	struct columns kept;     /* notes and problems, to come after it */
	uint64_t kept_count;
	uint64_t count_segments;
	uint64_t count_batches;
	uint64_t count_records;
	uint64_t count_bytes;
	uint64_t count_problems;
	uint64_t count_notes;
	bool has_gaps;       /* offsets may be missing */
	int64_t next_offset; /* after the last batch seen; -1: not known */
	struct inspect_stats *stats;         /* NULL: not asked for */
	struct inspect_groups *groups;       /* the same */
	struct inspect_producers *producers; /* the same */
};

/* ---- inspect_partition.c ------------------------------------------------ */

/* Show one partition, or the one log file that place names. */
void inspect_partition(struct inspect *in, const struct stream_place *place,
    const struct stream_range *range);

/* "TOPIC-P", the directory's own name; given, free(); NULL without memory. */
char *inspect_label(const struct stream_place *place);

/* Forget the last partition; decide what is shown of the next. */
void inspect_reset(struct inspect *in);
void inspect_choose(struct inspect *in, bool has_range);

bool inspect_has_selection(const struct inspect_opts *opts);
bool inspect_is_whole(const struct stream_range *range);

/* ---- inspect_tell.c ----------------------------------------------------- */

/* A failure of the system or of memory: report it and keep its status. */
void inspect_fail(struct inspect *in, const struct stream_error *err);

/* Damage to data was met: exit status 3. */
void inspect_damaged(struct inspect *in);

/*
 * Tell something about a file.  A problem is what Kafka's own tools would
 * complain of; damage says that records are lost by it.
 */
__attribute__((format(printf, 4, 5))) void inspect_note(struct inspect *in,
    const char *file, const char *kind, const char *format, ...);
__attribute__((format(printf, 5, 6))) void inspect_problem(struct inspect *in,
    const char *file, const char *kind, bool damage, const char *format, ...);

/* Is it time to stop: a signal, a lost output, or -n is used up? */
bool inspect_is_over(const struct inspect *in);

/* "DIR/NAME", given; free().  NULL after a report. */
char *inspect_path(struct inspect *in, const char *dir, const char *name);

/* Begin a JSON line; end it with inspect_end, which adds the partition. */
void inspect_begin(struct inspect *in, const char *type);
void inspect_end(struct inspect *in);

/* A timestamp for people, "-" for none; text has STREAM_TIME_SIZE bytes. */
const char *inspect_time(int64_t timestamp_ms, char *text);

/* ---- the parts ---------------------------------------------------------- */

/* One .log file and, if shown, its indexes.  next: the log after it, or
 * NULL. */
void inspect_segment(struct inspect *in, const struct stream_file *file,
    const struct stream_file *next);

/* The sequence of the record delta after a batch's first; -1: none. */
int64_t inspect_sequence(const struct stream_batch_info *info, int64_t delta);
void inspect_record(struct inspect *in, const struct stream_record *record);

/* The index files of the segment base_offset, as far as they are there. */
void inspect_indexes(struct inspect *in, int64_t base_offset);
void inspect_one_index(struct inspect *in, const struct stream_file *file);

/* How many entries an index of the segment has, as text: "12", "-" for no
 * file. */
void inspect_count_index(struct inspect *in, int64_t base_offset,
    enum stream_file_kind kind, char text[static 32]);

/* Everything but segments and their indexes. */
void inspect_files(struct inspect *in);
void inspect_one_file(struct inspect *in, const struct stream_file *file);

/* A small file by its kind; what is wrong with one that cannot be read. */
void inspect_file_at(
    struct inspect *in, const struct stream_file *file, const char *path);
void inspect_bad_file(
    struct inspect *in, const char *file, const struct stream_error *err);

/* mine: only this partition's entries.  others: only those of no partition
 * in it.  Neither: all. */
void inspect_checkpoint(struct inspect *in, const char *file, const char *path,
    bool mine, const struct stream_places *others);
void inspect_shutdown(struct inspect *in, const char *file, const char *path);

/* What the store says of this partition, and what it says besides. */
void inspect_store_of_partition(struct inspect *in);
void inspect_store(
    struct inspect *in, const char *path, const struct stream_places *places);

/* --stats */
struct inspect_stats *inspect_stats_new(struct inspect *in);
void inspect_stats_free(struct inspect_stats *stats);
void inspect_stats_batch(struct inspect_stats *stats,
    const struct stream_piece *piece, uint64_t plain_size);
void inspect_stats_records(struct inspect_stats *stats,
    const struct stream_piece *piece, const struct stream_record *records,
    size_t count);
void inspect_stats_show(struct inspect *in);

/* --groups, and --open-txns of __transaction_state */
struct inspect_groups *inspect_groups_new(struct inspect *in);
void inspect_groups_free(struct inspect_groups *groups);
void inspect_groups_record(
    struct inspect *in, const struct stream_record *record);
void inspect_groups_show(struct inspect *in);

/* --producers and --open-txns */
struct inspect_producers *inspect_producers_new(struct inspect *in);
void inspect_producers_free(struct inspect_producers *producers);
void inspect_producers_batch(struct inspect *in,
    const struct stream_piece *piece, struct stream_bytes bytes);
void inspect_producers_show(struct inspect *in);

/* The fields of an entry, into an open line. */
void inspect_producer_fields(
    struct json_line *json, const struct stream_snapshot_entry *entry);

/* Entries of snapshots as text: the head of the table, and a row. */
void inspect_producer_head(struct inspect *in);
void inspect_producer_row(
    struct inspect *in, const struct stream_snapshot_entry *entry);

/* --hand-over: CLI_DONE when a broker can take the directory, else CLI_NO. */
enum cli_exit inspect_hand_over(struct inspect *in);

#endif
