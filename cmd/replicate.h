/*
 * replicate.h - the parts of strm replicate-rsync
 *
 * replicate_child.c starts ssh and rsync; replicate_side.c does a step at one
 * side, here or on another machine; replicate_serve.c is that other side;
 * replicate_show.c tells what was done; replicate_rsync.c does the steps in
 * their order.
 */
#ifndef REPLICATE_H
#define REPLICATE_H

#include <sys/types.h>

#include <stream/record.h>
#include <stream/replica.h>

#include "cli/command.h"
#include "cli/output.h"

/* ---- children ----------------------------------------------------------- */

/* What a child reads and what it writes. */
struct child_io {
	const void *input; /* borrowed */
	size_t input_size;
	/* Its standard output: kept in *output (given), or if that is NULL,
	 * shown on standard error (progress), or thrown away. */
	char **output;
	bool shown;
};

/*
 * Run argv (its end is NULL), found in the PATH, with an environment that
 * changes nothing of what it does; wait for its end.  *code is its exit status,
 * 128+n for a signal.  A stop that is asked for ends it too.
 *
 * STREAM_ENOENT  there is no such program
 * STREAM_EINTR, STREAM_EIO, STREAM_ENOMEM
 */
int child_run(char *const argv[], const struct child_io *io, int *code,
    struct stream_error *err);

/*
 * Run argv for as long as a pipe to its standard input is open, which input
 * (borrowed) is written to: *pipe.  *answer, of size bytes, is the line that it
 * answers, without its end and with a NUL; "" when it ended.  Errors as above.
 */
int child_hold(char *const argv[], struct stream_bytes input, pid_t *pid,
    int *pipe, char *answer, size_t size, struct stream_error *err);

/* Close the pipe and wait for its end; *code as above. */
void child_let_go(pid_t pid, int pipe, int *code);

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
};

/* Take "DIR" or "HOST:DIR" apart.  STREAM_EUSAGE, STREAM_ENOMEM. */
int side_parse(const char *word, struct side *side, struct stream_error *err);
void side_release(struct side *side);

enum side_step {
	SIDE_HAVE,    /* and begin a run */
	SIDE_LOOK,    /* the same, but change nothing */
	SIDE_PREPARE, /* input: what the replica has */
	SIDE_PLAN,    /* the same, but hold nothing */
	SIDE_APPLY,   /* input: the manifest */
	SIDE_WAIT,    /* input: the manifest */
	SIDE_LOCK,    /* see side_lock */
	SIDE_RELEASE  /* input: the id of the run */
};

struct side_request {
	enum side_step step;
	const char *of;    /* apply: the name of the source */
	const char *id;    /* have, lock: of the run; NULL: none yet */
	const char *have;  /* apply: what the replica said; NULL: not asked */
	const char *input; /* text; "" for none */
};

/*
 * Do the step; *output (given) is what it says.  A failure here is reported;
 * one on another machine was reported there.  CLI_REMOTE when it cannot be
 * reached.
 */
enum cli_exit side_do(const struct side *side,
    const struct side_request *request, const struct replicate_opts *opts,
    char **output);

/* The same in this process, at path. */
int side_do_here(const char *path, const struct side_request *request,
    const struct replicate_opts *opts, char **output, struct stream_error *err);

/* Put the request in text, given: free it. */
int side_put_request(const char *path, const struct side_request *request,
    const struct replicate_opts *opts, char **text, size_t *size,
    struct stream_error *err);

/* CLI_DONE, or what the exit status of ssh means; it is told. */
enum cli_exit side_judge(const struct side *side, int code);

/* Read a request from standard input and answer it. */
enum cli_exit side_serve(void);

/* ---- a lock of a side --------------------------------------------------- */

/* Of stream_replica_lock: here, or in a strm that ssh runs for as long as the
 * pipe to it is open. */
struct side_lock {
	struct stream_replica_lock *here; /* NULL: it is not here */
	pid_t pid;                        /* of ssh; 0: it is not there */
	int pipe;
};

/* id as in stream_replica_lock.  CLI_BUSY: another has it; a failure is
 * reported, but that one not with opts->if_unlocked. */
enum cli_exit side_lock(const struct side *side, const char *id,
    const struct replicate_opts *opts, struct side_lock *lock);
/* One that is all zero is not held. */
void side_unlock(struct side_lock *lock);

/* The other end of it: answers, and waits for the end of standard input. */
int side_lock_serve(const char *path, const char *id,
    const struct replicate_opts *opts, struct stream_error *err);

/* Words of an ssh with --, a host, a command and NULL behind them. */
enum { SIDE_SSH_WORDS = 16 };

/* Put the words of an ssh that asks for nothing in argv, which has
 * SIDE_SSH_WORDS places, up to the host; gives how many. */
size_t side_ssh(const struct replicate_opts *opts, char *argv[]);

/* ---- telling ------------------------------------------------------------ */

struct replicate_sum {
	uint64_t partitions;
	uint64_t failed;
	uint64_t diverged;
	uint64_t truncated;
	uint64_t resend;
	uint64_t bytes;
	enum cli_exit code; /* of the first failure */
};

/* Print the lines of a report, and count them.  quiet: count only. */
void replicate_show(struct cli_out *out, const struct cli_context *context,
    const struct replicate_opts *opts, const char *report,
    struct replicate_sum *sum);

/* What a run would move. */
void replicate_show_plan(struct cli_out *out, const struct replicate_opts *opts,
    const struct stream_manifest *mine, const struct stream_manifest *plan);

/* Who leads, and how far the replica is behind. */
void replicate_show_status(struct cli_out *out,
    const struct replicate_opts *opts, const struct stream_manifest *mine,
    const struct stream_manifest *plan);

#endif
