/*
 * clean.c - the batches of the sources, in order, to the new segment
 *
 * This thread goes from header to header of the sources, follows the
 * transactions and writes.  Pieces of them are read, checked and judged by
 * threads meanwhile, and come back in order.
 */
#include "log/clean.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/clean_piece.h"
#include "log/clean_source.h"
#include "log/cleaned_file.h"
#include "log/ring.h"

enum {
	TELL_BYTES = 1 << 20, /* how often the caller is told */
	WORKERS_MOST = 7,
	PIECES_MOST = WORKERS_MOST + 2 /* one is filled, one is written */
};

struct clean {
	int dirfd;
	const int64_t *sources;
	size_t count;
	size_t at; /* of the source that is read */
	const struct stream_clean_rules *rules;
	struct stream_ring *ring;
	struct stream_clean_piece pieces[PIECES_MOST];
	struct stream_clean_source source;
	struct stream_cleaned_file file;
	struct stream_clean_stats stats;
	uint64_t untold; /* bytes read since go_on */
	bool differs;    /* the result is not what the sources are */
	bool too_large;  /* ended by that */
	bool failed;     /* what was judged, or putting it */
};

/* ---- batches that were judged ------------------------------------------- */

static void
count_batch(
    struct stream_clean_amount *amount, const struct stream_batch_info *info)
{
	amount->bytes += info->size;
	amount->batches++;
	if (stream_batch_is_control(info))
		amount->markers += (uint64_t)info->record_count;
	else
		amount->records += (uint64_t)info->record_count;
}

/* Put what is the same as in the sources so far to the new log. */
static int
copy_same(struct clean *clean, struct stream_error *err)
{
	for (size_t i = 0; i < clean->at; i++) {
		char name[STREAM_NAME_SIZE];
		int fd, status;

		stream_name_put_plain(clean->sources[i], STREAM_NAME_LOG, name);
		status = stream_io_open(clean->dirfd, name, O_RDONLY, &fd, err);
		if (status != STREAM_OK)
			return status;
		status = stream_cleaned_file_copy(&clean->file, fd, err);
		close(fd);
		if (status != STREAM_OK)
			return status;
	}
	return stream_cleaned_file_copy(
	    &clean->file, clean->source.scan.fd, err);
}

/* From here on the result is not what the sources are. */
static int
begin_writing(struct clean *clean, struct stream_error *err)
{
	int status;

	clean->differs = true;
	if (clean->rules->dry_run)
		return STREAM_OK;
	status = stream_cleaned_file_begin(&clean->file, err);
	return status == STREAM_OK ? copy_same(clean, err) : status;
}

static void
count_fate(struct clean *clean, const struct stream_clean_item *item)
{
	switch (item->what) {
	case STREAM_BATCH_SAME:
		clean->stats.copied++;
		break;
	case STREAM_BATCH_REMADE:
		clean->stats.remade++;
		break;
	case STREAM_BATCH_EMPTIED:
		clean->stats.emptied++;
		break;
	case STREAM_BATCH_GONE:
		clean->stats.gone++;
		return;
	}
	clean->stats.horizons += item->has_horizon_set;
	count_batch(&clean->stats.out, &item->made.info);
}

static int
put_item(struct clean *clean, const struct stream_clean_piece *piece,
    const struct stream_clean_item *item, struct stream_error *err)
{
	int status = STREAM_OK;

	if (item->what != STREAM_BATCH_SAME && !clean->differs)
		status = begin_writing(clean, err);
	count_fate(clean, item);
	if (status != STREAM_OK || item->what == STREAM_BATCH_GONE)
		return status;
	clean->too_large =
	    !stream_cleaned_file_fits(&clean->file, &item->made.info);
	if (clean->too_large)
		return STREAM_END;
	status = stream_cleaned_file_add(&clean->file, &item->made,
	    stream_clean_piece_bytes(piece, item), err);
	if (status == STREAM_OK && item->fate.is_abort)
		status = stream_cleaned_file_add_abort(
		    &clean->file, &item->fate.entry, err);
	return status;
}

static int
fail_in_piece(const struct clean *clean, const struct stream_clean_piece *piece,
    struct stream_error *err)
{
	const struct stream_batch *batch = &piece->items[piece->failed].batch;

	if (err != NULL)
		*err = piece->err;
	return piece->in_records
		   ? stream_clean_source_fail(
			 &clean->source, batch, piece->status, err)
		   : stream_clean_source_fail_at(&clean->source,
			 batch->info.position, piece->status, err);
}

/* Write the oldest piece.  What was judged before a failure does not matter:
 * nothing stays of the whole. */
static int
take_back(struct clean *clean, struct stream_error *err)
{
	struct stream_clean_piece *piece =
	    &clean->pieces[stream_ring_wait(clean->ring)];
	int status = piece->status;

	if (status != STREAM_OK)
		status = fail_in_piece(clean, piece, err);
	for (size_t i = 0; i < piece->count && status == STREAM_OK; i++)
		status = put_item(clean, piece, &piece->items[i], err);
	stream_clean_stats_add(&clean->stats, &piece->stats);
	stream_clean_piece_clear(piece);
	stream_ring_pop(clean->ring);
	clean->failed |= status != STREAM_OK;
	return status;
}

/* ---- batches that are read ---------------------------------------------- */

/* Its place must stay: the sequence number of a producer's last batch, and the
 * offset at which the round ends. */
static bool
must_stay(const struct stream_clean_rules *rules,
    const struct stream_batch_info *info)
{
	return info->last_offset + 1 == rules->round_end ||
	       (info->producer_id >= 0 && rules->is_last != NULL &&
		   rules->is_last(rules->is_last_context, info));
}

static struct stream_clean_piece *
open_piece(struct clean *clean)
{
	return &clean->pieces[stream_ring_next(clean->ring)];
}

/* Hand over the piece that is being filled, and have room for the next. */
static int
hand_over(struct clean *clean, struct stream_error *err)
{
	stream_ring_put(clean->ring);
	return stream_ring_is_full(clean->ring) ? take_back(clean, err)
						: STREAM_OK;
}

/* What transactions make of a batch.  Of a marker more than the header counts.
 */
static int
find_fate(struct clean *clean, const struct stream_batch *batch,
    struct stream_clean_txn_fate *fate, struct stream_error *err)
{
	const uint8_t *bytes = NULL;
	int status = STREAM_OK;

	if (stream_batch_is_control(&batch->info))
		status = stream_clean_source_read(
		    &clean->source, batch, &bytes, err);
	if (status != STREAM_OK)
		return status;
	status = stream_clean_txn_show(
	    clean->rules->txn, &batch->info, bytes, fate, err);
	return status == STREAM_OK ? status
				   : stream_clean_source_fail(
					 &clean->source, batch, status, err);
}

static int
take_batch(struct clean *clean, const struct stream_batch *batch,
    struct stream_error *err)
{
	struct stream_clean_piece *piece = open_piece(clean);
	struct stream_clean_txn_fate fate;
	int status = find_fate(clean, batch, &fate, err);

	if (status != STREAM_OK)
		return status;
	count_batch(&clean->stats.in, &batch->info);
	status = stream_clean_piece_add(piece, clean->source.scan.fd, batch,
	    &fate, must_stay(clean->rules, &batch->info), err);
	if (status == STREAM_OK && stream_clean_piece_is_full(piece))
		status = hand_over(clean, err);
	return status;
}

/* Write all pieces that are left. */
static int
finish_pieces(struct clean *clean, struct stream_error *err)
{
	int status = STREAM_OK;

	if (open_piece(clean)->count > 0)
		status = hand_over(clean, err);
	while (status == STREAM_OK && stream_ring_count(clean->ring) > 0)
		status = take_back(clean, err);
	return status;
}

/* Nobody works on a piece any more: the source can be closed. */
static void
drop_pieces(struct clean *clean)
{
	while (stream_ring_count(clean->ring) > 0) {
		stream_ring_wait(clean->ring);
		stream_ring_pop(clean->ring);
	}
}

/* ---- segments ----------------------------------------------------------- */

static int
tell(struct clean *clean, uint64_t least, struct stream_error *err)
{
	const struct stream_clean_rules *rules = clean->rules;
	uint64_t bytes = clean->untold;

	if (rules->go_on == NULL || bytes < least)
		return STREAM_OK;
	clean->untold = 0;
	return rules->go_on(rules->go_on_context, bytes)
		   ? STREAM_OK
		   : stream_fail(
			 err, STREAM_EINTR, STREAM_POS_NONE, "interrupted");
}

static int
take_headers(struct clean *clean, struct stream_error *err)
{
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	while ((status = stream_clean_source_next(
		    &clean->source, &batch, &bytes, err)) == STREAM_OK) {
		clean->untold += batch.info.size;
		status = take_batch(clean, &batch, err);
		if (status == STREAM_OK)
			status = tell(clean, TELL_BYTES, err);
		if (status != STREAM_OK)
			break;
	}
	return status;
}

/* What is wrong in a piece is nearer the start than what a header met. */
static int
take_batches(struct clean *clean, struct stream_error *err)
{
	struct stream_error why = {.text = ""};
	int status = take_headers(clean, &why);

	if (!clean->failed && status != STREAM_EINTR) {
		int before = finish_pieces(clean, err);

		if (before != STREAM_OK)
			return before == STREAM_END ? STREAM_OK : before;
	}
	if (status == STREAM_END)
		return STREAM_OK;
	if (err != NULL)
		*err = why;
	return status;
}

/* Finish the new segment.  The caller is asked before whether to go on, since
 * nothing may stay if not. */
static int
finish(struct clean *clean, struct stream_error *err)
{
	int status = tell(clean, 0, err);

	if (status != STREAM_OK || clean->file.log < 0)
		return status;
	return stream_cleaned_file_finish(
	    &clean->file, clean->source.scan.fd, err);
}

static int
take_segments(struct clean *clean, struct stream_error *err)
{
	int status = STREAM_OK;

	for (; clean->at < clean->count && status == STREAM_OK &&
	       !clean->too_large;
	     clean->at++) {
		const int64_t *base = &clean->sources[clean->at];
		bool last = clean->at + 1 == clean->count;

		status = stream_clean_source_open(&clean->source, clean->dirfd,
		    base[0], last ? clean->rules->next_base : base[1],
		    STREAM_SCAN_HEADERS, clean->rules->cap, err);
		if (status != STREAM_OK)
			return status;
		if (clean->at == 0 && clean->rules->always)
			status = begin_writing(clean, err);
		if (status == STREAM_OK)
			status = take_batches(clean, err);
		if (status == STREAM_OK && last && !clean->too_large)
			status = finish(clean, err);
		drop_pieces(clean);
		stream_clean_source_close(&clean->source);
	}
	return status;
}

/* ---- threads ------------------------------------------------------------ */

static int
new_filter(void *owner, void **context, struct stream_error *err)
{
	struct clean *clean = owner;
	struct stream_batch_filter *filter;
	int status = stream_batch_filter_new(clean->rules->cap, &filter, err);

	if (status == STREAM_OK)
		*context = filter;
	return status;
}

static void
free_filter(void *context)
{
	stream_batch_filter_free(context);
}

static void
judge(void *owner, void *context, unsigned slot)
{
	struct clean *clean = owner;

	stream_clean_piece_judge(&clean->pieces[slot], clean->rules, context);
}

static int
clean_all(struct clean *clean, struct stream_error *err)
{
	static const struct stream_ring_work work = {
	    .context_new = new_filter,
	    .context_free = free_filter,
	    .run = judge,
	};
	unsigned workers = clean->rules->workers < WORKERS_MOST
			       ? clean->rules->workers
			       : WORKERS_MOST;
	int status = stream_ring_new(workers > 0 ? workers + 2 : 1, workers, 2,
	    &work, clean, &clean->ring, err);

	if (status != STREAM_OK)
		return status;
	for (size_t i = 0; i < PIECES_MOST; i++)
		stream_clean_piece_init(&clean->pieces[i]);
	status = take_segments(clean, err);
	stream_ring_free(clean->ring);
	for (size_t i = 0; i < PIECES_MOST; i++)
		stream_clean_piece_release(&clean->pieces[i]);
	return status;
}

int
stream_clean_group(int dirfd, const int64_t *sources, size_t count,
    const struct stream_clean_rules *rules, enum stream_clean_outcome *outcome,
    struct stream_clean_stats *stats, struct stream_error *err)
{
	struct clean clean = {
	    .dirfd = dirfd,
	    .sources = sources,
	    .count = count,
	    .rules = rules,
	};
	int status = stream_clean_txn_begin_group(rules->txn, err);

	if (status != STREAM_OK)
		return status;
	stream_cleaned_file_init(
	    &clean.file, dirfd, sources[0], rules->index_interval_bytes);
	status = clean_all(&clean, err);
	if (status == STREAM_OK && clean.differs && !clean.too_large &&
	    !rules->dry_run && rules->made != NULL) {
		*rules->made = clean.file.log;
		clean.file.log = -1;
	}
	stream_cleaned_file_release(&clean.file);
	if (status == STREAM_OK && clean.too_large)
		status = stream_clean_txn_undo_group(rules->txn, err);
	if (status != STREAM_OK)
		return status;
	*outcome = clean.too_large ? STREAM_CLEAN_TOO_LARGE
		   : clean.differs ? STREAM_CLEAN_WRITTEN
				   : STREAM_CLEAN_SAME;
	if (!clean.too_large)
		stream_clean_stats_add(stats, &clean.stats);
	return STREAM_OK;
}
