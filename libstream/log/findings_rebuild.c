/*
 * findings_rebuild.c - make new what is derived from the log and wrong
 *
 * A second walk, since the interval of the indexes is known only after the
 * first.  What was there is set aside before the new file takes its name; a
 * crash in between leaves it missing, which the next run finds.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "file/checkpoint.h"
#include "file/io.h"
#include "file/snapshot.h"
#include "log/findings.h"
#include "log/producers.h"
#include "log/set_aside.h"
#include "log/survey.h"

struct rebuilding {
	int dirfd;
	const struct stream_repair_source *source;
	const struct stream_findings *findings;
	struct stream_producers *producers;
	/* Of the segment that is being walked. */
	struct stream_indexer indexer;
	struct stream_buf aborted;
};

static int
replace(struct rebuilding *r, const char *name, const struct stream_buf *new,
    struct stream_error *err)
{
	struct stream_bytes bytes = {new->data, new->size};
	int status = stream_set_aside_file(r->dirfd, name, err);

	return status == STREAM_OK
		   ? stream_io_replace(r->dirfd, name, bytes, err)
		   : status;
}

static int
replace_part(struct rebuilding *r, int64_t offset, enum stream_name_kind kind,
    const struct stream_buf *new, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	stream_name_put_plain(offset, kind, name);
	/* Kafka has no .txnindex where nothing was aborted. */
	if (kind == STREAM_NAME_TXNINDEX && new->size == 0)
		return stream_set_aside_file(r->dirfd, name, err);
	return replace(r, name, new, err);
}

/* ---- snapshots ---------------------------------------------------------- */

/* Go on from a sound snapshot, as the walk did that found it sound. */
static int
load_snapshot(struct rebuilding *r, int64_t offset, struct stream_error *err)
{
	struct stream_snapshot_entry *entries = NULL;
	size_t count;
	int status =
	    stream_snapshot_load(r->dirfd, offset, &entries, &count, NULL);

	if (status == STREAM_OK)
		status =
		    stream_producers_load(r->producers, entries, count, err);
	else
		status = STREAM_OK; /* one that is not missed */
	free(entries);
	return status;
}

static int
write_snapshot(struct rebuilding *r, int64_t offset, struct stream_error *err)
{
	struct stream_buf file;
	int status;

	stream_buf_init(&file);
	status = stream_producers_snapshot(r->producers, &file, err);
	if (status == STREAM_OK)
		status =
		    replace_part(r, offset, STREAM_NAME_SNAPSHOT, &file, err);
	stream_buf_release(&file);
	return status;
}

static int
settle_snapshot(struct rebuilding *r, const struct stream_finding *segment,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	if (!segment->snapshot_wrong)
		return load_snapshot(r, segment->base_offset, err);
	if (segment->snapshot_known)
		return write_snapshot(r, segment->base_offset, err);
	stream_name_put_plain(segment->base_offset, STREAM_NAME_SNAPSHOT, name);
	return stream_set_aside_file(r->dirfd, name, err);
}

/* ---- a segment ---------------------------------------------------------- */

/* After damage nobody asks for what producers and control batches gave. */
static int
feed_producers(struct rebuilding *r, const struct stream_survey_find *find,
    struct stream_error *err)
{
	struct stream_producers_abort abort;
	uint8_t entry[STREAM_TXNINDEX_ENTRY];
	int status = stream_producers_add(
	    r->producers, &find->batch.info, find->bytes, &abort, err);

	if (status == STREAM_ECORRUPT || status == STREAM_ENEWER)
		return STREAM_OK;
	if (status != STREAM_OK || !abort.happened)
		return status;
	stream_aborted_put(entry, &abort.entry);
	return stream_buf_add(&r->aborted, entry, sizeof(entry), err);
}

static int
walk(struct rebuilding *r, struct stream_survey *survey,
    struct stream_error *err)
{
	struct stream_survey_find find;
	int status;

	while ((status = stream_survey_next(survey, &find, err)) == STREAM_OK) {
		if (find.kind != STREAM_SURVEY_BATCH)
			continue;
		status = stream_indexer_add(&r->indexer, &find.batch.info, err);
		if (status == STREAM_OK)
			status = feed_producers(r, &find, err);
		if (status != STREAM_OK)
			return status;
	}
	return status == STREAM_END ? stream_indexer_finish(&r->indexer, err)
				    : status;
}

static int
walk_file(struct rebuilding *r, const struct stream_finding *segment,
    struct stream_error *err)
{
	struct stream_survey_source source = {
	    .base_offset = segment->base_offset,
	    .next_base = segment->closed ? segment[1].base_offset : -1,
	    .cap = r->source->cap,
	    .dense = r->source->config.dense,
	};
	char name[STREAM_NAME_SIZE];
	struct stream_survey survey;
	int status;

	stream_name_put_plain(segment->base_offset, STREAM_NAME_LOG, name);
	status = stream_io_open(r->dirfd, name, O_RDONLY, &source.fd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_survey_init(&survey, &source, err);
	if (status == STREAM_OK)
		status = walk(r, &survey, err);
	stream_survey_release(&survey);
	close(source.fd);
	return status;
}

static int
write_files(struct rebuilding *r, const struct stream_finding *segment,
    struct stream_error *err)
{
	int64_t base = segment->base_offset;
	int status = STREAM_OK;

	if (segment->offsets.wrong)
		status = replace_part(
		    r, base, STREAM_NAME_INDEX, &r->indexer.offsets, err);
	if (status == STREAM_OK && segment->times.wrong)
		status = replace_part(
		    r, base, STREAM_NAME_TIMEINDEX, &r->indexer.times, err);
	if (status == STREAM_OK && segment->txnindex_wrong)
		status = replace_part(
		    r, base, STREAM_NAME_TXNINDEX, &r->aborted, err);
	return status;
}

static int
rebuild_segment(struct rebuilding *r, const struct stream_finding *segment,
    struct stream_error *err)
{
	int status = STREAM_OK;

	if (segment != r->findings->segments)
		status = settle_snapshot(r, segment, err);
	else if (segment->snapshot_known)
		status = load_snapshot(r, segment->base_offset, err);
	stream_indexer_init(&r->indexer, segment->base_offset,
	    r->findings->index_interval_bytes);
	r->aborted.size = 0;
	if (status == STREAM_OK)
		status = walk_file(r, segment, err);
	if (status == STREAM_OK)
		status = write_files(r, segment, err);
	stream_indexer_release(&r->indexer);
	return status;
}

/* ---- all of them -------------------------------------------------------- */

static int
write_epochs(struct rebuilding *r, struct stream_error *err)
{
	const struct stream_epoch *list;
	size_t count;
	int status = stream_set_aside_file(r->dirfd, STREAM_EPOCHS_FILE, err);

	list = stream_epochs_check_list(&r->findings->epochs, &count);
	return status == STREAM_OK
		   ? stream_epochs_save(r->dirfd, list, count, err)
		   : status;
}

static int
rebuild(struct rebuilding *r, struct stream_error *err)
{
	const struct stream_findings *f = r->findings;
	int status = STREAM_OK;

	for (size_t i = 0; i < f->count && status == STREAM_OK; i++)
		status = rebuild_segment(r, &f->segments[i], err);
	if (status == STREAM_OK && f->end_snapshot_wrong)
		status = write_snapshot(r, f->end_offset, err);
	if (status == STREAM_OK && f->epochs.wrong)
		status = write_epochs(r, err);
	/* Where something was only set aside. */
	return status == STREAM_OK ? stream_io_sync_dir(r->dirfd, err) : status;
}

int
stream_findings_rebuild(const struct stream_repair_source *source,
    const struct stream_findings *findings, struct stream_error *err)
{
	struct rebuilding r = {
	    .dirfd = source->dirfd,
	    .source = source,
	    .findings = findings,
	};
	int status = stream_producers_new(&r.producers, err);

	if (status != STREAM_OK)
		return status;
	stream_buf_init(&r.aborted);
	status = rebuild(&r, err);
	stream_producers_free(r.producers);
	stream_buf_release(&r.aborted);
	return status;
}
