#include "store/replica_diverge.h"

#include <string.h>

#include "base/fail.h"
#include "store/replica_gone.h"

/* ---- where they part ---------------------------------------------------- */

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

/* ---- who leads ---------------------------------------------------------- */

/* The newest leader of a partition that a store knows. */
struct leader {
	const char *topic;
	int32_t partition;
	int32_t epoch;
	const char *id; /* of the topic */
};

/* i counts the partitions that were read, then the others; false: nothing is
 * known of it here. */
static bool
get_leader(
    const struct stream_manifest *manifest, size_t i, struct leader *leader)
{
	const struct stream_manifest_other *other;
	const struct stream_manifest_part *part;

	if (i < manifest->part_count) {
		part = &manifest->parts[i];
		*leader = (struct leader){part->topic, part->partition,
		    stream_manifest_epoch(part), part->id};
		return part->failed == STREAM_OK;
	}
	other = &manifest->others[i - manifest->part_count];
	*leader = (struct leader){
	    other->topic, other->partition, other->epoch, other->id};
	return true;
}

/* A partition that failed may be one of the others too. */
static bool
find_leader(const struct stream_manifest *manifest, const struct leader *of,
    struct leader *leader)
{
	const struct stream_manifest_part *part;
	const struct stream_manifest_other *other =
	    stream_manifest_find_other(manifest, of->topic, of->partition);

	if (other != NULL)
		return get_leader(manifest,
		    manifest->part_count + (size_t)(other - manifest->others),
		    leader);
	part = stream_manifest_find(manifest, of->topic, of->partition);
	return part != NULL &&
	       get_leader(manifest, (size_t)(part - manifest->parts), leader);
}

static int
refuse_old_leader(const struct leader *source, const struct leader *mine,
    struct stream_error *err)
{
	return stream_fail(err, STREAM_EFENCED, STREAM_POS_NONE,
	    "%s-%d: the replica has leader epoch %d, the source only %d: the "
	    "source is an old leader, so nothing is copied from it",
	    mine->topic, mine->partition, mine->epoch, source->epoch);
}

int
stream_replica_check_leader(const struct stream_manifest *source,
    const struct stream_manifest *have, bool force, struct stream_error *err)
{
	bool newer = false;

	if (have->role == STREAM_IS_PROMOTING)
		return stream_fail(err, STREAM_EFENCED, STREAM_POS_NONE,
		    "the destination's promotion was begun and is not "
		    "finished: nothing is copied to it (finish it with strm "
		    "promote)");
	for (size_t i = 0; i < have->part_count + have->other_count; i++) {
		struct leader mine, theirs;

		if (!get_leader(have, i, &mine) ||
		    !find_leader(source, &mine, &theirs) ||
		    stream_replica_is_another_id(mine.id, theirs.id))
			continue;
		if (mine.epoch > theirs.epoch)
			return refuse_old_leader(&theirs, &mine, err);
		if (mine.epoch < theirs.epoch)
			newer = true;
	}
	/* Of topics that are not chosen it is no replica either. */
	if (have->role != STREAM_IS_LEADER || newer || force)
		return STREAM_OK;
	return stream_fail(err, STREAM_EFENCED, STREAM_POS_NONE,
	    "the destination holds topics and is no replica: records may be "
	    "written to it (fence it first, or give --truncate)");
}
