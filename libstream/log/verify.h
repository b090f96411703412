/*
 * log/verify.h - look for damage in one open partition directory
 *
 * Layer log/.  What stream/verify.h promises, below the store.
 */
#ifndef STREAM_LOG_VERIFY_H
#define STREAM_LOG_VERIFY_H

#include <stream/verify.h>

#include "log/facts.h"

/* What is checked.  All is borrowed for the call. */
struct stream_verify_source {
	int dirfd;
	const char *only; /* the one log file, or NULL */
	int64_t log_start_offset;
	bool is_ours;
	bool dense; /* offsets have no gaps, and only we write indexes */
	struct stream_facts facts; /* to ask that again */
};

/* As stream_verify.  Adds to *summary, which begins as zeros. */
int stream_verify_source_check(const struct stream_verify_source *source,
    const struct stream_verify_options *options,
    struct stream_verify_summary *summary, struct stream_error *err);

/* Fill severity and meaning of a finding of this kind and give it to options'
 * callback, counted in summary. */
void stream_verify_give(const struct stream_verify_options *options,
    struct stream_verify_summary *summary,
    const struct stream_verify_finding *finding);

#endif
