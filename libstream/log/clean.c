/*
 * clean.c - judge each batch, in the order that Kafka's cleaner has
 *
 * A batch that keeps the state of a producer, or the end of the round, leaves
 * its place whatever becomes of its records.  Those of an aborted transaction,
 * and a marker whose horizon has passed, go unread.  Of all others each record
 * is judged by the map.
 */
#include "log/clean.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fail.h"
#include "codec/batch_filter.h"
#include "file/io.h"
#include "log/clean_source.h"
#include "log/cleaned_file.h"

/* How often the caller is told. */
enum { TELL_BYTES = 1 << 20 };

struct clean {
	int dirfd;
	const int64_t *sources;
	size_t count;
	size_t at; /* of the source that is read */
	const struct stream_clean_rules *rules;
	struct stream_batch_filter *filter;
	struct stream_clean_source source;
	struct stream_cleaned_file file;
	struct stream_clean_stats stats;
	const struct stream_batch *batch; /* the one that is judged */
	uint64_t untold;                  /* bytes read since go_on */
	bool differs;                     /* the result is not the one source */
	bool too_large;                   /* ended by that */
};

/* ---- records ------------------------------------------------------------ */

/* The delete horizon of the batch has come. */
static bool
is_past_horizon(const struct clean *clean)
{
	return (clean->batch->info.attributes & STREAM_BATCH_HORIZON) != 0 &&
	       clean->batch->base_timestamp_ms <= clean->rules->now_ms;
}

static inline bool
judge(struct clean *clean, const struct stream_record *record,
    struct stream_key key)
{
	if (record->offset >= clean->rules->mapped_end)
		return true;
	if (record->key.data == NULL) {
		clean->stats.no_key++;
		return false;
	}
	if (record->offset < stream_keymap_find(clean->rules->map, key)) {
		clean->stats.superseded++;
		return false;
	}
	if (record->value.data == NULL && is_past_horizon(clean)) {
		clean->stats.expired++;
		return false;
	}
	return true;
}

/* Each look into the map is a cache miss: all are begun before the first is
 * waited for. */
static void
choose(void *context, const struct stream_record *records, size_t count,
    bool *keep)
{
	struct clean *clean = context;
	const struct stream_keymap *map = clean->rules->map;
	struct stream_key keys[STREAM_BATCH_FILTER_MOST];

	for (size_t i = 0; i < count; i++) {
		keys[i] = (struct stream_key){0};
		if (records[i].key.data == NULL)
			continue;
		keys[i] = stream_keymap_hash(map, records[i].key);
		stream_keymap_prefetch(map, keys[i]);
	}
	for (size_t i = 0; i < count; i++) {
		bool tombstone = records[i].value.data == NULL;

		keep[i] = judge(clean, &records[i], keys[i]);
		clean->stats.in.tombstones += tombstone;
		clean->stats.out.tombstones += tombstone && keep[i];
	}
}

/* ---- batches ------------------------------------------------------------ */

static void
count_records(struct stream_clean_amount *amount,
    const struct stream_batch_info *info, int32_t records)
{
	amount->bytes += info->size;
	amount->batches++;
	if (stream_batch_is_control(info))
		amount->markers += (uint64_t)records;
	else
		amount->records += (uint64_t)records;
}

/* Its place must stay: the sequence number of a producer's last batch, and the
 * offset at which the round ends. */
static bool
must_leave_place(const struct clean *clean)
{
	const struct stream_clean_rules *rules = clean->rules;
	const struct stream_batch_info *info = &clean->batch->info;

	return info->last_offset + 1 == rules->round_end ||
	       (info->producer_id >= 0 && rules->is_last != NULL &&
		   rules->is_last(rules->is_last_context, info));
}

/* Filter the batch, or discard all of it. */
static int
decide(struct clean *clean, const uint8_t *bytes,
    const struct stream_clean_txn_fate *fate,
    struct stream_batch_filter_result *result, struct stream_error *err)
{
	const struct stream_batch *batch = clean->batch;
	bool control = stream_batch_is_control(&batch->info);
	struct stream_batch_filter_rules rules = {
	    .choose = control ? NULL : choose,
	    .context = clean,
	    .horizon_ms = clean->rules->now_ms,
	    .marks = control && fate->discard,
	    .keep_empty = must_leave_place(clean),
	};

	if (__builtin_add_overflow(rules.horizon_ms,
		clean->rules->delete_retention_ms, &rules.horizon_ms))
		rules.horizon_ms = INT64_MAX;
	if (!fate->discard || (control && !is_past_horizon(clean)))
		return stream_batch_filter_run(
		    clean->filter, batch, bytes, &rules, result, err);
	if (!control)
		clean->stats.aborted += (uint64_t)batch->info.record_count;
	if (rules.keep_empty)
		return stream_batch_filter_empty(
		    clean->filter, batch, bytes, result, err);
	*result =
	    (struct stream_batch_filter_result){.what = STREAM_BATCH_GONE};
	return STREAM_OK;
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

static int
put(struct clean *clean, const struct stream_batch_filter_result *result,
    struct stream_error *err)
{
	switch (result->what) {
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
		return STREAM_OK;
	}
	clean->stats.horizons += result->has_horizon_set;
	count_records(&clean->stats.out, &result->batch.info, result->kept);
	clean->too_large =
	    !stream_cleaned_file_fits(&clean->file, &result->batch.info);
	if (clean->too_large)
		return STREAM_END;
	return stream_cleaned_file_add(
	    &clean->file, &result->batch, result->bytes.data, err);
}

static int
take_batch(struct clean *clean, const uint8_t *bytes, struct stream_error *err)
{
	const struct stream_batch_info *info = &clean->batch->info;
	struct stream_batch_filter_result result;
	struct stream_clean_txn_fate fate;
	int status;

	count_records(&clean->stats.in, info, info->record_count);
	status =
	    stream_clean_txn_show(clean->rules->txn, info, bytes, &fate, err);
	if (status == STREAM_OK)
		status = decide(clean, bytes, &fate, &result, err);
	if (status != STREAM_OK)
		return stream_clean_source_fail(
		    &clean->source, clean->batch, status, err);
	if (result.what != STREAM_BATCH_SAME && !clean->differs)
		status = begin_writing(clean, err);
	if (status == STREAM_OK)
		status = put(clean, &result, err);
	if (status == STREAM_OK && fate.is_abort)
		status = stream_cleaned_file_add_abort(
		    &clean->file, &fate.entry, err);
	return status;
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
take_batches(struct clean *clean, struct stream_error *err)
{
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	clean->batch = &batch;
	while ((status = stream_clean_source_next(
		    &clean->source, &batch, &bytes, err)) == STREAM_OK) {
		clean->untold += batch.info.size;
		status = take_batch(clean, bytes, err);
		if (status == STREAM_OK)
			status = tell(clean, TELL_BYTES, err);
		if (status != STREAM_OK)
			break;
	}
	return status == STREAM_END ? STREAM_OK : status;
}

/* All that is to go to the new segment has: its end, before the caller could
 * still stop it. */
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
		    STREAM_SCAN_WHOLE, clean->rules->cap, err);
		if (status != STREAM_OK)
			return status;
		if (clean->at == 0 && clean->rules->always)
			status = begin_writing(clean, err);
		if (status == STREAM_OK)
			status = take_batches(clean, err);
		if (status == STREAM_OK && last && !clean->too_large)
			status = finish(clean, err);
		stream_clean_source_close(&clean->source);
	}
	return status;
}

static void
add_amount(struct stream_clean_amount *to, const struct stream_clean_amount *of)
{
	to->bytes += of->bytes;
	to->batches += of->batches;
	to->records += of->records;
	to->tombstones += of->tombstones;
	to->markers += of->markers;
}

void
stream_clean_stats_add(
    struct stream_clean_stats *to, const struct stream_clean_stats *of)
{
	add_amount(&to->in, &of->in);
	add_amount(&to->out, &of->out);
	to->aborted += of->aborted;
	to->no_key += of->no_key;
	to->superseded += of->superseded;
	to->expired += of->expired;
	to->copied += of->copied;
	to->remade += of->remade;
	to->emptied += of->emptied;
	to->gone += of->gone;
	to->horizons += of->horizons;
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

	if (status == STREAM_OK)
		status =
		    stream_batch_filter_new(rules->cap, &clean.filter, err);
	if (status != STREAM_OK)
		return status;
	stream_cleaned_file_init(
	    &clean.file, dirfd, sources[0], rules->index_interval_bytes);
	status = take_segments(&clean, err);
	stream_cleaned_file_release(&clean.file);
	stream_batch_filter_free(clean.filter);
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
