#include "store/replica_diverge.h"

#include <string.h>

#include "base/fail.h"
#include "store/replica_gone.h"

/* The offset after the last one of entry i. */
static int64_t
end_of(const struct stream_manifest_part *part, size_t i)
{
	return i + 1 < part->epoch_count ? part->epochs[i + 1].start_offset
					 : stream_manifest_end(part);
}

/* The newest entry whose epoch is not above epoch; false: none. */
static bool
find_epoch(const struct stream_manifest_part *part, int32_t epoch, size_t *i)
{
	for (*i = part->epoch_count; (*i)-- > 0;)
		if (part->epochs[*i].epoch <= epoch)
			return true;
	return false;
}

/*
 * From the replica's newest epoch on down to one that both know: up to the end
 * of that, whichever is the lower, they hold the same.  An epoch that only the
 * source knows, and that is older, ends what they have in common too.  If all
 * that the source knows came later, retention took what could tell: records of
 * an old leader that were never copied may be anywhere, so nothing is in
 * common.
 */
static int64_t
common_end(const struct stream_manifest_part *source,
    const struct stream_manifest_part *mine)
{
	int64_t least = INT64_MAX;

	for (size_t i = mine->epoch_count; i-- > 0;) {
		size_t k;
		int64_t end;

		if (!find_epoch(source, mine->epochs[i].epoch, &k))
			return mine->segments[0].base_offset;
		end = end_of(source, k);
		if (end < least)
			least = end;
		if (source->epochs[k].epoch == mine->epochs[i].epoch)
			break;
		/* The source has an older one there, which ends here. */
		if (mine->epochs[i].start_offset < least)
			least = mine->epochs[i].start_offset;
	}
	return least;
}

int64_t
stream_replica_divergence(const struct stream_manifest_part *source,
    const struct stream_manifest_part *mine)
{
	int64_t end = stream_manifest_end(mine);
	int64_t least = stream_manifest_end(source);

	if (mine->segment_count == 0 || end <= mine->segments[0].base_offset)
		return -1;
	if (mine->epoch_count > 0 && source->epoch_count > 0) {
		int64_t common = common_end(source, mine);

		if (common < least)
			least = common;
	}
	return least < end ? least : -1;
}

static int
refuse_old_leader(const struct stream_manifest_part *source,
    const struct stream_manifest_part *mine, struct stream_error *err)
{
	return stream_fail(err, STREAM_EFENCED, STREAM_POS_NONE,
	    "%s-%d: the replica has leader epoch %d, the source only %d: the "
	    "source is an old leader, so nothing is copied from it",
	    source->topic, source->partition, stream_manifest_epoch(mine),
	    stream_manifest_epoch(source));
}

int
stream_replica_check_leader(const struct stream_manifest *source,
    const struct stream_manifest *have, bool force, struct stream_error *err)
{
	bool newer = false, holds = false;

	for (size_t i = 0; i < have->part_count; i++) {
		const struct stream_manifest_part *mine = &have->parts[i];
		const struct stream_manifest_part *theirs =
		    stream_manifest_find(source, mine->topic, mine->partition);

		holds = true;
		if (theirs == NULL || theirs->failed != STREAM_OK ||
		    mine->failed != STREAM_OK ||
		    stream_replica_is_another(mine, theirs))
			continue;
		if (stream_manifest_epoch(mine) > stream_manifest_epoch(theirs))
			return refuse_old_leader(theirs, mine, err);
		if (stream_manifest_epoch(mine) < stream_manifest_epoch(theirs))
			newer = true;
	}
	if (have->role != STREAM_IS_LEADER || !holds || newer || force)
		return STREAM_OK;
	return stream_fail(err, STREAM_EFENCED, STREAM_POS_NONE,
	    "the destination holds topics and is no replica: records may be "
	    "written to it (fence it first, or give --truncate)");
}
