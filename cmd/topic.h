/*
 * topic.h - what the commands of "strm topic" share
 */
#ifndef TOPIC_H
#define TOPIC_H

#include <stream/parse.h>
#include <stream/topic.h>

#include "cli/command.h"
#include "cli/output.h"

extern const struct cli_command topic_create_command;
extern const struct cli_command topic_ls_command;
extern const struct cli_command topic_describe_command;
extern const struct cli_command topic_alter_command;
extern const struct cli_command topic_rm_command;

/* Options of the commands that change something. */
struct topic_write_opts {
	int64_t lock_timeout_ms;
	bool network;
};

extern const struct cli_option topic_write_options[];

/* Defaults, for the initialiser of an options struct. */
#define TOPIC_WRITE_DEFAULTS \
	{ \
		.lock_timeout_ms = STREAM_LOCK_TIMEOUT_MS \
	}

/* Report a failure of libstream; when it is that a signal asked to stop, die
 * by that signal. */
enum cli_exit topic_report(const struct stream_error *err);

/*
 * Open the store of context for writing; flags are added to that.  Gives
 * *store.  Reports a failure itself and returns its exit status.
 */
enum cli_exit topic_open_store(const struct cli_context *context,
    const struct topic_write_opts *opts, unsigned flags,
    struct stream_store **store);

/*
 * Take "KEY=VALUE" apart.  *key is given (free it); *value is borrowed from
 * text.  Reports what is wrong itself.
 */
enum cli_exit topic_split_setting(
    const char *text, char **key, const char **value);

/* A partition, and what could be found out about it. */
struct topic_part {
	int32_t partition;
	bool is_known; /* false: it could not be read, which was reported */
	struct stream_partition_summary summary;
};

struct topic_facts {
	const struct stream_topic *topic; /* borrowed */
	struct topic_part *parts;         /* owned */
	size_t count;
	/* All parts together: sums, and the lowest start and highest end. */
	struct stream_partition_summary total;
	uint64_t records; /* offsets between start and end, all together */
};

/*
 * Look at every partition of topic (borrowed until released).  A partition
 * that cannot be read is reported and left out of the sums; the exit status is
 * then that failure's.  A signal that asks to stop ends it early.  Release in
 * any case.
 */
enum cli_exit topic_facts_load(struct topic_facts *facts,
    struct stream_store *store, const struct stream_topic *topic);
void topic_facts_release(struct topic_facts *facts);

/* A timestamp as people read it, "-" for none, to text, which has
 * STREAM_TIME_SIZE bytes. */
void topic_put_time(int64_t timestamp_ms, char *text);

/* The whole of what is known as one JSON line. */
void topic_print_json(struct cli_out *out, const struct topic_facts *facts);

/* Flush what was printed, and report when that fails. */
enum cli_exit topic_close_out(struct cli_out *out, enum cli_exit code);

/* The end of a command: close store (NULL is allowed), and when a signal
 * asked to stop, die by it; what was begun is done by now. */
enum cli_exit topic_end(struct stream_store *store, enum cli_exit code);

/* With -v, say what was done to the topic. */
__attribute__((format(printf, 3, 4))) void topic_say(
    const struct cli_context *context, const char *name, const char *format,
    ...);

#endif
