#include "file/resync.h"

#include <string.h>

#include "codec/varint.h"
#include "file/io.h"
#include "file/scan.h"
#include "file/search.h"

/* How far good batches are followed to see where they lead to, when the
 * damaged header says nothing.  Larger values than producers send by default
 * are rarely logs themselves. */
enum { FOLLOW_MOST = 1 << 20 };

static bool
is_fatal(int status)
{
	return status == STREAM_EIO || status == STREAM_ENOMEM;
}

/* Is the batch one that may follow, by its header? */
static bool
fits(const struct stream_resync *where, const struct stream_batch *batch)
{
	return batch->info.base_offset >= where->expected &&
	       batch->info.last_offset < where->bound &&
	       (!where->dense ||
		   batch->last_offset_delta == batch->info.record_count - 1);
}

/* The batch at a byte, if a good one stands there; STREAM_END if not. */
static int
load(const struct stream_resync *where, struct stream_scan *scan, uint64_t at,
    struct stream_batch *batch, struct stream_error *err)
{
	const uint8_t *bytes;
	int status;

	stream_scan_move(scan, where->fd, at);
	scan->limit = where->end;
	status = stream_scan_next(scan, batch, &bytes, err);
	return status == STREAM_OK || is_fatal(status) ? status : STREAM_END;
}

/* Where the damaged batch says that it ends; from when it says nothing that
 * can be. */
static int
claimed_end(
    const struct stream_resync *where, uint64_t *end, struct stream_error *err)
{
	uint8_t prefix[STREAM_BATCH_PREFIX];
	uint64_t size;
	size_t got;
	int status = stream_io_read_at(
	    where->fd, prefix, sizeof(prefix), where->from, &got, err);

	*end = where->from;
	if (status == STREAM_OK && got == sizeof(prefix) &&
	    stream_batch_measure(
		prefix, sizeof(prefix), where->cap, &size, NULL) == STREAM_OK &&
	    size <= where->end - where->from)
		*end = where->from + size;
	return status;
}

/* Follow good batches from a byte on, until one passes most or none follows:
 * *end is the byte after the last one. */
static int
follow(const struct stream_resync *where, struct stream_scan *scan, uint64_t at,
    uint64_t most, uint64_t *end, struct stream_error *err)
{
	struct stream_batch batch;
	const uint8_t *bytes;
	int64_t next = where->expected;
	int status;

	stream_scan_move(scan, where->fd, at);
	scan->limit = where->end;
	do {
		*end = scan->next;
		status = stream_scan_next(scan, &batch, &bytes, err);
		if (status == STREAM_OK && batch.info.base_offset < next)
			break;
		next = batch.info.last_offset + 1;
	} while (status == STREAM_OK && *end <= most);
	return is_fatal(status) ? status : STREAM_OK;
}

/* Do the bytes before a place say, as those before a value do, that a value
 * of this size follows? */
static int
is_value_of(const struct stream_resync *where, uint64_t at, uint64_t size,
    bool *yes, struct stream_error *err)
{
	uint8_t length[STREAM_VARINT_MAX], before[STREAM_VARINT_MAX];
	size_t n = (size_t)(stream_varint_put(length, (int32_t)size) - length);
	size_t got;
	int status;

	*yes = false;
	if (at - where->from < n)
		return STREAM_OK;
	status = stream_io_read_at(where->fd, before, n, at - n, &got, err);
	*yes =
	    status == STREAM_OK && got == n && memcmp(length, before, n) == 0;
	return status;
}

/*
 * A record's value can hold the bytes of batches, which are then found behind
 * the header of the damaged batch.  They end within the batch, while those of
 * the log go on past where it says that it ends, or to the end of the file;
 * and the size of the value stands before them.  *end is where they end.
 */
static int
is_in_a_value(const struct stream_resync *where, struct stream_scan *scan,
    uint64_t at, uint64_t claim, bool *yes, uint64_t *end,
    struct stream_error *err)
{
	uint64_t most = claim > at ? claim : at + FOLLOW_MOST;
	int status = follow(where, scan, at, most, end, err);

	*yes = claim > at && *end <= claim && *end < where->end;
	if (status != STREAM_OK || *yes || *end > most)
		return status;
	return is_value_of(where, at, *end - at, yes, err);
}

/* Look at every byte behind the damage. */
static int
search(const struct stream_resync *where, struct stream_scan *scan,
    uint64_t claim, struct stream_search *search, uint64_t *position,
    struct stream_batch *batch, struct stream_error *err)
{
	uint64_t at = where->from + 1;

	for (;;) {
		bool inside;
		int status = stream_search_next(search, at, position, err);

		if (status != STREAM_OK)
			return status;
		status = load(where, scan, *position, batch, err);
		if (is_fatal(status))
			return status;
		at = *position + 1;
		if (status != STREAM_OK || !fits(where, batch))
			continue;
		status = is_in_a_value(
		    where, scan, *position, claim, &inside, &at, err);
		if (status != STREAM_OK || !inside)
			return status;
	}
}

int
stream_resync(const struct stream_resync *where, uint64_t *position,
    int64_t *base_offset, struct stream_error *err)
{
	struct stream_search look;
	struct stream_scan scan;
	struct stream_batch batch;
	uint64_t claim = where->from;
	int status;

	if (where->from >= where->end)
		return STREAM_END;
	stream_scan_init(&scan, where->fd, where->from, STREAM_SCAN_WHOLE,
	    where->cap, STREAM_SCAN_SMALL_BLOCK);
	status = stream_search_init(&look, where->fd, where->from, where->end,
	    where->expected, where->cap, err);
	if (status == STREAM_OK)
		status = claimed_end(where, &claim, err);
	/* What is wrong is most often not the length. */
	*position = claim;
	if (status == STREAM_OK && claim > where->from)
		status = load(where, &scan, claim, &batch, err);
	else if (status == STREAM_OK)
		status = STREAM_END;
	if (status == STREAM_END ||
	    (status == STREAM_OK && !fits(where, &batch)))
		status =
		    search(where, &scan, claim, &look, position, &batch, err);
	if (status == STREAM_OK)
		*base_offset = batch.info.base_offset;
	stream_search_release(&look);
	stream_scan_release(&scan);
	return status;
}

int
stream_resync_confirms(const struct stream_resync *where, int64_t next_base,
    int64_t *base_offset, bool *right, struct stream_error *err)
{
	struct stream_batch here, next;
	struct stream_scan scan;
	int status;

	*right = false;
	stream_scan_init(&scan, where->fd, where->from, STREAM_SCAN_WHOLE,
	    where->cap, STREAM_SCAN_SMALL_BLOCK);
	status = load(where, &scan, where->from, &here, err);
	if (status == STREAM_OK && fits(where, &here)) {
		status = load(
		    where, &scan, where->from + here.info.size, &next, err);
		if (status == STREAM_OK)
			next_base = next.info.base_offset;
		else if (where->from + here.info.size < where->end)
			next_base = -1;
		*right = where->dense ? next_base == here.info.last_offset + 1
				      : next_base < where->expected ||
					    next_base > here.info.last_offset;
		*base_offset = here.info.base_offset;
	}
	stream_scan_release(&scan);
	return is_fatal(status) ? status : STREAM_OK;
}
