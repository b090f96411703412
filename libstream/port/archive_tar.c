#include "port/archive_tar.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"

/* Where the fields of a ustar header are. */
enum {
	NAME = 0,
	NAME_SIZE = 100,
	MODE = 100,
	OWNER = 108,
	GROUP = 116,
	SIZE = 124,
	TIME = 136,
	SUM = 148,
	TYPE = 156,
	MAGIC = 257,
	PREFIX = 345,
	PREFIX_SIZE = 155
};

/* A pax record says its own length, in digits that are part of it. */
enum { RECORD_SIZE = 600 };

uint64_t
stream_tar_padding(uint64_t size)
{
	return (STREAM_TAR_BLOCK - size % STREAM_TAR_BLOCK) % STREAM_TAR_BLOCK;
}

int
stream_tar_zeros(struct stream_buf *out, size_t n, struct stream_error *err)
{
	int status = n > 0 ? stream_buf_reserve(out, n, err) : STREAM_OK;

	if (status != STREAM_OK || n == 0)
		return status;
	memset(out->data + out->size, 0, n);
	out->size += n;
	return STREAM_OK;
}

static void
put_number(uint8_t *block, int at, int digits, uint64_t value)
{
	char text[24];

	snprintf(
	    text, sizeof(text), "%0*llo", digits, (unsigned long long)value);
	memcpy(block + at, text, (size_t)digits + 1);
}

/* The path in one field, or its directory in another; false: neither fits. */
static bool
put_path(uint8_t *block, const char *path)
{
	size_t size = strlen(path);
	const char *slash = strrchr(path, '/');

	if (size <= NAME_SIZE) {
		memcpy(block + NAME, path, size);
		return true;
	}
	if (slash == NULL || slash - path > PREFIX_SIZE ||
	    strlen(slash + 1) > NAME_SIZE)
		return false;
	memcpy(block + PREFIX, path, (size_t)(slash - path));
	memcpy(block + NAME, slash + 1, strlen(slash + 1));
	return true;
}

static int
add_block(struct stream_buf *out, const char *path, char type, uint64_t size,
    int64_t time_s, struct stream_error *err)
{
	uint8_t block[STREAM_TAR_BLOCK] = {0};
	unsigned sum = 0;

	/* What does not fit stands in a pax header before this one. */
	if (!put_path(block, path))
		memcpy(block + NAME, path, NAME_SIZE);
	put_number(block, MODE, 7, 0644);
	put_number(block, OWNER, 7, 0);
	put_number(block, GROUP, 7, 0);
	put_number(block, SIZE, 11, size);
	put_number(block, TIME, 11, time_s > 0 ? (uint64_t)time_s : 0);
	block[TYPE] = (uint8_t)type;
	memcpy(block + MAGIC, "ustar\00000", 8);
	memset(block + SUM, ' ', 8);
	for (int i = 0; i < STREAM_TAR_BLOCK; i++)
		sum += block[i];
	put_number(block, SUM, 6, sum);
	return stream_buf_add(out, block, sizeof(block), err);
}

static int
add_pax(struct stream_buf *out, const char *path, struct stream_error *err)
{
	char record[RECORD_SIZE];
	size_t rest = strlen(" path=\n") + strlen(path);
	size_t size = rest + 2;
	int status;

	/* As many digits as the length has with them. */
	while (snprintf(record, sizeof(record), "%zu path=%s\n", size, path) !=
	       (int)size)
		size++;
	status = add_block(out, "strm.pax", 'x', size, 0, err);
	if (status == STREAM_OK)
		status = stream_buf_add(out, record, size, err);
	return status == STREAM_OK
		   ? stream_tar_zeros(out, stream_tar_padding(size), err)
		   : status;
}

int
stream_tar_header(struct stream_buf *out, const char *path, uint64_t size,
    int64_t time_s, struct stream_error *err)
{
	uint8_t trial[STREAM_TAR_BLOCK];
	int status = STREAM_OK;

	if (!put_path(trial, path))
		status = add_pax(out, path, err);
	return status == STREAM_OK
		   ? add_block(out, path, '0', size, time_s, err)
		   : status;
}
