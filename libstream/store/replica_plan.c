/*
 * replica_plan.c - what came, and what becomes of it
 *
 * All is checked before anything is changed: that what came is what the
 * manifest says, and that a segment which is other than the replica's is what
 * compaction makes of it (replica_compare.c).  Segments below the replica's
 * first one are put in front of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "store/replica_apply.h"
#include "store/replica_arrive.h"
#include "store/replica_compare.h"

int
stream_apply_open(const struct stream_apply_part *part,
    const struct stream_manifest_segment *segment, int *fd, uint64_t *shift,
    struct stream_error *err)
{
	char name[STREAM_PIECE_NAME_SIZE];

	if (part->incoming < 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: nothing came for it", part->name);
	if (segment->how == STREAM_HOW_TAIL)
		stream_manifest_piece(segment, name);
	else
		stream_install_name(segment->base_offset, name);
	*shift = segment->how == STREAM_HOW_TAIL ? segment->from : 0;
	return stream_io_open(part->incoming, name, O_RDONLY, fd, err);
}

/* ---- what came ---------------------------------------------------------- */

static const struct stream_manifest_segment *
last_of_mine(const struct stream_apply_part *part)
{
	return part->mine.segment_count == 0
		   ? NULL
		   : &part->mine.segments[part->mine.segment_count - 1];
}

/* What is damaged on its way, or was another file by the time that it was read,
 * is sent again by the next run. */
static int
refuse_piece(struct stream_apply_part *part,
    const struct stream_manifest_segment *segment, int status)
{
	char name[STREAM_PIECE_NAME_SIZE];

	if (status != STREAM_ECORRUPT && status != STREAM_ENOENT)
		return status;
	stream_manifest_piece(segment, name);
	if (part->incoming >= 0)
		unlinkat(part->incoming, name, 0);
	stream_install_name(segment->base_offset, name);
	if (part->incoming >= 0)
		unlinkat(part->incoming, name, 0);
	part->resend = true;
	return status;
}

static int
ready_whole(struct stream_apply_part *part,
    const struct stream_manifest_segment *segment, bool closed, bool *grows,
    struct stream_error *err)
{
	const struct stream_manifest_segment *mine = last_of_mine(part);
	struct stream_install_check check = {
	    .base_offset = segment->base_offset,
	    .measure = &segment->measure,
	    .closed = closed,
	    .interval_bytes = part->settings != NULL
				  ? part->settings->config.index_interval_bytes
				  : 4096,
	    .mark_at = UINT64_MAX,
	    .go_on = part->all->options->go_on,
	    .context = part->all->options->context,
	};
	int status;

	if (part->incoming < 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: nothing came for it", part->name);
	if (mine != NULL && mine->base_offset == segment->base_offset)
		check.mark_at = mine->measure.bytes;
	check.arriving = stream_replica_arrived(part->all->options->arrival,
	    part->source->topic, part->source->partition, segment->base_offset);
	status = stream_install_ready(part->incoming, &check, err);
	*grows = check.marked && mine != NULL &&
		 stream_chain_is_same(&check.mark, &mine->measure.digest);
	return status;
}

/* The end of a log: it goes on where the replica's ends, or it is of no use. */
static int
ready_tail(struct stream_apply_part *part,
    const struct stream_manifest_segment *segment, struct stream_error *err)
{
	const struct stream_manifest_segment *mine = last_of_mine(part);
	struct stream_measure found;
	struct stream_measuring how = {
	    .limit = segment->measure.bytes,
	    .mark_at = UINT64_MAX,
	};
	int status;

	if (mine == NULL || mine->base_offset != segment->base_offset ||
	    mine->measure.bytes != segment->from) {
		part->resend = true;
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%020lld.log: the replica is not what it was when this was "
		    "sent",
		    (long long)segment->base_offset);
	}
	status = stream_apply_open(part, segment, &how.fd, &how.shift, err);
	if (status != STREAM_OK)
		return status;
	found = mine->measure;
	status = stream_measure_log(&how, &found, err);
	close(how.fd);
	if (status == STREAM_OK &&
	    !stream_measure_bears_out(&found, &segment->measure))
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%020lld.log: what came is not what was sent",
		    (long long)segment->base_offset);
	return status;
}

/* ---- the plan ----------------------------------------------------------- */

/* What is said of the same bytes is kept as what is known of them. */
static int
check_same(const struct stream_manifest_segment *mine,
    const struct stream_manifest_segment *segment, struct stream_error *err)
{
	struct stream_measure said = segment->measure;

	said.next_offset = mine->measure.next_offset;
	return stream_measure_bears_out(&mine->measure, &said)
		   ? STREAM_OK
		   : stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
			 "%020lld.log: is not what the manifest says of it",
			 (long long)segment->base_offset);
}

static int
judge(struct stream_apply_part *part, size_t i, enum stream_apply_kind *kind,
    struct stream_error *err)
{
	const struct stream_manifest_segment *segment =
	    &part->source->segments[i];
	const struct stream_manifest_segment *mine =
	    stream_manifest_find_segment(&part->mine, segment->base_offset);
	bool grows = false;
	int status = STREAM_OK;

	if (mine != NULL &&
	    stream_measure_is_same(&mine->measure, &segment->measure)) {
		*kind = STREAM_APPLY_SAME;
		return check_same(mine, segment, err);
	}
	if (segment->how == STREAM_HOW_TAIL) {
		status = ready_tail(part, segment, err);
		grows = true;
	} else if (segment->how == STREAM_HOW_HAVE &&
		   segment->measure.bytes > 0) {
		part->resend = true;
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%020lld.log: the replica is not what it was when this was "
		    "sent",
		    (long long)segment->base_offset);
	} else if (segment->how != STREAM_HOW_HAVE) {
		status = ready_whole(part, segment,
		    i + 1 < part->source->segment_count, &grows, err);
	}
	if (status != STREAM_OK)
		return refuse_piece(part, segment, status);
	if (grows)
		*kind = STREAM_APPLY_GROW;
	else
		*kind = mine == NULL && segment->base_offset >=
					    stream_manifest_end(&part->mine)
			    ? STREAM_APPLY_NEW
			    : STREAM_APPLY_CHANGED;
	return STREAM_OK;
}

/* A segment of no batch has no file: an empty one is made. */
static int
make_empty(struct stream_apply_part *part,
    const struct stream_manifest_segment *segment, struct stream_error *err)
{
	static const enum stream_name_kind kinds[] = {
	    STREAM_NAME_LOG, STREAM_NAME_INDEX, STREAM_NAME_TIMEINDEX};
	char name[STREAM_NAME_SIZE];
	int status = STREAM_OK;

	if (part->incoming < 0)
		status = stream_dir_open_or_make(
		    part->all->incoming, part->name, &part->incoming, err);
	for (size_t i = 0; i < 3 && status == STREAM_OK; i++) {
		int fd;

		stream_name_put_plain(segment->base_offset, kinds[i], name);
		if (kinds[i] == STREAM_NAME_LOG)
			stream_install_name(segment->base_offset, name);
		status = stream_io_open(part->incoming, name,
		    O_WRONLY | O_CREAT | O_TRUNC, &fd, err);
		if (status != STREAM_OK)
			break;
		status = stream_io_sync(fd, err);
		close(fd);
	}
	return status;
}

/* Does a segment reach as far as the replica's first one? */
static bool
is_in_reach(const struct stream_apply_part *part, size_t i)
{
	const struct stream_manifest_part *source = part->source;

	return i + 1 == source->segment_count ||
	       source->segments[i + 1].base_offset >
		   part->mine.segments[0].base_offset;
}

/* The first segment above the first of both logs that a has and b does not, or
 * least if that is lower. */
static int64_t
first_extra(const struct stream_manifest_part *a,
    const struct stream_manifest_part *b, int64_t least)
{
	for (size_t i = 0; i < a->segment_count; i++) {
		int64_t base = a->segments[i].base_offset;

		if (base >= least)
			break;
		if (base > b->segments[0].base_offset &&
		    stream_manifest_find_segment(b, base) == NULL)
			return base;
	}
	return least;
}

/*
 * In a log that is never compacted a segment that is another one is another
 * log's, even if no batch says so: of two that were rolled at other offsets
 * the first of these offsets tells them apart.  least if that is lower.
 */
static int64_t
find_other_roll(const struct stream_apply_part *part, int64_t least)
{
	least = first_extra(part->source, &part->mine, least);
	return first_extra(&part->mine, part->source, least);
}

static bool
holds_records(const struct stream_apply_part *part)
{
	return part->mine.segment_count > 0 &&
	       stream_manifest_end(&part->mine) >
		   part->mine.segments[0].base_offset;
}

static bool
has_extra(const struct stream_apply_part *part)
{
	return first_extra(&part->mine, part->source, INT64_MAX) != INT64_MAX;
}

/* Nothing else tells them apart: does a segment that should be the same? */
static int64_t
find_other_segment(
    const struct stream_apply_part *part, const enum stream_apply_kind *kinds)
{
	int64_t end = stream_manifest_end(&part->mine);

	for (size_t i = 0; i < part->source->segment_count; i++)
		if (kinds[i] == STREAM_APPLY_CHANGED && is_in_reach(part, i)) {
			int64_t roll = find_other_roll(part, end);

			return roll < end
				   ? roll
				   : part->source->segments[i].base_offset;
		}
	return -1;
}

/* What ends and epochs say of it is the most that both have in common: their
 * batches may differ before. */
static int
check_divergence(struct stream_apply_part *part,
    const enum stream_apply_kind *kinds, bool dense, struct stream_error *err)
{
	int64_t most = part->diverged;
	int status;

	part->diverged = -1;
	status = stream_apply_compare(part, kinds, dense, err);
	if (status != STREAM_OK)
		return status;
	if (most >= 0 && (part->diverged < 0 || part->diverged > most))
		part->diverged = most;
	if (dense && part->diverged >= 0)
		part->diverged = find_other_roll(part, part->diverged);
	else if (dense)
		part->diverged = find_other_segment(part, kinds);
	return STREAM_OK;
}

int
stream_apply_plan(struct stream_apply_part *part, enum stream_apply_kind *kinds,
    size_t *first, size_t *last, struct stream_error *err)
{
	size_t count = part->source->segment_count;
	bool dense = part->settings != NULL && !part->settings->has_gaps;
	int status = STREAM_OK;

	*first = *last = count;
	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		status = judge(part, i, &kinds[i], err);
		if (status == STREAM_OK && kinds[i] != STREAM_APPLY_SAME &&
		    part->source->segments[i].measure.bytes == 0)
			status =
			    make_empty(part, &part->source->segments[i], err);
		if (status != STREAM_OK || kinds[i] != STREAM_APPLY_CHANGED)
			continue;
		if (*first == count)
			*first = i;
		*last = i;
	}
	/* A file that leaves it has one name by then, also after a loss of
	 * power: a writer refuses one that has two. */
	if (status == STREAM_OK && part->incoming >= 0)
		status = stream_io_sync_dir(part->incoming, err);
	if (status == STREAM_OK && holds_records(part) &&
	    (*first < count || has_extra(part)))
		status = check_divergence(part, kinds, dense, err);
	return status;
}
