/*
 * verify_epochs.c - leader-epoch-checkpoint against the batches
 *
 * SPEC section 6.2.  Each batch has the epoch of the last entry that starts at
 * or before it.  The CRC of a batch does not cover its epoch, so this is what
 * finds a wrong one.
 */
#include <stdlib.h>

#include "file/io.h"
#include "log/verify_private.h"

static struct stream_verify_where
in_file(int64_t first_offset)
{
	return (struct stream_verify_where){
	    STREAM_EPOCHS_FILE, STREAM_POS_NONE, first_offset, -1};
}

/* Without the file a broker rebuilds it only after a stop that was not clean;
 * we write it before the first batch. */
static void
tell_missing(struct stream_verify *verify)
{
	if (verify->dense)
		stream_verify_damage(verify, STREAM_FINDING_EPOCHS, in_file(-1),
		    "there are batches, but no such file");
	else
		stream_verify_note(verify, STREAM_FINDING_EPOCHS, in_file(-1),
		    "there are batches, but no such file");
}

/* A leader change a second for a week is 17 MB. */
enum { FILE_LIMIT = 32 << 20 };

/* Read and parse.  The parser takes any blank for a line's end, Kafka writes
 * but one. */
static int
load(struct stream_verify *verify, struct stream_error *err)
{
	struct stream_verify_epochs *epochs = &verify->epochs;
	struct stream_buf text;
	int status;

	stream_buf_init(&text);
	status = stream_io_load(
	    verify->source->dirfd, STREAM_EPOCHS_FILE, FILE_LIMIT, &text, err);
	if (status == STREAM_OK)
		status = stream_epochs_parse(
		    (struct stream_bytes){text.data, text.size},
		    &epochs->entries, &epochs->count, err);
	if (status == STREAM_OK && text.size > 0 &&
	    text.data[text.size - 1] != '\n')
		stream_verify_damage(verify, STREAM_FINDING_EPOCHS,
		    (struct stream_verify_where){
			STREAM_EPOCHS_FILE, text.size - 1, -1, -1},
		    "the last line does not end");
	stream_buf_release(&text);
	return status;
}

int
stream_verify_epochs_load(
    struct stream_verify *verify, struct stream_error *err)
{
	struct stream_verify_epochs *epochs = &verify->epochs;
	struct stream_error why;
	int status;

	free(epochs->entries);
	epochs->entries = NULL;
	epochs->count = 0;
	epochs->next = 0;
	if (verify->source->only != NULL)
		return STREAM_OK;
	status = load(verify, &why);
	epochs->is_there = status != STREAM_ENOENT;
	if (status == STREAM_ECORRUPT) {
		epochs->told_start = true;
		stream_verify_damage(
		    verify, STREAM_FINDING_EPOCHS, in_file(-1), "%s", why.text);
	}
	if (status == STREAM_EIO || status == STREAM_ENOMEM) {
		if (err != NULL)
			*err = why;
		return status;
	}
	while (
	    epochs->next < epochs->count &&
	    epochs->entries[epochs->next].start_offset < verify->chain.expected)
		epochs->next++;
	return STREAM_OK;
}

/* The batch comes to an entry's start.  That must not lie before the end of the
 * last one, and in a dense log be the batch's own first offset.  Where there
 * are gaps, a segment's name can be far above the last batch, and an epoch have
 * begun between the two.  Before the first batch of the log there may be any:
 * entries are cut at the front after the log is. */
static void
check_start(struct stream_verify *verify, const struct stream_epoch *entry,
    const struct stream_batch_info *info)
{
	int64_t end = verify->chain.end;

	if (entry->start_offset < end && end <= info->base_offset)
		stream_verify_damage(verify, STREAM_FINDING_EPOCHS,
		    in_file(entry->start_offset),
		    "epoch %d starts at offset %lld, within a batch",
		    entry->epoch, (long long)entry->start_offset);
	else if (verify->dense && !verify->chain.broken && end >= 0 &&
		 entry->start_offset != info->base_offset)
		stream_verify_damage(verify, STREAM_FINDING_EPOCHS,
		    in_file(entry->start_offset),
		    "epoch %d starts at offset %lld, but a batch at %lld",
		    entry->epoch, (long long)entry->start_offset,
		    (long long)info->base_offset);
}

/* A broker moves the first entry up when the log start moves, and may not yet
 * have told the new log start. */
static void
tell_start(struct stream_verify *verify, const struct stream_batch_info *info)
{
	struct stream_verify_epochs *epochs = &verify->epochs;
	int64_t start;

	if (epochs->told_start ||
	    info->last_offset < verify->source->log_start_offset)
		return;
	epochs->told_start = true;
	if (epochs->count == 0) {
		stream_verify_note(verify, STREAM_FINDING_EPOCHS, in_file(-1),
		    "there are batches, but no entry");
		return;
	}
	start = epochs->entries[0].start_offset;
	if (verify->dense)
		stream_verify_damage(verify, STREAM_FINDING_EPOCHS,
		    in_file(info->base_offset),
		    "the first entry starts at offset %lld, after a batch at "
		    "%lld",
		    (long long)start, (long long)info->base_offset);
	else
		stream_verify_note(verify, STREAM_FINDING_EPOCHS,
		    in_file(info->base_offset),
		    "the first entry starts at offset %lld, after a batch at "
		    "%lld",
		    (long long)start, (long long)info->base_offset);
}

/* One word for all batches in a row that differ in the same way. */
static void
compare(struct stream_verify *verify, const struct stream_batch_info *info)
{
	struct stream_verify_epochs *epochs = &verify->epochs;
	const struct stream_epoch *entry = &epochs->entries[epochs->next - 1];

	if (info->leader_epoch == entry->epoch)
		return;
	if (info->leader_epoch == epochs->told &&
	    epochs->next == epochs->told_entry)
		return;
	epochs->told = info->leader_epoch;
	epochs->told_entry = epochs->next;
	stream_verify_damage(verify, STREAM_FINDING_LEADER_EPOCH,
	    stream_verify_in_log(
		verify, info->position, info->base_offset, info->last_offset),
	    "batch at offset %lld has leader epoch %d, but "
	    "leader-epoch-checkpoint has %d from offset %lld on",
	    (long long)info->base_offset, info->leader_epoch, entry->epoch,
	    (long long)entry->start_offset);
}

static void
check_order(struct stream_verify *verify, const struct stream_batch_info *info)
{
	int32_t epoch = info->leader_epoch;

	if (epoch < -1 || epoch < verify->epochs.last)
		stream_verify_damage(verify, STREAM_FINDING_LEADER_EPOCH,
		    stream_verify_in_log(verify, info->position,
			info->base_offset, info->last_offset),
		    "batch at offset %lld has leader epoch %d after %d",
		    (long long)info->base_offset, epoch, verify->epochs.last);
	verify->epochs.last = epoch;
}

void
stream_verify_epochs_batch(
    struct stream_verify *verify, const struct stream_batch_info *info)
{
	struct stream_verify_epochs *epochs = &verify->epochs;
	int64_t from = info->base_offset;

	/* A log start within a batch is where the first entry begins. */
	if (from < verify->source->log_start_offset &&
	    info->last_offset >= verify->source->log_start_offset)
		from = verify->source->log_start_offset;
	while (epochs->next < epochs->count &&
	       epochs->entries[epochs->next].start_offset <= from) {
		if (epochs->next > 0)
			check_start(
			    verify, &epochs->entries[epochs->next], info);
		epochs->next++;
	}
	/* Not known: written by something that has no epochs. */
	if (info->leader_epoch == -1)
		return;
	if (epochs->next > 0)
		compare(verify, info);
	else {
		check_order(verify, info);
		if (epochs->is_there)
			tell_start(verify, info);
	}
}

/* Where the end of the log is being moved, or who moved it died, entries do not
 * fit it until the next writer settles both. */
static void
tell_past_end(
    struct stream_verify *verify, const struct stream_epoch *last, int64_t end)
{
	struct stream_verify_where where = in_file(last->start_offset);
	long long start = (long long)last->start_offset;
	struct stream_state now;

	if (stream_verify_has_mark(
		verify, STREAM_MARK_ROLLING | STREAM_MARK_REPLICATING, &now))
		stream_verify_note(verify, STREAM_FINDING_EPOCHS, where,
		    "epoch %d starts at offset %lld, and the log ends at %lld "
		    "until what changes its end is finished",
		    last->epoch, start, (long long)end);
	else
		stream_verify_damage(verify, STREAM_FINDING_EPOCHS, where,
		    "epoch %d starts at offset %lld, but the log ends at %lld",
		    last->epoch, start, (long long)end);
}

void
stream_verify_epochs_finish(struct stream_verify *verify)
{
	struct stream_verify_epochs *epochs = &verify->epochs;
	int64_t end = verify->chain.expected;

	if (!epochs->is_there && verify->source->only == NULL &&
	    verify->sum->batches > 0)
		tell_missing(verify);
	if (end >= 0 && epochs->next < epochs->count &&
	    epochs->entries[epochs->count - 1].start_offset > end)
		tell_past_end(verify, &epochs->entries[epochs->count - 1], end);
}
