/*
 * verify_segment.c - every batch of one segment, in order
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/verify_private.h"

/* Bytes between two calls of options.go_on: a fraction of a millisecond. */
enum { TELL_BYTES = 1 << 20 };

/* Offsets of a segment are 31 bits in its indexes. */
static const int64_t SPAN_MOST = INT32_MAX;

bool
stream_verify_is_there(struct stream_verify *verify)
{
	struct stat st;
	const char *name = verify->log_name;

	if (fstatat(verify->source->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) !=
		0 ||
	    st.st_dev != verify->device || st.st_ino != verify->inode)
		verify->gone = true;
	return !verify->gone;
}

/* ---- the chain of offsets ----------------------------------------------- */

static void
tell_break(struct stream_verify *verify, const struct stream_batch *batch)
{
	const struct stream_batch_info *info = &batch->info;
	int64_t expected = verify->chain.expected;
	bool above = info->base_offset > expected;

	stream_verify_damage(verify,
	    above ? STREAM_FINDING_OFFSET_GAP : STREAM_FINDING_OFFSET_ORDER,
	    stream_verify_in_log(verify, info->position, expected,
		above ? info->base_offset - 1
		      : expected + batch->last_offset_delta),
	    "batch at offset %lld where %lld %s expected",
	    (long long)info->base_offset, (long long)expected,
	    verify->dense ? "was" : "or more was");
}

/*
 * The CRC does not cover the base offset.  In a dense log every other one than
 * the next is wrong; whether this batch or what lies before it, the batch after
 * it shows, so both are taken for possible.  Elsewhere gaps are legal, and
 * after a break the newer batch is believed.  false: the offsets are in doubt.
 */
static bool
check_chain(struct stream_verify *verify, const struct stream_batch *batch)
{
	struct stream_verify_chain *chain = &verify->chain;
	const struct stream_batch_info *info = &batch->info;
	bool dense = verify->dense;
	bool right = info->base_offset == chain->expected ||
		     info->base_offset == chain->other ||
		     (!dense && info->base_offset > chain->expected);

	if (!right)
		tell_break(verify, batch);
	if (info->base_offset != chain->expected ||
	    batch->last_offset_delta != info->record_count - 1)
		chain->gapless = false;
	chain->other = -1;
	if (!right && dense) {
		chain->other = info->last_offset + 1;
		chain->expected += batch->last_offset_delta + 1;
	} else {
		chain->expected = info->last_offset + 1;
	}
	chain->end = chain->expected;
	return right;
}

static void
check_span(struct stream_verify *verify, const struct stream_batch *batch)
{
	const struct stream_batch_info *info = &batch->info;
	struct stream_verify_where where = stream_verify_in_log(
	    verify, info->position, info->base_offset, info->last_offset);

	if (verify->dense && batch->last_offset_delta != info->record_count - 1)
		stream_verify_damage(verify, STREAM_FINDING_OFFSET_GAP, where,
		    "%d records for %lld offsets", info->record_count,
		    (long long)batch->last_offset_delta + 1);
	if (info->last_offset - verify->base > SPAN_MOST)
		stream_verify_damage(verify, STREAM_FINDING_OFFSET_RANGE, where,
		    "offset %lld is more than 2^31-1 past the segment's base",
		    (long long)info->last_offset);
}

/* ---- records ------------------------------------------------------------ */

static void
tell_records(struct stream_verify *verify, const struct stream_batch *batch,
    int status, const struct stream_error *why)
{
	const struct stream_batch_info *info = &batch->info;
	bool plain = stream_batch_codec(info) == STREAM_CODEC_NONE;
	uint64_t position = info->position;

	if (plain && why->pos != STREAM_POS_NONE)
		position += STREAM_BATCH_HEADER + why->pos;
	stream_verify_damage(verify,
	    status == STREAM_ENEWER ? STREAM_FINDING_UNSUPPORTED
				    : STREAM_FINDING_RECORDS,
	    stream_verify_in_log(
		verify, position, info->base_offset, info->last_offset),
	    "batch at offset %lld: %s", (long long)info->base_offset,
	    why->text);
}

static int
check_records(struct stream_verify *verify, const struct stream_batch *batch,
    const uint8_t *bytes, struct stream_error *err)
{
	struct stream_error why = {.text = ""};
	int status =
	    stream_records_check_packed(&verify->unpacker, batch, bytes, &why);

	if (status == STREAM_ENOMEM)
		return stream_fail_memory(err);
	if (status != STREAM_OK)
		tell_records(verify, batch, status, &why);
	return STREAM_OK;
}

/* ---- the walk ----------------------------------------------------------- */

static void
count(struct stream_verify *verify, const struct stream_batch_info *info)
{
	verify->sum->batches++;
	verify->sum->records += (uint64_t)info->record_count;
	/* Until then it is the newest segment's base (verify.c). */
	if (verify->newest)
		verify->sum->log_end_offset = verify->chain.expected;
}

static int
check_batch(struct stream_verify *verify, const struct stream_batch *batch,
    const uint8_t *bytes, struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;
	int64_t end_offset;
	bool sure;
	int status;

	stream_verify_epochs_batch(verify, info);
	sure = check_chain(verify, batch);
	check_span(verify, batch);
	end_offset = verify->chain.expected;
	count(verify, info);
	status = check_records(verify, batch, bytes, err);
	if (status == STREAM_OK && sure)
		status = stream_verify_indexes_batch(verify, info, err);
	else if (status == STREAM_OK)
		stream_verify_pass_doubtful(verify, info, end_offset);
	if (status == STREAM_OK && sure)
		status = stream_verify_txns_batch(verify, info, bytes, err);
	return status;
}

static int
tell(struct stream_verify *verify, bool now, struct stream_error *err)
{
	uint64_t at = verify->scan.next;
	uint64_t bytes = at - verify->told;

	if (!now && bytes < TELL_BYTES)
		return STREAM_OK;
	verify->told = at;
	if (verify->options.go_on == NULL ||
	    verify->options.go_on(verify->options.context, bytes))
		return STREAM_OK;
	return stream_fail(err, STREAM_EINTR, STREAM_POS_NONE, "stopped");
}

static int
step(struct stream_verify *verify, struct stream_error *err)
{
	struct stream_error why = {.text = ""};
	struct stream_batch batch;
	const uint8_t *bytes;
	int status = stream_scan_next(&verify->scan, &batch, &bytes, &why);

	if (status == STREAM_OK)
		status = check_batch(verify, &batch, bytes, err);
	else if (status == STREAM_EIO || status == STREAM_ENOMEM) {
		if (err != NULL)
			*err = why;
		return stream_fail_in(err, status, "%s", verify->log_name);
	} else if (status != STREAM_END)
		status = stream_verify_stopped(verify, status, &why, err);
	if (status == STREAM_OK)
		status = tell(verify, false, err);
	return status;
}

/* The state was read before this log was opened.  Meanwhile it may have been
 * closed and compacted, or a replica's swapped for that of its source. */
static bool
is_durable_still(const struct stream_verify *verify, uint64_t size)
{
	struct stream_state now;

	return stream_state_read(verify->statefd, &verify->identity, &now,
		   NULL) != STREAM_OK ||
	       (now.active_base == verify->base && now.durable_end > size);
}

/* Nothing that was made durable may be missing. */
static int
check_durable(struct stream_verify *verify, struct stream_error *err)
{
	const struct stream_state *state = &verify->state;
	uint64_t size;
	int status;

	if (state->sequence == 0 || state->active_base != verify->base)
		return STREAM_OK;
	status = stream_io_size(verify->fd, &size, err);
	if (status == STREAM_OK && size < state->durable_end &&
	    is_durable_still(verify, size))
		stream_verify_damage(verify, STREAM_FINDING_LOST_TAIL,
		    stream_verify_in_log(verify, size, verify->chain.expected,
			state->next_offset > verify->chain.expected
			    ? state->next_offset - 1
			    : -1),
		    "the file ends here, though %llu bytes were made durable",
		    (unsigned long long)state->durable_end);
	return status;
}

int
stream_verify_segment(struct stream_verify *verify, struct stream_error *err)
{
	int status = STREAM_OK;

	if (verify->size > INT32_MAX)
		stream_verify_damage(verify, STREAM_FINDING_SIZE,
		    stream_verify_in_log(verify, INT32_MAX, -1, -1),
		    "%llu bytes are more than a log file can have, 2^31-1",
		    (unsigned long long)verify->size);
	stream_scan_move(&verify->scan, verify->fd, 0);
	verify->scan.limit = verify->size;
	verify->told = 0;
	while (status == STREAM_OK && !verify->gone)
		status = step(verify, err);
	if (status == STREAM_END)
		status = tell(verify, true, err);
	if (status == STREAM_OK && !verify->gone)
		status = check_durable(verify, err);
	if (status == STREAM_OK && !verify->gone)
		status = stream_verify_indexes_finish(verify, err);
	if (status == STREAM_OK && !verify->gone)
		status = stream_verify_txns_finish(verify, err);
	return status;
}
