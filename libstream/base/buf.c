#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

/* The least that is worth asking malloc for. */
enum { LEAST = 256 };

void
stream_buf_init(struct stream_buf *buf)
{
	*buf = (struct stream_buf){0};
}

void
stream_buf_release(struct stream_buf *buf)
{
	free(buf->data);
	stream_buf_init(buf);
}

int
stream_buf_reserve(
    struct stream_buf *buf, size_t extra, struct stream_error *err)
{
	size_t need, capacity;
	uint8_t *data;

	if (extra <= buf->capacity - buf->size)
		return STREAM_OK;
	if (__builtin_add_overflow(buf->size, extra, &need))
		return stream_fail_memory(err);
	capacity = buf->capacity > SIZE_MAX / 2 ? need : buf->capacity * 2;
	if (capacity < need)
		capacity = need;
	if (capacity < LEAST)
		capacity = LEAST;
	data = realloc(buf->data, capacity);
	if (data == NULL)
		return stream_fail_memory(err);
	buf->data = data;
	buf->capacity = capacity;
	return STREAM_OK;
}

int
stream_buf_add(struct stream_buf *buf, const void *bytes, size_t n,
    struct stream_error *err)
{
	int status = stream_buf_reserve(buf, n, err);

	if (status != STREAM_OK || n == 0)
		return status;
	memcpy(buf->data + buf->size, bytes, n);
	buf->size += n;
	return STREAM_OK;
}
