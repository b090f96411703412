#include "log/index_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "file/io.h"

enum {
	/* Brokers make them 10 MiB unless told otherwise. */
	FILE_LIMIT = 256 << 20,
	/* Appends of several batches are up to 10 MiB, and compaction adds an
	 * entry each 256 KiB: a longer way without one is a file cut short. */
	FARTHEST = 16 << 20
};

/* One file as it was found. */
struct table {
	struct stream_buf bytes;
	size_t entry; /* bytes of one */
	size_t count; /* in use */
	size_t at;    /* the one that is to come next */
	struct stream_index_verdict verdict;
};

/* What one interval makes of the log, compared as it comes. */
struct guess {
	struct stream_indexer indexer;
	size_t offsets_at, times_at;
	bool offsets_differ, times_differ;
	bool offsets_short, times_short;
};

struct stream_index_check {
	int64_t base_offset;
	bool closed;
	bool slots;
	struct table offsets;
	struct table times;
	int64_t max_timestamp_ms;
	uint64_t indexed;  /* position of the last entry that was met */
	uint64_t previous; /* batch's position */
	struct guess guesses[STREAM_INDEX_GUESSES];
};

int64_t
stream_index_guess(size_t i, int64_t setting)
{
	static const int32_t usual[] = {4096, 1024, 512, 2048, 256, 8192, 128,
	    64, 16384, 32768, 65536, 32, 131072, 262144, 524288, 1048576, 0, 1,
	    16, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000,
	    300, 400};

	_Static_assert(
	    sizeof(usual) / sizeof(usual[0]) == STREAM_INDEX_GUESSES - 1,
	    "each guess is a bit");
	return i == 0 ? setting : usual[i - 1];
}

/* ---- loading ------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void
condemn(struct table *table, const char *format, ...)
{
	va_list args;

	if (table->verdict.wrong)
		return; /* the first fault is what is told */
	table->verdict.wrong = true;
	va_start(args, format);
	vsnprintf(table->verdict.why, sizeof(table->verdict.why), format, args);
	va_end(args);
}

static bool
is_zero(const uint8_t *entry, size_t size)
{
	static const uint8_t zeros[STREAM_TIMEINDEX_ENTRY];

	return memcmp(entry, zeros, size) == 0;
}

static int
load(struct table *table, int dirfd, const struct stream_name *name,
    size_t entry, struct stream_error *err)
{
	char text[STREAM_NAME_SIZE];
	struct stream_error why = {.text = ""};
	int status;

	table->entry = entry;
	stream_buf_init(&table->bytes);
	stream_name_put(name, text);
	status = stream_io_load(dirfd, text, FILE_LIMIT, &table->bytes, &why);
	if (status == STREAM_ENOENT)
		condemn(table, "is missing");
	else if (status == STREAM_ECORRUPT)
		condemn(table, "is larger than any index");
	else if (status != STREAM_OK)
		return err != NULL ? (*err = why, status) : status;
	if (table->bytes.size % entry != 0)
		condemn(table, "ends within an entry");
	table->count = table->bytes.size / entry;
	while (table->count > 0 &&
	       is_zero(table->bytes.data + (table->count - 1) * entry, entry))
		table->count--;
	return STREAM_OK;
}

int
stream_index_check_new(int dirfd, int64_t base_offset,
    enum stream_name_state state, bool closed, bool slots, int64_t setting,
    struct stream_index_check **check, struct stream_error *err)
{
	struct stream_name name = {base_offset, STREAM_NAME_INDEX, state};
	struct stream_index_check *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	new->base_offset = base_offset;
	new->closed = closed;
	new->slots = slots;
	new->max_timestamp_ms = STREAM_NO_TIMESTAMP;
	for (size_t i = 0; i < STREAM_INDEX_GUESSES; i++)
		stream_indexer_init(&new->guesses[i].indexer, base_offset,
		    stream_index_guess(i, setting));
	status = load(&new->offsets, dirfd, &name, STREAM_INDEX_ENTRY, err);
	name.kind = STREAM_NAME_TIMEINDEX;
	if (status == STREAM_OK)
		status = load(
		    &new->times, dirfd, &name, STREAM_TIMEINDEX_ENTRY, err);
	if (status != STREAM_OK) {
		stream_index_check_free(new);
		return status;
	}
	*check = new;
	return STREAM_OK;
}

void
stream_index_check_free(struct stream_index_check *check)
{
	if (check == NULL)
		return;
	for (size_t i = 0; i < STREAM_INDEX_GUESSES; i++)
		stream_indexer_release(&check->guesses[i].indexer);
	stream_buf_release(&check->offsets.bytes);
	stream_buf_release(&check->times.bytes);
	free(check);
}

/* ---- entries against the log -------------------------------------------- */

static const uint8_t *
next_entry(const struct table *table)
{
	return table->at < table->count
		   ? table->bytes.data + table->at * table->entry
		   : NULL;
}

/* The offset of an entry that is met by this batch: its last one; but where
 * compaction took records away, Kafka names the last that is left. */
static bool
names(const struct stream_batch *batch, int64_t offset)
{
	if (batch->info.record_count == batch->last_offset_delta + 1)
		return offset == batch->info.last_offset;
	return offset >= batch->info.base_offset &&
	       offset <= batch->info.last_offset;
}

/*
 * An entry has the position of the first batch of an append and the last
 * offset of the append, which may be a later batch's, but not one at or past
 * the next entry's position.
 */
static void
check_offset(struct stream_index_check *check, const struct stream_batch *batch)
{
	struct table *table = &check->offsets;
	const uint8_t *entry = next_entry(table);
	const uint8_t *after;
	int64_t offset;

	if (entry == NULL || stream_load32(entry + 4) > batch->info.position)
		return;
	offset = check->base_offset + (int64_t)stream_load32(entry);
	if (stream_load32(entry + 4) < batch->info.position &&
	    check->indexed != stream_load32(entry + 4))
		condemn(table, "entry %zu: no batch starts at byte %u",
		    table->at, stream_load32(entry + 4));
	check->indexed = stream_load32(entry + 4);
	if (offset < batch->info.base_offset)
		condemn(table, "entry %zu: offset %lld is not at byte %u",
		    table->at, (long long)offset, stream_load32(entry + 4));
	if (offset > batch->info.last_offset) {
		after =
		    table->at + 1 < table->count ? entry + table->entry : NULL;
		if (after != NULL &&
		    stream_load32(after + 4) <= batch->info.position)
			condemn(table, "entry %zu: goes back", table->at + 1);
		return;
	}
	if (!names(batch, offset))
		condemn(table, "entry %zu: offset %lld ends no batch",
		    table->at, (long long)offset);
	table->at++;
	after = next_entry(table);
	if (after != NULL && stream_load32(after + 4) <= check->indexed)
		condemn(table, "entry %zu: goes back", table->at);
}

/* An entry has the largest timestamp up to its batch. */
static void
check_time(struct stream_index_check *check, const struct stream_batch *batch)
{
	struct table *table = &check->times;
	const uint8_t *entry = next_entry(table);
	int64_t offset;

	if (entry == NULL)
		return;
	offset = check->base_offset + (int64_t)stream_load32(entry + 8);
	if (offset > batch->info.last_offset)
		return;
	if (!names(batch, offset) ||
	    (int64_t)stream_load64(entry) != check->max_timestamp_ms)
		condemn(table, "entry %zu: offset %lld does not have its time",
		    table->at, (long long)offset);
	table->at++;
}

/* ---- guesses ------------------------------------------------------------ */

/* New entries of the guess, against those of the file. */
static void
compare(const struct table *table, struct stream_buf *new, size_t *at,
    bool *differ, bool *is_short)
{
	for (size_t i = 0; i < new->size; i += table->entry, (*at)++)
		if (*at >= table->count)
			*is_short = true;
		else if (memcmp(table->bytes.data + *at * table->entry,
			     new->data + i, table->entry) != 0)
			*differ = true;
	new->size = 0;
}

static void
compare_guess(const struct stream_index_check *check, struct guess *guess)
{
	compare(&check->offsets, &guess->indexer.offsets, &guess->offsets_at,
	    &guess->offsets_differ, &guess->offsets_short);
	compare(&check->times, &guess->indexer.times, &guess->times_at,
	    &guess->times_differ, &guess->times_short);
}

int
stream_index_check_add(struct stream_index_check *check,
    const struct stream_batch *batch, struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;
	int status = STREAM_OK;

	if (info->max_timestamp_ms > check->max_timestamp_ms)
		check->max_timestamp_ms = info->max_timestamp_ms;
	if (check->closed && check->previous > check->indexed + FARTHEST)
		condemn(&check->offsets,
		    "has no entry from byte %llu on, though much follows",
		    (unsigned long long)check->indexed);
	check->previous = info->position;
	check_offset(check, batch);
	check_time(check, batch);
	for (size_t i = 0; i < STREAM_INDEX_GUESSES && status == STREAM_OK;
	     i++) {
		struct guess *guess = &check->guesses[i];

		status = stream_indexer_add(&guess->indexer, info, err);
		compare_guess(check, guess);
	}
	return status;
}

/* ---- the end ------------------------------------------------------------ */

/* least: fewer entries than this fit too many guesses to be a sign of one. */
static void
judge(struct stream_index_verdict *verdict, const struct table *table, size_t i,
    size_t at, bool differ, bool is_short, size_t least)
{
	if (verdict->wrong || differ)
		return;
	if (is_short)
		verdict->cut_short |= UINT32_C(1) << i;
	else if (at == table->count && at >= least)
		verdict->exact |= UINT32_C(1) << i;
}

/*
 * The last entry of a time index can name any batch, so one alone says little;
 * a segment that is written to may lack it.
 */
static int
end_guess(struct stream_index_check *check, size_t i, struct stream_error *err)
{
	struct guess *guess = &check->guesses[i];
	bool is_short = guess->times_short;
	int status = stream_indexer_finish(&guess->indexer, err);

	if (status != STREAM_OK)
		return status;
	compare_guess(check, guess);
	if (check->closed)
		is_short = guess->times_short;
	else if (guess->times_at > check->times.count)
		guess->times_at = check->times.count;
	judge(&check->offsets.verdict, &check->offsets, i, guess->offsets_at,
	    guess->offsets_differ, guess->offsets_short, 1);
	judge(&check->times.verdict, &check->times, i, guess->times_at,
	    guess->times_differ, is_short, 2);
	return STREAM_OK;
}

/* What retention asks a closed segment for is its last time. */
static void
check_last_time(struct stream_index_check *check)
{
	struct table *times = &check->times;
	const uint8_t *last;

	if (!check->closed || check->max_timestamp_ms < 0)
		return;
	if (times->count == 0) {
		condemn(times, "is empty, though there are timestamps");
		return;
	}
	last = times->bytes.data + (times->count - 1) * times->entry;
	if ((int64_t)stream_load64(last) != check->max_timestamp_ms)
		condemn(times, "lacks its last entry");
}

/* One that is all zeros may be that of the first record of 1970. */
static void
check_slots(const struct stream_index_check *check, struct table *table)
{
	size_t zeros = table->bytes.size / table->entry - table->count;

	if (check->slots || zeros == 0 ||
	    (table == &check->times && zeros == 1 && table->count == 0 &&
		check->max_timestamp_ms == 0))
		return;
	condemn(table, "%zu entries are zero", zeros);
}

int
stream_index_check_end(struct stream_index_check *check,
    struct stream_index_verdict *offsets, struct stream_index_verdict *times,
    struct stream_error *err)
{
	int status = STREAM_OK;

	if (check->offsets.at < check->offsets.count)
		condemn(&check->offsets, "entry %zu: points past the log",
		    check->offsets.at);
	if (check->times.at < check->times.count)
		condemn(&check->times, "entry %zu: names no batch",
		    check->times.at);
	check_last_time(check);
	for (size_t i = 0; i < STREAM_INDEX_GUESSES && status == STREAM_OK; i++)
		status = end_guess(check, i, err);
	/* Those before them tell the interval all the same. */
	check_slots(check, &check->offsets);
	check_slots(check, &check->times);
	*offsets = check->offsets.verdict;
	*times = check->times.verdict;
	return status;
}
