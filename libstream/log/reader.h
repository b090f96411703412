/*
 * reader.h - open a reader by a directory descriptor
 *
 * Layer log/.  What it does is in stream/reader.h; the store finds the facts
 * that the log itself does not hold.
 */
#ifndef STREAM_LOG_READER_H
#define STREAM_LOG_READER_H

#include <stream/reader.h>

#include "log/facts.h"

struct stream_reader_source {
	int dirfd;        /* of the partition; kept, closed with the reader */
	const char *name; /* of its directory, for messages; borrowed */
	const char *only; /* one log file of it, or NULL; borrowed */
	int64_t log_start_offset; /* by the store's checkpoint, else 0 */
	bool is_ours;             /* a topic that strm made */
	bool has_transactions;    /* or may have: a broker wrote it */
	bool dense;               /* ours and never compacted */
	struct stream_facts
	    facts; /* to be asked again; the topic is borrowed */
	struct stream_supply supply;
};

/* As stream_reader_open.  On failure too dirfd is closed. */
int stream_reader_open_source(const struct stream_reader_source *source,
    const struct stream_reader_options *options, struct stream_reader **reader,
    struct stream_error *err);

#endif
