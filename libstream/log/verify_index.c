/*
 * verify_index.c - .index and .timeindex against the log
 *
 * SPEC section 5.  Entries are taken as the batches that they name pass, so
 * memory does not grow with the files.  An entry that is out of order must not
 * be waited for: the one after it tells which of two is wrong.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "log/indexer.h"
#include "log/verify_private.h"

/* Told one by one; a file of noise is told in one line after that. */
enum { TOLD_MOST = 20 };

/* ---- opening ------------------------------------------------------------ */

static int
open_name(struct stream_verify *verify, struct stream_verify_index *index,
    const struct stream_name *name, struct stream_error *err)
{
	int status;

	stream_name_put(name, index->name);
	status = stream_entries_open(&index->walk, verify->source->dirfd,
	    index->name,
	    index->is_time ? STREAM_TIMEINDEX_ENTRY : STREAM_INDEX_ENTRY, err);
	index->is_open = status == STREAM_OK;
	return status;
}

/* Was the segment compacted since it was listed?  Then the old indexes have
 * gone, and the old log, which still has its name, will be gone next. */
static int
look_for_swap(struct stream_verify *verify, struct stream_error *err)
{
	struct stream_view view;
	size_t i;
	int status;

	if (verify->source->only != NULL)
		return STREAM_OK;
	status = stream_view_load(verify->source->dirfd, &view, err);
	if (status != STREAM_OK)
		return status;
	i = view.count > 0 ? stream_view_find(&view, verify->base) : 0;
	if (view.count > 0 && view.segments[i].swap)
		verify->gone = true;
	stream_view_release(&view);
	return STREAM_OK;
}

/* A swap that is under way, or was cut off, gives the log its plain name before
 * its indexes. */
static int
open_one(struct stream_verify *verify, struct stream_verify_index *index,
    enum stream_name_kind kind, struct stream_error *err)
{
	bool is_time = kind == STREAM_NAME_TIMEINDEX;
	struct stream_name name;
	struct stream_entries walk = index->walk;
	int status;

	*index = (struct stream_verify_index){.walk = walk, .is_time = is_time};
	stream_name_parse(verify->log_name, &name);
	name.kind = kind;
	status = open_name(verify, index, &name, err);
	if (status == STREAM_ENOENT && name.state == STREAM_NAME_PLAIN) {
		status = look_for_swap(verify, err);
		name.state = STREAM_NAME_SWAP;
		if (status == STREAM_OK)
			status = open_name(verify, index, &name, err);
	}
	if (status != STREAM_ENOENT)
		return status;
	stream_name_parse(verify->log_name, &name);
	name.kind = kind;
	stream_name_put(&name, index->name);
	return STREAM_OK;
}

int
stream_verify_indexes_open(
    struct stream_verify *verify, struct stream_error *err)
{
	int status = open_one(verify, &verify->index, STREAM_NAME_INDEX, err);

	verify->largest_ms = STREAM_NO_TIMESTAMP;
	verify->last_epoch = -1;
	verify->epoch_changes = 0;
	if (status == STREAM_OK)
		status = open_one(
		    verify, &verify->timeindex, STREAM_NAME_TIMEINDEX, err);
	return status;
}

/* ---- taking entries ----------------------------------------------------- */

static struct stream_verify_where
at_entry(const struct stream_verify_index *index)
{
	return (struct stream_verify_where){
	    index->name, index->entry.at, -1, -1};
}

/* The entry is wrong: tell it, the first few times. */
__attribute__((format(printf, 4, 5))) static void
wrong(struct stream_verify *verify, struct stream_verify_index *index,
    enum stream_verify_kind kind, const char *format, ...)
{
	char text[160];
	va_list args;

	index->has_entry = false;
	index->started = false;
	if (++index->wrong > TOLD_MOST)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	stream_verify_damage(verify, kind, at_entry(index),
	    "entry %" PRIu64 " %s", index->entry.number, text);
}

/* The entry is right. */
static void
settle(struct stream_verify_index *index)
{
	index->last = index->entry;
	index->has_last = true;
	index->has_entry = false;
	index->started = false;
}

static int
peek(const struct stream_verify *verify, struct stream_verify_index *index,
    struct stream_verify_entry *entry, struct stream_error *err)
{
	const uint8_t *bytes;
	int status = stream_entries_peek(&index->walk, &bytes, err);

	if (status == STREAM_END)
		return status;
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", index->name);
	entry->number = index->walk.next;
	entry->at = index->walk.next * index->walk.entry;
	if (index->is_time) {
		entry->key = (int64_t)stream_load64(bytes);
		entry->offset = (int64_t)stream_load32(bytes + 8);
	} else {
		entry->key = (int64_t)stream_load32(bytes + 4);
		entry->offset = (int64_t)stream_load32(bytes);
	}
	/* A base near the end of the range leads nowhere that matters. */
	if (__builtin_add_overflow(entry->offset, verify->base, &entry->offset))
		entry->offset = INT64_MAX;
	return STREAM_OK;
}

/* Two times never have one offset, but a broker does not say so: offsets of
 * the time index need only not fall. */
static bool
follows(const struct stream_verify_index *index,
    const struct stream_verify_entry *before,
    const struct stream_verify_entry *entry)
{
	return entry->key > before->key &&
	       (entry->offset > before->offset ||
		   (index->is_time && entry->offset == before->offset));
}

/*
 * Of two entries that are not in order, is it the first that is wrong?  Then
 * no batch needs to be waited for.  If the one after them follows the first, it
 * is not.  next and third are NULL after the last one.
 */
static bool
is_out_of_order(const struct stream_verify_index *index,
    const struct stream_verify_entry *next,
    const struct stream_verify_entry *third)
{
	const struct stream_verify_entry *entry = &index->entry;

	if (index->has_last && !follows(index, &index->last, entry))
		return true;
	if (next == NULL || follows(index, entry, next))
		return false;
	if (third != NULL && follows(index, entry, third))
		return false;
	return index->has_last ? follows(index, &index->last, next)
			       : third != NULL;
}

/* The two entries after the one that was taken, as far as there are. */
static int
peek_two(struct stream_verify *verify, struct stream_verify_index *index,
    struct stream_verify_entry *two, int *count, struct stream_error *err)
{
	int status = peek(verify, index, &two[0], err);

	*count = 0;
	if (status == STREAM_OK) {
		*count = 1;
		index->walk.next++;
		status = peek(verify, index, &two[1], err);
		index->walk.next--;
	}
	if (status == STREAM_OK)
		*count = 2;
	return status == STREAM_END ? STREAM_OK : status;
}

/* Have an entry that waits for its batch.  STREAM_END when there is none. */
static int
take(struct stream_verify *verify, struct stream_verify_index *index,
    struct stream_error *err)
{
	struct stream_verify_entry two[2];
	int count;

	while (!index->has_entry) {
		int status = peek(verify, index, &index->entry, err);

		if (status != STREAM_OK)
			return status;
		index->walk.next++;
		index->has_entry = true;
		status = peek_two(verify, index, two, &count, err);
		if (status != STREAM_OK)
			return status;
		if (!index->is_time &&
		    (uint64_t)index->entry.key >= verify->size)
			wrong(verify, index, STREAM_FINDING_INDEX_ENTRY,
			    "points to byte %" PRId64
			    ", which the log does not have",
			    index->entry.key);
		else if (is_out_of_order(index, count > 0 ? &two[0] : NULL,
			     count > 1 ? &two[1] : NULL))
			wrong(verify, index, STREAM_FINDING_INDEX_ORDER,
			    "is not in order with the entries beside it");
	}
	return STREAM_OK;
}

/* ---- batches ------------------------------------------------------------ */

/* Does an entry that began before this batch end before it, too? */
static int
is_over(struct stream_verify *verify, struct stream_verify_index *index,
    const struct stream_batch_info *info, bool *over, struct stream_error *err)
{
	struct stream_verify_entry next;
	int status = peek(verify, index, &next, err);

	*over = status == STREAM_OK && next.key >= 0 &&
		(uint64_t)next.key <= info->position;
	return status == STREAM_END ? STREAM_OK : status;
}

/*
 * The entry's batch is here, or came before (started): the offset must be the
 * last one of this batch.  A broker before 4.1 makes an entry for an append of
 * several batches: the first one's position with the last one's offset.
 */
static bool
match_offset(struct stream_verify *verify, const struct stream_batch_info *info)
{
	struct stream_verify_index *index = &verify->index;
	int64_t offset = index->entry.offset;

	if (offset == info->last_offset) {
		settle(index);
		return true;
	}
	if (offset > info->last_offset && !verify->dense) {
		index->started = true;
		return false;
	}
	wrong(verify, index, STREAM_FINDING_INDEX_ENTRY,
	    "names offset %" PRId64 ", but a batch ends with %" PRId64
	    " at byte %" PRId64,
	    offset, info->last_offset, index->entry.key);
	return true;
}

static int
pass_offsets(struct stream_verify *verify, const struct stream_batch_info *info,
    struct stream_error *err)
{
	struct stream_verify_index *index = &verify->index;
	bool go_on = true;
	int status = STREAM_OK;

	while (go_on && (status = take(verify, index, err)) == STREAM_OK) {
		uint64_t position = (uint64_t)index->entry.key;
		bool over = false;

		if (index->started)
			status = is_over(verify, index, info, &over, err);
		if (status != STREAM_OK)
			return status;
		if (over)
			wrong(verify, index, STREAM_FINDING_INDEX_ENTRY,
			    "names offset %" PRId64
			    ", with which no batch from byte %" PRId64
			    " to the next entry ends",
			    index->entry.offset, index->entry.key);
		else if (index->started || position == info->position)
			go_on = match_offset(verify, info);
		else if (position > info->position)
			go_on = false;
		else
			wrong(verify, index, STREAM_FINDING_INDEX_ENTRY,
			    "points to byte %" PRId64 ", where no batch starts",
			    index->entry.key);
	}
	return status == STREAM_END ? STREAM_OK : status;
}

/* Brokers before 3.7 name the record that has the time, others the last one of
 * its batch; we the latter. */
static void
match_time(struct stream_verify *verify, const struct stream_batch_info *info)
{
	struct stream_verify_index *index = &verify->timeindex;
	const struct stream_verify_entry *entry = &index->entry;

	if (entry->offset < info->base_offset)
		wrong(verify, index, STREAM_FINDING_INDEX_ENTRY,
		    "names offset %" PRId64 ", which the log does not have",
		    entry->offset);
	else if (entry->key != info->max_timestamp_ms)
		wrong(verify, index, STREAM_FINDING_INDEX_ENTRY,
		    "has time %" PRId64 ", but the batch with offset %" PRId64
		    " has %" PRId64,
		    entry->key, entry->offset, info->max_timestamp_ms);
	else if (entry->key <= verify->largest_ms)
		wrong(verify, index, STREAM_FINDING_INDEX_ENTRY,
		    "has time %" PRId64 ", which a batch before offset %" PRId64
		    " reached",
		    entry->key, entry->offset);
	else if (verify->dense && entry->offset != info->last_offset)
		wrong(verify, index, STREAM_FINDING_INDEX_ENTRY,
		    "names offset %" PRId64
		    ", not the last one of its batch, %" PRId64,
		    entry->offset, info->last_offset);
	else
		settle(index);
}

static int
pass_times(struct stream_verify *verify, const struct stream_batch_info *info,
    struct stream_error *err)
{
	struct stream_verify_index *index = &verify->timeindex;
	int status;

	while ((status = take(verify, index, err)) == STREAM_OK &&
	       index->entry.offset <= info->last_offset)
		match_time(verify, info);
	return status == STREAM_END ? STREAM_OK : status;
}

int
stream_verify_indexes_batch(struct stream_verify *verify,
    const struct stream_batch_info *info, struct stream_error *err)
{
	int status = STREAM_OK;

	if (verify->index.is_open)
		status = pass_offsets(verify, info, err);
	if (status == STREAM_OK && verify->timeindex.is_open)
		status = pass_times(verify, info, err);
	if (info->max_timestamp_ms > verify->largest_ms)
		verify->largest_ms = info->max_timestamp_ms;
	if (verify->last_epoch >= 0 && info->leader_epoch != verify->last_epoch)
		verify->epoch_changes++;
	verify->last_epoch = info->leader_epoch;
	return status;
}

/* Entries that name something in the hole are believed. */
void
stream_verify_pass_hole(struct stream_verify *verify, uint64_t from,
    uint64_t end, int64_t end_offset)
{
	struct stream_verify_index *index = &verify->index;

	verify->chain.gapless = false;
	verify->chain.broken = true;
	while (index->is_open && take(verify, index, NULL) == STREAM_OK &&
	       (index->started || ((uint64_t)index->entry.key >= from &&
				      (uint64_t)index->entry.key < end)))
		settle(index);
	index = &verify->timeindex;
	while (index->is_open && take(verify, index, NULL) == STREAM_OK &&
	       index->entry.offset < end_offset)
		settle(index);
}

void
stream_verify_pass_doubtful(struct stream_verify *verify,
    const struct stream_batch_info *info, int64_t end_offset)
{
	struct stream_verify_index *index = &verify->timeindex;

	stream_verify_pass_hole(
	    verify, info->position, info->position + info->size, end_offset);
	if (index->is_open && take(verify, index, NULL) == STREAM_OK &&
	    index->entry.offset == info->last_offset &&
	    index->entry.key == info->max_timestamp_ms)
		settle(index);
}

/* ---- the end ------------------------------------------------------------ */

static void
check_missing(struct stream_verify *verify, struct stream_verify_index *index)
{
	struct stream_verify_where where = {
	    index->name, STREAM_POS_NONE, -1, -1};
	const char *what = index->is_time ? "time index" : "offset index";

	if (index->is_open || verify->source->only != NULL)
		return;
	/* A segment is made first, its indexes with the first batch. */
	if (verify->newest && verify->size == 0)
		stream_verify_note(verify, STREAM_FINDING_MISSING_INDEX, where,
		    "an empty segment has no %s", what);
	else
		stream_verify_damage(verify, STREAM_FINDING_MISSING_INDEX,
		    where, "the segment has no %s", what);
}

/* Brokers make the indexes of the newest segment long at once, we do not. */
static void
check_size(struct stream_verify *verify, struct stream_verify_index *index)
{
	const struct stream_entries *walk = &index->walk;
	uint64_t zeros = stream_entries_zero_slots(walk);
	uint64_t used = walk->count * walk->entry;

	if (stream_entries_rest(walk) != 0)
		stream_verify_damage(verify, STREAM_FINDING_INDEX_SIZE,
		    (struct stream_verify_where){index->name,
			walk->size - stream_entries_rest(walk), -1, -1},
		    "%" PRIu64 " bytes are not a multiple of %zu, the size of "
		    "an entry",
		    walk->size, walk->entry);
	if (zeros == 0)
		return;
	if (verify->newest && !verify->source->is_ours)
		stream_verify_note(verify, STREAM_FINDING_ZERO_SLOTS,
		    (struct stream_verify_where){index->name, used, -1, -1},
		    "%" PRIu64 " slots were made and not used", zeros);
	else
		stream_verify_damage(verify, STREAM_FINDING_ZERO_SLOTS,
		    (struct stream_verify_where){index->name, used, -1, -1},
		    "%" PRIu64 " entries are zero", zeros);
}

/* Entries that no batch came for. */
static int
check_rest(struct stream_verify *verify, struct stream_verify_index *index,
    struct stream_error *err)
{
	int status;

	while ((status = take(verify, index, err)) == STREAM_OK)
		wrong(verify, index, STREAM_FINDING_INDEX_ENTRY,
		    index->is_time || index->started
			? "names an offset past the end of the log"
			: "points to a byte where no batch starts");
	if (index->wrong > TOLD_MOST)
		stream_verify_damage(verify, STREAM_FINDING_INDEX_ENTRY,
		    (struct stream_verify_where){
			index->name, STREAM_POS_NONE, -1, -1},
		    "%" PRIu64 " more entries are wrong",
		    index->wrong - TOLD_MOST);
	return status == STREAM_END ? STREAM_OK : status;
}

/* Whoever closes a segment writes a time entry for its largest time; retention
 * after a restart goes by that. */
static void
check_times(struct stream_verify *verify)
{
	const struct stream_verify_index *times = &verify->timeindex;
	int64_t last = times->has_last ? times->last.key : STREAM_NO_TIMESTAMP;

	if (last < verify->largest_ms)
		stream_verify_damage(verify, STREAM_FINDING_INDEX_SHORT,
		    (struct stream_verify_where){times->name,
			times->walk.count * times->walk.entry, -1, -1},
		    "the last entry has time %" PRId64
		    ", but the segment reaches %" PRId64,
		    last, verify->largest_ms);
}

/*
 * Every entry of the time index but that one came with an entry of the offset
 * index, except that a broker also writes one when it stops and goes on in the
 * same segment later.  If it was the leader, another epoch follows; of one that
 * only followed there is no trace, and few can have been in one segment.
 */
static void
check_offsets(struct stream_verify *verify)
{
	enum { UNSEEN_STOPS = 2 };
	const struct stream_verify_index *times = &verify->timeindex;
	const struct stream_verify_index *offsets = &verify->index;
	uint64_t most = offsets->walk.count + 1;

	if (!verify->dense)
		most += verify->epoch_changes + UNSEEN_STOPS;
	if (offsets->is_open && times->walk.count > most)
		stream_verify_damage(verify, STREAM_FINDING_INDEX_SHORT,
		    (struct stream_verify_where){offsets->name,
			offsets->walk.count * offsets->walk.entry, -1, -1},
		    "%" PRIu64 " entries, but the time index has %" PRIu64
		    ", all but one with one of these",
		    offsets->walk.count, times->walk.count);
}

static void
check_complete(struct stream_verify *verify)
{
	const struct stream_verify_index *times = &verify->timeindex;

	if (verify->newest || verify->chain.broken || !times->is_open ||
	    times->wrong > 0)
		return;
	check_times(verify);
	check_offsets(verify);
}

static int
finish_one(struct stream_verify *verify, struct stream_verify_index *index,
    struct stream_error *err)
{
	check_missing(verify, index);
	if (!index->is_open)
		return STREAM_OK;
	check_size(verify, index);
	return check_rest(verify, index, err);
}

int
stream_verify_indexes_finish(
    struct stream_verify *verify, struct stream_error *err)
{
	int status = finish_one(verify, &verify->index, err);

	if (status == STREAM_OK)
		status = finish_one(verify, &verify->timeindex, err);
	if (status == STREAM_OK)
		check_complete(verify);
	return status;
}
