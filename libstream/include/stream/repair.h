/*
 * stream/repair.h - what is wrong with a partition, and putting it right
 *
 * SPEC sections 4.4, 7.5 and 10.  A plan is a list of steps.  Planning reads
 * and changes nothing.  Repairing finishes interrupted work, cuts an append
 * that did not finish, and rebuilds what is derived from the log; it deletes
 * nothing: what it takes away is set aside in the partition's directory.
 * Damage in a log stays; salvaging copies what is good around it.
 */
#ifndef STREAM_REPAIR_H
#define STREAM_REPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/address.h>

enum stream_repair_action {
	STREAM_REPAIR_FINISH,  /* of an interrupted swap: rename the file */
	STREAM_REPAIR_ASIDE,   /* a leftover: rename it to .strm-old-... */
	STREAM_REPAIR_CUT,     /* copy the log's end to .strm-cut-..., cut it */
	STREAM_REPAIR_REBUILD, /* a file that is derived from the log */
	STREAM_REPAIR_STAYS,   /* damage, which no repair takes away */
	STREAM_REPAIR_HOLE /* what a salvage could not read, but for a torn end
			    */
};

/* Bytes of the longest name of a file in a step, with its NUL. */
enum { STREAM_REPAIR_NAME_SIZE = 64 };

struct stream_repair_step {
	enum stream_repair_action action;
	char file[STREAM_REPAIR_NAME_SIZE];
	uint64_t position; /* first byte, or STREAM_POS_NONE: the whole file */
	uint64_t bytes;    /* that no reader is given any more, or is not now */
	int64_t first_offset; /* of the records that those bytes hold, -1 */
	int64_t last_offset;  /* -1: not known, or there are none */
	int64_t records;      /* at most so many; -1: not known */
	char text[192];       /* what is wrong, no newline */
};

struct stream_repair_options {
	size_t max_batch_bytes; /* 0: 64 MiB */
	int lock_timeout_ms;    /* longest wait for a lock */
	/* What indexes are rebuilt with when the files themselves do not say;
	 * 0: the topic's index.interval.bytes. */
	int64_t index_interval_bytes;
	bool network; /* write to NFS, SMB and 9p as well */
};

struct stream_repair;

/*
 * Look at the partition of place (borrowed), which may be in use, and list
 * what stream_repair_run would do.  Takes no lock.  Gives *repair; free it
 * with stream_repair_free.
 *
 * STREAM_EUSAGE  the place is a single file
 * STREAM_ENOENT  the topic was deleted
 * STREAM_EBUSY   the directory does not come to rest
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_repair_plan(const struct stream_place *place,
    const struct stream_repair_options *options, struct stream_repair **repair,
    struct stream_error *err);

/*
 * The same, and carry it out, under the locks of the store and the partition:
 * writers wait meanwhile.  The steps are those that were done, and those that
 * stay.  Killed at any point, it has lost nothing, and the next run goes on.
 * When there is nothing to do, nothing is locked or changed.
 *
 * Besides the errors of a plan:
 * STREAM_EBUSY     a lock was not free in time, or a broker holds the store
 * STREAM_ECORRUPT, STREAM_ENEWER  the log changed meanwhile, and is damaged
 */
int stream_repair_run(const struct stream_place *place,
    const struct stream_repair_options *options, struct stream_repair **repair,
    struct stream_error *err);

/* What a salvage wrote. */
struct stream_salvaged {
	uint64_t batches;
	uint64_t records;
	uint64_t bytes; /* of log files */
};

/*
 * Write all good batches of the partition, byte for byte and at their offsets,
 * to a new partition directory dir (borrowed), and its derived files.  dir
 * must not exist, or be empty; it comes into being as a whole, from a sibling
 * ".NAME.strm-new".  The steps are the holes, also a last
 * batch that is bad, and a torn end.  If dir is a partition of a topic of ours,
 * the topic's settings say from then on that offsets may be missing.
 *
 * Besides the errors of a plan:
 * STREAM_EEXIST  dir has something in it
 * STREAM_EBUSY   another process is at it, or a broker holds dir's store
 */
int stream_repair_salvage(const struct stream_place *place,
    const struct stream_repair_options *options, const char *dir,
    struct stream_repair **repair, struct stream_salvaged *salvaged,
    struct stream_error *err);

/* NULL is allowed. */
void stream_repair_free(struct stream_repair *repair);

/* The steps, in the order in which they are done.  Lent until freed. */
size_t stream_repair_count(const struct stream_repair *repair);
const struct stream_repair_step *stream_repair_step(
    const struct stream_repair *repair, size_t i);

/* "finish", "set-aside", "cut", "rebuild", "stays" or "hole". */
const char *stream_repair_action_name(enum stream_repair_action action);

#endif
