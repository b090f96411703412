/*
 * replica_plan.c - what came, compared with what is there
 *
 * All is checked before anything is changed: that what came is what the
 * manifest says, and that a segment which is other than the replica's is what
 * compaction makes of it.  Compaction takes batches away and makes them
 * smaller; it keeps their offsets, epochs and producers.  What has batches that
 * the replica's log did not have in that place is another log's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "file/scan.h"
#include "log/view.h"
#include "store/replica_apply.h"
#include "store/replica_arrive.h"

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

/* ---- is it what compaction makes of ours? ------------------------------- */

/* The batches of the replica's log, from a segment on. */
struct walk {
	struct stream_apply_part *part;
	size_t index; /* of the segment that is open */
	int fd;       /* -1: none */
	struct stream_scan scan;
	struct stream_batch batch;
	bool ended;
};

static void
close_walk(struct walk *walk)
{
	if (walk->fd < 0)
		return;
	stream_scan_release(&walk->scan);
	close(walk->fd);
	walk->fd = -1;
}

static int
open_walk(struct walk *walk, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	const struct stream_manifest_segment *segment =
	    &walk->part->mine.segments[walk->index];
	int status;

	stream_name_put_plain(segment->base_offset, STREAM_NAME_LOG, name);
	status =
	    stream_io_open(walk->part->dirfd, name, O_RDONLY, &walk->fd, err);
	if (status != STREAM_OK)
		return status;
	stream_scan_init(&walk->scan, walk->fd, 0, STREAM_SCAN_HEADERS,
	    STREAM_BATCH_CAP_MOST, STREAM_SCAN_SMALL_BLOCK);
	walk->scan.limit = segment->measure.bytes;
	return STREAM_OK;
}

static int
next_of_mine(struct walk *walk, struct stream_error *err)
{
	const uint8_t *bytes;
	int status = STREAM_OK;

	while (!walk->ended) {
		if (walk->fd < 0)
			status = open_walk(walk, err);
		if (status != STREAM_OK)
			return status;
		status =
		    stream_scan_next(&walk->scan, &walk->batch, &bytes, err);
		if (status != STREAM_END)
			return status;
		close_walk(walk);
		walk->index++;
		walk->ended = walk->index == walk->part->mine.segment_count;
		status = STREAM_OK;
	}
	return STREAM_OK;
}

static bool
is_kin(const struct stream_batch *mine, const struct stream_batch *theirs,
    bool exact)
{
	const struct stream_batch_info *a = &mine->info, *b = &theirs->info;

	if (a->base_offset != b->base_offset ||
	    a->last_offset != b->last_offset ||
	    a->leader_epoch != b->leader_epoch ||
	    a->producer_id != b->producer_id ||
	    a->producer_epoch != b->producer_epoch ||
	    a->base_sequence != b->base_sequence)
		return false;
	return !exact || (mine->crc == theirs->crc && a->size == b->size);
}

/*
 * Compare with one segment that came: each batch of it must be one of ours, up
 * to our end.  exact: and each of ours must be there, as it is.
 */
static int
compare_one(struct walk *walk, const struct stream_manifest_segment *segment,
    int fd, int64_t end, bool exact, struct stream_error *err)
{
	struct stream_apply_part *part = walk->part;
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	stream_scan_init(&scan, fd, 0, STREAM_SCAN_HEADERS,
	    STREAM_BATCH_CAP_MOST, STREAM_SCAN_SMALL_BLOCK);
	scan.limit = segment->measure.bytes;
	while ((status = stream_scan_next(&scan, &batch, &bytes, err)) ==
		   STREAM_OK &&
	       batch.info.base_offset < end) {
		int64_t at = batch.info.base_offset;

		while (!exact && !walk->ended &&
		       walk->batch.info.base_offset < at &&
		       (status = next_of_mine(walk, err)) == STREAM_OK)
			;
		if (status != STREAM_OK)
			break;
		if (walk->ended || !is_kin(&walk->batch, &batch, exact)) {
			if (!walk->ended && walk->batch.info.base_offset < at)
				at = walk->batch.info.base_offset;
			part->diverged = at;
			break;
		}
		status = next_of_mine(walk, err);
		if (status != STREAM_OK)
			break;
	}
	stream_scan_release(&scan);
	return status == STREAM_END ? STREAM_OK : status;
}

static int
compare(struct stream_apply_part *part, const enum stream_apply_kind *kinds,
    size_t first, bool exact, struct stream_error *err)
{
	const struct stream_manifest_part *source = part->source;
	int64_t end = stream_manifest_end(&part->mine);
	struct walk walk = {.part = part, .fd = -1};
	int status;

	while (walk.index + 1 < part->mine.segment_count &&
	       part->mine.segments[walk.index + 1].base_offset <=
		   source->segments[first].base_offset)
		walk.index++;
	status = next_of_mine(&walk, err);
	for (size_t i = first; i < source->segment_count &&
			       status == STREAM_OK && part->diverged < 0;
	     i++) {
		uint64_t shift;
		int fd;

		if (kinds[i] != STREAM_APPLY_CHANGED)
			continue;
		/* Nothing came of one without a batch. */
		if (source->segments[i].how == STREAM_HOW_HAVE)
			continue;
		/* Those that are the same lie in between. */
		while (!walk.ended && status == STREAM_OK &&
		       walk.batch.info.base_offset <
			   source->segments[i].base_offset)
			status = next_of_mine(&walk, err);
		if (status == STREAM_OK)
			status = stream_apply_open(
			    part, &source->segments[i], &fd, &shift, err);
		if (status != STREAM_OK)
			break;
		status = compare_one(
		    &walk, &source->segments[i], fd, end, exact, err);
		close(fd);
	}
	close_walk(&walk);
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
	if (status == STREAM_OK && *first < count &&
	    part->mine.segment_count > 0)
		status = compare(part, kinds, *first, dense, err);
	/* In a log that is never compacted a segment that is another one is
	 * another log's, even if no batch says so. */
	if (status == STREAM_OK && dense && *first < count &&
	    part->diverged < 0)
		part->diverged = part->source->segments[*first].base_offset;
	return status;
}
