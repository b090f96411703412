/*
 * retain.h - what retention takes from one partition directory
 *
 * Layer log/.  SPEC sections 4.6 and 6.3.  Gathers what the rules
 * (retain_rules.h) ask for, and says in words what they decided.
 */
#ifndef STREAM_LOG_RETAIN_H
#define STREAM_LOG_RETAIN_H

#include "log/retain_rules.h"

/* The partition, and what holds for it. */
struct stream_retain_source {
	int dirfd; /* of the partition; borrowed */
	bool dense;
	size_t cap;
	int64_t log_end_offset; /* -1: find it in the log */
	struct stream_retain_rules rules;
	/* As in struct stream_retain_options. */
	bool (*go_on)(void *context, uint64_t bytes);
	void (*note)(void *context, const char *text);
	void *context;
};

struct stream_retain {
	struct stream_retain_segment *items; /* owned */
	size_t count;
	struct stream_retained sum;
};

/* An empty plan; stream_retain_free.  NULL: no memory. */
struct stream_retain *stream_retain_new(void);

/*
 * List what goes and the first that stays.  Changes nothing.  Gives *retain;
 * free it with stream_retain_free.
 *
 * STREAM_EBUSY, STREAM_EINTR, STREAM_EIO, STREAM_ENOMEM
 */
int stream_log_retain_plan(const struct stream_retain_source *source,
    struct stream_retain **retain, struct stream_error *err);

/* Bytes of the longest duration in words, with its NUL. */
enum { STREAM_SPAN_SIZE = 32 };

/* "9d4h", "3h12m", "5s", "12ms": the two largest units, to text of
 * STREAM_SPAN_SIZE bytes. */
void stream_retain_put_span(int64_t ms, char *text);

/* What a segment's reason is made of. */
struct stream_retain_reason {
	const struct stream_retain_rules *rules;
	const struct stream_retain_segment *segment;
	uint64_t bytes_left; /* of the log without the segment */
	bool clock_refused;
};

/* Write segment->why's text for the segment. */
void stream_retain_explain(
    const struct stream_retain_reason *reason, char *text, size_t size);

#endif
