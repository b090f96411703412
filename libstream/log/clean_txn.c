/*
 * clean_txn.c - which transactions were aborted, and what is left of each
 *
 * The log is walked as if a broker replayed it; each ABORT marker that ends a
 * transaction makes an entry.  The entries stand sorted by producer and marker,
 * so that a batch finds its transaction by halving.  The second pass replays
 * once more: a marker that ends nothing there has no batch left.
 */
#include "log/clean_txn.h"

#include <stdlib.h>

#include "base/fail.h"
#include "codec/control.h"
#include "log/clean_source.h"
#include "log/producers.h"

struct stream_clean_txn {
	struct stream_aborted *aborts; /* owned; by producer, then marker */
	size_t count;
	size_t capacity;
	int64_t stable;
	struct stream_producers *producers; /* as of the batch last shown */
	struct stream_buf saved; /* a snapshot of when the group began */
	bool (*go_on)(void *context, uint64_t bytes); /* NULL: always */
	void *go_on_context;
};

int
stream_clean_txn_new(struct stream_clean_txn **txn, struct stream_error *err)
{
	struct stream_clean_txn *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	stream_buf_init(&new->saved);
	status = stream_producers_new(&new->producers, err);
	if (status == STREAM_OK)
		*txn = new;
	else
		free(new);
	return status;
}

void
stream_clean_txn_free(struct stream_clean_txn *txn)
{
	if (txn == NULL)
		return;
	free(txn->aborts);
	stream_producers_free(txn->producers);
	stream_buf_release(&txn->saved);
	free(txn);
}

void
stream_clean_txn_watch(struct stream_clean_txn *txn,
    bool (*go_on)(void *context, uint64_t bytes), void *context)
{
	txn->go_on = go_on;
	txn->go_on_context = context;
}

/* ---- learning ----------------------------------------------------------- */

/* A walk along all segments. */
struct lesson {
	struct stream_clean_txn *txn;
	int dirfd;
	const int64_t *segments;
	size_t count;
	size_t cap;
	int64_t end; /* of the log, as far as it is good */
};

static int
add_abort(struct stream_clean_txn *txn, const struct stream_aborted *entry,
    struct stream_error *err)
{
	if (txn->count == txn->capacity) {
		size_t capacity = txn->capacity * 2 + 64;
		void *bigger =
		    reallocarray(txn->aborts, capacity, sizeof(*txn->aborts));

		if (bigger == NULL)
			return stream_fail_memory(err);
		txn->aborts = bigger;
		txn->capacity = capacity;
	}
	txn->aborts[txn->count++] = *entry;
	return STREAM_OK;
}

/* About every megabyte. */
static bool
is_stopped(
    const struct stream_clean_txn *txn, const struct stream_batch_info *info)
{
	return txn->go_on != NULL &&
	       info->position >> 20 != (info->position + info->size) >> 20 &&
	       !txn->go_on(txn->go_on_context, 0);
}

static int
learn_batch(struct lesson *lesson, const struct stream_batch_info *info,
    const uint8_t *bytes, struct stream_error *err)
{
	struct stream_producers_abort abort;
	int status;

	if (is_stopped(lesson->txn, info))
		return stream_fail(
		    err, STREAM_EINTR, STREAM_POS_NONE, "interrupted");
	status = stream_producers_add(
	    lesson->txn->producers, info, bytes, &abort, err);

	if (status == STREAM_OK && abort.happened)
		status = add_abort(lesson->txn, &abort.entry, err);
	return status;
}

/* A failure in the active segment may be an append that is under way. */
static bool
is_end(int status, bool active)
{
	return status == STREAM_END ||
	       (active &&
		   (status == STREAM_ETORN || status == STREAM_ECORRUPT ||
		       status == STREAM_ENEWER));
}

static int
learn_segment(struct lesson *lesson, size_t i, struct stream_error *err)
{
	bool active = i + 1 == lesson->count;
	struct stream_clean_source source;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status = stream_clean_source_open(&source, lesson->dirfd,
	    lesson->segments[i], active ? -1 : lesson->segments[i + 1],
	    STREAM_SCAN_WHOLE, lesson->cap, err);

	if (status != STREAM_OK)
		return status;
	while ((status = stream_clean_source_next(
		    &source, &batch, &bytes, err)) == STREAM_OK) {
		status = learn_batch(lesson, &batch.info, bytes, err);
		if (status != STREAM_OK)
			status = stream_clean_source_fail(
			    &source, &batch, status, err);
		if (status != STREAM_OK)
			break;
		lesson->end = batch.info.last_offset + 1;
	}
	stream_clean_source_close(&source);
	return is_end(status, active) ? STREAM_OK : status;
}

static int
learn_all(struct lesson *lesson, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < lesson->count && status == STREAM_OK; i++) {
		if (lesson->end < lesson->segments[i])
			lesson->end = lesson->segments[i];
		status = learn_segment(lesson, i, err);
	}
	return status;
}

/* By producer, and then by marker. */
static int
compare(const void *a, const void *b)
{
	const struct stream_aborted *x = a;
	const struct stream_aborted *y = b;

	if (x->producer_id != y->producer_id)
		return x->producer_id < y->producer_id ? -1 : 1;
	return (x->last_offset > y->last_offset) -
	       (x->last_offset < y->last_offset);
}

int
stream_clean_txn_learn(struct stream_clean_txn *txn, int dirfd,
    const int64_t *segments, size_t count, size_t cap, struct stream_error *err)
{
	struct lesson lesson = {
	    .txn = txn,
	    .dirfd = dirfd,
	    .segments = segments,
	    .count = count,
	    .cap = cap,
	};
	int64_t open;
	int status = stream_clean_txn_begin(txn, err);

	txn->count = 0;
	if (status == STREAM_OK)
		status = learn_all(&lesson, err);
	if (status != STREAM_OK)
		return status;
	if (txn->count > 0)
		qsort(txn->aborts, txn->count, sizeof(*txn->aborts), compare);
	open = stream_producers_first_open(txn->producers);
	txn->stable = open >= 0 ? open : lesson.end;
	return STREAM_OK;
}

void
stream_clean_txn_learn_none(struct stream_clean_txn *txn, int64_t end)
{
	txn->count = 0;
	txn->stable = end;
}

int64_t
stream_clean_txn_stable(const struct stream_clean_txn *txn)
{
	return txn->stable;
}

bool
stream_clean_txn_is_aborted(
    const struct stream_clean_txn *txn, const struct stream_batch_info *info)
{
	struct stream_aborted key = {
	    .producer_id = info->producer_id, .last_offset = info->base_offset};
	size_t low = 0, high = txn->count;

	if (!stream_batch_is_transactional(info) ||
	    stream_batch_is_control(info))
		return false;
	/* The producer's first abort whose marker is not before the batch. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&txn->aborts[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < txn->count &&
	       txn->aborts[low].producer_id == info->producer_id &&
	       txn->aborts[low].first_offset <= info->base_offset;
}

/* ---- the second pass ---------------------------------------------------- */

int
stream_clean_txn_begin(struct stream_clean_txn *txn, struct stream_error *err)
{
	return stream_producers_load(txn->producers, NULL, 0, err);
}

int
stream_clean_txn_begin_group(
    struct stream_clean_txn *txn, struct stream_error *err)
{
	txn->saved.size = 0;
	return stream_producers_snapshot(txn->producers, &txn->saved, err);
}

int
stream_clean_txn_undo_group(
    struct stream_clean_txn *txn, struct stream_error *err)
{
	struct stream_bytes saved = {txn->saved.data, txn->saved.size};
	struct stream_snapshot_entry *entries;
	size_t count;
	int status = stream_snapshot_parse(saved, &entries, &count, err);

	if (status != STREAM_OK)
		return status;
	status = stream_producers_load(txn->producers, entries, count, err);
	free(entries);
	return status;
}

int
stream_clean_txn_show(struct stream_clean_txn *txn,
    const struct stream_batch_info *info, const uint8_t *bytes,
    struct stream_clean_txn_fate *fate, struct stream_error *err)
{
	struct stream_producers_abort abort;
	enum stream_control_type type;
	int status;

	*fate = (struct stream_clean_txn_fate){0};
	if (!stream_batch_is_control(info) &&
	    !stream_batch_is_transactional(info))
		return STREAM_OK;
	status = stream_producers_add(txn->producers, info, bytes, &abort, err);
	if (status != STREAM_OK)
		return status;
	if (!stream_batch_is_control(info)) {
		fate->discard = stream_clean_txn_is_aborted(txn, info);
		return STREAM_OK;
	}
	if (info->record_count == 0) {
		fate->discard = true; /* all but its place went before */
		return STREAM_OK;
	}
	status = stream_control_type(bytes, info->size, &type, err);
	if (status != STREAM_OK)
		return status;
	fate->discard = type != STREAM_CONTROL_OTHER && !abort.ended;
	fate->is_abort = abort.happened;
	if (abort.happened)
		fate->entry = abort.entry;
	return STREAM_OK;
}
