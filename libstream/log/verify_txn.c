/*
 * verify_txn.c - .txnindex and snapshots against the log
 *
 * SPEC sections 5.5 and 6.4.  The state of producers is followed as Kafka
 * follows it.  What compaction took away is not in it, so an entry must agree
 * in every number only while no offset is missing; else with its marker.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/fail.h"
#include "codec/control.h"
#include "log/quiet.h"
#include "log/verify_private.h"

/* Some 40 MiB of producers.  A broker forgets them after a day; whoever has
 * more gets the checks that need no state. */
enum { PRODUCERS_MOST = 400 * 1000 };

static void
drop_producers(struct stream_verify *verify)
{
	stream_producers_free(verify->txns.producers);
	verify->txns.producers = NULL;
	verify->txns.exact = false;
}

/* The state before the first segment: nobody, or what the snapshot of that
 * offset says. */
int
stream_verify_txns_start(struct stream_verify *verify, struct stream_error *err)
{
	struct stream_verify_txns *txns = &verify->txns;
	struct stream_snapshot_entry *entries;
	int64_t at, base = verify->view.segments[0].base_offset;
	size_t count;
	int status = stream_producers_new(&txns->producers, err);

	txns->exact = base == 0;
	if (status != STREAM_OK || base == 0 || verify->source->only != NULL)
		return status;
	status = stream_snapshot_find(
	    verify->source->dirfd, base, &at, &entries, &count, err);
	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	if (at == base) {
		status =
		    stream_producers_load(txns->producers, entries, count, err);
		txns->exact = true;
	}
	free(entries);
	return status;
}

void
stream_verify_txns_release(struct stream_verify *verify)
{
	stream_entries_close(&verify->txns.walk);
	drop_producers(verify);
}

int
stream_verify_txns_open(struct stream_verify *verify, struct stream_error *err)
{
	struct stream_verify_txns *txns = &verify->txns;
	struct stream_name name;
	int status;

	stream_name_parse(verify->log_name, &name);
	name.kind = STREAM_NAME_TXNINDEX;
	stream_name_put(&name, txns->name);
	txns->told_missing = false;
	txns->walk.next = 0;
	status = stream_entries_open(&txns->walk, verify->source->dirfd,
	    txns->name, STREAM_TXNINDEX_ENTRY, err);
	txns->is_open = status == STREAM_OK;
	return status == STREAM_ENOENT ? STREAM_OK : status;
}

/* ---- entries ------------------------------------------------------------ */

static struct stream_verify_where
at_entry(const struct stream_verify_txns *txns, int64_t first, int64_t last)
{
	return (struct stream_verify_where){
	    txns->name, txns->walk.next * STREAM_TXNINDEX_ENTRY, first, last};
}

/* The next entry that can be one; others are told and taken.  STREAM_END when
 * there is none. */
static int
peek(struct stream_verify *verify, struct stream_aborted *entry,
    struct stream_error *err)
{
	struct stream_verify_txns *txns = &verify->txns;
	const uint8_t *bytes;

	for (;; txns->walk.next++) {
		struct stream_error why;
		int status = STREAM_END;

		if (txns->is_open)
			status = stream_entries_peek(&txns->walk, &bytes, err);
		if (status == STREAM_END)
			return status;
		if (status != STREAM_OK)
			return stream_fail_in(err, status, "%s", txns->name);
		if (stream_aborted_take(
			bytes, STREAM_TXNINDEX_ENTRY, entry, &why) == STREAM_OK)
			return STREAM_OK;
		stream_verify_damage(verify, STREAM_FINDING_TXNINDEX,
		    at_entry(txns, -1, -1), "entry %" PRIu64 ": %s",
		    txns->walk.next, why.text);
	}
}

/* Entries for markers before this offset have not met theirs. */
static int
drop_before(
    struct stream_verify *verify, int64_t offset, struct stream_error *err)
{
	struct stream_verify_txns *txns = &verify->txns;
	struct stream_aborted entry;
	int status;

	while ((status = peek(verify, &entry, err)) == STREAM_OK &&
	       entry.last_offset < offset) {
		if (!verify->chain.broken)
			stream_verify_damage(verify, STREAM_FINDING_TXNINDEX,
			    at_entry(
				txns, entry.first_offset, entry.last_offset),
			    "entry %" PRIu64 ": no ABORT marker of producer "
			    "%" PRId64 " is at offset %" PRId64,
			    txns->walk.next, entry.producer_id,
			    entry.last_offset);
		txns->walk.next++;
	}
	return status == STREAM_END ? STREAM_OK : status;
}

/* The marker is here: is the entry what Kafka writes for it? */
static void
compare(struct stream_verify *verify, const struct stream_aborted *entry,
    const struct stream_batch_info *info,
    const struct stream_producers_abort *abort)
{
	const struct stream_aborted *right = &abort->entry;
	struct stream_verify_txns *txns = &verify->txns;
	struct stream_verify_where where =
	    at_entry(txns, entry->first_offset, entry->last_offset);
	bool exact = txns->exact && verify->chain.gapless && abort->happened;

	if (entry->producer_id != info->producer_id)
		stream_verify_damage(verify, STREAM_FINDING_TXNINDEX, where,
		    "entry %" PRIu64 ": producer %" PRId64
		    ", but the marker is of %" PRId64,
		    txns->walk.next, entry->producer_id, info->producer_id);
	else if (exact && entry->first_offset != right->first_offset)
		stream_verify_damage(verify, STREAM_FINDING_TXNINDEX, where,
		    "entry %" PRIu64 ": first offset %" PRId64
		    ", but the transaction begins at %" PRId64,
		    txns->walk.next, entry->first_offset, right->first_offset);
	else if (exact &&
		 entry->last_stable_offset != right->last_stable_offset)
		stream_verify_damage(verify, STREAM_FINDING_TXNINDEX, where,
		    "entry %" PRIu64 ": last stable offset %" PRId64
		    ", but %" PRId64 " it was",
		    txns->walk.next, entry->last_stable_offset,
		    right->last_stable_offset);
}

/* An abort that no entry tells of.  In the newest segment it may be written
 * just now, elsewhere the file may be put in place just now, after its log:
 * then it is looked at once more. */
static int
look_for_missing(struct stream_verify *verify,
    const struct stream_aborted *abort, struct stream_error *err)
{
	struct stream_verify_txns *txns = &verify->txns;
	struct stream_aborted entry;
	int status = STREAM_OK;

	if (txns->told_missing)
		return STREAM_OK;
	if (verify->newest || !txns->is_open) {
		stream_quiet_pause();
		if (txns->is_open)
			status = stream_entries_refresh(&txns->walk, err);
		else
			status = stream_verify_txns_open(verify, err);
		if (status == STREAM_OK)
			status = peek(verify, &entry, err);
		if (status == STREAM_OK &&
		    entry.last_offset == abort->last_offset) {
			txns->walk.next++;
			return STREAM_OK;
		}
		if (status != STREAM_OK && status != STREAM_END)
			return status;
	}
	txns->told_missing = true;
	stream_verify_damage(verify, STREAM_FINDING_TXNINDEX,
	    (struct stream_verify_where){txns->name, STREAM_POS_NONE,
		abort->first_offset, abort->last_offset},
	    "no entry for the transaction of producer %" PRId64
	    " that was aborted at offset %" PRId64,
	    abort->producer_id, abort->last_offset);
	return STREAM_OK;
}

/* ---- batches ------------------------------------------------------------ */

static int
pass_abort(struct stream_verify *verify, const struct stream_batch_info *info,
    const struct stream_producers_abort *abort, struct stream_error *err)
{
	struct stream_verify_txns *txns = &verify->txns;
	struct stream_aborted entry;
	int status = peek(verify, &entry, err);

	if (status == STREAM_OK && entry.last_offset <= info->last_offset) {
		compare(verify, &entry, info, abort);
		txns->walk.next++;
		return STREAM_OK;
	}
	if (status != STREAM_OK && status != STREAM_END)
		return status;
	if (abort->happened && abort->has_records)
		return look_for_missing(verify, &abort->entry, err);
	return STREAM_OK;
}

static int
follow_producers(struct stream_verify *verify,
    const struct stream_batch_info *info, const uint8_t *bytes,
    struct stream_producers_abort *abort, struct stream_error *err)
{
	struct stream_verify_txns *txns = &verify->txns;
	struct stream_error why;
	int status;

	abort->happened = false;
	if (txns->producers == NULL)
		return STREAM_OK;
	status =
	    stream_producers_add(txns->producers, info, bytes, abort, &why);
	if (status == STREAM_ENOMEM)
		return stream_fail_memory(err);
	if (status != STREAM_OK) {
		stream_verify_damage(verify, STREAM_FINDING_RECORDS,
		    stream_verify_in_log(verify, info->position,
			info->base_offset, info->last_offset),
		    "control batch: %s", why.text);
		txns->exact = false;
	}
	if (stream_producers_count(txns->producers) > PRODUCERS_MOST)
		drop_producers(verify);
	return STREAM_OK;
}

static bool
is_abort(const struct stream_batch_info *info, const uint8_t *bytes)
{
	enum stream_control_type type;

	return stream_batch_is_control(info) &&
	       stream_control_type(bytes, info->size, &type, NULL) ==
		   STREAM_OK &&
	       type == STREAM_CONTROL_ABORT && info->record_count > 0;
}

static int
pass(struct stream_verify *verify, const struct stream_batch_info *info,
    const uint8_t *bytes, struct stream_error *err)
{
	struct stream_producers_abort abort;
	bool ends_one = is_abort(info, bytes);
	int status = follow_producers(verify, info, bytes, &abort, err);

	if (status == STREAM_OK)
		status = drop_before(verify,
		    ends_one ? info->base_offset : info->last_offset + 1, err);
	if (status == STREAM_OK && ends_one)
		status = pass_abort(verify, info, &abort, err);
	return status;
}

/* The entries were there before the log was measured, and what seems to be
 * missing is looked for again, so this needs no second walk. */
int
stream_verify_txns_batch(struct stream_verify *verify,
    const struct stream_batch_info *info, const uint8_t *bytes,
    struct stream_error *err)
{
	enum stream_verify_mode mode = verify->mode;
	int status = STREAM_OK;

	if (mode == STREAM_VERIFY_CONFIRM ||
	    (info->producer_id < 0 && !verify->txns.is_open))
		return STREAM_OK;
	verify->mode = STREAM_VERIFY_GIVE;
	status = pass(verify, info, bytes, err);
	verify->mode = mode;
	return status;
}

static void
check_size(struct stream_verify *verify)
{
	struct stream_verify_txns *txns = &verify->txns;
	const struct stream_entries *walk = &txns->walk;

	if (stream_entries_rest(walk) != 0)
		stream_verify_damage(verify, STREAM_FINDING_INDEX_SIZE,
		    (struct stream_verify_where){txns->name,
			walk->size - stream_entries_rest(walk), -1, -1},
		    "%" PRIu64 " bytes are not a multiple of %d, the size of "
		    "an entry",
		    walk->size, STREAM_TXNINDEX_ENTRY);
	if (stream_entries_zero_slots(walk) != 0)
		stream_verify_damage(verify, STREAM_FINDING_ZERO_SLOTS,
		    (struct stream_verify_where){
			txns->name, walk->count * walk->entry, -1, -1},
		    "%" PRIu64 " entries are zero",
		    stream_entries_zero_slots(walk));
}

int
stream_verify_txns_finish(
    struct stream_verify *verify, struct stream_error *err)
{
	enum stream_verify_mode mode = verify->mode;
	int status;

	if (mode == STREAM_VERIFY_CONFIRM)
		return STREAM_OK;
	verify->mode = STREAM_VERIFY_GIVE;
	status = drop_before(verify, INT64_MAX, err);
	if (status == STREAM_OK && verify->txns.is_open)
		check_size(verify);
	verify->mode = mode;
	return status;
}

/* ---- snapshots ---------------------------------------------------------- */

static int
by_producer(const void *a, const void *b)
{
	const struct stream_snapshot_entry *x = a, *y = b;

	return (x->producer_id > y->producer_id) -
	       (x->producer_id < y->producer_id);
}

/* A broker forgets producers, so one that is missing is none; and what it
 * wrote of one that has no records left cannot be known. */
static bool
agrees(const struct stream_snapshot_entry *a,
    const struct stream_snapshot_entry *b)
{
	return a->producer_epoch == b->producer_epoch &&
	       a->last_sequence == b->last_sequence &&
	       a->last_offset == b->last_offset &&
	       a->transaction_first_offset == b->transaction_first_offset;
}

static int
load_state(const struct stream_verify *verify,
    struct stream_snapshot_entry **entries, size_t *n, struct stream_error *err)
{
	struct stream_buf file;
	int status;

	stream_buf_init(&file);
	status = stream_producers_snapshot(verify->txns.producers, &file, err);
	if (status == STREAM_OK)
		status = stream_snapshot_parse(
		    (struct stream_bytes){file.data, file.size}, entries, n,
		    err);
	stream_buf_release(&file);
	return status;
}

static void
compare_all(struct stream_verify *verify, int64_t offset,
    const struct stream_snapshot_entry *entries, size_t n,
    struct stream_snapshot_entry *known, size_t known_count)
{
	char name[STREAM_NAME_SIZE];

	stream_name_put_plain(offset, STREAM_NAME_SNAPSHOT, name);
	qsort(known, known_count, sizeof(*known), by_producer);
	for (size_t i = 0; i < n; i++) {
		const struct stream_snapshot_entry *right = bsearch(&entries[i],
		    known, known_count, sizeof(*known), by_producer);

		if (right == NULL || agrees(&entries[i], right))
			continue;
		stream_verify_note(verify, STREAM_FINDING_SNAPSHOT,
		    (struct stream_verify_where){name, STREAM_POS_NONE, -1, -1},
		    "producer %" PRId64
		    " is not as the log up to here leaves it",
		    entries[i].producer_id);
		return;
	}
}

int
stream_verify_txns_snapshot(
    struct stream_verify *verify, int64_t offset, struct stream_error *err)
{
	struct stream_verify_txns *txns = &verify->txns;
	struct stream_snapshot_entry *entries, *known = NULL;
	size_t n, known_count = 0;
	int status;

	if (verify->mode == STREAM_VERIFY_CONFIRM || !txns->exact ||
	    !verify->chain.gapless || txns->producers == NULL ||
	    verify->source->only != NULL ||
	    stream_producers_count(txns->producers) == 0)
		return STREAM_OK;
	if (stream_snapshot_load(
		verify->source->dirfd, offset, &entries, &n, NULL) != STREAM_OK)
		return STREAM_OK; /* told with the files, if it is there */
	status = load_state(verify, &known, &known_count, err);
	if (status == STREAM_OK)
		compare_all(verify, offset, entries, n, known, known_count);
	free(entries);
	free(known);
	return status;
}
