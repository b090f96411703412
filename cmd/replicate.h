/*
 * replicate.h - the parts of strm replicate-rsync
 *
 * replicate_child.c starts ssh and rsync, which replicate_version.c asks for
 * its version; replicate_side.c does a step at one side, here or on another
 * machine; replicate_serve.c is that other side, and replicate_answer.c what it
 * answers; replicate_apart.c sees that the sides are two; replicate_show.c
 * tells what was done, replicate_lag.c how far the replica is behind;
 * replicate_rsync.c does the steps in their order, and replicate_follow.c again
 * and again.
 */
#ifndef REPLICATE_H
#define REPLICATE_H

#include <sys/types.h>

#include <stream/replica.h>

#include "cli/command.h"
#include "cli/output.h"

struct json_line;
struct run;

/* ---- children ----------------------------------------------------------- */

/* What a child reads and what becomes of what it writes: one of the three, or
 * it is thrown away. */
struct child_io {
	const void *input; /* borrowed */
	size_t input_size;
	char **output; /* all of it, given */
	/* true: it has nothing left to do, and is ended at once, as if well. */
	bool (*told)(void *context, const char *bytes, size_t size);
	void *context; /* of told */
	bool lines;    /* child_start: whoever started it reads it */
	/* A stop that is asked for does not end it; nor does one that the
	 * terminal sends to all. */
	bool finish;
};

struct child {
	pid_t pid;
	int output; /* what it writes; -1: nobody reads it */
	bool finish;
};

/*
 * Run argv (its end is NULL), found in the PATH, with an environment that
 * changes nothing of what it does; wait for its end.  *code is its exit status,
 * 128+n for a signal.  A stop that is asked for ends it too.  It ends when this
 * process does, however that is.
 *
 * STREAM_ENOENT  there is no such program
 * STREAM_EINTR, STREAM_EIO, STREAM_ENOMEM
 */
int child_run(char *const argv[], const struct child_io *io, int *code,
    struct stream_error *err);

/* The two halves of it. */
int child_start(char *const argv[], const struct child_io *io,
    struct child *child, struct stream_error *err);
int child_finish(struct child *child, const struct child_io *io, int *code,
    struct stream_error *err);

/* Instead of child_finish: read no more, and wait for its end.  kill_it: ask it
 * to end. */
int child_stop(
    struct child *child, bool kill_it, int *code, struct stream_error *err);

/* ---- the version of rsync ----------------------------------------------- */

/* rsync was asked, and not yet heard.  All zero: it was not, or was heard. */
struct rsync_question {
	struct child child;
	const char *bwlimit; /* borrowed; NULL: none */
	bool is_open;
};

/*
 * Is there an rsync in the PATH that knows the options that are given to it?
 * It answers while something else is done: rsync_answer waits for it, and does
 * nothing when none is due.  *bare: it also knows --checksum-choice=none, which
 * both ends would have to know.
 *
 * STREAM_EIO    there is none, or it is too old; err says what is needed
 * STREAM_EUSAGE it does not take this limit
 * STREAM_EINTR, STREAM_ENOMEM
 */
int rsync_ask(const char *bwlimit, struct rsync_question *question,
    struct stream_error *err);
int rsync_answer(
    struct rsync_question *question, bool *bare, struct stream_error *err);

/* ---- a side ------------------------------------------------------------- */

struct side {
	const char *word; /* as it was given, borrowed */
	char *host;       /* owned; NULL: here */
	char *path;       /* owned; absolute for another host */
};

struct replicate_opts {
	bool dry_run;
	bool json;
	bool verify;
	bool truncate;
	bool remove;
	bool follow;
	bool status;
	bool serve;
	bool if_unlocked;
	const char *bwlimit;
	const char *ssh_config;
	struct cli_list include;
	struct cli_list exclude;
	int64_t lock_timeout_ms;
	bool network;
	/* Who draws the progress; NULL: nobody. */
	const struct cli_context *context;
};

/* Take "DIR" or "HOST:DIR" apart.  STREAM_EUSAGE, STREAM_ENOMEM. */
int side_parse(const char *word, struct side *side, struct stream_error *err);
void side_release(struct side *side);

/* Is one of them the other, or does it lie in it?  CLI_USAGE, told. */
enum cli_exit side_check_apart(
    const struct side *source, const struct side *dest);

enum side_step {
	SIDE_HAVE,    /* and begin a run */
	SIDE_LOOK,    /* the same, but change nothing */
	SIDE_PREPARE, /* input: what the replica has */
	SIDE_PLAN,    /* the same, but hold nothing */
	SIDE_APPLY,   /* input: the manifest */
	SIDE_WATCH,   /* until nobody listens: see side_watch */
	SIDE_LOCK,    /* the same: see side_lock */
	SIDE_STATUS,  /* as plan, whoever leads */
	SIDE_RELEASE, /* input: the id of the run */
	SIDE_CHECK,   /* is there a store that can be a source? */
	SIDE_FENCE,   /* input: the reason */
	SIDE_LIFT,
	SIDE_LAST = SIDE_LIFT
};

struct side_request {
	enum side_step step;
	const char *of;    /* apply: the name of the source */
	const char *id;    /* have, lock: of the run; NULL: none yet */
	const char *have;  /* apply: what the replica said; NULL: not asked */
	const char *input; /* text; "" for none */
	struct stream_replica_arrival *arrival; /* apply here; may be NULL */
};

/*
 * Do the step; *output (given) is what it says.  A failure is reported, with
 * the name of the host if it was on another machine.  CLI_REMOTE when that
 * cannot be reached, is no strm of this version, or its system failed.
 */
enum cli_exit side_do(const struct side *side,
    const struct side_request *request, const struct replicate_opts *opts,
    char **output);

/* The same in this process, at path. */
int side_do_here(const char *path, const struct side_request *request,
    const struct replicate_opts *opts, char **output, struct stream_error *err);

/*
 * Wait for what is new at a side, in this process or, on another machine, with
 * one that tells.
 */
struct side_watch {
	const struct side *side;
	struct stream_replica_options *options; /* here: kept by the watch */
	struct stream_replica_watch *here;
	struct child there;
	bool told;      /* there: what is read and not yet looked at */
	char said[512]; /* there: what came last */
};

/* From when it returns, changes are noticed.  What fails is reported. */
enum cli_exit side_watch_open(const struct side *side,
    const struct replicate_opts *opts, struct side_watch *watch);
void side_watch_close(struct side_watch *watch);

/* Wait for a change, timeout_ms at most (-1: for ever), or for a stop: look
 * for that.  0: only forget what came. */
enum cli_exit side_watch_wait(struct side_watch *watch, int timeout_ms);

/* The other end of it: a line when it is watched, and one for each change. */
int side_watch_serve(const char *path, const struct replicate_opts *opts,
    struct stream_error *err);

/*
 * A lock of stream_replica_lock, in this process or, on another machine, in one
 * that holds it for as long as this one listens.
 */
struct side_lock {
	struct stream_replica_lock *here; /* NULL: it is not here */
	struct child there;               /* pid 0: it is not there */
};

/* id as in stream_replica_lock.  CLI_BUSY: another has it; what fails is
 * reported, but that one not with opts->if_unlocked. */
enum cli_exit side_lock(const struct side *side, const char *id,
    const struct replicate_opts *opts, struct side_lock *lock);
/* One that is all zero is not held. */
void side_unlock(struct side_lock *lock);

/* The other end of it: a word when it is held, or with opts->if_unlocked when
 * it is not, and the end of it when nobody listens. */
int side_lock_serve(const char *path, const char *id,
    const struct replicate_opts *opts, struct stream_error *err);

/* Options of the library for opts, with lists that are given: free them with
 * side_unchoose, in any case. */
int side_choose(const struct replicate_opts *opts,
    struct stream_replica_options *options, struct stream_error *err);
void side_unchoose(struct stream_replica_options *options);

/* Start a step on another machine. */
int side_start(const struct side *side, const struct side_request *request,
    const struct replicate_opts *opts, struct child_io *io, struct child *child,
    struct stream_error *err);

/* Is the topic chosen as a whole?  Only then --delete removes it. */
bool side_is_whole(const struct replicate_opts *opts, const char *topic);

/* Read a request from standard input and answer it. */
enum cli_exit side_serve(void);

/* ---- what the other machine answers ------------------------------------- */

/* Say on standard output that the step failed by err (borrowed); fills lost
 * when that cannot be said. */
int answer_failed(const struct stream_error *err, struct stream_error *lost);

/* Look at what ssh gave, its exit status and text (borrowed): CLI_DONE, or what
 * is wrong was reported. */
enum cli_exit answer_judge(
    const struct side *side, enum side_step step, int code, const char *text);

/* ---- fencing ------------------------------------------------------------ */

#define FENCE_WAS "strm-was-fenced "

/* Fence the store at path for reason, or lift that (NULL).  *output (given):
 * FENCE_WAS and "1" if it was fenced, else "0". */
int fence_step(const char *path, const char *reason,
    const struct stream_replica_options *how, char **output,
    struct stream_error *err);

/* Words of an ssh with --, a host, a command and NULL behind them. */
enum { SIDE_SSH_WORDS = 16 };

/* Put the words of an ssh that asks for nothing in argv, which has
 * SIDE_SSH_WORDS places, up to the host; gives how many. */
size_t side_ssh(const struct replicate_opts *opts, char *argv[]);

/* ---- telling ------------------------------------------------------------ */

struct replicate_sum {
	uint64_t partitions;
	uint64_t failed;
	uint64_t damaged; /* of those */
	uint64_t diverged;
	uint64_t truncated;
	uint64_t resend;
	uint64_t kept;    /* topics that are gone from the source */
	uint64_t removed; /* such topics, and old ones of the same name */
	uint64_t bytes;
	enum cli_exit code; /* of the first failure */
};

/* Print the lines of a report, and count them.  What did not get through is not
 * told again if before (NULL: none), another report, says the same. */
void replicate_show(struct cli_out *out, const struct cli_context *context,
    const struct replicate_opts *opts, const char *report, const char *before,
    struct replicate_sum *sum);

/* What became of a topic: "kept", "deleted" or "recreated", or in a dry run
 * would; of one that is only looked at, "gone". */
void replicate_show_topic(struct cli_out *out,
    const struct replicate_opts *opts, const char *topic, const char *result);

/* The same of a single partition, which is never deleted. */
void replicate_show_part(struct cli_out *out, const struct replicate_opts *opts,
    const char *topic, int partition, const char *result);

/* ---- how far the replica is behind -------------------------------------- */

struct lag {
	int64_t records; /* offsets */
	uint64_t bytes;  /* that are to be moved */
	int64_t ms;      /* between the newest records; -1: not known */
};

/* All partitions together; ms is the longest. */
struct lag lag_sum(
    const struct stream_manifest *mine, const struct stream_manifest *plan);

/* The same of those only that report does not say are done. */
struct lag lag_left(const struct stream_manifest *mine,
    const struct stream_manifest *plan, const char *report);

/* What a run would move, and remove.  CLI_PARTLY: some of it cannot be. */
enum cli_exit replicate_show_plan(struct cli_out *out,
    const struct replicate_opts *opts, const struct stream_manifest *mine,
    const struct stream_manifest *plan);

/* Who leads, and how far the replica is behind.  CLI_PARTLY: some could not be
 * read. */
enum cli_exit replicate_show_status(struct cli_out *out,
    const struct replicate_opts *opts, const struct stream_manifest *mine,
    const struct stream_manifest *plan);

/* Is there something for each --include at one side or the other?  What there
 * is not, is told; so is an --exclude that names nothing, which is no failure.
 * CLI_NOT_FOUND, CLI_SYSTEM. */
enum cli_exit replicate_check_chosen(const struct replicate_opts *opts,
    const struct stream_manifest *mine, const struct stream_manifest *plan);

/* ---- moving files ------------------------------------------------------- */

/* Ask rsync for its version, and hear what it says, which is needed before
 * files are moved.  What fails is told. */
enum cli_exit replicate_ask_rsync(struct run *run);
enum cli_exit replicate_hear_rsync(struct run *run);

/* Move what the manifest of the run says; what fails is told. */
enum cli_exit replicate_move(struct run *run);

/* ---- a run -------------------------------------------------------------- */

struct run {
	const struct cli_context *context;
	struct replicate_opts *opts;
	struct side source;
	struct side dest;
	struct side_lock dest_lock;
	struct side_lock source_lock;
	char id[STREAM_REPLICA_ID + 1]; /* of the run; "": not known yet */
	char *of; /* owned: what the replica says it is one of */
	struct cli_out out;
	char *have; /* owned, as the texts below */
	char *text; /* the manifest */
	char *report;
	char *before; /* the report of the round before */
	struct stream_manifest *manifest;
	struct stream_replica_arrival *arrival; /* owned; NULL: none */
	struct replicate_sum sum;
	struct rsync_question question;
	bool bare;      /* rsync_answer's */
	bool has_begun; /* a round got as far as to move files */
	/* Told how far the replica is behind, once that is known; may be
	 * NULL. */
	void (*tell_lag)(struct run *run, const struct stream_manifest *mine);
	struct following *following; /* of tell_lag */
};

/* Do a run, and again what did not get through.  summarize prints what came
 * of it. */
enum cli_exit replicate_run(struct run *run);
void replicate_summarize(struct run *run);

/* The sums, as members of the JSON line that was begun. */
void replicate_print_sum(
    struct json_line *json, const struct replicate_sum *sum);

/* Run whenever there is something new at the source. */
enum cli_exit replicate_follow(struct run *run);

#endif
