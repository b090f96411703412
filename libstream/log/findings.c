/*
 * findings.c - walk all logs of a partition and find what is wrong
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/findings_private.h"
#include "log/survey.h"

void
stream_findings_release(struct stream_findings *findings)
{
	free(findings->segments);
	stream_epochs_check_release(&findings->epochs);
	*findings = (struct stream_findings){.segments = NULL};
}

void
stream_finding_condemn(
    bool *wrong, char why[static 80], const char *format, ...)
{
	va_list args;

	if (*wrong)
		return;
	*wrong = true;
	va_start(args, format);
	vsnprintf(why, 80, format, args);
	va_end(args);
}

struct stream_repair_step
stream_finding_step(
    enum stream_repair_action action, const char *file, const char *why)
{
	struct stream_repair_step step = {
	    .action = action,
	    .position = STREAM_POS_NONE,
	    .first_offset = -1,
	    .last_offset = -1,
	};

	snprintf(step.file, sizeof(step.file), "%s", file);
	snprintf(step.text, sizeof(step.text), "%s", why);
	return step;
}

void
stream_finding_name(const struct stream_finding *segment,
    enum stream_name_kind kind, char text[static STREAM_NAME_SIZE])
{
	struct stream_name name = {segment->base_offset, kind, segment->state};

	stream_name_put(&name, text);
}

int
stream_finding_add_aside(struct stream_collecting *c, const char *name,
    const char *why, struct stream_error *err)
{
	struct stream_repair_step step =
	    stream_finding_step(STREAM_REPAIR_ASIDE, name, why);

	return stream_repair_add(c->repair, &step, err);
}

/* ---- what is missing ---------------------------------------------------- */

static int
add_stays(struct stream_collecting *c, const struct stream_repair_step *step,
    struct stream_error *err)
{
	c->findings->damaged = true;
	c->findings->newest_damaged = true;
	c->producers_known = false;
	return stream_repair_add(c->repair, step, err);
}

/* Durable records that are not there any more: nobody may give their offsets
 * out again, so writers refuse the partition. */
static int
add_lost(struct stream_collecting *c, int64_t base, int64_t first,
    const char *why, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	struct stream_repair_step step;

	stream_name_put_plain(base, STREAM_NAME_LOG, name);
	step = stream_finding_step(STREAM_REPAIR_STAYS, name, why);
	step.first_offset = first;
	step.last_offset = c->state.next_offset - 1;
	step.records = step.last_offset + 1 - first;
	return add_stays(c, &step, err);
}

static int
load_state(struct stream_collecting *c, struct stream_error *err)
{
	int status = stream_state_load(c->source->dirfd, &c->state, err);

	if (status == STREAM_OK && (c->state.marks & STREAM_MARK_DELETED) != 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "the topic was deleted");
	return status;
}

/* The state remembers a newer segment than there is. */
static int
check_newest(struct stream_collecting *c, struct stream_error *err)
{
	int64_t newest = -1;

	if (c->view.count > 0)
		newest = c->view.segments[c->view.count - 1].base_offset;
	if (c->state.sequence == 0 || newest >= c->state.active_base ||
	    (newest < 0 && c->state.next_offset == 0))
		return STREAM_OK;
	return add_lost(c, c->state.active_base, c->state.active_base,
	    "is gone, and it was the newest segment; restore it", err);
}

static int
check_durable(struct stream_collecting *c, const struct stream_survey *survey,
    struct stream_error *err)
{
	if (survey->size >= survey->source.known.durable_end)
		return STREAM_OK;
	return add_lost(c, survey->source.base_offset, survey->next_offset,
	    "is shorter than what was made durable", err);
}

/* ---- one segment's log -------------------------------------------------- */

static struct stream_repair_step
step_of(const struct stream_finding *segment,
    const struct stream_survey_find *find, int fd)
{
	char name[STREAM_NAME_SIZE];
	struct stream_repair_step step;

	stream_finding_name(segment, STREAM_NAME_LOG, name);
	step = stream_finding_step(STREAM_REPAIR_STAYS, name, find->text);
	step.position = find->position;
	step.bytes = find->size;
	step.first_offset = find->first_offset;
	step.records = stream_survey_lost(find, fd);
	if (step.records > 0)
		step.last_offset = find->first_offset + step.records - 1;
	return step;
}

static int
add_hole(struct stream_collecting *c, struct stream_finding *segment,
    const struct stream_survey_find *find, int fd, struct stream_error *err)
{
	struct stream_repair_step step = step_of(segment, find, fd);

	segment->damaged = true;
	c->findings->damaged = true;
	c->findings->newest_damaged |= !segment->closed;
	c->producers_known = false;
	return stream_repair_add(c->repair, &step, err);
}

static int
is_all_zero(int fd, uint64_t position, bool *zero, struct stream_error *err)
{
	uint8_t bytes[4096];
	size_t got;
	int status = STREAM_OK;

	*zero = true;
	do {
		status = stream_io_read_at(
		    fd, bytes, sizeof(bytes), position, &got, err);
		for (size_t i = 0; i < got && *zero; i++)
			*zero = bytes[i] == 0;
		position += got;
	} while (status == STREAM_OK && *zero && got == sizeof(bytes));
	return status;
}

/* Where a writer refuses the segment for something else, it cuts nothing. */
static int
add_cut(struct stream_collecting *c, struct stream_finding *segment,
    const struct stream_survey_find *find, int fd, struct stream_error *err)
{
	struct stream_findings *f = c->findings;
	struct stream_repair_step step = step_of(segment, find, fd);
	int status;

	if (f->newest_damaged)
		return add_hole(c, segment, find, fd, err);
	status = is_all_zero(fd, find->position, &f->cut_zeros, err);
	if (status != STREAM_OK)
		return status;
	step.action = STREAM_REPAIR_CUT;
	snprintf(step.text, sizeof(step.text), "%s",
	    f->cut_zeros                     ? "zeros after the last batch"
	    : find->tail == STREAM_TAIL_TORN ? "an append that did not finish"
	    : find->tail == STREAM_TAIL_LOST
		? "what a loss of power left of appends"
		: find->text);
	f->cut = true;
	f->cut_torn = find->tail == STREAM_TAIL_TORN;
	f->cut_position = find->position;
	return stream_repair_add(c->repair, &step, err);
}

static int
note_abort(struct stream_collecting *c,
    const struct stream_producers_abort *abort, struct stream_error *err)
{
	struct stream_found_abort found = {abort->entry, abort->has_records};

	return stream_buf_add(&c->aborts, &found, sizeof(found), err);
}

static int
feed_producers(struct stream_collecting *c,
    const struct stream_survey_find *find, struct stream_error *err)
{
	struct stream_producers_abort abort;
	int status;

	if (!c->producers_known)
		return STREAM_OK;
	status = stream_producers_add(
	    c->producers, &find->batch.info, find->bytes, &abort, err);
	if (status == STREAM_OK && abort.happened)
		status = note_abort(c, &abort, err);
	return status;
}

/* The batch is whole and its header right, so what is derived from headers is
 * as good as ever, and writers go on behind it; but a control batch that cannot
 * be read tells nothing of its producer. */
static int
add_unreadable(struct stream_collecting *c, struct stream_finding *segment,
    const struct stream_batch_info *info, const char *why,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	struct stream_repair_step step;

	if (stream_batch_is_control(info))
		c->producers_known = false;
	stream_finding_name(segment, STREAM_NAME_LOG, name);
	step = stream_finding_step(STREAM_REPAIR_STAYS, name, why);
	step.position = info->position;
	step.bytes = info->size;
	step.first_offset = info->base_offset;
	step.last_offset = info->last_offset;
	step.records = info->record_count;
	return stream_repair_add(c->repair, &step, err);
}

static int
check_records(struct stream_collecting *c, struct stream_finding *segment,
    const struct stream_survey_find *find, struct stream_error *err)
{
	struct stream_error why = {.text = ""};
	int status = stream_records_check_packed(
	    &c->unpacker, &find->batch, find->bytes, &why);

	if (status == STREAM_OK)
		status = feed_producers(c, find, &why);
	if (status == STREAM_OK)
		return STREAM_OK;
	if (status != STREAM_ENOMEM && status != STREAM_EIO)
		return add_unreadable(
		    c, segment, &find->batch.info, why.text, err);
	if (err != NULL)
		*err = why;
	return status;
}

static int
add_batch(struct stream_collecting *c, struct stream_finding *segment,
    struct stream_index_check *check, const struct stream_survey_find *find,
    int64_t expected, struct stream_error *err)
{
	int status = stream_index_check_add(check, &find->batch, err);

	c->gapped |=
	    find->batch.info.base_offset != expected ||
	    find->batch.info.record_count != find->batch.last_offset_delta + 1;
	if (status == STREAM_OK)
		status = stream_epochs_check_add(&c->findings->epochs,
		    &find->batch.info,
		    (size_t)(segment - c->findings->segments), err);
	if (status == STREAM_OK)
		status = check_records(c, segment, find, err);
	return status;
}

static int
walk_batches(struct stream_collecting *c, struct stream_finding *segment,
    struct stream_survey *survey, struct stream_index_check *check,
    struct stream_error *err)
{
	struct stream_survey_find find;
	int fd = survey->source.fd;
	int status;

	for (;;) {
		int64_t expected = survey->next_offset;

		status = stream_survey_next(survey, &find, err);
		if (status != STREAM_OK)
			return status == STREAM_END ? STREAM_OK : status;
		if (find.kind == STREAM_SURVEY_BATCH)
			status =
			    add_batch(c, segment, check, &find, expected, err);
		else if (find.kind == STREAM_SURVEY_HOLE)
			status = add_hole(c, segment, &find, fd, err);
		else
			status = add_cut(c, segment, &find, fd, err);
		if (status != STREAM_OK)
			return status;
	}
}

/* ---- one segment -------------------------------------------------------- */

static int
walk_segment(struct stream_collecting *c, struct stream_finding *segment,
    struct stream_survey *survey, struct stream_index_check *check,
    struct stream_error *err)
{
	int status = walk_batches(c, segment, survey, check, err);

	if (status == STREAM_OK)
		status = stream_index_check_end(
		    check, &segment->offsets, &segment->times, err);
	if (status == STREAM_OK && c->producers_known)
		status = stream_finding_check_txnindex(
		    c, segment, survey->next_offset, err);
	if (status == STREAM_OK && !segment->closed)
		status = check_durable(c, survey, err);
	return status;
}

/* The indexes are read before the log's size is: so, beside a writer, they may
 * lag behind what is walked, and never run ahead of it. */
static int
survey_file(struct stream_collecting *c, struct stream_finding *segment,
    const struct stream_survey_source *source, struct stream_error *err)
{
	struct stream_index_check *check;
	struct stream_survey survey;
	int status = stream_index_check_new(c->source->dirfd,
	    segment->base_offset, segment->state, segment->closed,
	    !segment->closed && !c->source->is_ours,
	    c->source->config.index_interval_bytes, &check, err);

	if (status != STREAM_OK)
		return status;
	status = stream_survey_init(&survey, source, err);
	if (status == STREAM_OK)
		status = walk_segment(c, segment, &survey, check, err);
	c->findings->end_offset = survey.next_offset;
	stream_survey_release(&survey);
	stream_index_check_free(check);
	return status;
}

static int
survey_segment(struct stream_collecting *c, size_t i, struct stream_error *err)
{
	struct stream_finding *segment = &c->findings->segments[i];
	struct stream_survey_source source = {
	    .base_offset = segment->base_offset,
	    .next_base = segment->closed ? segment[1].base_offset : -1,
	    .cap = c->source->cap,
	    .dense = c->dense,
	};
	int status =
	    stream_view_open(&c->view, i, c->source->dirfd, &source.fd, err);

	if (status != STREAM_OK)
		return status;
	c->aborts.size = 0;
	status = stream_tail_load_known(
	    c->source->dirfd, segment->base_offset, &source.known, err);
	if (status == STREAM_OK)
		status = survey_file(c, segment, &source, err);
	close(source.fd);
	return status;
}

static int
walk_segments(struct stream_collecting *c, struct stream_error *err)
{
	struct stream_findings *f = c->findings;
	int status = STREAM_OK;

	f->segments = calloc(c->view.count + 1, sizeof(*f->segments));
	if (f->segments == NULL)
		return stream_fail_memory(err);
	f->count = c->view.count;
	for (size_t i = 0; i < f->count; i++)
		f->segments[i] = (struct stream_finding){
		    .base_offset = c->view.segments[i].base_offset,
		    .state = c->view.segments[i].swap ? STREAM_NAME_SWAP
						      : STREAM_NAME_PLAIN,
		    .closed = i + 1 < f->count,
		};
	if (f->count > 0 && f->segments[0].base_offset > 0)
		c->gapped = true;
	for (size_t i = 0; i < f->count && status == STREAM_OK; i++) {
		struct stream_finding *segment = &f->segments[i];

		segment->snapshot_known = c->producers_known;
		if (i == 0)
			status =
			    stream_finding_load_first_snapshot(c, segment, err);
		else
			status = stream_finding_check_snapshot(c,
			    segment->base_offset, &segment->snapshot_wrong,
			    segment->snapshot_why, err);
		if (status == STREAM_OK)
			status = survey_segment(c, i, err);
	}
	return status;
}

/* A compaction may have come between; its segments are in the view only if the
 * settings have said so before. */
static int
ask_gaps(struct stream_collecting *c, struct stream_error *err)
{
	const struct stream_repair_source *source = c->source;
	bool gaps = !source->config.dense;
	int status = STREAM_OK;

	if (!gaps)
		status = stream_facts_ask_gaps(
		    &source->facts, source->dirfd, &gaps, err);
	c->dense = !gaps;
	return status;
}

static int
collect(struct stream_collecting *c, struct stream_error *err)
{
	int status = stream_view_load(c->source->dirfd, &c->view, err);

	if (status == STREAM_OK)
		status = ask_gaps(c, err);
	if (status == STREAM_OK)
		status = load_state(c, err);
	if (status == STREAM_OK)
		status = check_newest(c, err);
	if (status == STREAM_OK)
		status = stream_epochs_check_init(&c->findings->epochs,
		    c->source->dirfd, c->source->config.log_start_offset, err);
	if (status == STREAM_OK)
		status = walk_segments(c, err);
	if (status == STREAM_OK)
		status = stream_finding_check_end(c, err);
	if (status == STREAM_OK)
		status = stream_finding_decide(c, err);
	return status;
}

int
stream_findings_collect(const struct stream_repair_source *source,
    struct stream_findings *findings, struct stream_repair *repair,
    struct stream_error *err)
{
	struct stream_collecting c = {
	    .source = source,
	    .findings = findings,
	    .repair = repair,
	    .producers_known = true,
	};
	int status = stream_producers_new(&c.producers, err);

	*findings = (struct stream_findings){.end_offset = -1};
	if (status != STREAM_OK)
		return status;
	stream_buf_init(&c.aborts);
	stream_unpacker_init(&c.unpacker, source->cap);
	status = collect(&c, err);
	stream_producers_free(c.producers);
	stream_unpacker_release(&c.unpacker);
	stream_buf_release(&c.aborts);
	stream_view_release(&c.view);
	return status;
}
