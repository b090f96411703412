/*
 * findings_files.c - snapshots, .txnindex and leader epochs against the log
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file/dir.h"
#include "file/io.h"
#include "file/snapshot.h"
#include "log/findings_private.h"

/* ---- snapshots and .txnindex -------------------------------------------- */

/* Kafka keeps a snapshot for each segment, if only to say that there are no
 * producers.  Of a topic of ours, which has none, none is missed. */
static bool
is_missed(const struct stream_collecting *c)
{
	return c->producers_known &&
	       (!c->source->is_ours ||
		   stream_producers_count(c->producers) > 0);
}

static const char *
fault_in(
    const struct stream_snapshot_entry *entries, size_t count, int64_t offset)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].last_offset >= offset ||
		    entries[i].transaction_first_offset >= offset)
			return "names offsets that it cannot know";
	return NULL;
}

int
stream_finding_check_snapshot(struct stream_collecting *c, int64_t offset,
    bool *wrong, char *why, struct stream_error *err)
{
	struct stream_snapshot_entry *entries = NULL;
	struct stream_error reason = {.text = ""};
	size_t count;
	int status = stream_snapshot_load(
	    c->source->dirfd, offset, &entries, &count, &reason);

	if (status == STREAM_OK && fault_in(entries, count, offset) != NULL) {
		stream_finding_condemn(
		    wrong, why, "%s", fault_in(entries, count, offset));
	} else if (status == STREAM_OK) {
		status =
		    stream_producers_load(c->producers, entries, count, err);
		c->producers_known = status == STREAM_OK;
	} else if (status == STREAM_ENOENT) {
		if (is_missed(c))
			stream_finding_condemn(wrong, why, "is missing");
		status = STREAM_OK;
	} else if (status == STREAM_ECORRUPT || status == STREAM_ENEWER) {
		stream_finding_condemn(wrong, why, "%.70s", reason.text);
		status = STREAM_OK;
	} else if (err != NULL) {
		*err = reason;
	}
	free(entries);
	return status;
}

int
stream_finding_load_first_snapshot(struct stream_collecting *c,
    struct stream_finding *segment, struct stream_error *err)
{
	struct stream_snapshot_entry *entries = NULL;
	int64_t offset = segment->base_offset;
	size_t count;
	int status = stream_snapshot_load(
	    c->source->dirfd, offset, &entries, &count, NULL);

	segment->snapshot_known =
	    status == STREAM_OK && fault_in(entries, count, offset) == NULL;
	status = STREAM_OK;
	if (segment->snapshot_known)
		status =
		    stream_producers_load(c->producers, entries, count, err);
	free(entries);
	return status;
}

static int
by_marker(const void *key, const void *item)
{
	int64_t offset = *(const int64_t *)key;
	int64_t marker =
	    ((const struct stream_found_abort *)item)->entry.last_offset;

	return (offset > marker) - (offset < marker);
}

static const struct stream_found_abort *
find_abort(
    const struct stream_collecting *c, const struct stream_aborted *entry)
{
	const struct stream_found_abort *found;

	if (c->aborts.size == 0)
		return NULL;
	found = bsearch(&entry->last_offset, c->aborts.data,
	    c->aborts.size / sizeof(*found), sizeof(*found), by_marker);
	return found != NULL && found->entry.producer_id == entry->producer_id
		   ? found
		   : NULL;
}

/* Where nothing was taken away, an entry is what the log says.  Compaction can
 * take the first batches of a transaction, and what kept it from being
 * stable; Kafka keeps the entry as it was. */
static bool
is_entry_right(
    const struct stream_collecting *c, const struct stream_aborted *entry)
{
	const struct stream_found_abort *found = find_abort(c, entry);

	if (found == NULL)
		return false;
	if (c->gapped)
		return entry->first_offset <= found->entry.first_offset;
	return memcmp(entry, &found->entry, sizeof(*entry)) == 0;
}

static void
check_entries(struct stream_collecting *c, struct stream_finding *segment,
    struct stream_bytes bytes)
{
	const struct stream_found_abort *aborts = (const void *)c->aborts.data;
	size_t count = c->aborts.size / sizeof(*aborts);
	size_t at = 0, matched = 0;
	struct stream_aborted entry;

	while (stream_aborted_take(bytes.data + at, bytes.size - at, &entry,
		   NULL) == STREAM_OK) {
		if (!is_entry_right(c, &entry))
			stream_finding_condemn(&segment->txnindex_wrong,
			    segment->txnindex_why,
			    "entry %zu: the log does not have it",
			    at / STREAM_TXNINDEX_ENTRY);
		at += STREAM_TXNINDEX_ENTRY;
		while (matched < count && (aborts[matched].entry.last_offset ==
						  entry.last_offset ||
					      !aborts[matched].has_records))
			matched++;
	}
	while (matched < count && !aborts[matched].has_records)
		matched++;
	if (matched < count)
		stream_finding_condemn(&segment->txnindex_wrong,
		    segment->txnindex_why,
		    bytes.size == 0 ? "is missing"
				    : "lacks the abort at offset %lld",
		    (long long)aborts[matched].entry.last_offset);
}

/* Larger than any that the segment can need: an abort takes 78 bytes. */
int
stream_finding_check_txnindex(struct stream_collecting *c,
    struct stream_finding *segment, int64_t end_offset,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	struct stream_error why = {.text = ""};
	struct stream_buf file;
	struct stream_bytes bytes;
	size_t count;
	int status;

	stream_finding_name(segment, STREAM_NAME_TXNINDEX, name);
	stream_buf_init(&file);
	status = stream_io_load(
	    c->source->dirfd, name, (size_t)1 << 30, &file, &why);
	bytes = (struct stream_bytes){file.data, file.size};
	if (status == STREAM_OK)
		status = stream_txnindex_check(
		    bytes, segment->base_offset, end_offset, &count, &why);
	if (status == STREAM_OK || status == STREAM_ENOENT) {
		check_entries(c, segment, bytes);
		status = STREAM_OK;
	} else if (status == STREAM_ECORRUPT || status == STREAM_ENEWER ||
		   status == STREAM_ETORN) {
		stream_finding_condemn(&segment->txnindex_wrong,
		    segment->txnindex_why, "%.70s", why.text);
		status = STREAM_OK;
	} else if (err != NULL) {
		*err = why;
	}
	stream_buf_release(&file);
	return status;
}

/* ---- the partition's other files ---------------------------------------- */

static int
add_epoch_stays(struct stream_collecting *c,
    const struct stream_epochs_run *run, struct stream_error *err)
{
	char text[STREAM_NAME_SIZE];
	struct stream_repair_step step;

	stream_finding_name(
	    &c->findings->segments[run->segment], STREAM_NAME_LOG, text);
	step = stream_finding_step(STREAM_REPAIR_STAYS, text, "");
	snprintf(step.text, sizeof(step.text),
	    "leader epoch %d where the checkpoint says %d", run->epoch,
	    run->expected);
	step.position = run->position;
	step.first_offset = run->first_offset;
	step.last_offset = run->last_offset;
	step.records = run->last_offset - run->first_offset + 1;
	return stream_repair_add(c->repair, &step, err);
}

static int
check_epochs(struct stream_collecting *c, struct stream_error *err)
{
	struct stream_findings *f = c->findings;
	const struct stream_epochs_run *runs;
	int status = stream_epochs_check_end(&f->epochs,
	    f->newest_damaged ? INT64_MAX : f->end_offset, f->damaged, err);

	runs = (const void *)f->epochs.runs.data;
	for (size_t i = 0;
	     i < f->epochs.runs.size / sizeof(*runs) && status == STREAM_OK;
	     i++)
		status = add_epoch_stays(c, &runs[i], err);
	return status;
}

static bool
is_base(const struct stream_findings *findings, int64_t offset)
{
	for (size_t i = 1; i < findings->count; i++)
		if (findings->segments[i].base_offset == offset)
			return true;
	return false;
}

/* One that is neither a segment's nor the end's: Kafka takes the newest sound
 * one below what it looks for, so it must not be about another log. */
static int
check_stray(struct stream_collecting *c, const char *name, int64_t offset,
    struct stream_error *err)
{
	const struct stream_findings *f = c->findings;
	struct stream_snapshot_entry *entries = NULL;
	size_t count;
	int status;

	if (offset > f->end_offset && !f->newest_damaged)
		return stream_finding_add_aside(
		    c, name, "describes a log that is longer", err);
	if (is_base(f, offset) || offset >= f->end_offset)
		return STREAM_OK;
	status = stream_snapshot_load(
	    c->source->dirfd, offset, &entries, &count, NULL);
	free(entries);
	if (status != STREAM_ECORRUPT && status != STREAM_ENEWER)
		return STREAM_OK;
	return stream_finding_add_aside(
	    c, name, "is no snapshot that can be read", err);
}

static int
check_strays(struct stream_collecting *c, struct stream_error *err)
{
	struct stream_buf names;
	struct stream_name name;
	int status;

	stream_buf_init(&names);
	status = stream_dir_list(c->source->dirfd, &names, err);
	for (const char *n = stream_dir_next(&names, NULL);
	     n != NULL && status == STREAM_OK; n = stream_dir_next(&names, n))
		if (stream_name_parse(n, &name) &&
		    name.kind == STREAM_NAME_SNAPSHOT &&
		    name.state == STREAM_NAME_PLAIN)
			status = check_stray(c, n, name.base_offset, err);
	stream_buf_release(&names);
	return status;
}

int
stream_finding_check_end(struct stream_collecting *c, struct stream_error *err)
{
	struct stream_findings *f = c->findings;
	int status = STREAM_OK;

	if (f->count == 0)
		return STREAM_OK;
	if (c->producers_known &&
	    f->end_offset > f->segments[f->count - 1].base_offset)
		status = stream_finding_check_snapshot(c, f->end_offset,
		    &f->end_snapshot_wrong, f->end_snapshot_why, err);
	if (status == STREAM_OK)
		status = check_epochs(c, err);
	if (status == STREAM_OK)
		status = check_strays(c, err);
	return status;
}
