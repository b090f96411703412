#include "file/search.h"

#include <string.h>

#include "base/bytes.h"
#include "codec/batch.h"
#include "codec/crc32c.h"
#include "file/io.h"

enum { PIECE = 64 << 10 };

int
stream_search_init(struct stream_search *search, int fd, uint64_t from,
    uint64_t end, int64_t expected, size_t cap, struct stream_error *err)
{
	*search = (struct stream_search){
	    .fd = fd,
	    .end = end,
	    .expected = expected,
	    .cap = cap,
	    .budget = 4 * (end - from) + cap,
	};
	stream_buf_init(&search->window);
	return stream_buf_reserve(&search->window, STREAM_SEARCH_WINDOW, err);
}

void
stream_search_release(struct stream_search *search)
{
	stream_buf_release(&search->window);
}

int
stream_search_read(const struct stream_search *search, void *to, size_t n,
    uint64_t at, struct stream_error *err)
{
	size_t got;
	int status = stream_io_read_at(search->fd, to, n, at, &got, err);

	if (status == STREAM_OK && got < n)
		memset((uint8_t *)to + got, 0, n - got);
	return status;
}

/* In pieces: a batch that may not be one is not worth its size in memory. */
static int
sum_up(struct stream_search *search, uint64_t at, uint64_t size, uint32_t *crc,
    struct stream_error *err)
{
	uint8_t piece[PIECE];

	*crc = 0;
	while (size > 0) {
		size_t n = size < PIECE ? (size_t)size : PIECE;
		int status = stream_search_read(search, piece, n, at, err);

		if (status != STREAM_OK)
			return status;
		*crc = stream_crc32c_more(*crc, piece, n);
		at += n;
		size -= n;
	}
	return STREAM_OK;
}

int
stream_search_is_whole(struct stream_search *search, uint64_t at, uint64_t size,
    bool *whole, struct stream_error *err)
{
	uint8_t header[STREAM_BATCH_HEADER];
	uint32_t crc;
	int status;

	*whole = false;
	if (size > search->cap || size < sizeof(header))
		return STREAM_OK;
	status = stream_search_read(search, header, sizeof(header), at, err);
	if (status == STREAM_OK)
		status = sum_up(search, at + STREAM_BATCH_CRC_FROM,
		    size - STREAM_BATCH_CRC_FROM, &crc, err);
	if (status == STREAM_OK)
		*whole = crc == stream_load32(header + STREAM_BATCH_CRC_AT);
	return status;
}

/* Could a batch header at or after the expected offset start here? */
static bool
is_candidate(const struct stream_search *search, const uint8_t *p, uint64_t at,
    uint64_t *size)
{
	int64_t base = (int64_t)stream_load64(p);
	int64_t count = (int32_t)stream_load32(p + 57);
	int64_t delta = (int32_t)stream_load32(p + 23);

	return p[STREAM_BATCH_MAGIC_AT] == 2 && base >= search->expected &&
	       delta >= 0 && count >= 0 && count <= delta + 1 &&
	       stream_batch_measure(p, STREAM_BATCH_HEADER, search->cap, size,
		   NULL) == STREAM_OK &&
	       *size <= search->end - at;
}

/* Candidates in one window; those that begin in its last 60 bytes are in the
 * next one. */
static int
search_window(struct stream_search *search, uint64_t at, size_t n,
    uint64_t *position, struct stream_error *err)
{
	const uint8_t *window = search->window.data;

	for (size_t i = 0; i + STREAM_BATCH_HEADER <= n; i++) {
		uint64_t size;
		bool whole;
		int status;

		if (!is_candidate(search, window + i, at + i, &size))
			continue;
		if (size > search->budget) {
			search->exhausted = true;
			return STREAM_END;
		}
		search->budget -= size;
		status =
		    stream_search_is_whole(search, at + i, size, &whole, err);
		*position = at + i;
		if (status != STREAM_OK || whole)
			return status;
	}
	return STREAM_END;
}

int
stream_search_next(struct stream_search *search, uint64_t from,
    uint64_t *position, struct stream_error *err)
{
	for (uint64_t at = from; at < search->end;) {
		uint64_t left = search->end - at;
		size_t n = left < STREAM_SEARCH_WINDOW ? (size_t)left
						       : STREAM_SEARCH_WINDOW;
		uint8_t *window = search->window.data;
		int status = stream_search_read(search, window, n, at, err);

		if (status == STREAM_OK)
			status = search_window(search, at, n, position, err);
		if (status != STREAM_END || search->exhausted ||
		    n < STREAM_SEARCH_WINDOW)
			return status;
		at += n - (STREAM_BATCH_HEADER - 1);
	}
	return STREAM_END;
}
