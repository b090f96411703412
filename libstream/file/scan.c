#include "file/scan.h"

#include "base/fail.h"
#include "file/io.h"

void
stream_scan_init(struct stream_scan *scan, int fd, uint64_t position,
    enum stream_scan_depth depth, size_t cap, size_t block)
{
	*scan = (struct stream_scan){
	    .fd = fd,
	    .depth = depth,
	    .cap = cap,
	    .limit = UINT64_MAX,
	    .next = position,
	    .base = position,
	    .block = block,
	};
	stream_buf_init(&scan->buf);
}

void
stream_scan_release(struct stream_scan *scan)
{
	stream_buf_release(&scan->buf);
}

void
stream_scan_move(struct stream_scan *scan, int fd, uint64_t position)
{
	scan->fd = fd;
	scan->next = position;
	scan->base = position;
	scan->buf.size = 0;
	scan->saw_end = false;
}

/* Bytes of the buffer from the next batch on. */
static size_t
buffered(const struct stream_scan *scan)
{
	uint64_t skip = scan->next - scan->base;

	return skip < scan->buf.size ? scan->buf.size - (size_t)skip : 0;
}

bool
stream_scan_has_buffered(const struct stream_scan *scan)
{
	return buffered(scan) > 0;
}

static const uint8_t *
here(const struct stream_scan *scan)
{
	return scan->buf.data + (scan->next - scan->base);
}

/* Where batches are longer than a block, a block holds one header and much that
 * is stepped over. */
static size_t
block_size(const struct stream_scan *scan)
{
	if (scan->depth == STREAM_SCAN_HEADERS && scan->last_size > scan->block)
		return STREAM_BATCH_HEADER;
	return scan->block;
}

/*
 * Read from the next batch on, need bytes or more.  What the buffer held of
 * this batch is read again rather than moved: it costs no more, and the bytes
 * of one batch then come from one moment.
 */
static int
fill(struct stream_scan *scan, size_t need, struct stream_error *err)
{
	size_t block = block_size(scan);
	size_t want = need > block ? need : block;
	uint64_t room = scan->limit > scan->next ? scan->limit - scan->next : 0;
	size_t got;
	int status;

	scan->buf.size = 0;
	scan->base = scan->next;
	if (want > room)
		want = (size_t)room;
	status = stream_buf_reserve(&scan->buf, want, err);
	if (status == STREAM_OK)
		status = stream_io_read_some_at(scan->fd, scan->buf.data, need,
		    want, scan->next, &got, err);
	if (status == STREAM_OK) {
		scan->buf.size = got;
		scan->saw_end = got < want;
	}
	return status;
}

/* Have need bytes of the batch in the buffer, or say that it is torn. */
static int
ensure(struct stream_scan *scan, size_t need, struct stream_error *err)
{
	int status;

	if (buffered(scan) >= need)
		return STREAM_OK;
	status = fill(scan, need, err);
	if (status != STREAM_OK)
		return status;
	if (buffered(scan) >= need)
		return STREAM_OK;
	if (buffered(scan) == 0)
		return STREAM_END;
	scan->short_of = need - buffered(scan);
	return stream_fail(err, STREAM_ETORN, scan->next + buffered(scan),
	    "the file ends within a batch, %zu bytes or more are missing",
	    scan->short_of);
}

/* What the buffer holds of a failed batch may mix two moments: drop it. */
static int
failed(struct stream_scan *scan, int status, struct stream_error *err)
{
	scan->buf.size = 0;
	if (status != STREAM_ECORRUPT && status != STREAM_ENEWER)
		return status;
	if (err != NULL && err->pos != STREAM_POS_NONE)
		err->pos += scan->next;
	return status;
}

static int
measure(struct stream_scan *scan, uint64_t *size, struct stream_error *err)
{
	int status = ensure(scan, STREAM_BATCH_MAGIC_AT + 1, err);

	/* Fewer than 17 bytes are torn whatever they say, as in Kafka. */
	if (status != STREAM_OK)
		return status;
	return stream_batch_measure(
	    here(scan), buffered(scan), scan->cap, size, err);
}

int
stream_scan_next(struct stream_scan *scan, struct stream_batch *batch,
    const uint8_t **bytes, struct stream_error *err)
{
	bool whole = scan->depth == STREAM_SCAN_WHOLE;
	uint64_t size;
	int status = measure(scan, &size, err);

	if (status == STREAM_OK)
		status = ensure(
		    scan, whole ? (size_t)size : STREAM_BATCH_HEADER, err);
	if (status == STREAM_END)
		return status;
	if (status == STREAM_OK && whole)
		status =
		    stream_batch_check(here(scan), (size_t)size, batch, err);
	else if (status == STREAM_OK)
		status =
		    stream_batch_parse(here(scan), (size_t)size, batch, err);
	if (status != STREAM_OK)
		return failed(scan, status, err);
	batch->info.position = scan->next;
	*bytes = here(scan);
	scan->next += size;
	scan->last_size = size;
	return STREAM_OK;
}
