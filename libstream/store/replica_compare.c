/*
 * replica_compare.c - two logs, batch by batch
 *
 * A log of which compaction takes away is compared with one that is less, or
 * more, compacted: the source's with that of its replica, or a new leader's
 * with that of the old one, which may have been compacted after the last run.
 * So each may lack what the other has, but only what it can have lost by
 * compaction: never what lies at or above the beginning of its newest segment,
 * or above its clean point if that is higher, as it is when a log was cut.
 * The clean point alone does not tell: a compaction that died may have gone
 * further.  What both have must be the same, record by record.
 */
#include "store/replica_compare.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fail.h"
#include "codec/batch_kin.h"
#include "file/io.h"
#include "file/name.h"
#include "file/scan.h"

/* The batches of one log, from a segment on. */
struct walk {
	const struct stream_apply_part *part;
	const struct stream_manifest_part *log;
	bool came;
	size_t index; /* of the segment */
	size_t until; /* the walk ends before this one */
	int fd;       /* -1: none is open */
	struct stream_scan scan;
	struct stream_batch batch;
	bool ended;
	int64_t may_lack; /* batches below this offset */
	struct stream_buf bytes;
};

struct comparing {
	struct stream_apply_part *part;
	struct walk mine;
	struct walk theirs;
	struct stream_batch_kin *kin;
	int64_t begin; /* where both logs have begun */
	int64_t end;   /* of the replica's */
};

/* ---- walking ------------------------------------------------------------ */

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
	    &walk->log->segments[walk->index];
	uint64_t shift;
	int status;

	stream_name_put_plain(segment->base_offset, STREAM_NAME_LOG, name);
	status = walk->came ? stream_apply_open(
				  walk->part, segment, &walk->fd, &shift, err)
			    : stream_io_open(walk->part->dirfd, name, O_RDONLY,
				  &walk->fd, err);
	if (status != STREAM_OK)
		return status;
	stream_scan_init(&walk->scan, walk->fd, 0, STREAM_SCAN_HEADERS,
	    STREAM_BATCH_CAP_MOST, STREAM_SCAN_SMALL_BLOCK);
	walk->scan.limit = segment->measure.bytes;
	return STREAM_OK;
}

static int
next(struct walk *walk, struct stream_error *err)
{
	const uint8_t *bytes;
	int status = STREAM_OK;

	while (!walk->ended) {
		if (walk->index >= walk->until) {
			walk->ended = true;
			break;
		}
		if (walk->log->segments[walk->index].measure.bytes == 0) {
			walk->index++;
			continue;
		}
		if (walk->fd < 0)
			status = open_walk(walk, err);
		if (status == STREAM_OK)
			status = stream_scan_next(
			    &walk->scan, &walk->batch, &bytes, err);
		if (status != STREAM_END)
			return status;
		status = STREAM_OK;
		close_walk(walk);
		walk->index++;
	}
	return STREAM_OK;
}

static int
begin(struct walk *walk, size_t from, size_t until, struct stream_error *err)
{
	close_walk(walk);
	walk->index = from;
	walk->until = until;
	walk->ended = false;
	return next(walk, err);
}

static int
load(struct walk *walk, struct stream_error *err)
{
	struct stream_batch batch;
	size_t size = walk->batch.info.size, got;
	int status;

	walk->bytes.size = 0;
	status = stream_buf_reserve(&walk->bytes, size, err);
	if (status == STREAM_OK)
		status = stream_io_read_at(walk->fd, walk->bytes.data, size,
		    walk->batch.info.position, &got, err);
	if (status == STREAM_OK && got < size)
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "the file ends within it");
	return status == STREAM_OK
		   ? stream_batch_check(walk->bytes.data, size, &batch, err)
		   : status;
}

/* ---- judging ------------------------------------------------------------ */

static bool
may_lack(const struct walk *walk, const struct stream_batch *batch)
{
	return batch->info.last_offset < walk->may_lack;
}

static int
compare_records(struct comparing *c, bool *is, struct stream_error *err)
{
	const struct stream_batch *ours = &c->mine.batch;
	struct stream_batch_kin_side mine, theirs;
	int status = load(&c->mine, err);

	if (status != STREAM_OK)
		return stream_fail_in(err, status,
		    "the replica's batch at offset %lld",
		    (long long)ours->info.base_offset);
	status = load(&c->theirs, err);
	if (status != STREAM_OK)
		return status;
	mine = (struct stream_batch_kin_side){
	    ours, c->mine.bytes.data, may_lack(&c->mine, ours)};
	theirs = (struct stream_batch_kin_side){&c->theirs.batch,
	    c->theirs.bytes.data, may_lack(&c->theirs, &c->theirs.batch)};
	status = stream_batch_kin_check(c->kin, &mine, &theirs, is, err);
	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "batch at offset %lld",
			 (long long)ours->info.base_offset);
}

static bool
is_met(const struct comparing *c)
{
	return !c->mine.ended && c->mine.batch.info.base_offset ==
				     c->theirs.batch.info.base_offset;
}

/* A batch that one side alone has: can the other have lost it?  Batches that
 * lie across each other are of two logs. */
static bool
can_be_lost(const struct walk *has, const struct walk *lacks)
{
	return may_lack(lacks, &has->batch) &&
	       (lacks->ended ||
		   lacks->batch.info.base_offset <
		       has->batch.info.base_offset ||
		   lacks->batch.info.base_offset > has->batch.info.last_offset);
}

static int
diverge(struct comparing *c, const struct walk *at)
{
	c->part->diverged = at->batch.info.base_offset;
	return STREAM_OK;
}

/* What the replica alone has, up to an offset. */
static int
pass_mine(struct comparing *c, int64_t until, struct stream_error *err)
{
	int status = STREAM_OK;

	while (status == STREAM_OK && !c->mine.ended &&
	       c->mine.batch.info.base_offset < until) {
		if (c->mine.batch.info.last_offset >= c->begin &&
		    !can_be_lost(&c->mine, &c->theirs))
			return diverge(c, &c->mine);
		status = next(&c->mine, err);
	}
	return status;
}

static int
compare_pair(struct comparing *c, struct stream_error *err)
{
	bool is = stream_batch_is_twin(&c->mine.batch, &c->theirs.batch);
	int status =
	    is || c->kin == NULL ? STREAM_OK : compare_records(c, &is, err);

	if (status == STREAM_OK && !is)
		return diverge(c, &c->mine);
	return status == STREAM_OK ? next(&c->mine, err) : status;
}

static int
compare_batch(struct comparing *c, struct stream_error *err)
{
	int status = pass_mine(c, c->theirs.batch.info.base_offset, err);

	if (status != STREAM_OK || c->part->diverged >= 0)
		return status;
	if (is_met(c))
		return compare_pair(c, err);
	/* The replica begins later, or may have lost it. */
	if (c->theirs.batch.info.last_offset >= c->begin &&
	    !can_be_lost(&c->theirs, &c->mine))
		return diverge(c, &c->theirs);
	return STREAM_OK;
}

static int
compare_segment(struct comparing *c, size_t i, struct stream_error *err)
{
	int status = begin(&c->theirs, i, i + 1, err);

	while (status == STREAM_OK && !c->theirs.ended &&
	       c->part->diverged < 0 &&
	       c->theirs.batch.info.base_offset < c->end) {
		status = compare_batch(c, err);
		if (status == STREAM_OK && c->part->diverged < 0)
			status = next(&c->theirs, err);
	}
	c->theirs.ended = true;
	return status;
}

/* The replica's segment with that base offset is known, or below all that is to
 * be compared: go on behind it. */
static int
skip_segment(struct comparing *c, int64_t base, struct stream_error *err)
{
	const struct stream_manifest_part *mine = &c->part->mine;
	size_t i = c->mine.index;

	while (i < mine->segment_count && mine->segments[i].base_offset <= base)
		i++;
	return begin(&c->mine, i, mine->segment_count, err);
}

static int
compare_all(struct comparing *c, const enum stream_apply_kind *kinds,
    struct stream_error *err)
{
	const struct stream_manifest_part *source = c->part->source;
	int status = STREAM_OK;

	for (size_t i = 0; i < source->segment_count && status == STREAM_OK &&
			   c->part->diverged < 0;
	     i++) {
		const struct stream_manifest_segment *segment =
		    &source->segments[i];

		if (kinds[i] == STREAM_APPLY_CHANGED &&
		    segment->measure.bytes > 0) {
			status = compare_segment(c, i, err);
			continue;
		}
		status = pass_mine(c, segment->base_offset, err);
		if (status == STREAM_OK && c->part->diverged < 0 &&
		    (kinds[i] == STREAM_APPLY_SAME ||
			kinds[i] == STREAM_APPLY_GROW))
			status = skip_segment(c, segment->base_offset, err);
	}
	if (status == STREAM_OK && c->part->diverged < 0)
		status = pass_mine(c, INT64_MAX, err);
	return status;
}

/* ---- beginning ---------------------------------------------------------- */

static void
init_walk(struct walk *walk, const struct stream_apply_part *part,
    const struct stream_manifest_part *log, bool dense)
{
	int64_t newest = log->segments[log->segment_count - 1].base_offset;

	*walk = (struct walk){
	    .part = part,
	    .log = log,
	    .came = log == part->source,
	    .fd = -1,
	    .ended = true,
	    .may_lack = dense                       ? INT64_MIN
			: log->clean_point > newest ? log->clean_point
						    : newest,
	};
	stream_buf_init(&walk->bytes);
}

/* Index of the first of the replica's segments in which something of the
 * source's may be. */
static size_t
first_of_mine(const struct comparing *c)
{
	const struct stream_manifest_part *mine = &c->part->mine;
	size_t i = 0;

	while (i + 1 < mine->segment_count &&
	       mine->segments[i + 1].base_offset <= c->begin)
		i++;
	return i;
}

int
stream_apply_compare(struct stream_apply_part *part,
    const enum stream_apply_kind *kinds, bool dense, struct stream_error *err)
{
	const struct stream_manifest_part *mine = &part->mine;
	struct comparing c = {
	    .part = part,
	    .begin = mine->segments[0].base_offset,
	    .end = stream_manifest_end(mine),
	};
	int status =
	    dense ? STREAM_OK
		  : stream_batch_kin_new(STREAM_BATCH_CAP_DEFAULT, &c.kin, err);

	if (part->source->segments[0].base_offset > c.begin)
		c.begin = part->source->segments[0].base_offset;
	init_walk(&c.mine, part, mine, dense);
	init_walk(&c.theirs, part, part->source, dense);
	if (status == STREAM_OK)
		status =
		    begin(&c.mine, first_of_mine(&c), mine->segment_count, err);
	if (status == STREAM_OK)
		status = compare_all(&c, kinds, err);
	close_walk(&c.mine);
	close_walk(&c.theirs);
	stream_buf_release(&c.mine.bytes);
	stream_buf_release(&c.theirs.bytes);
	stream_batch_kin_free(c.kin);
	return status;
}
