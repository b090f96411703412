/*
 * compact_look.h - what compaction must know of a log before it begins
 *
 * Layer log/.  Invariant I5.  Learnt from the headers of all batches, not from
 * indexes: those may be wrong, and what follows from them here is lost data.
 */
#ifndef STREAM_LOG_COMPACT_LOOK_H
#define STREAM_LOG_COMPACT_LOOK_H

#include <stream/compact.h>

#include "log/clean_txn.h"
#include "log/compact_plan.h"
#include "log/producers.h"
#include "log/view.h"

struct stream_compact_look {
	struct stream_compact_facts *segments; /* owned */
	int64_t *bases;                        /* owned; of the same */
	size_t count;                          /* not 0 */
	struct stream_view view;               /* of them; which files */
	struct stream_clean_txn *txn;          /* owned; learnt */
	struct stream_producers *producers;    /* owned; at the log's end */
	int64_t expired_ms; /* a producer that wrote nothing since is
			       forgotten */
};

/*
 * Look at the partition dirfd, by the clock of options (both borrowed).
 * Whatever it returns, *look must be released: after a failure its view says of
 * which files that is.
 *
 * STREAM_EBUSY    the directory does not come to rest
 * STREAM_ENOENT   there is no segment, or one went meanwhile
 * STREAM_ECORRUPT, STREAM_ENEWER, STREAM_ETORN  a closed segment is damaged
 * STREAM_EINTR    options->go_on said so
 * STREAM_EIO, STREAM_ENOMEM
 */
int stream_compact_look_load(int dirfd,
    const struct stream_compact_options *options, size_t cap,
    struct stream_compact_look *look, struct stream_error *err);

/* Look at the segments again, after some were replaced: what is known of
 * transactions and producers stays true.  Errors as above. */
int stream_compact_look_again(int dirfd, size_t cap,
    struct stream_compact_look *look, struct stream_error *err);

/* Has an interrupted compaction left files that count, or is one under way? */
bool stream_compact_look_is_unsettled(const struct stream_compact_look *look);

/* A look that is all zero is allowed. */
void stream_compact_look_release(struct stream_compact_look *look);

/* For stream_clean_rules: look is the context. */
bool stream_compact_look_is_last(
    void *look, const struct stream_batch_info *info);

#endif
