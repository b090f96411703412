/*
 * replicate.h - the parts of strm replicate-rsync
 *
 * replicate_child.c starts ssh and rsync; replicate_side.c does a step at one
 * side, here or on another machine; replicate_serve.c is that other side;
 * replicate_apart.c sees that the two sides are two;
 * replicate_show.c tells what was done; replicate_rsync.c does the steps in
 * their order.
 */
#ifndef REPLICATE_H
#define REPLICATE_H

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

/* Is one of them the other, or does it lie in it?  CLI_USAGE, told. */
enum cli_exit side_check_apart(
    const struct side *source, const struct side *dest);

enum side_step {
	SIDE_HAVE,    /* and begin a run */
	SIDE_LOOK,    /* the same, but change nothing */
	SIDE_PREPARE, /* input: what the replica has */
	SIDE_PLAN,    /* the same, but hold nothing */
	SIDE_APPLY,   /* input: the manifest */
	SIDE_WAIT,    /* input: the manifest */
	SIDE_RELEASE, /* input: the id of the run */
	SIDE_CHECK    /* is there a store that can be a source? */
};

struct side_request {
	enum side_step step;
	const char *of;    /* apply: the name of the source */
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

/* Read a request from standard input and answer it. */
enum cli_exit side_serve(void);

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
