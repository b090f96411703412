/*
 * buf.h - bytes that grow
 */
#ifndef STREAM_BASE_BUF_H
#define STREAM_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

struct stream_buf {
	uint8_t *data; /* owned; NULL while capacity is 0 */
	size_t size;   /* bytes in use */
	size_t capacity;
};

/* Empty, with no memory yet. */
void stream_buf_init(struct stream_buf *buf);

/* Free the memory and make it empty again. */
void stream_buf_release(struct stream_buf *buf);

/*
 * Make room for extra more bytes after size; size stays.  Capacity at least
 * doubles when it grows.  STREAM_ENOMEM.
 */
int stream_buf_reserve(
    struct stream_buf *buf, size_t extra, struct stream_error *err);

/* Copy n borrowed bytes to the end.  STREAM_ENOMEM. */
int stream_buf_add(struct stream_buf *buf, const void *bytes, size_t n,
    struct stream_error *err);

#endif
