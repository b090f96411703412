/*
 * archive_what.h - from the addresses of a command line to what is archived
 */
#ifndef ARCHIVE_WHAT_H
#define ARCHIVE_WHAT_H

#include "cli/context.h"
#include "port/archive_write.h"

struct archive_what {
	const struct cli_context *context;
	struct stream_store *store;        /* NULL: only paths so far */
	struct stream_places places;       /* owned; parts keep them */
	struct stream_range *ranges;       /* owned; of each place */
	struct stream_archive_part *parts; /* owned; one for each place */
	size_t count;
};

/*
 * Find the partitions that the words mean, or with no words all of the store,
 * and look at each.  Release in any case.
 */
int archive_what_find(struct archive_what *what,
    const struct cli_context *context, int count, char *words[],
    struct stream_error *err);
void archive_what_release(struct archive_what *what);

/* Bytes of logs of all parts, and segments. */
uint64_t archive_what_bytes(const struct archive_what *what);
size_t archive_what_segments(const struct archive_what *what);

#endif
