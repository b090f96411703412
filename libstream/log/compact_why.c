/*
 * compact_why.c - what becomes of the records of one key
 *
 * Two walks, as in a compaction: the first finds the newest record of the key
 * in the dirty part, the second judges every one.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <stream/parse.h>

#include "base/fail.h"
#include "codec/records.h"
#include "codec/records_check.h"
#include "file/name.h"
#include "file/scan.h"
#include "log/compact_private.h"

enum { AT_ONCE = 128, TELL_BYTES = 1 << 20 };

struct asking {
	struct stream_compacting *c;
	struct stream_bytes key;
	int64_t newest;  /* in the dirty part, of what counts; -1 */
	int64_t told_to; /* records below it were told, if only by a try that
			    failed later */
	void (*found)(void *context, const struct stream_compact_fate *fate);
	struct stream_scan scan;
	struct stream_unpacker unpacker;
	uint64_t told; /* bytes */
	struct stream_record records[AT_ONCE];
};

typedef void visit(struct asking *a, const struct stream_batch *batch,
    const struct stream_record *record);

/* ---- the walk ----------------------------------------------------------- */

static bool
is_asked(const struct asking *a, const struct stream_record *record)
{
	return record->key.data != NULL && record->key.size == a->key.size &&
	       memcmp(record->key.data, a->key.data, a->key.size) == 0;
}

static int
walk_records(struct asking *a, const struct stream_batch *batch,
    const uint8_t *bytes, visit *visit_record, struct stream_error *err)
{
	struct stream_records walk;
	struct stream_bytes section;
	size_t count = 1;
	int status =
	    stream_unpacker_open(&a->unpacker, batch, bytes, &section, err);

	if (status == STREAM_OK)
		status = stream_records_start(&walk, batch, section, err);
	while (status == STREAM_OK && count > 0) {
		status = stream_records_take(
		    &walk, a->records, AT_ONCE, &count, err);
		for (size_t i = 0; i < count && status == STREAM_OK; i++)
			if (is_asked(a, &a->records[i]))
				visit_record(a, batch, &a->records[i]);
	}
	return status;
}

static int
tell(struct asking *a, struct stream_error *err)
{
	const struct stream_compact_options *options = a->c->source->options;
	uint64_t bytes = a->scan.next - a->told;

	if (options->go_on == NULL || bytes < TELL_BYTES)
		return STREAM_OK;
	a->told = a->scan.next;
	if (options->go_on(options->context, bytes))
		return STREAM_OK;
	return stream_fail(err, STREAM_EINTR, STREAM_POS_NONE, "stopped");
}

static int
walk_log(struct asking *a, int fd, uint64_t limit, visit *visit_record,
    struct stream_error *err)
{
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	stream_scan_move(&a->scan, fd, 0);
	a->scan.limit = limit;
	a->told = 0;
	while ((status = stream_scan_next(&a->scan, &batch, &bytes, err)) ==
	       STREAM_OK) {
		if (batch.info.record_count > 0 &&
		    !stream_batch_is_control(&batch.info))
			status =
			    walk_records(a, &batch, bytes, visit_record, err);
		if (status == STREAM_OK)
			status = tell(a, err);
		if (status != STREAM_OK)
			break;
	}
	return status == STREAM_END ? STREAM_OK : status;
}

static int
walk_segments(struct asking *a, size_t from, size_t to, visit *visit_record,
    struct stream_error *err)
{
	const struct stream_compact_look *look = &a->c->look;
	int status = STREAM_OK;

	for (size_t i = from; i < to && status == STREAM_OK; i++) {
		char name[STREAM_NAME_SIZE];
		int fd;

		stream_name_put_plain(look->bases[i], STREAM_NAME_LOG, name);
		status = stream_view_open_base(
		    a->c->source->dirfd, look->bases[i], &fd, err);
		if (status != STREAM_OK)
			break;
		status =
		    walk_log(a, fd, look->segments[i].bytes, visit_record, err);
		close(fd);
		if (status != STREAM_OK && status != STREAM_EINTR)
			stream_fail_in(err, status, "%s", name);
	}
	return status;
}

/* ---- what becomes of a record ------------------------------------------- */

static bool
is_aborted(const struct asking *a, const struct stream_batch *batch)
{
	return stream_clean_txn_is_aborted(a->c->look.txn, &batch->info);
}

static void
note_newest(struct asking *a, const struct stream_batch *batch,
    const struct stream_record *record)
{
	const struct stream_compacted *sum = &a->c->compact->sum;

	if (record->offset >= sum->from_offset &&
	    record->offset < sum->uncleanable_offset && !is_aborted(a, batch))
		a->newest = record->offset;
}

static void
judge_tombstone(struct asking *a, const struct stream_batch *batch,
    struct stream_compact_fate *fate)
{
	char text[STREAM_TIME_SIZE];

	fate->reason = STREAM_COMPACT_TOMBSTONE;
	if ((batch->info.attributes & STREAM_BATCH_HORIZON) == 0) {
		snprintf(fate->why, sizeof(fate->why),
		    "tombstone: stays for delete.retention.ms from when it "
		    "is first cleaned");
		return;
	}
	fate->until_ms = batch->base_timestamp_ms;
	stream_format_time(fate->until_ms, text);
	fate->stays = a->c->source->options->now_ms < fate->until_ms;
	if (!fate->stays)
		fate->reason = STREAM_COMPACT_EXPIRED;
	snprintf(fate->why, sizeof(fate->why),
	    fate->stays ? "tombstone: stays until %s"
			: "tombstone: its time was over at %s",
	    text);
}

static void
judge(struct asking *a, const struct stream_batch *batch,
    struct stream_compact_fate *fate)
{
	const struct stream_compacted *sum = &a->c->compact->sum;

	if (fate->offset >= sum->uncleanable_offset) {
		fate->reason = STREAM_COMPACT_ABOVE;
		snprintf(fate->why, sizeof(fate->why), "%s",
		    stream_compact_tell_bound(sum->bound));
	} else if (is_aborted(a, batch)) {
		fate->stays = false;
		fate->reason = STREAM_COMPACT_ABORTED;
		snprintf(fate->why, sizeof(fate->why),
		    "its transaction was aborted");
	} else if (fate->offset < a->newest) {
		fate->stays = false;
		fate->reason = STREAM_COMPACT_SUPERSEDED;
		fate->by_offset = a->newest;
		snprintf(fate->why, sizeof(fate->why),
		    "superseded by offset %lld", (long long)a->newest);
	} else if (fate->is_tombstone) {
		judge_tombstone(a, batch, fate);
	} else {
		snprintf(fate->why, sizeof(fate->why),
		    fate->offset < sum->from_offset
			? "below the clean point, and nothing newer above it"
			: "the newest of its key that may be cleaned");
	}
}

static void
judge_record(struct asking *a, const struct stream_batch *batch,
    const struct stream_record *record)
{
	struct stream_compact_fate fate = {
	    .offset = record->offset,
	    .timestamp_ms = record->timestamp_ms,
	    .is_tombstone = record->value.data == NULL,
	    .stays = true,
	    .reason = STREAM_COMPACT_NEWEST,
	    .by_offset = -1,
	    .until_ms = -1,
	};

	if (record->offset < a->told_to)
		return;
	a->told_to = record->offset + 1;
	judge(a, batch, &fate);
	a->found(a->c->source->options->context, &fate);
}

/* ---- all of it ---------------------------------------------------------- */

static int
ask(struct stream_compacting *c, void *context, struct stream_error *err)
{
	struct asking *a = context;
	size_t end =
	    stream_compacting_reach(c, c->compact->sum.uncleanable_offset);
	int status;

	a->c = c;
	a->newest = -1;
	stream_scan_init(
	    &a->scan, -1, 0, STREAM_SCAN_WHOLE, c->cap, STREAM_SCAN_BLOCK);
	stream_unpacker_init(&a->unpacker, c->cap);
	status = walk_segments(a, 0, end, note_newest, err);
	if (status == STREAM_OK)
		status = walk_segments(a, 0, c->look.count, judge_record, err);
	stream_scan_release(&a->scan);
	stream_unpacker_release(&a->unpacker);
	return status;
}

int
stream_log_compact_why(const struct stream_compact_source *source,
    struct stream_bytes key,
    void (*found)(void *context, const struct stream_compact_fate *fate),
    struct stream_compacted *compacted, struct stream_error *err)
{
	struct stream_compact compact = {.segments = NULL};
	struct asking a = {.key = key, .found = found};
	int status =
	    stream_compacting_do(source, false, ask, &a, &compact, err);

	if (status == STREAM_OK)
		*compacted = compact.sum;
	return status;
}
