#include "log/findings.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/snapshot.h"
#include "file/state.h"
#include "log/epochs_rebuild.h"
#include "log/producers.h"
#include "log/survey.h"
#include "log/view.h"

/* An abort of the segment that is being walked. */
struct found_abort {
	struct stream_aborted entry;
	bool has_records;
};

struct collecting {
	const struct stream_repair_source *source;
	struct stream_findings *findings;
	struct stream_repair *repair;
	struct stream_view view;
	struct stream_state state; /* sequence 0: there is none */
	struct stream_producers *producers;
	bool producers_known; /* no damage since the last sound snapshot */
	bool gapped;          /* compaction or retention took records away */
	struct stream_buf epochs; /* of struct stream_epoch */
	struct stream_buf aborts; /* of struct found_abort */
};

void
stream_findings_release(struct stream_findings *findings)
{
	free(findings->segments);
	*findings = (struct stream_findings){.segments = NULL};
}

__attribute__((format(printf, 3, 4))) static void
condemn(bool *wrong, char why[static 80], const char *format, ...)
{
	va_list args;

	if (*wrong)
		return;
	*wrong = true;
	va_start(args, format);
	vsnprintf(why, 80, format, args);
	va_end(args);
}

static struct stream_repair_step
make_step(enum stream_repair_action action, const char *file, const char *why)
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

static void
put_name(const struct stream_finding *segment, enum stream_name_kind kind,
    char text[static STREAM_NAME_SIZE])
{
	struct stream_name name = {segment->base_offset, kind, segment->state};

	stream_name_put(&name, text);
}

/* ---- what is missing ---------------------------------------------------- */

static int
add_stays(struct collecting *c, const struct stream_repair_step *step,
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
add_lost(struct collecting *c, int64_t base, int64_t first, const char *why,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	struct stream_repair_step step;

	stream_name_put_plain(base, STREAM_NAME_LOG, name);
	step = make_step(STREAM_REPAIR_STAYS, name, why);
	step.first_offset = first;
	step.last_offset = c->state.next_offset - 1;
	step.records = step.last_offset + 1 - first;
	return add_stays(c, &step, err);
}

static int
load_state(struct collecting *c, struct stream_error *err)
{
	int status = stream_state_load(c->source->dirfd, &c->state, err);

	if (status == STREAM_OK && (c->state.marks & STREAM_MARK_DELETED) != 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "the topic was deleted");
	return status;
}

/* The state remembers a newer segment than there is. */
static int
check_newest(struct collecting *c, struct stream_error *err)
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
check_durable(struct collecting *c, const struct stream_survey *survey,
    struct stream_error *err)
{
	if (survey->size >= survey->source.durable_end)
		return STREAM_OK;
	return add_lost(c, survey->source.base_offset, survey->next_offset,
	    "is shorter than what was made durable", err);
}

/* ---- one segment's log -------------------------------------------------- */

/* A header that can be read says how many records the bytes hold. */
static void
count_claimed(int fd, const struct stream_survey_find *find,
    struct stream_repair_step *step)
{
	uint8_t header[STREAM_BATCH_HEADER];
	int64_t delta;
	size_t got;

	if (stream_io_read_at(fd, header, sizeof(header), find->position, &got,
		NULL) != STREAM_OK ||
	    got < sizeof(header) ||
	    (int64_t)stream_load64(header) != find->first_offset)
		return;
	delta = (int32_t)stream_load32(header + 23);
	if (delta < 0)
		return;
	step->records = delta + 1;
	step->last_offset = find->first_offset + delta;
}

static struct stream_repair_step
step_of(const struct stream_finding *segment,
    const struct stream_survey_find *find, int fd)
{
	char name[STREAM_NAME_SIZE];
	struct stream_repair_step step;

	put_name(segment, STREAM_NAME_LOG, name);
	step = make_step(STREAM_REPAIR_STAYS, name, find->text);
	step.position = find->position;
	step.bytes = find->size;
	step.first_offset = find->first_offset;
	step.records = -1;
	if (find->end_offset < 0) {
		count_claimed(fd, find, &step);
	} else {
		step.last_offset = find->end_offset - 1;
		step.records = find->end_offset - find->first_offset;
	}
	return step;
}

static int
add_hole(struct collecting *c, struct stream_finding *segment,
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

static int
add_cut(struct collecting *c, const struct stream_finding *segment,
    const struct stream_survey_find *find, int fd, struct stream_error *err)
{
	struct stream_findings *f = c->findings;
	struct stream_repair_step step = step_of(segment, find, fd);
	int status = is_all_zero(fd, find->position, &f->cut_zeros, err);

	if (status != STREAM_OK)
		return status;
	step.action = STREAM_REPAIR_CUT;
	snprintf(step.text, sizeof(step.text), "%s",
	    f->cut_zeros                     ? "zeros after the last batch"
	    : find->tail == STREAM_TAIL_TORN ? "an append that did not finish"
					     : find->text);
	f->cut = true;
	f->cut_torn = find->tail == STREAM_TAIL_TORN;
	f->cut_position = find->position;
	return stream_repair_add(c->repair, &step, err);
}

static int
note_abort(struct collecting *c, const struct stream_producers_abort *abort,
    struct stream_error *err)
{
	struct found_abort found = {abort->entry, abort->has_records};

	return stream_buf_add(&c->aborts, &found, sizeof(found), err);
}

/* A control batch that cannot be read tells nothing of its producer. */
static int
feed_producers(struct collecting *c, const struct stream_survey_find *find,
    struct stream_error *err)
{
	struct stream_producers_abort abort;
	int status;

	if (!c->producers_known)
		return STREAM_OK;
	status = stream_producers_add(
	    c->producers, &find->batch.info, find->bytes, &abort, err);
	if (status == STREAM_OK && abort.happened)
		status = note_abort(c, &abort, err);
	if (status != STREAM_ECORRUPT && status != STREAM_ENEWER)
		return status;
	c->producers_known = false;
	return STREAM_OK;
}

static int
add_batch(struct collecting *c, struct stream_index_check *check,
    const struct stream_survey_find *find, int64_t expected,
    struct stream_error *err)
{
	int status = stream_index_check_add(check, &find->batch, err);

	c->gapped |=
	    find->batch.info.base_offset != expected ||
	    find->batch.info.record_count != find->batch.last_offset_delta + 1;
	if (status == STREAM_OK)
		status = stream_epochs_note(&c->epochs, &find->batch.info, err);
	if (status == STREAM_OK)
		status = feed_producers(c, find, err);
	return status;
}

static int
walk_batches(struct collecting *c, struct stream_finding *segment,
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
			status = add_batch(c, check, &find, expected, err);
		else if (find.kind == STREAM_SURVEY_HOLE)
			status = add_hole(c, segment, &find, fd, err);
		else
			status = add_cut(c, segment, &find, fd, err);
		if (status != STREAM_OK)
			return status;
	}
}

/* ---- snapshots and .txnindex -------------------------------------------- */

/* Kafka keeps a snapshot for each segment, if only to say that there are no
 * producers.  Of a topic of ours, which has none, none is missed. */
static bool
is_missed(const struct collecting *c)
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

/* Take what the snapshot of this offset says, or say what is wrong with it.
 * Missing is wrong where one is missed. */
static int
check_snapshot(struct collecting *c, int64_t offset, bool *wrong, char *why,
    struct stream_error *err)
{
	struct stream_snapshot_entry *entries = NULL;
	struct stream_error reason = {.text = ""};
	size_t count;
	int status = stream_snapshot_load(
	    c->source->dirfd, offset, &entries, &count, &reason);

	if (status == STREAM_OK && fault_in(entries, count, offset) != NULL) {
		condemn(wrong, why, "%s", fault_in(entries, count, offset));
	} else if (status == STREAM_OK) {
		status =
		    stream_producers_load(c->producers, entries, count, err);
		c->producers_known = status == STREAM_OK;
	} else if (status == STREAM_ENOENT) {
		if (is_missed(c))
			condemn(wrong, why, "is missing");
		status = STREAM_OK;
	} else if (status == STREAM_ECORRUPT || status == STREAM_ENEWER) {
		condemn(wrong, why, "%.70s", reason.text);
		status = STREAM_OK;
	} else if (err != NULL) {
		*err = reason;
	}
	free(entries);
	return status;
}

static int
by_marker(const void *key, const void *item)
{
	int64_t offset = *(const int64_t *)key;
	int64_t marker = ((const struct found_abort *)item)->entry.last_offset;

	return (offset > marker) - (offset < marker);
}

static const struct found_abort *
find_abort(const struct collecting *c, const struct stream_aborted *entry)
{
	const struct found_abort *found;

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
is_entry_right(const struct collecting *c, const struct stream_aborted *entry)
{
	const struct found_abort *found = find_abort(c, entry);

	if (found == NULL)
		return false;
	if (c->gapped)
		return entry->first_offset <= found->entry.first_offset;
	return memcmp(entry, &found->entry, sizeof(*entry)) == 0;
}

static void
check_entries(struct collecting *c, struct stream_finding *segment,
    struct stream_bytes bytes)
{
	const struct found_abort *aborts = (const void *)c->aborts.data;
	size_t count = c->aborts.size / sizeof(*aborts);
	size_t at = 0, matched = 0;
	struct stream_aborted entry;

	while (stream_aborted_take(bytes.data + at, bytes.size - at, &entry,
		   NULL) == STREAM_OK) {
		if (!is_entry_right(c, &entry))
			condemn(&segment->txnindex_wrong, segment->txnindex_why,
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
		condemn(&segment->txnindex_wrong, segment->txnindex_why,
		    bytes.size == 0 ? "is missing"
				    : "lacks the abort at offset %lld",
		    (long long)aborts[matched].entry.last_offset);
}

/* Larger than any that the segment can need: an abort takes 78 bytes. */
static int
check_txnindex(struct collecting *c, struct stream_finding *segment,
    int64_t end_offset, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	struct stream_error why = {.text = ""};
	struct stream_buf file;
	struct stream_bytes bytes;
	size_t count;
	int status;

	put_name(segment, STREAM_NAME_TXNINDEX, name);
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
		condemn(&segment->txnindex_wrong, segment->txnindex_why,
		    "%.70s", why.text);
		status = STREAM_OK;
	} else if (err != NULL) {
		*err = why;
	}
	stream_buf_release(&file);
	return status;
}

/* ---- one segment -------------------------------------------------------- */

static int
walk_segment(struct collecting *c, struct stream_finding *segment,
    struct stream_survey *survey, struct stream_error *err)
{
	struct stream_index_check *check = NULL;
	int status = stream_index_check_new(c->source->dirfd,
	    segment->base_offset, segment->state, segment->closed,
	    c->source->config.index_interval_bytes, &check, err);

	if (status == STREAM_OK)
		status = walk_batches(c, segment, survey, check, err);
	if (status == STREAM_OK)
		status = stream_index_check_end(
		    check, &segment->offsets, &segment->times, err);
	stream_index_check_free(check);
	if (status == STREAM_OK && c->producers_known)
		status = check_txnindex(c, segment, survey->next_offset, err);
	if (status == STREAM_OK && !segment->closed)
		status = check_durable(c, survey, err);
	return status;
}

static int
survey_segment(struct collecting *c, size_t i, struct stream_error *err)
{
	struct stream_finding *segment = &c->findings->segments[i];
	struct stream_survey_source source = {
	    .base_offset = segment->base_offset,
	    .next_base = segment->closed ? segment[1].base_offset : -1,
	    .cap = c->source->cap,
	    .dense = c->source->config.dense,
	};
	struct stream_survey survey;
	int status =
	    stream_view_open(&c->view, i, c->source->dirfd, &source.fd, err);

	if (status != STREAM_OK)
		return status;
	if (c->state.sequence != 0 &&
	    c->state.active_base == segment->base_offset)
		source.durable_end = c->state.durable_end;
	c->aborts.size = 0;
	status = stream_survey_init(&survey, &source, err);
	if (status == STREAM_OK)
		status = walk_segment(c, segment, &survey, err);
	c->findings->end_offset = survey.next_offset;
	stream_survey_release(&survey);
	close(source.fd);
	return status;
}

static int
walk_segments(struct collecting *c, struct stream_error *err)
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

		/* Of the first none is missed: before it there is nothing. */
		segment->snapshot_known = c->producers_known;
		if (i > 0)
			status = check_snapshot(c, segment->base_offset,
			    &segment->snapshot_wrong, segment->snapshot_why,
			    err);
		if (status == STREAM_OK)
			status = survey_segment(c, i, err);
	}
	return status;
}

/* ---- the partition's other files ---------------------------------------- */

static int
check_epochs(struct collecting *c, struct stream_error *err)
{
	struct stream_findings *f = c->findings;
	struct stream_epoch *entries = NULL;
	struct stream_error why = {.text = ""};
	size_t count = 0;
	int64_t end = f->newest_damaged ? INT64_MAX : f->end_offset;
	int status =
	    stream_epochs_load(c->source->dirfd, &entries, &count, &why);

	if (status == STREAM_ENOENT && c->epochs.size > 0)
		condemn(&f->epochs_wrong, f->epochs_why, "is missing");
	else if (status == STREAM_ECORRUPT)
		condemn(&f->epochs_wrong, f->epochs_why, "%.70s", why.text);
	else if (status == STREAM_OK && !f->damaged &&
		 !stream_epochs_agree(entries, count, &c->epochs, end))
		condemn(&f->epochs_wrong, f->epochs_why,
		    "does not say what the batches say");
	free(entries);
	if (status != STREAM_EIO && status != STREAM_ENOMEM)
		return STREAM_OK;
	if (err != NULL)
		*err = why;
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

static int
add_aside(struct collecting *c, const char *name, const char *why,
    struct stream_error *err)
{
	struct stream_repair_step step =
	    make_step(STREAM_REPAIR_ASIDE, name, why);

	return stream_repair_add(c->repair, &step, err);
}

/* One that is neither a segment's nor the end's: Kafka takes the newest sound
 * one below what it looks for, so it must not be about another log. */
static int
check_stray(struct collecting *c, const char *name, int64_t offset,
    struct stream_error *err)
{
	const struct stream_findings *f = c->findings;
	struct stream_snapshot_entry *entries = NULL;
	size_t count;
	int status;

	if (offset > f->end_offset && !f->newest_damaged)
		return add_aside(
		    c, name, "describes a log that is longer", err);
	if (is_base(f, offset) || offset >= f->end_offset)
		return STREAM_OK;
	status = stream_snapshot_load(
	    c->source->dirfd, offset, &entries, &count, NULL);
	free(entries);
	if (status != STREAM_ECORRUPT && status != STREAM_ENEWER)
		return STREAM_OK;
	return add_aside(c, name, "is no snapshot that can be read", err);
}

static int
check_strays(struct collecting *c, struct stream_error *err)
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

static int
check_end(struct collecting *c, struct stream_error *err)
{
	struct stream_findings *f = c->findings;
	int status = STREAM_OK;

	if (f->count == 0)
		return STREAM_OK;
	if (c->producers_known &&
	    f->end_offset > f->segments[f->count - 1].base_offset)
		status = check_snapshot(c, f->end_offset,
		    &f->end_snapshot_wrong, f->end_snapshot_why, err);
	if (status == STREAM_OK)
		status = check_epochs(c, err);
	if (status == STREAM_OK)
		status = check_strays(c, err);
	return status;
}

/* ---- deciding ----------------------------------------------------------- */

static unsigned
count_files(const struct stream_findings *f, size_t guess)
{
	unsigned n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += (f->segments[i].offsets.exact >> guess & 1) +
		     (f->segments[i].times.exact >> guess & 1);
	return n;
}

/* What explains most files; of equals the first, which is the topic's own
 * setting. */
static size_t
choose_guess(const struct stream_findings *f)
{
	size_t best = 0;

	for (size_t i = 1; i < STREAM_INDEX_GUESSES; i++)
		if (count_files(f, i) > count_files(f, best))
			best = i;
	return best;
}

/* The other index of the segment says how many entries there were. */
static void
check_cut_short(struct stream_finding *segment, size_t guess)
{
	bool offsets = segment->offsets.cut_short >> guess & 1 &&
		       segment->times.exact >> guess & 1;
	bool times = segment->times.cut_short >> guess & 1 &&
		     segment->offsets.exact >> guess & 1;

	if (!segment->closed)
		return;
	if (offsets)
		condemn(&segment->offsets.wrong, segment->offsets.why,
		    "is cut short");
	if (times)
		condemn(
		    &segment->times.wrong, segment->times.why, "is cut short");
}

static int
add_rebuild(struct collecting *c, const char *name, const char *why,
    struct stream_error *err)
{
	struct stream_repair_step step =
	    make_step(STREAM_REPAIR_REBUILD, name, why);

	return stream_repair_add(c->repair, &step, err);
}

static int
decide_file(struct collecting *c, const struct stream_finding *segment,
    enum stream_name_kind kind, bool *wrong, const char *why,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	if (segment->damaged && kind != STREAM_NAME_SNAPSHOT)
		*wrong = false;
	if (!*wrong)
		return STREAM_OK;
	if (kind != STREAM_NAME_SNAPSHOT) {
		put_name(segment, kind, name);
		return add_rebuild(c, name, why, err);
	}
	stream_name_put_plain(segment->base_offset, kind, name);
	return segment->snapshot_known ? add_rebuild(c, name, why, err)
				       : add_aside(c, name, why, err);
}

static int
decide_segment(struct collecting *c, struct stream_finding *segment,
    struct stream_error *err)
{
	int status = decide_file(c, segment, STREAM_NAME_SNAPSHOT,
	    &segment->snapshot_wrong, segment->snapshot_why, err);

	if (status == STREAM_OK)
		status = decide_file(c, segment, STREAM_NAME_INDEX,
		    &segment->offsets.wrong, segment->offsets.why, err);
	if (status == STREAM_OK)
		status = decide_file(c, segment, STREAM_NAME_TIMEINDEX,
		    &segment->times.wrong, segment->times.why, err);
	if (status == STREAM_OK)
		status = decide_file(c, segment, STREAM_NAME_TXNINDEX,
		    &segment->txnindex_wrong, segment->txnindex_why, err);
	return status;
}

static int
decide(struct collecting *c, struct stream_error *err)
{
	struct stream_findings *f = c->findings;
	size_t guess = choose_guess(f);
	char name[STREAM_NAME_SIZE];
	int status = STREAM_OK;

	f->index_interval_bytes =
	    stream_index_guess(guess, c->source->config.index_interval_bytes);
	if (c->source->index_guess > 0)
		f->index_interval_bytes = c->source->index_guess;
	for (size_t i = 0; i < f->count && status == STREAM_OK; i++) {
		check_cut_short(&f->segments[i], guess);
		status = decide_segment(c, &f->segments[i], err);
	}
	stream_name_put_plain(
	    f->end_offset >= 0 ? f->end_offset : 0, STREAM_NAME_SNAPSHOT, name);
	if (status == STREAM_OK && f->end_snapshot_wrong)
		status = add_rebuild(c, name, f->end_snapshot_why, err);
	if (status == STREAM_OK && f->epochs_wrong)
		status = add_rebuild(c, STREAM_EPOCHS_FILE, f->epochs_why, err);
	return status;
}

static int
collect(struct collecting *c, struct stream_error *err)
{
	int status = stream_view_load(c->source->dirfd, &c->view, err);

	if (status == STREAM_OK)
		status = load_state(c, err);
	if (status == STREAM_OK)
		status = check_newest(c, err);
	if (status == STREAM_OK)
		status = walk_segments(c, err);
	if (status == STREAM_OK)
		status = check_end(c, err);
	if (status == STREAM_OK)
		status = decide(c, err);
	return status;
}

int
stream_findings_collect(const struct stream_repair_source *source,
    struct stream_findings *findings, struct stream_repair *repair,
    struct stream_error *err)
{
	struct collecting c = {
	    .source = source,
	    .findings = findings,
	    .repair = repair,
	    .producers_known = true,
	};
	int status = stream_producers_new(&c.producers, err);

	*findings = (struct stream_findings){.end_offset = -1};
	if (status != STREAM_OK)
		return status;
	stream_buf_init(&c.epochs);
	stream_buf_init(&c.aborts);
	status = collect(&c, err);
	stream_producers_free(c.producers);
	stream_buf_release(&c.epochs);
	stream_buf_release(&c.aborts);
	stream_view_release(&c.view);
	return status;
}
