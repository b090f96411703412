#include "file/tail.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "codec/batch.h"
#include "codec/crc32c.h"
#include "file/io.h"
#include "file/search.h"

/* What a disk writes as a whole. */
enum { SECTOR = 512 };

struct judge {
	struct stream_search search;
	uint64_t from; /* the end of the last good batch */
};

static size_t
window_size(const struct judge *judge, uint64_t at)
{
	uint64_t left = judge->search.end - at;

	return left < STREAM_SEARCH_WINDOW ? (size_t)left
					   : STREAM_SEARCH_WINDOW;
}

static bool
is_zero(const uint8_t *bytes, size_t n)
{
	return n == 0 ||
	       (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

static int
is_all_zero(const struct judge *judge, bool *zero, struct stream_error *err)
{
	*zero = true;
	for (uint64_t at = judge->from; *zero && at < judge->search.end;) {
		size_t n = window_size(judge, at);
		int status = stream_search_read(
		    &judge->search, judge->search.window.data, n, at, err);

		if (status != STREAM_OK)
			return status;
		*zero = is_zero(judge->search.window.data, n);
		at += n;
	}
	return STREAM_OK;
}

/* Is there a good batch behind?  When the budget is used up the answer is
 * damage, the one verdict that cuts nothing. */
static int
search_batch(struct judge *judge, bool *found, struct stream_error *err)
{
	uint64_t position;
	int status =
	    stream_search_next(&judge->search, judge->from + 1, &position, err);

	*found = status == STREAM_OK || judge->search.exhausted;
	return status == STREAM_END ? STREAM_OK : status;
}

/* The file's end is where the batch's CRC ends, and only its length lies. */
static int
is_lying_length(struct judge *judge, bool *lies, struct stream_error *err)
{
	uint64_t size = judge->search.end - judge->from;
	uint8_t prefix[STREAM_BATCH_PREFIX];
	int status;

	*lies = false;
	if (size < STREAM_BATCH_HEADER)
		return STREAM_OK;
	status = stream_search_read(
	    &judge->search, prefix, sizeof(prefix), judge->from, err);
	if (status != STREAM_OK ||
	    stream_load32(prefix + 8) + STREAM_BATCH_PREFIX == size)
		return status;
	return stream_search_is_whole(
	    &judge->search, judge->from, size, lies, err);
}

/* Does a whole message of magic 0 or 1 stand here?  Its CRC, of another kind,
 * is at byte 12 and covers all from the magic on. */
static int
is_whole_message(
    struct judge *judge, uint64_t size, bool *whole, struct stream_error *err)
{
	struct stream_buf buf;
	int status;

	*whole = false;
	if (size > judge->search.budget || size > judge->search.cap)
		return STREAM_OK;
	judge->search.budget -= size;
	stream_buf_init(&buf);
	status = stream_buf_reserve(&buf, (size_t)size, err);
	if (status == STREAM_OK)
		status = stream_search_read(
		    &judge->search, buf.data, (size_t)size, judge->from, err);
	if (status == STREAM_OK)
		*whole = stream_load32(buf.data + STREAM_BATCH_PREFIX) ==
			 stream_crc32(buf.data + STREAM_BATCH_MAGIC_AT,
			     (size_t)size - STREAM_BATCH_MAGIC_AT);
	stream_buf_release(&buf);
	return status;
}

/* A batch that is all there: of another format, or wrong? */
static int
judge_whole(struct judge *judge, const uint8_t *header, uint64_t size,
    enum stream_tail *tail, struct stream_error *err)
{
	struct stream_batch batch;
	bool whole;
	int status = stream_search_is_whole(
	    &judge->search, judge->from, size, &whole, err);

	if (status == STREAM_OK && !whole && header[STREAM_BATCH_MAGIC_AT] < 2)
		status = is_whole_message(judge, size, &whole, err);
	if (status != STREAM_OK)
		return status;
	*tail = STREAM_TAIL_BAD;
	if (whole && stream_batch_parse(header, (size_t)size, &batch, NULL) ==
			 STREAM_ENEWER)
		*tail = STREAM_TAIL_NEWER;
	return STREAM_OK;
}

/* No proof of damage was found: what does the header itself say? */
static int
judge_header(
    struct judge *judge, enum stream_tail *tail, struct stream_error *err)
{
	uint8_t header[STREAM_BATCH_HEADER] = {0};
	uint64_t left = judge->search.end - judge->from;
	uint64_t size;
	int status;

	*tail = STREAM_TAIL_TORN;
	if (left < STREAM_BATCH_MAGIC_AT + 1)
		return STREAM_OK;
	status = stream_search_read(&judge->search, header,
	    left < sizeof(header) ? (size_t)left : sizeof(header), judge->from,
	    err);
	if (status != STREAM_OK)
		return status;
	status = stream_batch_measure(
	    header, STREAM_BATCH_MAGIC_AT + 1, judge->search.cap, &size, NULL);
	if (status == STREAM_ENEWER)
		size = stream_load32(header + 8) + STREAM_BATCH_PREFIX;
	else if (status != STREAM_OK)
		*tail = STREAM_TAIL_BAD;
	if (*tail == STREAM_TAIL_BAD || size > left)
		return STREAM_OK;
	return judge_whole(judge, header, size, tail, err);
}

static int
decide(struct judge *judge, enum stream_tail *tail, struct stream_error *err)
{
	bool yes;
	int status = is_all_zero(judge, &yes, err);

	if (status == STREAM_OK && yes) {
		*tail = STREAM_TAIL_TORN;
		return STREAM_OK;
	}
	if (status == STREAM_OK)
		status = search_batch(judge, &yes, err);
	if (status == STREAM_OK && !yes)
		status = is_lying_length(judge, &yes, err);
	if (status != STREAM_OK)
		return status;
	if (!yes)
		return judge_header(judge, tail, err);
	*tail = STREAM_TAIL_DAMAGE;
	return STREAM_OK;
}

/* A verdict on all bytes from position on. */
typedef int decide_fn(
    struct judge *judge, enum stream_tail *tail, struct stream_error *err);

static int
judge_from(int fd, uint64_t position, int64_t expected_offset, size_t cap,
    decide_fn *by, enum stream_tail *tail, struct stream_error *err)
{
	struct judge judge = {.from = position};
	uint64_t end;
	int status = stream_io_size(fd, &end, err);

	if (status != STREAM_OK || end <= position) {
		*tail = STREAM_TAIL_NONE;
		return status;
	}
	/* No log file is that long: looking through a hole of terabytes for
	 * what it is not would take hours. */
	if (end > INT32_MAX) {
		*tail = STREAM_TAIL_DAMAGE;
		return STREAM_OK;
	}
	status = stream_search_init(
	    &judge.search, fd, position, end, expected_offset, cap, err);
	if (status == STREAM_OK)
		status = by(&judge, tail, err);
	stream_search_release(&judge.search);
	return status;
}

int
stream_tail_judge(int fd, uint64_t position, int64_t expected_offset,
    size_t cap, enum stream_tail *tail, struct stream_error *err)
{
	return judge_from(
	    fd, position, expected_offset, cap, decide, tail, err);
}

/* ---- what the state says ------------------------------------------------- */

struct stream_tail_known
stream_tail_known(const struct stream_state *state,
    const struct stream_state_identity *identity, int64_t base_offset)
{
	if (state->sequence == 0 || state->active_base != base_offset)
		return (struct stream_tail_known){.durable_end = 0};
	return (struct stream_tail_known){
	    .durable_end = state->durable_end,
	    .rebooted = stream_state_is_of_before(state, identity),
	};
}

int
stream_tail_load_known(int dirfd, int64_t base_offset,
    struct stream_tail_known *known, struct stream_error *err)
{
	struct stream_state_identity identity;
	struct stream_state state;
	int fd;
	int status =
	    stream_io_open(dirfd, STREAM_STATE_NAME, O_RDONLY, &fd, err);

	*known = (struct stream_tail_known){.durable_end = 0};
	if (status != STREAM_OK)
		return status == STREAM_ENOENT ? STREAM_OK : status;
	status = stream_state_identify(fd, &identity, err);
	if (status == STREAM_OK)
		status = stream_state_read(fd, &identity, &state, err);
	if (status == STREAM_OK)
		*known = stream_tail_known(&state, &identity, base_offset);
	close(fd);
	return status;
}

uint64_t
stream_tail_begin(const struct stream_tail_known *known, uint64_t position)
{
	return known->rebooted && position > known->durable_end ? 0 : position;
}

/* The end of the sector that byte at is in, or end. */
static uint64_t
sector_end(uint64_t at, uint64_t end)
{
	uint64_t next = at - at % SECTOR + SECTOR;

	return next < end ? next : end;
}

/* No good batch follows, so it is the length that lies: it did not reach the
 * disk with the sector before the rest of the batch. */
static int
decide_lost_length(
    struct judge *judge, enum stream_tail *tail, struct stream_error *err)
{
	uint8_t bytes[STREAM_BATCH_MAGIC_AT];
	uint64_t end =
	    sector_end(judge->from, judge->from + STREAM_BATCH_MAGIC_AT);
	size_t n = (size_t)(end - judge->from);
	int status;

	if (n < STREAM_BATCH_PREFIX)
		return STREAM_OK;
	status = stream_search_read(&judge->search, bytes, n, judge->from, err);
	if (status == STREAM_OK && is_zero(bytes, n))
		*tail = STREAM_TAIL_LOST;
	return status;
}

/*
 * Is a sector, as far as it lies between the last good batch and the next,
 * zero, which is how a write looks that did not reach the disk?  The state is
 * not synced, so what it calls durable may be less than what is: bytes that
 * were damaged otherwise may have been acknowledged, and what follows too.
 */
static int
decide_lost(
    struct judge *judge, enum stream_tail *tail, struct stream_error *err)
{
	uint64_t good, end;
	int status =
	    stream_search_next(&judge->search, judge->from + 1, &good, err);

	*tail = STREAM_TAIL_DAMAGE;
	for (uint64_t at = judge->from; status == STREAM_OK && at < good;
	     at = end) {
		uint8_t bytes[SECTOR];

		end = sector_end(at, good);
		status = stream_search_read(
		    &judge->search, bytes, (size_t)(end - at), at, err);
		if (status != STREAM_OK || !is_zero(bytes, (size_t)(end - at)))
			continue;
		*tail = STREAM_TAIL_LOST;
		break;
	}
	return status == STREAM_END ? decide_lost_length(judge, tail, err)
				    : status;
}

int
stream_tail_judge_known(int fd, uint64_t position, int64_t expected_offset,
    size_t cap, const struct stream_tail_known *known, enum stream_tail *tail,
    struct stream_error *err)
{
	int status =
	    stream_tail_judge(fd, position, expected_offset, cap, tail, err);

	if (status == STREAM_OK && *tail == STREAM_TAIL_DAMAGE &&
	    known->rebooted && position >= known->durable_end)
		status = judge_from(
		    fd, position, expected_offset, cap, decide_lost, tail, err);
	return status;
}

int
stream_tail_judge_cut(int fd, uint64_t position, int64_t expected_offset,
    const struct stream_tail_known *known, enum stream_tail *tail,
    struct stream_error *err)
{
	int status = stream_tail_judge_known(fd, position, expected_offset,
	    STREAM_BATCH_CAP_MOST, known, tail, err);

	if (status == STREAM_OK && *tail == STREAM_TAIL_TORN)
		status = stream_tail_judge_known(fd, position, expected_offset,
		    STREAM_BATCH_CAP_DEFAULT, known, tail, err);
	if (status == STREAM_OK && position < known->durable_end &&
	    (*tail == STREAM_TAIL_TORN || *tail == STREAM_TAIL_BAD))
		*tail = STREAM_TAIL_DAMAGE;
	return status;
}
