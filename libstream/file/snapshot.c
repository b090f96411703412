#include "file/snapshot.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "codec/crc32c.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"

enum {
	VERSION = 1,
	HEADER = 10, /* version, CRC, count */
	CRC_FROM = 6,
	ENTRY = 46,
	/* 1.4 million producers: far above what a broker keeps. */
	LARGEST = 64 << 20
};

static void
load_entry(const uint8_t *p, struct stream_snapshot_entry *entry)
{
	*entry = (struct stream_snapshot_entry){
	    .producer_id = (int64_t)stream_load64(p),
	    .producer_epoch = (int16_t)stream_load16(p + 8),
	    .last_sequence = (int32_t)stream_load32(p + 10),
	    .last_offset = (int64_t)stream_load64(p + 14),
	    .offset_delta = (int32_t)stream_load32(p + 22),
	    .timestamp_ms = (int64_t)stream_load64(p + 26),
	    .coordinator_epoch = (int32_t)stream_load32(p + 34),
	    .transaction_first_offset = (int64_t)stream_load64(p + 38),
	};
}

int
stream_snapshot_parse(struct stream_bytes bytes,
    struct stream_snapshot_entry **entries, size_t *count,
    struct stream_error *err)
{
	const uint8_t *p = bytes.data;
	size_t n;

	if (bytes.size < HEADER)
		return stream_fail(err, STREAM_ECORRUPT, bytes.size,
		    "a snapshot of %zu bytes is too short", bytes.size);
	if (stream_load16(p) != VERSION)
		return stream_fail(err, STREAM_ENEWER, 0,
		    "snapshot version %d is not supported", stream_load16(p));
	if (stream_load32(p + 2) !=
	    stream_crc32c(p + CRC_FROM, bytes.size - CRC_FROM))
		return stream_fail(err, STREAM_ECORRUPT, 2, "bad CRC");
	n = stream_load32(p + CRC_FROM);
	if (n != (bytes.size - HEADER) / ENTRY ||
	    (bytes.size - HEADER) % ENTRY != 0)
		return stream_fail(err, STREAM_ECORRUPT, CRC_FROM,
		    "%zu entries do not fit the size", n);
	*entries = malloc(n > 0 ? n * sizeof(**entries) : 1);
	if (*entries == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i < n; i++)
		load_entry(p + HEADER + i * ENTRY, &(*entries)[i]);
	*count = n;
	return STREAM_OK;
}

static void
store_entry(uint8_t *p, const struct stream_snapshot_entry *entry)
{
	stream_store64(p, (uint64_t)entry->producer_id);
	stream_store16(p + 8, (uint16_t)entry->producer_epoch);
	stream_store32(p + 10, (uint32_t)entry->last_sequence);
	stream_store64(p + 14, (uint64_t)entry->last_offset);
	stream_store32(p + 22, (uint32_t)entry->offset_delta);
	stream_store64(p + 26, (uint64_t)entry->timestamp_ms);
	stream_store32(p + 34, (uint32_t)entry->coordinator_epoch);
	stream_store64(p + 38, (uint64_t)entry->transaction_first_offset);
}

int
stream_snapshot_put(const struct stream_snapshot_entry *entries, size_t count,
    struct stream_buf *out, struct stream_error *err)
{
	size_t size = HEADER + count * ENTRY;
	int status = stream_buf_reserve(out, size, err);
	uint8_t *p = out->data + out->size;

	if (status != STREAM_OK)
		return status;
	stream_store16(p, VERSION);
	stream_store32(p + CRC_FROM, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		store_entry(p + HEADER + i * ENTRY, &entries[i]);
	stream_store32(p + 2, stream_crc32c(p + CRC_FROM, size - CRC_FROM));
	out->size += size;
	return STREAM_OK;
}

int
stream_snapshot_load(int dirfd, int64_t offset,
    struct stream_snapshot_entry **entries, size_t *count,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	struct stream_buf file;
	int status;

	stream_name_put_plain(offset, STREAM_NAME_SNAPSHOT, name);
	stream_buf_init(&file);
	status = stream_io_load(dirfd, name, LARGEST, &file, err);
	if (status == STREAM_OK)
		status = stream_snapshot_parse(
		    (struct stream_bytes){file.data, file.size}, entries, count,
		    err);
	stream_buf_release(&file);
	return status;
}

/* The largest snapshot number in the listing that is not above most; -1. */
static int64_t
newest_below(const struct stream_buf *names, int64_t most)
{
	struct stream_name name;
	int64_t newest = -1;

	for (const char *n = stream_dir_next(names, NULL); n != NULL;
	     n = stream_dir_next(names, n))
		if (stream_name_parse(n, &name) &&
		    name.kind == STREAM_NAME_SNAPSHOT &&
		    name.state == STREAM_NAME_PLAIN &&
		    name.base_offset <= most && name.base_offset > newest)
			newest = name.base_offset;
	return newest;
}

int
stream_snapshot_find(int dirfd, int64_t offset, int64_t *at,
    struct stream_snapshot_entry **entries, size_t *count,
    struct stream_error *err)
{
	struct stream_buf names;
	int64_t most = offset;
	int status;

	stream_buf_init(&names);
	status = stream_dir_list(dirfd, &names, err);
	while (status == STREAM_OK) {
		*at = newest_below(&names, most);
		if (*at < 0) {
			status = stream_fail(
			    err, STREAM_ENOENT, STREAM_POS_NONE, "no snapshot");
			break;
		}
		status = stream_snapshot_load(dirfd, *at, entries, count, err);
		if (status == STREAM_OK || status == STREAM_ENOMEM)
			break;
		/* A bad one counts as none, and so does one that cannot be
		 * read: it only saves a walk over the log. */
		most = *at - 1;
		status = STREAM_OK;
	}
	stream_buf_release(&names);
	return status;
}
