#include "log/segment_time.h"

#include <sys/stat.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "file/index.h"
#include "file/index_entries.h"
#include "file/name.h"
#include "log/survey.h"

enum {
	/* Where a sound index leads, the batch is within a few of its
	 * intervals, which are 256 KiB in what Kafka's cleaner writes. */
	NEAR = 4 << 20,
	/* Between two questions whether to go on. */
	STRIDE = 1 << 20
};

/* Kafka calls a time below 0 none, as it does -1. */
static bool
is_time(int64_t ms)
{
	return ms >= 0;
}

static void
name_file(const struct stream_segment_time_source *source,
    enum stream_name_kind kind, char *text)
{
	struct stream_name name = {source->base_offset, kind,
	    source->swap ? STREAM_NAME_SWAP : STREAM_NAME_PLAIN};

	stream_name_put(&name, text);
}

static int
go_on(const struct stream_segment_time_source *source, uint64_t bytes,
    struct stream_error *err)
{
	if (source->go_on == NULL || source->go_on(source->context, bytes))
		return STREAM_OK;
	return stream_fail(err, STREAM_EINTR, STREAM_POS_NONE, "stopped");
}

/* ---- young: one batch proves it ----------------------------------------- */

/* The latest time that the time index names and that is not above most;
 * STREAM_NO_TIMESTAMP: none.  Times rise in a sound one. */
static int64_t
last_entry(const struct stream_segment_time_source *source, int64_t most)
{
	struct stream_entries walk;
	char name[STREAM_NAME_SIZE];
	const uint8_t *entry;
	int64_t latest = STREAM_NO_TIMESTAMP;

	name_file(source, STREAM_NAME_TIMEINDEX, name);
	stream_entries_init(&walk);
	if (stream_entries_open(&walk, source->dirfd, name,
		STREAM_TIMEINDEX_ENTRY, NULL) == STREAM_OK)
		for (uint64_t i = walk.count; i > 0 && latest < 0; i--) {
			walk.next = i - 1;
			if (stream_entries_peek(&walk, &entry, NULL) !=
			    STREAM_OK)
				break;
			if ((int64_t)stream_load64(entry) <= most)
				latest = (int64_t)stream_load64(entry);
		}
	stream_entries_close(&walk);
	return latest;
}

/*
 * Walk from where the index leads to the first batch of least_ms or later, at
 * most so many bytes.  What cannot be read here proves nothing.
 */
static bool
prove(const struct stream_segment_time_source *source, int64_t least_ms,
    uint64_t most, int64_t *ms)
{
	char name[STREAM_NAME_SIZE];
	struct stream_index_source index = {
	    source->dirfd, name, source->log, source->base_offset, source->cap};
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	uint64_t from;
	bool found = false;

	name_file(source, STREAM_NAME_LOG, name);
	stream_index_find_time(&index, least_ms, &from);
	stream_scan_init(&scan, source->log, from, STREAM_SCAN_WHOLE,
	    source->cap, STREAM_SCAN_SMALL_BLOCK);
	while (!found && scan.next - from < most &&
	       stream_scan_next(&scan, &batch, &bytes, NULL) == STREAM_OK)
		found = batch.info.max_timestamp_ms >= least_ms;
	stream_scan_release(&scan);
	if (found)
		*ms = batch.info.max_timestamp_ms;
	return found;
}

static bool
prove_young(const struct stream_segment_time_source *source, int64_t least_ms,
    struct stream_segment_time *time)
{
	int64_t latest = last_entry(source, INT64_MAX);

	if (least_ms < 0)
		least_ms = 0;
	if (latest > least_ms && prove(source, latest, NEAR, &time->ms))
		return true;
	return prove(source, least_ms, NEAR, &time->ms);
}

void
stream_segment_time_guess(const struct stream_segment_time_source *source,
    struct stream_segment_time *time)
{
	int64_t latest = last_entry(source, INT64_MAX);

	*time = (struct stream_segment_time){.ms = STREAM_NO_TIMESTAMP};
	if (is_time(latest) && prove(source, latest, NEAR, &time->ms))
		time->evidence = STREAM_RETAIN_BATCHES;
}

/* ---- old: every batch proves it ----------------------------------------- */

/* What the batches say, and whether all could be read. */
struct reading {
	int64_t largest_ms;
	int64_t records;
	bool is_damaged;
};

static void
take(struct reading *reading, const struct stream_survey_find *find)
{
	const struct stream_batch_info *info = &find->batch.info;

	if (find->kind != STREAM_SURVEY_BATCH) {
		/* The torn end of the newest segment is no damage. */
		if (find->kind == STREAM_SURVEY_HOLE ||
		    find->tail != STREAM_TAIL_TORN)
			reading->is_damaged = true;
		return;
	}
	if (!stream_batch_is_control(info))
		reading->records += info->record_count;
	if (info->max_timestamp_ms > reading->largest_ms)
		reading->largest_ms = info->max_timestamp_ms;
}

static int
read_all(const struct stream_segment_time_source *source,
    struct reading *reading, struct stream_error *err)
{
	struct stream_survey_source log = {
	    .fd = source->log,
	    .base_offset = source->base_offset,
	    .next_base = source->next_base,
	    .cap = source->cap,
	    .dense = source->dense,
	};
	struct stream_survey survey;
	struct stream_survey_find find;
	uint64_t told = 0;
	int status = stream_survey_init(&survey, &log, err);

	*reading = (struct reading){.largest_ms = STREAM_NO_TIMESTAMP};
	while (status == STREAM_OK) {
		status = stream_survey_next(&survey, &find, err);
		if (status == STREAM_OK)
			take(reading, &find);
		if (status == STREAM_OK && survey.scan.next - told >= STRIDE) {
			status = go_on(source, survey.scan.next - told, err);
			told = survey.scan.next;
		}
	}
	if (status == STREAM_END)
		status = go_on(source, survey.size - told, err);
	stream_survey_release(&survey);
	return status;
}

static int
file_time(const struct stream_segment_time_source *source, int64_t *ms,
    struct stream_error *err)
{
	struct stat st;

	if (fstat(source->log, &st) != 0)
		return stream_fail_sys(err, "cannot stat");
	*ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	return STREAM_OK;
}

static int
judge(const struct stream_segment_time_source *source,
    const struct reading *reading, struct stream_segment_time *time,
    struct stream_error *err)
{
	int64_t written = 0, named;
	int status = file_time(source, &written, err);

	if (status != STREAM_OK)
		return status;
	*time = (struct stream_segment_time){
	    .ms = reading->largest_ms,
	    .evidence = STREAM_RETAIN_BATCHES,
	    .is_whole = true,
	    .records = reading->records,
	};
	if (!reading->is_damaged && is_time(time->ms))
		return STREAM_OK;
	time->evidence =
	    reading->is_damaged ? STREAM_RETAIN_DAMAGED : STREAM_RETAIN_FILE;
	if (!is_time(time->ms) || (reading->is_damaged && written > time->ms))
		time->ms = written;
	named = last_entry(source, source->now_ms);
	if (reading->is_damaged && named > time->ms)
		time->ms = named;
	return STREAM_OK;
}

int
stream_segment_time_find(const struct stream_segment_time_source *source,
    int64_t least_ms, struct stream_segment_time *time,
    struct stream_error *err)
{
	struct reading reading;
	struct stream_segment_time found = {.evidence = STREAM_RETAIN_BATCHES};
	int status = STREAM_OK;

	if (!prove_young(source, least_ms, &found)) {
		status = read_all(source, &reading, err);
		if (status == STREAM_OK)
			status = judge(source, &reading, &found, err);
	}
	if (status == STREAM_OK)
		*time = found;
	return status;
}

/* ---- how many ----------------------------------------------------------- */

int
stream_segment_count(const struct stream_segment_time_source *source,
    int64_t *records, struct stream_error *err)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int64_t sum = 0;
	uint64_t told = 0;
	int status = STREAM_OK;

	stream_scan_init(&scan, source->log, 0, STREAM_SCAN_HEADERS,
	    STREAM_BATCH_CAP_MOST, STREAM_SCAN_SMALL_BLOCK);
	while (status == STREAM_OK) {
		status = stream_scan_next(&scan, &batch, &bytes, err);
		if (status == STREAM_OK &&
		    !stream_batch_is_control(&batch.info))
			sum += batch.info.record_count;
		if (status == STREAM_OK && scan.next - told >= STRIDE) {
			status = go_on(source, 0, err);
			told = scan.next;
		}
	}
	stream_scan_release(&scan);
	if (status == STREAM_EINTR || status == STREAM_EIO ||
	    status == STREAM_ENOMEM)
		return status;
	*records = sum;
	return STREAM_OK;
}
