#include "file/tail.h"

#include <string.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "codec/batch.h"
#include "codec/crc32c.h"
#include "file/io.h"

/*
 * The bytes are read in windows.  A batch that a crash left half written is
 * one append long, a megabyte or so; but a lying length field may stand in
 * front of a gigabyte of good data, and that has to be found.
 */
enum { WINDOW = 1 << 20 };

struct judge {
	int fd;
	uint64_t from;
	uint64_t end;
	int64_t expected;
	size_t cap;
	/*
	 * Bytes of CRC that may still be computed for candidates.  Hostile
	 * bytes can hold a candidate every few bytes, each as long as cap;
	 * real ones hold few.  When it is used up the answer is damage, the
	 * one verdict that cuts nothing.
	 */
	uint64_t budget;
	uint8_t *window;
};

static int
read_some(const struct judge *judge, void *to, size_t n, uint64_t at,
    struct stream_error *err)
{
	size_t got;
	int status = stream_io_read_at(judge->fd, to, n, at, &got, err);

	if (status == STREAM_OK && got < n)
		memset((uint8_t *)to + got, 0, n - got);
	return status;
}

static size_t
window_size(const struct judge *judge, uint64_t at)
{
	uint64_t left = judge->end - at;

	return left < WINDOW ? (size_t)left : WINDOW;
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
	for (uint64_t at = judge->from; *zero && at < judge->end;) {
		size_t n = window_size(judge, at);
		int status = read_some(judge, judge->window, n, at, err);

		if (status != STREAM_OK)
			return status;
		*zero = is_zero(judge->window, n);
		at += n;
	}
	return STREAM_OK;
}

/* Does a whole batch of this size with a good CRC stand at this byte? */
static int
is_whole_batch(struct judge *judge, uint64_t at, uint64_t size, bool *whole,
    struct stream_error *err)
{
	struct stream_buf buf;
	int status;

	*whole = false;
	if (size > judge->cap)
		return STREAM_OK;
	stream_buf_init(&buf);
	status = stream_buf_reserve(&buf, (size_t)size, err);
	if (status == STREAM_OK)
		status = read_some(judge, buf.data, (size_t)size, at, err);
	if (status == STREAM_OK)
		*whole = stream_batch_crc_is_good(buf.data, (size_t)size);
	stream_buf_release(&buf);
	return status;
}

/* Could a batch header at or after the expected offset start here? */
static bool
is_candidate(
    const struct judge *judge, const uint8_t *p, uint64_t at, uint64_t *size)
{
	int64_t base = (int64_t)stream_load64(p);
	int64_t count = (int32_t)stream_load32(p + 57);
	int64_t delta = (int32_t)stream_load32(p + 23);

	return p[STREAM_BATCH_MAGIC_AT] == 2 && base >= judge->expected &&
	       delta >= 0 && count >= 0 && count <= delta + 1 &&
	       stream_batch_measure(p, STREAM_BATCH_HEADER, judge->cap, size,
		   NULL) == STREAM_OK &&
	       *size <= judge->end - at;
}

/* Candidates in one window; those that begin in its last 60 bytes are in the
 * next one. */
static int
search_window(struct judge *judge, uint64_t at, size_t n, bool *found,
    struct stream_error *err)
{
	for (size_t i = 0; i + STREAM_BATCH_HEADER <= n && !*found; i++) {
		uint64_t size;
		int status;

		if (!is_candidate(judge, judge->window + i, at + i, &size))
			continue;
		if (size > judge->budget) {
			*found = true;
			return STREAM_OK;
		}
		judge->budget -= size;
		status = is_whole_batch(judge, at + i, size, found, err);
		if (status != STREAM_OK)
			return status;
	}
	return STREAM_OK;
}

static int
search_batch(struct judge *judge, bool *found, struct stream_error *err)
{
	*found = false;
	for (uint64_t at = judge->from + 1; at < judge->end && !*found;) {
		size_t n = window_size(judge, at);
		int status = read_some(judge, judge->window, n, at, err);

		if (status == STREAM_OK)
			status = search_window(judge, at, n, found, err);
		if (status != STREAM_OK)
			return status;
		if (n < WINDOW)
			break;
		at += n - (STREAM_BATCH_HEADER - 1);
	}
	return STREAM_OK;
}

/* The file's end is where the batch's CRC ends, and only its length lies. */
static int
is_lying_length(struct judge *judge, bool *lies, struct stream_error *err)
{
	uint64_t size = judge->end - judge->from;
	uint8_t prefix[STREAM_BATCH_PREFIX];
	int status;

	*lies = false;
	if (size < STREAM_BATCH_HEADER)
		return STREAM_OK;
	status = read_some(judge, prefix, sizeof(prefix), judge->from, err);
	if (status != STREAM_OK ||
	    stream_load32(prefix + 8) + STREAM_BATCH_PREFIX == size)
		return status;
	return is_whole_batch(judge, judge->from, size, lies, err);
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
	if (size > judge->budget || size > judge->cap)
		return STREAM_OK;
	judge->budget -= size;
	stream_buf_init(&buf);
	status = stream_buf_reserve(&buf, (size_t)size, err);
	if (status == STREAM_OK)
		status =
		    read_some(judge, buf.data, (size_t)size, judge->from, err);
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
	int status = is_whole_batch(judge, judge->from, size, &whole, err);

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
	uint64_t left = judge->end - judge->from;
	uint64_t size;
	int status;

	*tail = STREAM_TAIL_TORN;
	if (left < STREAM_BATCH_MAGIC_AT + 1)
		return STREAM_OK;
	status = read_some(judge, header,
	    left < sizeof(header) ? (size_t)left : sizeof(header), judge->from,
	    err);
	if (status != STREAM_OK)
		return status;
	status = stream_batch_measure(
	    header, STREAM_BATCH_MAGIC_AT + 1, judge->cap, &size, NULL);
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

int
stream_tail_judge(int fd, uint64_t position, int64_t expected_offset,
    size_t cap, enum stream_tail *tail, struct stream_error *err)
{
	struct judge judge = {
	    .fd = fd,
	    .from = position,
	    .expected = expected_offset,
	    .cap = cap,
	};
	struct stream_buf window;
	int status = stream_io_size(fd, &judge.end, err);

	if (status != STREAM_OK || judge.end <= position) {
		*tail = STREAM_TAIL_NONE;
		return status;
	}
	judge.budget = 4 * (judge.end - position) + cap;
	stream_buf_init(&window);
	status = stream_buf_reserve(&window, WINDOW, err);
	judge.window = window.data;
	if (status == STREAM_OK)
		status = decide(&judge, tail, err);
	stream_buf_release(&window);
	return status;
}
