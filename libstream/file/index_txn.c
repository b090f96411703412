#include "file/index_txn.h"

#include "base/bytes.h"
#include "base/fail.h"

enum { VERSION = 0 };

void
stream_aborted_put(uint8_t *to, const struct stream_aborted *aborted)
{
	stream_store16(to, VERSION);
	stream_store64(to + 2, (uint64_t)aborted->producer_id);
	stream_store64(to + 10, (uint64_t)aborted->first_offset);
	stream_store64(to + 18, (uint64_t)aborted->last_offset);
	stream_store64(to + 26, (uint64_t)aborted->last_stable_offset);
}

/* What was open when the marker came began before it, so nothing is stable
 * past the offset after the marker. */
static int
check_fields(const struct stream_aborted *aborted, struct stream_error *err)
{
	if (aborted->producer_id < 0 || aborted->first_offset < 0 ||
	    aborted->last_stable_offset < 0)
		return stream_fail(
		    err, STREAM_ECORRUPT, 2, "a negative number");
	if (aborted->last_offset < aborted->first_offset)
		return stream_fail(err, STREAM_ECORRUPT, 18,
		    "last offset %lld is below the first, %lld",
		    (long long)aborted->last_offset,
		    (long long)aborted->first_offset);
	if (aborted->last_stable_offset - 1 > aborted->last_offset)
		return stream_fail(err, STREAM_ECORRUPT, 26,
		    "last stable offset %lld is past the marker at %lld",
		    (long long)aborted->last_stable_offset,
		    (long long)aborted->last_offset);
	return STREAM_OK;
}

int
stream_aborted_take(const uint8_t *bytes, size_t size,
    struct stream_aborted *aborted, struct stream_error *err)
{
	struct stream_aborted taken;
	int status;

	if (size == 0)
		return STREAM_END;
	if (size < STREAM_TXNINDEX_ENTRY)
		return stream_fail(err, STREAM_ETORN, size,
		    "an entry of %zu bytes is cut short", size);
	if (stream_load16(bytes) != VERSION)
		return stream_fail(err, STREAM_ENEWER, 0,
		    "version %d is not supported", stream_load16(bytes));
	taken = (struct stream_aborted){
	    .producer_id = (int64_t)stream_load64(bytes + 2),
	    .first_offset = (int64_t)stream_load64(bytes + 10),
	    .last_offset = (int64_t)stream_load64(bytes + 18),
	    .last_stable_offset = (int64_t)stream_load64(bytes + 26),
	};
	status = check_fields(&taken, err);
	if (status == STREAM_OK)
		*aborted = taken;
	return status;
}

static int
check_place(const struct stream_aborted *aborted, int64_t after,
    int64_t base_offset, int64_t end_offset, struct stream_error *err)
{
	if (aborted->last_offset < base_offset ||
	    aborted->last_offset >= end_offset)
		return stream_fail(err, STREAM_ECORRUPT, 18,
		    "the marker at %lld is not in this segment",
		    (long long)aborted->last_offset);
	if (aborted->last_offset <= after)
		return stream_fail(err, STREAM_ECORRUPT, 18,
		    "the marker at %lld does not follow %lld",
		    (long long)aborted->last_offset, (long long)after);
	return STREAM_OK;
}

int
stream_txnindex_check(struct stream_bytes bytes, int64_t base_offset,
    int64_t end_offset, size_t *count, struct stream_error *err)
{
	struct stream_aborted aborted;
	int64_t after = -1;
	size_t at = 0;
	int status = STREAM_OK;

	while (status == STREAM_OK) {
		status = stream_aborted_take(
		    bytes.data + at, bytes.size - at, &aborted, err);
		if (status == STREAM_OK)
			status = check_place(
			    &aborted, after, base_offset, end_offset, err);
		if (status != STREAM_OK)
			break;
		after = aborted.last_offset;
		at += STREAM_TXNINDEX_ENTRY;
	}
	if (status == STREAM_END) {
		*count = at / STREAM_TXNINDEX_ENTRY;
		return STREAM_OK;
	}
	if (err != NULL)
		err->pos += at;
	return stream_fail_in(
	    err, status, "entry %zu", at / STREAM_TXNINDEX_ENTRY);
}
