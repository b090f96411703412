/*
 * cleaned.c - one batch of which records go, against refdec and a plain loop
 *
 * The front says what stays and what is asked for; then comes a batch.  What is
 * made of it must be a good batch with exactly the records that were to stay,
 * and filtering that once more changes nothing.
 */
#include <string.h>

#include "codec/batch_filter.h"
#include "codec/control.h"
#include "compare.h"

enum {
	FRONT = 2,
	MARKS = 1,
	PLACE = 2,
	ALL = 4,
	/* A batch grows: by its deltas, and where a codec gains nothing. */
	LIMIT = 4 * FUZZ_LIMIT
};

struct wish {
	uint8_t seed;
	bool all;
};

static bool
is_wanted(const struct wish *wish, int64_t offset)
{
	uint64_t noise = ((uint64_t)offset + 1) * (wish->seed * 2u + 1) *
			 UINT64_C(0x9e3779b97f4a7c15);

	return wish->all || noise >> 63 == 0;
}

static void
choose(void *context, const struct stream_record *records, size_t count,
    bool *keep)
{
	for (size_t i = 0; i < count; i++)
		keep[i] = is_wanted(context, records[i].offset);
}

/* ---- what should come out ---- */

struct expected {
	const struct wish *wish;
	struct stream_buf records;
	int32_t count;
	bool has_tombstone;
};

static void
add_wanted(void *context, const struct refdec_record *record)
{
	struct expected *expected = context;

	if (!is_wanted(expected->wish, record->offset))
		return;
	fuzz_put_refdec(&expected->records, record);
	expected->count++;
	expected->has_tombstone |= record->value.n < 0;
}

static int
read_wanted(const struct refdec_batch *batch, const uint8_t *bytes,
    struct expected *expected)
{
	static struct refdec_buf buf;

	buf.n = 0;
	buf.limit = LIMIT;
	return refdec_records(
	    batch, refdec_section(batch, bytes, &buf), add_wanted, expected);
}

/* ---- what did ---- */

static void
check_fields(const struct refdec_batch *was, const struct refdec_batch *is)
{
	FUZZ_CHECK(is->base == was->base);
	FUZZ_CHECK(is->last_delta == was->last_delta);
	FUZZ_CHECK(is->epoch == was->epoch);
	FUZZ_CHECK(is->producer == was->producer);
	FUZZ_CHECK(is->producer_epoch == was->producer_epoch);
	FUZZ_CHECK(is->sequence == was->sequence);
	if (is->count > 0)
		FUZZ_CHECK((is->attributes & 0x3f) == (was->attributes & 0x3f));
	else if (was->count > 0)
		FUZZ_CHECK(is->attributes == (was->attributes & 0x38));
}

static void
check_horizon(const struct refdec_batch *was, const struct refdec_batch *is,
    const struct stream_batch_filter_rules *rules,
    const struct stream_batch_filter_result *result)
{
	bool had = was->attributes & STREAM_BATCH_HORIZON;
	bool has = is->attributes & STREAM_BATCH_HORIZON;

	if (is->count == 0)
		return;
	FUZZ_CHECK(has || !had);
	FUZZ_CHECK(result->has_horizon_set == (has && !had));
	if (had)
		FUZZ_CHECK(is->base_time == was->base_time);
	else if (has)
		FUZZ_CHECK(is->base_time == rules->horizon_ms);
}

static void
check_result(const struct refdec_batch *was, struct expected *expected,
    const struct stream_batch_filter_rules *rules,
    const struct stream_batch_filter_result *result)
{
	struct expected got = {.wish = expected->wish};
	struct refdec_batch is;

	stream_buf_init(&got.records);
	FUZZ_CHECK(refdec_batch(result->bytes.data, result->bytes.size, LIMIT,
		       &is) == REFDEC_GOOD);
	FUZZ_CHECK(is.size == result->bytes.size);
	FUZZ_CHECK(is.count == expected->count && result->kept == is.count);
	if (is.count > 0)
		FUZZ_CHECK(
		    read_wanted(&is, result->bytes.data, &got) == REFDEC_GOOD);
	FUZZ_CHECK(fuzz_same(&got.records, &expected->records));
	check_fields(was, &is);
	check_horizon(was, &is, rules, result);
	if ((is.attributes & STREAM_BATCH_HORIZON) &&
	    !(was->attributes & STREAM_BATCH_HORIZON))
		FUZZ_CHECK(got.has_tombstone || rules->marks);
	stream_buf_release(&got.records);
}

/* Of what was made nothing goes any more. */
static void
check_again(const struct stream_batch_filter_rules *rules,
    const struct stream_batch_filter_result *result)
{
	static struct stream_batch_filter *filter;
	struct stream_batch_filter_result again;

	if (filter == NULL)
		FUZZ_CHECK(
		    stream_batch_filter_new(LIMIT, &filter, NULL) == STREAM_OK);
	FUZZ_CHECK(stream_batch_filter_run(filter, &result->batch,
		       result->bytes.data, rules, &again, NULL) == STREAM_OK);
	FUZZ_CHECK(again.what == STREAM_BATCH_SAME);
}

static void
check_filter(const uint8_t *data, const struct stream_batch *batch,
    const struct refdec_batch *theirs, const struct wish *wish,
    const struct stream_batch_filter_rules *rules)
{
	static struct stream_batch_filter *filter;
	struct stream_batch_filter_result result;
	struct expected expected = {.wish = wish};
	int verdict = REFDEC_GOOD;
	int status;

	stream_buf_init(&expected.records);
	if (filter == NULL)
		FUZZ_CHECK(
		    stream_batch_filter_new(LIMIT, &filter, NULL) == STREAM_OK);
	if (theirs->count > 0)
		verdict = read_wanted(theirs, data, &expected);
	status =
	    stream_batch_filter_run(filter, batch, data, rules, &result, NULL);
	FUZZ_CHECK(fuzz_agree_on_stream(status, verdict));
	if (status == STREAM_OK && result.what == STREAM_BATCH_GONE) {
		FUZZ_CHECK(expected.count == 0 && !rules->keep_empty);
	} else if (status == STREAM_OK) {
		FUZZ_CHECK(expected.count > 0 || rules->keep_empty);
		if (expected.count == theirs->count &&
		    !expected.has_tombstone && !rules->marks)
			FUZZ_CHECK(result.what == STREAM_BATCH_SAME);
		check_result(theirs, &expected, rules, &result);
		check_again(rules, &result);
	}
	stream_buf_release(&expected.records);
}

static void
run(const uint8_t *data, size_t size)
{
	static const int64_t horizons[] = {
	    INT64_C(1767312000000), 0, 1, INT64_MAX};
	struct refdec_batch theirs;
	struct stream_batch batch;
	struct wish wish;
	struct stream_batch_filter_rules rules;
	enum stream_control_type type;

	if (size < FRONT)
		return;
	wish = (struct wish){data[1], data[0] & ALL};
	rules = (struct stream_batch_filter_rules){
	    .choose = choose,
	    .context = &wish,
	    .horizon_ms = horizons[data[0] >> 3 & 3],
	    .marks = data[0] & MARKS,
	    .keep_empty = data[0] & PLACE,
	};
	data += FRONT;
	size -= FRONT;
	if (refdec_batch(data, size, FUZZ_LIMIT, &theirs) != REFDEC_GOOD)
		return;
	FUZZ_CHECK(
	    stream_batch_check(data, theirs.size, &batch, NULL) == STREAM_OK);
	/* Others are refused by who follows transactions, before. */
	if (stream_batch_is_control(&batch.info) &&
	    stream_control_type(data, batch.info.size, &type, NULL) !=
		STREAM_OK)
		return;
	check_filter(data, &batch, &theirs, &wish, &rules);
}

static size_t
mutate(uint8_t *data, size_t size, size_t most, uint32_t seed)
{
	if (size < FRONT || most <= FRONT || seed % 16 == 1)
		return LLVMFuzzerMutate(data, size, most);
	return FRONT +
	       fuzz_mutate_log(data + FRONT, size - FRONT, most - FRONT, seed);
}

const struct fuzz_target fuzz_target_cleaned = {"cleaned", run, mutate};
