#include "file/index.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file/io.h"
#include "file/scan.h"

enum { OFFSET_ENTRY = 8, TIME_ENTRY = 12 };

/* An index file that is open, and how many entries of it are in use. */
struct entries {
	int fd;
	size_t size; /* of an entry */
	uint64_t count;
};

static bool
read_entry(const struct entries *entries, uint64_t i, uint8_t *entry)
{
	size_t got;

	return stream_io_read_at(entries->fd, entry, entries->size,
		   i * entries->size, &got, NULL) == STREAM_OK &&
	    got == entries->size;
}

static bool
is_zero(const struct entries *entries, uint64_t i)
{
	static const uint8_t zeros[TIME_ENTRY];
	uint8_t entry[TIME_ENTRY];

	return !read_entry(entries, i, entry) ||
	    memcmp(entry, zeros, entries->size) == 0;
}

/* A broker makes its indexes 10 MiB long at once: the slots in use are
 * followed by zeros, and no entry in use is zero. */
static void
drop_unused(struct entries *entries)
{
	uint64_t low = 0, high = entries->count;

	if (high == 0 || !is_zero(entries, high - 1))
		return;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (is_zero(entries, middle))
			high = middle;
		else
			low = middle + 1;
	}
	entries->count = low;
}

/* "N.log" names "N.index"; "N.log.swap" names "N.index.swap". */
static bool
open_entries(const struct stream_index_source *source, const char *extension,
    size_t size, struct entries *entries)
{
	const char *rest = source->log_name + 20 + sizeof(".log") - 1;
	char name[64];
	uint64_t bytes;

	snprintf(name, sizeof(name), "%.20s.%s%s", source->log_name, extension,
	    rest);
	entries->size = size;
	if (stream_io_open(source->dirfd, name, O_RDONLY, &entries->fd,
		NULL) != STREAM_OK)
		return false;
	if (stream_io_size(entries->fd, &bytes, NULL) != STREAM_OK)
		bytes = 0;
	entries->count = bytes / size;
	drop_unused(entries);
	return true;
}

static int64_t
entry_key(const struct entries *entries, const uint8_t *entry)
{
	return entries->size == TIME_ENTRY
	    ? (int64_t)stream_load64(entry)
	    : (int64_t)stream_load32(entry);
}

/* The last entry whose key (relative offset, or timestamp) is not above most;
 * false when there is none. */
static bool
find_floor(const struct entries *entries, int64_t most, uint8_t *entry)
{
	uint64_t low = 0, high = entries->count;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (!read_entry(entries, middle, entry))
			return false;
		if (entry_key(entries, entry) <= most)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && read_entry(entries, low - 1, entry);
}

/* Does a whole batch with a good CRC start at position? */
static bool
find_batch(const struct stream_index_source *source, uint64_t position,
    struct stream_batch *batch)
{
	struct stream_scan scan;
	const uint8_t *bytes;
	int status;

	stream_scan_init(&scan, source->log, position, STREAM_SCAN_WHOLE,
	    source->cap, STREAM_SCAN_SMALL_BLOCK);
	status = stream_scan_next(&scan, batch, &bytes, NULL);
	stream_scan_release(&scan);
	return status == STREAM_OK;
}

void
stream_index_find(const struct stream_index_source *source, int64_t target,
    uint64_t *position)
{
	struct entries entries;
	uint8_t entry[OFFSET_ENTRY];
	struct stream_batch batch;
	int64_t relative = target - source->base_offset;

	*position = 0;
	if (relative <= 0 ||
	    !open_entries(source, "index", OFFSET_ENTRY, &entries))
		return;
	if (find_floor(&entries, relative, entry) &&
	    find_batch(source, stream_load32(entry + 4), &batch) &&
	    batch.info.base_offset >= source->base_offset &&
	    batch.info.base_offset <= target)
		*position = stream_load32(entry + 4);
	close(entries.fd);
}

/* The batch that ends with this offset, and with this largest timestamp, as a
 * time index entry says: the byte after it. */
static bool
find_named(const struct stream_index_source *source, int64_t offset,
    int64_t timestamp_ms, uint64_t *after)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	uint64_t from;
	bool found = false;

	stream_index_find(source, offset, &from);
	stream_scan_init(&scan, source->log, from, STREAM_SCAN_HEADERS,
	    source->cap, STREAM_SCAN_SMALL_BLOCK);
	while (stream_scan_next(&scan, &batch, &bytes, NULL) == STREAM_OK &&
	    !found && batch.info.base_offset <= offset)
		if (batch.info.last_offset == offset) {
			found = batch.info.max_timestamp_ms == timestamp_ms;
			*after = scan.next;
		}
	stream_scan_release(&scan);
	return found;
}

void
stream_index_find_time(const struct stream_index_source *source,
    int64_t timestamp_ms, uint64_t *position)
{
	struct entries entries;
	uint8_t entry[TIME_ENTRY];
	uint64_t after = 0;

	*position = 0;
	if (timestamp_ms <= 0 ||
	    !open_entries(source, "timeindex", TIME_ENTRY, &entries))
		return;
	if (find_floor(&entries, timestamp_ms - 1, entry) &&
	    find_named(source,
		source->base_offset + (int64_t)stream_load32(entry + 8),
		(int64_t)stream_load64(entry), &after))
		*position = after;
	close(entries.fd);
}

void
stream_index_find_before(const struct stream_index_source *source,
    uint64_t before, uint64_t bytes, uint64_t *position)
{
	struct entries entries;
	uint8_t entry[OFFSET_ENTRY];
	struct stream_batch batch;
	uint64_t want = before > bytes ? before - bytes : 0;
	uint64_t low = 0, high;

	*position = 0;
	if (want == 0 || !open_entries(source, "index", OFFSET_ENTRY, &entries))
		return;
	for (high = entries.count; low < high;) {
		uint64_t middle = low + (high - low) / 2;

		if (read_entry(&entries, middle, entry) &&
		    stream_load32(entry + 4) <= want)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && read_entry(&entries, low - 1, entry) &&
	    stream_load32(entry + 4) < before &&
	    find_batch(source, stream_load32(entry + 4), &batch))
		*position = stream_load32(entry + 4);
	close(entries.fd);
}
