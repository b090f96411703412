/*
 * batch_filter.c - choose, then copy runs
 *
 * First all records of a batch are looked at and those that stay are noted as
 * runs of neighbours; mostly nothing goes, and then nothing is written either.
 * A batch that changes is put together from the runs, with one copy for each,
 * or record by record when the base timestamp changes: then each timestamp
 * delta has to be written anew, and with it the record's length.
 */
#include "codec/batch_filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "codec/compress.h"
#include "codec/records.h"
#include "codec/records_check.h"
#include "codec/varint.h"

/* Records that stay and lie side by side. */
struct run {
	const uint8_t *from;
	const uint8_t *to;
};

enum { CODECS = STREAM_CODEC_ZSTD + 1 };

struct stream_batch_filter {
	struct stream_unpacker unpacker;
	struct stream_compressor *compressors[CODECS]; /* made when needed */
	struct stream_buf made;                        /* header and records */
	struct stream_buf packed; /* the same with the records compressed */
	struct run *runs;         /* owned */
	size_t run_count;
	size_t run_capacity;
	struct stream_record records[STREAM_BATCH_FILTER_MOST];
	bool keep[STREAM_BATCH_FILTER_MOST];
};

/* What was found out about the records that stay. */
struct choice {
	size_t bytes; /* of them */
	int64_t first_ms;
	int64_t least_ms;
	int64_t most_ms;
	int32_t kept;
	bool has_tombstone;
};

int
stream_batch_filter_new(
    size_t cap, struct stream_batch_filter **filter, struct stream_error *err)
{
	struct stream_batch_filter *new = calloc(1, sizeof(*new));

	if (new == NULL)
		return stream_fail_memory(err);
	stream_unpacker_init(&new->unpacker, cap);
	stream_buf_init(&new->made);
	stream_buf_init(&new->packed);
	*filter = new;
	return STREAM_OK;
}

void
stream_batch_filter_free(struct stream_batch_filter *filter)
{
	if (filter == NULL)
		return;
	stream_unpacker_release(&filter->unpacker);
	for (int i = 0; i < CODECS; i++)
		stream_compressor_free(filter->compressors[i]);
	stream_buf_release(&filter->made);
	stream_buf_release(&filter->packed);
	free(filter->runs);
	free(filter);
}

/* ---- choosing ----------------------------------------------------------- */

static int
add_run(struct stream_batch_filter *filter, const uint8_t *from,
    const uint8_t *to, struct stream_error *err)
{
	if (filter->run_count == filter->run_capacity) {
		size_t capacity = filter->run_capacity * 2 + 64;
		void *bigger =
		    reallocarray(filter->runs, capacity, sizeof(*filter->runs));

		if (bigger == NULL)
			return stream_fail_memory(err);
		filter->runs = bigger;
		filter->run_capacity = capacity;
	}
	filter->runs[filter->run_count++] = (struct run){from, to};
	return STREAM_OK;
}

static inline void
note(struct choice *choice, const struct stream_record *record)
{
	int64_t time = record->timestamp_ms;

	if (choice->kept++ == 0)
		choice->first_ms = choice->least_ms = choice->most_ms = time;
	if (time < choice->least_ms)
		choice->least_ms = time;
	if (time > choice->most_ms)
		choice->most_ms = time;
	if (record->value.data == NULL)
		choice->has_tombstone = true;
}

/* Those of count records that stay, of which the first begins at *at: a record
 * ends where its headers do. */
static int
add_kept(struct stream_batch_filter *filter, size_t count, const uint8_t **at,
    struct choice *choice, struct stream_error *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct stream_record *record = &filter->records[i];
		const uint8_t *from = *at;
		int status = STREAM_OK;

		*at = record->headers.data + record->headers.size;
		if (!filter->keep[i])
			continue;
		note(choice, record);
		choice->bytes += (size_t)(*at - from);
		if (filter->run_count > 0 &&
		    filter->runs[filter->run_count - 1].to == from)
			filter->runs[filter->run_count - 1].to = *at;
		else
			status = add_run(filter, from, *at, err);
		if (status != STREAM_OK)
			return status;
	}
	return STREAM_OK;
}

static int
choose(struct stream_batch_filter *filter, const struct stream_batch *batch,
    struct stream_bytes section, const struct stream_batch_filter_rules *rules,
    struct choice *choice, struct stream_error *err)
{
	struct stream_records walk;
	const uint8_t *at = section.data;
	size_t count;
	int status = stream_records_start(&walk, batch, section, err);

	filter->run_count = 0;
	while (status == STREAM_OK) {
		status = stream_records_take(&walk, filter->records,
		    STREAM_BATCH_FILTER_MOST, &count, err);
		if (status != STREAM_OK || count == 0)
			break;
		if (rules->choose != NULL)
			rules->choose(rules->context, filter->records, count,
			    filter->keep);
		else
			memset(filter->keep, true, count);
		status = add_kept(filter, count, &at, choice, err);
	}
	return status;
}

/* ---- times -------------------------------------------------------------- */

static inline bool
is_set(const struct stream_batch *batch, unsigned bit)
{
	return (batch->info.attributes & bit) != 0;
}

/* Can the times of the records that stay be told relative to base? */
static bool
reaches(int64_t base_ms, const struct choice *choice)
{
	int64_t delta;

	return !__builtin_sub_overflow(choice->least_ms, base_ms, &delta) &&
	       !__builtin_sub_overflow(choice->most_ms, base_ms, &delta);
}

/* The header of the new batch, but for its size. */
static struct stream_batch
plan(const struct stream_batch *batch, const struct choice *choice,
    const struct stream_batch_filter_rules *rules)
{
	enum {
		KNOWN = STREAM_BATCH_CODEC | STREAM_BATCH_APPEND_TIME |
			STREAM_BATCH_TRANSACTIONAL | STREAM_BATCH_CONTROL |
			STREAM_BATCH_HORIZON
	};
	struct stream_batch new = *batch;
	bool needs = choice->has_tombstone || rules->marks;

	new.info.attributes &= KNOWN;
	new.info.record_count = choice->kept;
	if (!is_set(batch, STREAM_BATCH_APPEND_TIME))
		new.info.max_timestamp_ms = choice->most_ms;
	if (is_set(batch, STREAM_BATCH_HORIZON))
		return new;
	if (needs && rules->horizon_ms >= 0 &&
	    reaches(rules->horizon_ms, choice)) {
		new.base_timestamp_ms = rules->horizon_ms;
		new.info.attributes |= STREAM_BATCH_HORIZON;
	} else if (reaches(choice->first_ms, choice)) {
		new.base_timestamp_ms = choice->first_ms;
	}
	return new;
}

/* ---- putting together --------------------------------------------------- */

static uint8_t *
copy_runs(const struct stream_batch_filter *filter, uint8_t *to)
{
	for (size_t i = 0; i < filter->run_count; i++) {
		const struct run *run = &filter->runs[i];
		size_t size = (size_t)(run->to - run->from);

		memcpy(to, run->from, size);
		to += size;
	}
	return to;
}

/* One record with its time relative to another base; *at goes on to the next.
 * It was read before, so nothing of it can be cut short. */
static uint8_t *
recode_record(uint8_t *to, const uint8_t **at, const uint8_t *end,
    const struct stream_batch *batch, int64_t base_ms)
{
	int64_t delta = 0;
	int32_t size = 0;
	size_t rest;
	uint8_t attributes;

	stream_varint_take(at, end, &size);
	end = *at + size;
	attributes = *(*at)++;
	stream_varlong_take(at, end, &delta);
	delta = stream_record_time(batch, delta) - base_ms;
	rest = (size_t)(end - *at);
	to = stream_varint_put(
	    to, (int64_t)(1 + stream_varint_size(delta) + rest));
	*to++ = attributes;
	to = stream_varint_put(to, delta);
	memcpy(to, *at, rest);
	*at = end;
	return to + rest;
}

static uint8_t *
recode_runs(const struct stream_batch_filter *filter,
    const struct stream_batch *batch, int64_t base_ms, uint8_t *to)
{
	for (size_t i = 0; i < filter->run_count; i++) {
		const uint8_t *at = filter->runs[i].from;

		while (at < filter->runs[i].to)
			to = recode_record(
			    to, &at, filter->runs[i].to, batch, base_ms);
	}
	return to;
}

static int
pack(struct stream_batch_filter *filter, enum stream_codec codec,
    struct stream_error *err)
{
	struct stream_compressor **compressor = &filter->compressors[codec];
	struct stream_bytes section = {
	    filter->made.data + STREAM_BATCH_HEADER,
	    filter->made.size - STREAM_BATCH_HEADER,
	};
	int status = STREAM_OK;

	if (*compressor == NULL)
		status = stream_compressor_new(
		    codec, STREAM_LEVEL_DEFAULT, compressor, err);
	filter->packed.size = 0;
	if (status == STREAM_OK)
		status = stream_buf_add(&filter->packed, filter->made.data,
		    STREAM_BATCH_HEADER, err);
	if (status == STREAM_OK)
		status =
		    stream_compress(*compressor, section, &filter->packed, err);
	return status;
}

/* Put the records that stay, uncompressed, behind the old header. */
static int
put_records(struct stream_batch_filter *filter,
    const struct stream_batch *batch, const struct stream_batch *new,
    const struct choice *choice, struct stream_error *err)
{
	bool recode = (new->base_timestamp_ms != batch->base_timestamp_ms ||
			  is_set(batch, STREAM_BATCH_APPEND_TIME)) &&
		      reaches(new->base_timestamp_ms, choice);
	/* A longer delta, and what that makes of the record's length. */
	size_t more = recode ? STREAM_VARLONG_MAX + STREAM_VARINT_MAX : 0;
	uint8_t *to;
	int status = stream_buf_reserve(
	    &filter->made, choice->bytes + (size_t)choice->kept * more, err);

	if (status != STREAM_OK)
		return status;
	to = filter->made.data + filter->made.size;
	to = recode ? recode_runs(filter, batch, new->base_timestamp_ms, to)
		    : copy_runs(filter, to);
	filter->made.size = (size_t)(to - filter->made.data);
	return STREAM_OK;
}

/* The finished batch is in out: its header still has to be changed. */
static int
finish(struct stream_buf *out, const struct stream_batch *new,
    struct stream_batch_filter_result *result, struct stream_error *err)
{
	if (out->size > STREAM_BATCH_CAP_MOST)
		return stream_fail(err, STREAM_ETOOBIG, STREAM_POS_NONE,
		    "%zu bytes are more than a batch can have", out->size);
	result->batch = *new;
	stream_batch_alter(out->data, out->size, &result->batch);
	result->bytes = (struct stream_bytes){out->data, out->size};
	result->kept = new->info.record_count;
	return STREAM_OK;
}

static int
remake(struct stream_batch_filter *filter, const struct stream_batch *batch,
    const uint8_t *bytes, const struct stream_batch *new,
    const struct choice *choice, struct stream_batch_filter_result *result,
    struct stream_error *err)
{
	enum stream_codec codec = stream_batch_codec(&batch->info);
	struct stream_buf *out = &filter->made;
	int status;

	filter->made.size = 0;
	status = stream_buf_add(out, bytes, STREAM_BATCH_HEADER, err);
	if (status == STREAM_OK)
		status = put_records(filter, batch, new, choice, err);
	if (status == STREAM_OK && codec != STREAM_CODEC_NONE) {
		status = pack(filter, codec, err);
		out = &filter->packed;
	}
	if (status != STREAM_OK)
		return status;
	result->what = STREAM_BATCH_REMADE;
	result->has_horizon_set = is_set(new, STREAM_BATCH_HORIZON) &&
				  !is_set(batch, STREAM_BATCH_HORIZON);
	return finish(out, new, result, err);
}

static void
leave(const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_batch_filter_result *result)
{
	*result = (struct stream_batch_filter_result){
	    .what = STREAM_BATCH_SAME,
	    .bytes = {bytes, batch->info.size},
	    .batch = *batch,
	    .kept = batch->info.record_count,
	};
}

int
stream_batch_filter_empty(struct stream_batch_filter *filter,
    const struct stream_batch *batch, const uint8_t *bytes,
    struct stream_batch_filter_result *result, struct stream_error *err)
{
	enum {
		STAY = STREAM_BATCH_APPEND_TIME | STREAM_BATCH_TRANSACTIONAL |
		       STREAM_BATCH_CONTROL
	};
	struct stream_batch new = *batch;
	int status;

	if (batch->info.record_count == 0) {
		leave(batch, bytes, result);
		return STREAM_OK;
	}
	new.info.attributes &= STAY;
	new.info.record_count = 0;
	new.base_timestamp_ms = STREAM_NO_TIMESTAMP;
	filter->made.size = 0;
	status = stream_buf_add(&filter->made, bytes, STREAM_BATCH_HEADER, err);
	if (status != STREAM_OK)
		return status;
	*result =
	    (struct stream_batch_filter_result){.what = STREAM_BATCH_EMPTIED};
	return finish(&filter->made, &new, result, err);
}

int
stream_batch_filter_run(struct stream_batch_filter *filter,
    const struct stream_batch *batch, const uint8_t *bytes,
    const struct stream_batch_filter_rules *rules,
    struct stream_batch_filter_result *result, struct stream_error *err)
{
	struct stream_bytes section;
	struct stream_batch new;
	struct choice choice = {0};
	int status = STREAM_OK;

	if (batch->info.record_count > 0)
		status = stream_unpacker_open(
		    &filter->unpacker, batch, bytes, &section, err);
	if (status == STREAM_OK && batch->info.record_count > 0)
		status = choose(filter, batch, section, rules, &choice, err);
	if (status != STREAM_OK)
		return status;
	if (choice.kept == 0 && rules->keep_empty)
		return stream_batch_filter_empty(
		    filter, batch, bytes, result, err);
	*result =
	    (struct stream_batch_filter_result){.what = STREAM_BATCH_GONE};
	if (choice.kept == 0)
		return STREAM_OK;
	new = plan(batch, &choice, rules);
	if (choice.kept == batch->info.record_count &&
	    is_set(&new, STREAM_BATCH_HORIZON) ==
		is_set(batch, STREAM_BATCH_HORIZON)) {
		leave(batch, bytes, result);
		return STREAM_OK;
	}
	return remake(filter, batch, bytes, &new, &choice, result, err);
}
