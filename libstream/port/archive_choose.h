/*
 * archive_choose.h - which blocks of a partition a range needs
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.8.  Blocks are
 * counted through all segments of the partition.
 */
#ifndef STREAM_PORT_ARCHIVE_CHOOSE_H
#define STREAM_PORT_ARCHIVE_CHOOSE_H

#include <stream/range.h>

#include "port/archive_index.h"

struct stream_archive_choice {
	size_t first;
	size_t end;   /* the block after the last one */
	size_t count; /* of all */
};

/*
 * The blocks to read for range (borrowed).  cuts: the log has no transactions,
 * so that what is outside of the range does not matter; otherwise all.  dense:
 * no offset is missing.
 */
struct stream_archive_choice stream_archive_choose(
    const struct stream_archive_partition *partition,
    const struct stream_range *range, bool cuts, bool dense);

/*
 * The same, by the settings that the partition has: transacted says whether
 * transactions matter, where the topic has some, or may have.
 * STREAM_ECORRUPT, STREAM_ENEWER: the settings are not in their form.
 */
int stream_archive_choose_by_settings(
    const struct stream_archive_partition *partition,
    const struct stream_range *range, bool transacted,
    struct stream_archive_choice *choice, struct stream_error *err);

/* Is a segment whose blocks are those from `first` to before `end` among them?
 * Also one without a block, within them or at the begin of all. */
bool stream_archive_choice_has(
    const struct stream_archive_choice *choice, size_t first, size_t end);

/* Block i of the partition, and its segment. */
const struct stream_archive_block *stream_archive_block_at(
    const struct stream_archive_partition *partition, size_t i,
    const struct stream_archive_segment **segment);

#endif
