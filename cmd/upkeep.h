/*
 * upkeep.h - what the commands that look after partitions share
 *
 * They take addresses or --all, work on one partition after another, and tell
 * what was done on standard output.  A partition that fails is reported and
 * keeps no other from its turn.
 */
#ifndef UPKEEP_H
#define UPKEEP_H

#include <stream/compact.h>
#include <stream/retain.h>

#include "columns.h"
#include "json_line.h"
#include "topic.h"

struct upkeep_opts {
	bool all;
	bool dry_run;
	bool json;
};

extern const struct cli_option upkeep_options[];

struct upkeep {
	const struct cli_context *context;
	const struct upkeep_opts *opts;
	const struct cli_command *command;
	struct stream_store *store;  /* NULL: only paths so far */
	struct stream_places places; /* each directory once, without points */
	/* One for each place, if points are asked for. */
	struct stream_point *points; /* owned */
	bool takes_points;
	bool only_asks; /* nothing is to be changed, as with dry_run */
	bool network;   /* write to file systems on the network */
	struct cli_out out;
	const struct stream_place *place; /* that is worked on */
	size_t done;                      /* partitions */
	size_t failed;                    /* and addresses */
	enum cli_exit code;               /* of the first failure */
};

/*
 * Find what the words mean, or all topics of the store.  What cannot be found
 * is reported; a wrong command line ends it: false, and upkeep->code says so.
 */
bool upkeep_find(struct upkeep *upkeep, int count, char *words[]);

/* Does the work on upkeep->place; reports failures by upkeep_fail. */
typedef void upkeep_work(struct upkeep *upkeep, size_t i);

/*
 * Call work for each place, until a stop is asked for, with the output open;
 * then last (may be NULL), which prints what there is to say in the end.
 */
void upkeep_run(struct upkeep *upkeep, upkeep_work *work,
    void (*last)(struct upkeep *upkeep));

/* The same in parts, for who works on several places at once: open the output
 * (false: that failed, and was reported); is there more to be done; say what
 * there is to say, and close. */
bool upkeep_begin(struct upkeep *upkeep);
bool upkeep_goes_on(const struct upkeep *upkeep);
void upkeep_finish(struct upkeep *upkeep, void (*last)(struct upkeep *upkeep));

/* Report why the place, or an address, failed. */
void upkeep_fail(struct upkeep *upkeep, const struct stream_error *err);

/* Release all, and end the process as a stop asks; else the exit status. */
enum cli_exit upkeep_end(struct upkeep *upkeep);

/* "orders-0": the directory of a place, as messages name it. */
const char *upkeep_name(const struct stream_place *place);

/* Is there something to print for people? */
bool upkeep_tells(const struct upkeep *upkeep);

/* {"type":"NAME","topic":...,"partition":... on the output. */
void upkeep_json(
    struct upkeep *upkeep, const char *type, struct json_line *json);

/* "3 segments, 3000 records": a number and what it counts. */
void upkeep_count(
    struct upkeep *upkeep, uint64_t count, const char *one, const char *many);

/* For the library: a note on the place, and whether to go on.  context is the
 * struct upkeep. */
void upkeep_note(void *context, const char *text);
bool upkeep_go_on(void *context, uint64_t bytes);

/* If the clock kept the rule by time from its work, that is a failure. */
void upkeep_complain_clock(
    struct upkeep *upkeep, const struct stream_retained *sum);

/* The part of the library's options that all commands fill alike; to be asked
 * for before the work begins. */
struct stream_retain_options upkeep_retain_options(
    struct upkeep *upkeep, const struct topic_write_opts *write);

/* Bytes that a compaction took from logs.  Never below 0: tombstones and
 * markers can grow by their horizon, and a batch in its codec. */
uint64_t upkeep_freed(const struct stream_compact_counts *counts);

#endif
