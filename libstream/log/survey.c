#include "log/survey.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "file/io.h"
#include "file/resync.h"

int
stream_survey_init(struct stream_survey *survey,
    const struct stream_survey_source *source, struct stream_error *err)
{
	*survey = (struct stream_survey){
	    .source = *source,
	    .next_offset = source->base_offset,
	};
	stream_scan_init(&survey->scan, source->fd, 0, STREAM_SCAN_WHOLE,
	    source->cap, STREAM_SCAN_BLOCK);
	return stream_io_size(source->fd, &survey->size, err);
}

void
stream_survey_release(struct stream_survey *survey)
{
	stream_scan_release(&survey->scan);
}

static bool
is_closed(const struct stream_survey *survey)
{
	return survey->source.next_base >= 0;
}

static int64_t
bound(const struct stream_survey *survey)
{
	return stream_segment_bound(
	    survey->source.base_offset, survey->source.next_base);
}

/* ---- what is wrong ------------------------------------------------------ */

static void
begin_hole(const struct stream_survey *survey, uint64_t position,
    struct stream_survey_find *find)
{
	find->kind = STREAM_SURVEY_HOLE;
	find->position = position;
	find->size = 0;
	find->first_offset = survey->next_offset;
	find->end_offset = -1;
	find->status = STREAM_ECORRUPT;
}

static struct stream_resync
resync_from(const struct stream_survey *survey, uint64_t position)
{
	return (struct stream_resync){
	    .fd = survey->source.fd,
	    .from = position,
	    .end = survey->size,
	    .expected = survey->next_offset,
	    .bound = bound(survey),
	    .cap = survey->source.cap,
	    .dense = survey->source.dense,
	};
}

/* No good batch follows in this segment: the hole goes to its end. */
static void
end_here(struct stream_survey *survey, struct stream_survey_find *find)
{
	find->size = survey->size - find->position;
	survey->ended = true;
	if (!is_closed(survey))
		return;
	find->end_offset = survey->source.next_base;
	survey->next_offset = survey->source.next_base;
}

/* Go on at the next good batch. */
static int
pass_hole(struct stream_survey *survey, struct stream_survey_find *find,
    struct stream_error *err)
{
	struct stream_resync where = resync_from(survey, find->position);
	uint64_t position;
	int64_t base_offset;
	int status = stream_resync(&where, &position, &base_offset, err);

	if (status == STREAM_END) {
		end_here(survey, find);
		return STREAM_OK;
	}
	if (status != STREAM_OK)
		return status;
	find->size = position - find->position;
	find->end_offset = base_offset;
	survey->next_offset = base_offset;
	stream_scan_move(&survey->scan, survey->source.fd, position);
	return STREAM_OK;
}

/* A batch that is all there, and larger than what was asked to be read: no
 * reason to cut anything. */
static int
is_too_large(struct stream_survey *survey, uint64_t position, bool *large,
    struct stream_error *err)
{
	uint8_t prefix[STREAM_BATCH_MAGIC_AT + 1];
	uint64_t size;
	size_t got;
	int status = stream_io_read_at(
	    survey->source.fd, prefix, sizeof(prefix), position, &got, err);

	*large = status == STREAM_OK && got == sizeof(prefix) &&
		 stream_batch_measure(prefix, sizeof(prefix),
		     STREAM_BATCH_CAP_MOST, &size, NULL) == STREAM_OK &&
		 size > survey->source.cap && size <= survey->size - position;
	return status;
}

static void
set_text(struct stream_survey_find *find, const struct stream_error *why)
{
	snprintf(find->text, sizeof(find->text), "%.*s",
	    (int)sizeof(find->text) - 1, why->text);
}

/* Bytes at position that are no good batch. */
static int
pass_bad(struct stream_survey *survey, int stopped,
    const struct stream_error *why, struct stream_survey_find *find,
    struct stream_error *err)
{
	uint64_t position = survey->scan.next;
	enum stream_tail tail = STREAM_TAIL_DAMAGE;
	bool large;
	int status = is_too_large(survey, position, &large, err);

	begin_hole(survey, position, find);
	set_text(find, why);
	if (status == STREAM_OK && !is_closed(survey) && !large)
		status = stream_tail_judge_cut(survey->source.fd, position,
		    survey->next_offset, &survey->source.known, &tail, err);
	if (status != STREAM_OK)
		return status;
	if (tail == STREAM_TAIL_NEWER || stopped == STREAM_ENEWER)
		find->status = STREAM_ENEWER;
	if (tail != STREAM_TAIL_TORN && tail != STREAM_TAIL_BAD &&
	    tail != STREAM_TAIL_LOST)
		return pass_hole(survey, find, err);
	find->kind = STREAM_SURVEY_TAIL;
	find->tail = tail;
	end_here(survey, find);
	return STREAM_OK;
}

/*
 * A whole batch with a good CRC, and an offset that does not follow.  No
 * checksum covers the offset: the batches after it tell whether it is right
 * and something before it is missing, or it is wrong.
 */
static int
pass_break(struct stream_survey *survey, const struct stream_batch *batch,
    struct stream_survey_find *find, struct stream_error *err)
{
	struct stream_resync where = resync_from(survey, batch->info.position);
	int64_t base_offset;
	bool right = false;
	int status = STREAM_OK;

	begin_hole(survey, batch->info.position, find);
	snprintf(find->text, sizeof(find->text),
	    "batch at offset %lld where %lld was expected",
	    (long long)batch->info.base_offset, (long long)survey->next_offset);
	if (batch->info.base_offset > survey->next_offset &&
	    batch->info.last_offset < bound(survey))
		status = stream_resync_confirms(&where,
		    survey->source.next_base, &base_offset, &right, err);
	if (status != STREAM_OK)
		return status;
	if (!right)
		return pass_hole(survey, find, err);
	find->end_offset = base_offset;
	survey->next_offset = base_offset;
	stream_scan_move(
	    &survey->scan, survey->source.fd, batch->info.position);
	return STREAM_OK;
}

/* ---- batches ------------------------------------------------------------ */

static bool
follows(const struct stream_survey *survey, const struct stream_batch *batch)
{
	int64_t base = batch->info.base_offset;

	if (batch->info.last_offset >= bound(survey))
		return false;
	if (!survey->source.dense)
		return base >= survey->next_offset;
	return base == survey->next_offset &&
	       batch->last_offset_delta == batch->info.record_count - 1;
}

/* Does what stands behind a batch begin below its end?  A look at 8 bytes, for
 * each gap of a compacted log. */
static int
is_passed(const struct stream_survey *survey, const struct stream_batch *batch,
    bool *passed, struct stream_error *err)
{
	uint8_t next[sizeof(int64_t)];
	size_t got;
	int status = stream_io_read_at(survey->source.fd, next, sizeof(next),
	    survey->scan.next, &got, err);

	*passed = status == STREAM_OK && got == sizeof(next) &&
		  (int64_t)stream_load64(next) >= survey->next_offset &&
		  (int64_t)stream_load64(next) <= batch->info.last_offset;
	return status;
}

/*
 * Where offsets may be missing, a batch that is ahead of where it belongs looks
 * like one behind a gap, and all after it like ones that do not follow.  It is
 * told by the good batch after it, which is before its end.
 */
static int
is_ahead(const struct stream_survey *survey, const struct stream_batch *batch,
    bool *ahead, struct stream_error *err)
{
	struct stream_resync where = resync_from(survey, batch->info.position);
	int64_t base_offset;
	bool right = true;
	int status = STREAM_OK;

	*ahead = false;
	if (batch->info.base_offset > survey->next_offset)
		status = is_passed(survey, batch, ahead, err);
	if (status == STREAM_OK && *ahead)
		status = stream_resync_confirms(&where,
		    survey->source.next_base, &base_offset, &right, err);
	*ahead = status == STREAM_OK && !right;
	return status;
}

static int
pass_ahead(struct stream_survey *survey, const struct stream_batch *batch,
    struct stream_survey_find *find, struct stream_error *err)
{
	begin_hole(survey, batch->info.position, find);
	snprintf(find->text, sizeof(find->text),
	    "batch at offset %lld, but the one after it is before its end",
	    (long long)batch->info.base_offset);
	return pass_hole(survey, find, err);
}

static int
take_batch(struct stream_survey *survey, struct stream_survey_find *find,
    struct stream_error *err)
{
	bool ahead;
	int status;

	if (!follows(survey, &find->batch))
		return pass_break(survey, &find->batch, find, err);
	status = is_ahead(survey, &find->batch, &ahead, err);
	if (status == STREAM_OK && ahead)
		return pass_ahead(survey, &find->batch, find, err);
	find->kind = STREAM_SURVEY_BATCH;
	if (status == STREAM_OK)
		survey->next_offset = find->batch.info.last_offset + 1;
	return status;
}

/* The end of the file, behind a good batch: in a dense log the next segment
 * must go on there. */
static int
end(struct stream_survey *survey, struct stream_survey_find *find)
{
	survey->ended = true;
	if (!survey->source.dense || !is_closed(survey) ||
	    survey->next_offset == survey->source.next_base)
		return STREAM_END;
	begin_hole(survey, survey->size, find);
	end_here(survey, find);
	snprintf(find->text, sizeof(find->text),
	    "the next segment begins at offset %lld where %lld was expected",
	    (long long)survey->source.next_base, (long long)find->first_offset);
	return STREAM_OK;
}

int
stream_survey_next(struct stream_survey *survey,
    struct stream_survey_find *find, struct stream_error *err)
{
	struct stream_error why = {.pos = STREAM_POS_NONE};
	int status;

	if (survey->ended)
		return STREAM_END;
	survey->scan.limit = survey->size;
	status =
	    stream_scan_next(&survey->scan, &find->batch, &find->bytes, &why);
	if (status == STREAM_OK)
		return take_batch(survey, find, err);
	if (status == STREAM_END)
		return end(survey, find);
	if (status != STREAM_EIO && status != STREAM_ENOMEM)
		return pass_bad(survey, status, &why, find, err);
	if (err != NULL)
		*err = why;
	return status;
}

/* ---- what is lost ------------------------------------------------------- */

int64_t
stream_survey_lost(const struct stream_survey_find *find, int fd)
{
	uint8_t header[STREAM_BATCH_HEADER];
	int64_t delta;
	size_t got;

	if (find->end_offset >= 0)
		return find->end_offset - find->first_offset;
	if (stream_io_read_at(fd, header, sizeof(header), find->position, &got,
		NULL) != STREAM_OK ||
	    got < sizeof(header) ||
	    (int64_t)stream_load64(header) != find->first_offset)
		return -1;
	delta = (int32_t)stream_load32(header + 23);
	return delta < 0 || find->first_offset > INT64_MAX - 1 - delta
		   ? -1
		   : delta + 1;
}
