/*
 * salvage.c - a new log of all that can be read of a damaged one
 *
 * Good batches keep their bytes, their offsets and their segment.  What cannot
 * be read leaves a gap, and a step that says so.  Nothing of the old indexes
 * is used.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "codec/records_check.h"
#include "file/io.h"
#include "file/name.h"
#include "file/snapshot.h"
#include "file/state.h"
#include "log/epochs_check.h"
#include "log/findings.h"
#include "log/indexer.h"
#include "log/leftovers.h"
#include "log/producers.h"
#include "log/repair.h"
#include "log/survey.h"
#include "log/view.h"

enum {
	/* Batches are gathered to so many bytes before they are written. */
	BLOCK = 1 << 20,
	METADATA_LIMIT = 4096
};

struct salvaging {
	const struct stream_repair_source *source;
	int to;
	struct stream_repair *repair;
	struct stream_salvaged *sum;
	struct stream_view view;
	struct stream_state state;
	bool gaps;
	int64_t interval;    /* of the indexes */
	int64_t next_offset; /* after the last batch that was written */
	int64_t told_end;    /* after a bad last batch */
	struct stream_producers *producers;
	struct stream_unpacker unpacker;
	struct stream_epochs_check epochs;
	/* The segment that is being written. */
	int64_t base_offset;
	int log;
	uint64_t position; /* in it; the last bytes are in block */
	struct stream_buf block;
	struct stream_indexer indexer;
	struct stream_buf aborted;
};

/* ---- holes -------------------------------------------------------------- */

/* A last batch that is whole and bad was written once, unlike an append that
 * did not finish. */
static int
add_hole(struct salvaging *s, const struct stream_survey_find *find, int fd,
    struct stream_error *err)
{
	bool torn =
	    find->kind == STREAM_SURVEY_TAIL && find->tail == STREAM_TAIL_TORN;
	struct stream_repair_step step = {
	    .action = torn ? STREAM_REPAIR_CUT : STREAM_REPAIR_HOLE,
	    .position = find->position,
	    .bytes = find->size,
	    .first_offset = find->first_offset,
	    .last_offset = -1,
	    .records = stream_survey_lost(find, fd),
	};

	stream_name_put_plain(s->base_offset, STREAM_NAME_LOG, step.file);
	snprintf(step.text, sizeof(step.text), "%s", find->text);
	if (step.records > 0)
		step.last_offset = find->first_offset + step.records - 1;
	if (find->kind == STREAM_SURVEY_TAIL && !torn)
		s->told_end = step.last_offset + 1;
	return stream_repair_add(s->repair, &step, err);
}

/* The batch has a good CRC, but a reader would stop at one of its records. */
static int
add_bad_records(struct salvaging *s, const struct stream_batch_info *info,
    const struct stream_error *why, struct stream_error *err)
{
	struct stream_survey_find find = {
	    .kind = STREAM_SURVEY_HOLE,
	    .position = info->position,
	    .size = info->size,
	    .first_offset = info->base_offset,
	    .end_offset = info->last_offset + 1,
	};

	snprintf(find.text, sizeof(find.text), "%.*s",
	    (int)sizeof(find.text) - 1, why->text);
	return add_hole(s, &find, -1, err);
}

/* ---- writing a segment -------------------------------------------------- */

static int
flush(struct salvaging *s, struct stream_error *err)
{
	int status = stream_io_write_at(s->log, s->block.data, s->block.size,
	    s->position - s->block.size, NULL, err);

	s->block.size = 0;
	return status;
}

static int
feed_producers(struct salvaging *s, const struct stream_survey_find *find,
    struct stream_error *err)
{
	struct stream_producers_abort abort;
	uint8_t entry[STREAM_TXNINDEX_ENTRY];
	int status = stream_producers_add(
	    s->producers, &find->batch.info, find->bytes, &abort, err);

	if (status != STREAM_OK || !abort.happened)
		return status;
	stream_aborted_put(entry, &abort.entry);
	return stream_buf_add(&s->aborted, entry, sizeof(entry), err);
}

static void
count(struct salvaging *s, const struct stream_batch_info *info)
{
	s->gaps |=
	    info->base_offset != s->next_offset ||
	    info->last_offset - info->base_offset + 1 != info->record_count;
	s->next_offset = info->last_offset + 1;
	s->sum->batches++;
	s->sum->bytes += info->size;
	if (!stream_batch_is_control(info))
		s->sum->records += (uint64_t)info->record_count;
}

static int
write_batch(struct salvaging *s, const struct stream_survey_find *find,
    struct stream_error *err)
{
	struct stream_batch_info info = find->batch.info;
	int status;

	info.position = s->position;
	status = stream_buf_add(&s->block, find->bytes, info.size, err);
	s->position += info.size;
	if (status == STREAM_OK && s->block.size >= BLOCK)
		status = flush(s, err);
	if (status == STREAM_OK)
		status = stream_indexer_add(&s->indexer, &info, err);
	if (status == STREAM_OK)
		status = stream_epochs_check_add(&s->epochs, &info, 0, err);
	if (status == STREAM_OK)
		count(s, &info);
	return status;
}

/* What lies below the log's start is hidden from readers: it stays behind. */
static int
take_batch(struct salvaging *s, const struct stream_survey_find *find,
    struct stream_error *err)
{
	const struct stream_batch_info *info = &find->batch.info;
	struct stream_error why = {.text = ""};
	int status;

	if (info->last_offset < s->source->config.log_start_offset)
		return STREAM_OK;
	status = stream_records_check_packed(
	    &s->unpacker, &find->batch, find->bytes, &why);
	if (status == STREAM_OK)
		status = feed_producers(s, find, &why);
	if (status == STREAM_OK)
		return write_batch(s, find, err);
	if (status != STREAM_ENOMEM && status != STREAM_EIO)
		return add_bad_records(s, info, &why, err);
	if (err != NULL)
		*err = why;
	return status;
}

static int
walk(
    struct salvaging *s, struct stream_survey *survey, struct stream_error *err)
{
	struct stream_survey_find find;
	int status;

	while ((status = stream_survey_next(survey, &find, err)) == STREAM_OK) {
		status = find.kind == STREAM_SURVEY_BATCH
			     ? take_batch(s, &find, err)
			     : add_hole(s, &find, survey->source.fd, err);
		if (status != STREAM_OK)
			return status;
	}
	return status == STREAM_END ? STREAM_OK : status;
}

static int
put_part(struct salvaging *s, int64_t offset, enum stream_name_kind kind,
    const struct stream_buf *bytes, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	stream_name_put_plain(offset, kind, name);
	return stream_io_replace(
	    s->to, name, (struct stream_bytes){bytes->data, bytes->size}, err);
}

static int
finish_segment(struct salvaging *s, struct stream_error *err)
{
	int status = flush(s, err);

	if (status == STREAM_OK)
		status = stream_io_sync(s->log, err);
	if (status == STREAM_OK)
		status = stream_indexer_finish(&s->indexer, err);
	if (status == STREAM_OK)
		status = put_part(s, s->base_offset, STREAM_NAME_INDEX,
		    &s->indexer.offsets, err);
	if (status == STREAM_OK)
		status = put_part(s, s->base_offset, STREAM_NAME_TIMEINDEX,
		    &s->indexer.times, err);
	if (status == STREAM_OK && s->aborted.size > 0)
		status = put_part(
		    s, s->base_offset, STREAM_NAME_TXNINDEX, &s->aborted, err);
	return status;
}

static int
begin_segment(
    struct salvaging *s, int64_t base_offset, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	s->base_offset = base_offset;
	s->position = 0;
	s->aborted.size = 0;
	stream_indexer_init(&s->indexer, base_offset, s->interval);
	stream_name_put_plain(base_offset, STREAM_NAME_LOG, name);
	return stream_io_open(
	    s->to, name, O_RDWR | O_CREAT | O_EXCL, &s->log, err);
}

static void
end_segment(struct salvaging *s)
{
	stream_indexer_release(&s->indexer);
	if (s->log >= 0)
		close(s->log);
	s->log = -1;
}

/* Of a topic of ours without producers there are none. */
static int
put_snapshot(struct salvaging *s, int64_t offset, struct stream_error *err)
{
	struct stream_buf file;
	int status;

	if (s->source->is_ours && stream_producers_count(s->producers) == 0)
		return STREAM_OK;
	stream_buf_init(&file);
	status = stream_producers_snapshot(s->producers, &file, err);
	if (status == STREAM_OK)
		status = put_part(s, offset, STREAM_NAME_SNAPSHOT, &file, err);
	stream_buf_release(&file);
	return status;
}

/* ---- all segments ------------------------------------------------------- */

static int
survey_segment(struct salvaging *s, size_t i, int fd, struct stream_error *err)
{
	const struct stream_view_segment *segment = &s->view.segments[i];
	bool closed = i + 1 < s->view.count;
	struct stream_survey_source source = {
	    .fd = fd,
	    .base_offset = segment->base_offset,
	    .next_base = closed ? segment[1].base_offset : -1,
	    .cap = s->source->cap,
	    .dense = s->source->config.dense,
	};
	struct stream_survey survey;
	int status = stream_survey_init(&survey, &source, err);

	if (status == STREAM_OK)
		status = walk(s, &survey, err);
	stream_survey_release(&survey);
	return status;
}

static int
salvage_segment(struct salvaging *s, size_t i, struct stream_error *err)
{
	int64_t base = s->view.segments[i].base_offset;
	int fd;
	int status = stream_view_open(&s->view, i, s->source->dirfd, &fd, err);

	if (status != STREAM_OK)
		return status;
	if (i == 0)
		s->next_offset = base;
	else
		status = put_snapshot(s, base, err);
	/* The name of a segment says where it begins. */
	s->gaps |= base != s->next_offset;
	s->next_offset = base;
	if (status == STREAM_OK)
		status = begin_segment(s, base, err);
	if (status == STREAM_OK)
		status = survey_segment(s, i, fd, err);
	if (status == STREAM_OK)
		status = finish_segment(s, err);
	end_segment(s);
	close(fd);
	return status;
}

/* Segments that lie below the log's start as a whole stay behind. */
static size_t
first_segment(const struct salvaging *s)
{
	if (s->view.count == 0)
		return 0;
	return stream_view_find(&s->view, s->source->config.log_start_offset);
}

/* What was open or known at the start. */
static int
load_snapshot(struct salvaging *s, int64_t offset, struct stream_error *err)
{
	struct stream_snapshot_entry *entries = NULL;
	size_t n;
	int status = STREAM_OK;

	if (stream_snapshot_load(
		s->source->dirfd, offset, &entries, &n, NULL) == STREAM_OK)
		status = stream_producers_load(s->producers, entries, n, err);
	free(entries);
	return status;
}

static int
add_empty_segment(
    struct salvaging *s, int64_t base_offset, struct stream_error *err)
{
	int status = begin_segment(s, base_offset, err);

	if (status == STREAM_OK)
		status = finish_segment(s, err);
	end_segment(s);
	s->next_offset = base_offset;
	return status;
}

/*
 * The state remembers durable records that are gone from the log.  Their
 * offsets must not be given out again: an empty segment begins after them.
 */
static int
keep_offsets(struct salvaging *s, struct stream_error *err)
{
	struct stream_survey_find find = {
	    .kind = STREAM_SURVEY_HOLE,
	    .position = s->position,
	    .first_offset = s->next_offset,
	    .end_offset = s->state.next_offset,
	    .text = "was made durable, and is gone",
	};
	bool lost = s->state.active_base > s->base_offset ||
		    (s->state.active_base == s->base_offset &&
			s->state.durable_end > s->position);
	int status;

	if (s->state.sequence == 0 || !lost ||
	    s->state.next_offset <= s->next_offset)
		return STREAM_OK;
	s->gaps = true;
	if (s->told_end > find.first_offset)
		find.first_offset = s->told_end;
	status = find.first_offset < find.end_offset
		     ? add_hole(s, &find, -1, err)
		     : STREAM_OK;
	return status == STREAM_OK
		   ? add_empty_segment(s, s->state.next_offset, err)
		   : status;
}

static int
salvage_segments(struct salvaging *s, struct stream_error *err)
{
	size_t first = first_segment(s);
	int status;

	/* A partition without any is one in which nothing was written yet. */
	if (s->view.count == 0)
		status = add_empty_segment(
		    s, s->source->config.log_start_offset, err);
	else
		status =
		    load_snapshot(s, s->view.segments[first].base_offset, err);
	for (size_t i = first; i < s->view.count && status == STREAM_OK; i++)
		status = salvage_segment(s, i, err);
	if (status == STREAM_OK)
		status = keep_offsets(s, err);
	if (status == STREAM_OK && s->next_offset > s->base_offset)
		status = put_snapshot(s, s->next_offset, err);
	return status;
}

/* ---- the other files ---------------------------------------------------- */

/* Kafka's own list knows epochs in which nothing was written, too. */
static int
put_epochs(struct salvaging *s, struct stream_error *err)
{
	const struct stream_epoch *list;
	size_t count;
	int status = stream_epochs_check_end(&s->epochs, INT64_MAX, false, err);

	list = stream_epochs_check_list(&s->epochs, &count);
	if (status == STREAM_OK && (s->epochs.loaded == STREAM_OK || count > 0))
		status = stream_epochs_save(s->to, list, count, err);
	return status;
}

static int
copy_metadata(struct salvaging *s, struct stream_error *err)
{
	static const char name[] = "partition.metadata";
	struct stream_buf file;
	int status;

	stream_buf_init(&file);
	status =
	    stream_io_load(s->source->dirfd, name, METADATA_LIMIT, &file, NULL);
	if (status == STREAM_OK)
		status = stream_io_replace(s->to, name,
		    (struct stream_bytes){file.data, file.size}, err);
	else
		status = STREAM_OK;
	stream_buf_release(&file);
	return status;
}

/* Which are the segments is nothing to guess: a damaged swap would hide the
 * logs that are still there. */
static int
check_swaps(struct salvaging *s, struct stream_error *err)
{
	const struct stream_repair_step *step;
	bool stays;
	int status = stream_leftovers_settle(
	    s->source->dirfd, STREAM_LEFTOVERS_LOOK, s->repair, &stays, err);

	if (status == STREAM_OK && stays) {
		step = stream_repair_step(s->repair, 0);
		status = stream_fail(err, STREAM_ECORRUPT, step->position,
		    "%s: %s", step->file, step->text);
	}
	stream_repair_clear(s->repair);
	return status;
}

/* What the old indexes were made with, as a repair would find it out.  One that
 * cannot be read keeps nobody from the log. */
static int
find_interval(struct salvaging *s, struct stream_error *err)
{
	struct stream_findings findings;
	int status =
	    stream_findings_collect(s->source, &findings, s->repair, err);

	s->interval = findings.index_interval_bytes;
	if (status == STREAM_EIO) {
		s->interval = s->source->index_guess > 0
				  ? s->source->index_guess
				  : s->source->config.index_interval_bytes;
		status = STREAM_OK;
	}
	stream_findings_release(&findings);
	stream_repair_clear(s->repair);
	return status;
}

static int
salvage(struct salvaging *s, struct stream_error *err)
{
	int status = stream_producers_new(&s->producers, err);

	if (status == STREAM_OK)
		status = stream_epochs_check_init(&s->epochs, s->source->dirfd,
		    s->source->config.log_start_offset, err);
	if (status == STREAM_OK)
		status = check_swaps(s, err);
	if (status == STREAM_OK)
		status = find_interval(s, err);
	if (status == STREAM_OK)
		status = stream_state_load(s->source->dirfd, &s->state, err);
	if (status == STREAM_OK)
		status = stream_view_load(s->source->dirfd, &s->view, err);
	if (status == STREAM_OK)
		status = salvage_segments(s, err);
	if (status == STREAM_OK)
		status = put_epochs(s, err);
	if (status == STREAM_OK)
		status = copy_metadata(s, err);
	return status == STREAM_OK ? stream_io_sync_dir(s->to, err) : status;
}

int
stream_log_salvage(const struct stream_repair_source *source, int to,
    struct stream_repair *repair, struct stream_salvaged *salvaged, bool *gaps,
    struct stream_error *err)
{
	struct salvaging s = {
	    .source = source,
	    .to = to,
	    .repair = repair,
	    .sum = salvaged,
	    .log = -1,
	};
	int status;

	*salvaged = (struct stream_salvaged){0};
	stream_unpacker_init(&s.unpacker, source->cap);
	stream_buf_init(&s.block);
	stream_buf_init(&s.aborted);
	status = salvage(&s, err);
	*gaps = s.gaps;
	stream_producers_free(s.producers);
	stream_unpacker_release(&s.unpacker);
	stream_view_release(&s.view);
	stream_epochs_check_release(&s.epochs);
	stream_buf_release(&s.block);
	stream_buf_release(&s.aborted);
	return status;
}
