/*
 * verify_tail.c - bytes that are no whole batch: what they are, and what is
 * missing because of them
 *
 * SPEC section 10.  In the newest segment an append may be under way, or the
 * end may be torn; everywhere else they are damage, and the walk goes on at
 * the next good batch.
 */
#include <string.h>

#include "base/fail.h"
#include "file/io.h"
#include "file/tail.h"
#include "log/quiet.h"
#include "file/resync.h"
#include "log/verify_private.h"

/* The CRC field's place, which a failed check of it names. */
enum { AT_CRC = 17 };

/* Read the batch at the scan's place once more, past the size that the file
 * had, and stay there.  On success the log to check ends after it. */
static int
read_again(void *owner, struct stream_error *err)
{
	struct stream_verify *verify = owner;
	uint64_t at = verify->scan.next;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	verify->scan.limit = UINT64_MAX;
	status = stream_scan_next(&verify->scan, &batch, &bytes, err);
	if (status == STREAM_OK && verify->scan.next > verify->size)
		verify->size = verify->scan.next;
	else if (status == STREAM_END)
		verify->size = at;
	verify->scan.limit = verify->size;
	stream_scan_move(&verify->scan, verify->fd, at);
	return status;
}

static int
look_again(struct stream_verify *verify, struct stream_error *err)
{
	struct stream_quiet quiet = {
	    .statefd = verify->statefd,
	    .identity = &verify->identity,
	    .timeout_ms = verify->options.lock_timeout_ms,
	    .again = read_again,
	    .owner = verify,
	};

	return stream_quiet_look(&quiet, err);
}

static enum stream_verify_kind
kind_of(int status, const struct stream_error *why, uint64_t at)
{
	if (status == STREAM_ENEWER)
		return STREAM_FINDING_UNSUPPORTED;
	return status == STREAM_ECORRUPT && why->pos == at + AT_CRC
		   ? STREAM_FINDING_CRC
		   : STREAM_FINDING_BATCH;
}

/* Go on at the good batch at byte position, or after the end of the file if
 * there is none; end_offset is the first that is there again. */
static void
tell_damage(struct stream_verify *verify, int status,
    const struct stream_error *why, uint64_t position, int64_t end_offset,
    bool found)
{
	uint64_t at = verify->scan.next;
	int64_t first = verify->chain.expected;
	int64_t last = end_offset == INT64_MAX ? -1 : end_offset - 1;

	if (last >= 0 && last < first)
		first = last = -1; /* bytes too many, but no record less */
	if (found)
		stream_verify_damage(verify, kind_of(status, why, at),
		    stream_verify_in_log(verify, at, first, last),
		    "%s; good batches go on at byte %llu", why->text,
		    (unsigned long long)position);
	else
		stream_verify_damage(verify, kind_of(status, why, at),
		    stream_verify_in_log(verify, at, first, last),
		    "%s; no good batch follows in this file", why->text);
}

/* Damage: tell it and find the place to go on. */
static int
skip_damage(struct stream_verify *verify, int status,
    const struct stream_error *why, struct stream_error *err)
{
	struct stream_verify_chain *chain = &verify->chain;
	struct stream_resync where = {
	    .fd = verify->fd,
	    .from = verify->scan.next,
	    .expected = chain->expected,
	    .bound = verify->bound,
	    .cap = verify->options.max_batch_bytes,
	    .dense = verify->dense,
	};
	uint64_t position;
	int64_t base;
	int found = stream_io_size(verify->fd, &where.end, err);

	if (found == STREAM_OK)
		found = stream_resync(&where, &position, &base, err);
	if (found != STREAM_OK && found != STREAM_END)
		return stream_fail_in(err, found, "%s", verify->log_name);
	if (found == STREAM_END) {
		position = where.end;
		base = verify->bound;
	}
	tell_damage(verify, status, why, position, base, found == STREAM_OK);
	stream_verify_pass_hole(verify, where.from, position, base);
	stream_scan_move(&verify->scan, verify->fd, position);
	chain->expected = found == STREAM_OK ? base : -1;
	return found;
}

static bool
starts_with_zeros(const struct stream_verify *verify, uint64_t at)
{
	static const uint8_t zeros[STREAM_BATCH_MAGIC_AT + 1];
	uint8_t bytes[sizeof(zeros)];
	size_t got;

	return stream_io_read_at(verify->fd, bytes, sizeof(bytes), at, &got,
		   NULL) == STREAM_OK &&
	       memcmp(bytes, zeros, got) == 0;
}

static uint64_t
bytes_left(const struct stream_verify *verify, uint64_t at)
{
	uint64_t size;

	if (stream_io_size(verify->fd, &size, NULL) != STREAM_OK || size < at)
		return 0;
	return size - at;
}

/* Of a state of this boot the end is what was published: nobody was told of
 * what a run wrote behind it. */
static bool
is_left_by_run(const struct stream_verify *verify, uint64_t at)
{
	struct stream_state now;

	return stream_verify_has_mark(verify, STREAM_MARK_REPLICATING, &now) &&
	       stream_state_is_current(&now, &verify->identity) &&
	       now.active_base == verify->base && at >= now.end;
}

/* What will be cut, or set aside, by the next writer. */
static void
tell_end(struct stream_verify *verify, enum stream_tail tail, int status,
    const struct stream_error *why)
{
	uint64_t at = verify->scan.next;
	unsigned long long left = bytes_left(verify, at);
	struct stream_verify_where where =
	    stream_verify_in_log(verify, at, verify->chain.expected, -1);
	bool durable = verify->state.active_base == verify->base &&
		       at < verify->state.durable_end;

	if (tail == STREAM_TAIL_TORN && durable)
		stream_verify_damage(verify, STREAM_FINDING_LOST_TAIL, where,
		    "%s, though %llu bytes were made durable", why->text,
		    (unsigned long long)verify->state.durable_end);
	else if (tail == STREAM_TAIL_NEWER || durable)
		stream_verify_damage(
		    verify, kind_of(status, why, at), where, "%s", why->text);
	else if (tail == STREAM_TAIL_BAD)
		stream_verify_damage(verify, STREAM_FINDING_BAD_LAST_BATCH,
		    where, "%s; nothing good follows in the last %llu bytes",
		    why->text, left);
	else if (tail == STREAM_TAIL_LOST)
		stream_verify_damage(verify, STREAM_FINDING_TORN_TAIL, where,
		    "the last %llu bytes are what a loss of power left of "
		    "appends",
		    left);
	else if (starts_with_zeros(verify, at))
		stream_verify_damage(verify, STREAM_FINDING_ZERO_TAIL, where,
		    "the last %llu bytes are zero", left);
	else if (is_left_by_run(verify, at))
		stream_verify_note(verify, STREAM_FINDING_TORN_TAIL, where,
		    "the last %llu bytes are the start of a batch that "
		    "replication brings",
		    left);
	else
		stream_verify_damage(verify, STREAM_FINDING_TORN_TAIL, where,
		    "the last %llu bytes are the start of a batch", left);
}

/* In the newest segment, nobody writing. */
static int
judge(struct stream_verify *verify, int status, const struct stream_error *why,
    struct stream_error *err)
{
	uint64_t at = verify->scan.next;
	struct stream_tail_known known =
	    stream_tail_known(&verify->state, &verify->identity, verify->base);
	enum stream_tail tail;
	int judged =
	    stream_tail_judge_known(verify->fd, at, verify->chain.expected,
		verify->options.max_batch_bytes, &known, &tail, err);

	if (judged != STREAM_OK)
		return stream_fail_in(err, judged, "%s", verify->log_name);
	if (tail == STREAM_TAIL_NONE) /* cut meanwhile */
		return STREAM_END;
	if (tail == STREAM_TAIL_DAMAGE)
		return skip_damage(verify, status, why, err);
	tell_end(verify, tail, status, why);
	stream_verify_pass_hole(verify, at, UINT64_MAX, INT64_MAX);
	return STREAM_END;
}

int
stream_verify_stopped(struct stream_verify *verify, int status,
    const struct stream_error *why, struct stream_error *err)
{
	struct stream_error again = {.text = ""};

	if (!verify->newest)
		return skip_damage(verify, status, why, err);
	status = look_again(verify, &again);
	if (stream_quiet_is_bad(status))
		return judge(verify, status, &again, err);
	if (status != STREAM_OK && status != STREAM_END && err != NULL)
		*err = again;
	return status;
}
