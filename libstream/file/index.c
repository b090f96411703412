#include "file/index.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file/io.h"
#include "file/scan.h"

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
	static const uint8_t zeros[STREAM_TIMEINDEX_ENTRY];
	uint8_t entry[STREAM_TIMEINDEX_ENTRY];

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

/*
 * Is the open log still the one of its name, now that its index is open?
 * Whoever replaces a segment replaces or removes the log first, so the index is
 * that log's, or one of before, whose log held all of this one and more: its
 * entries are as true of the rest.
 */
static bool
is_log_there(const struct stream_index_source *source)
{
	struct stat open, named;

	return fstat(source->log, &open) == 0 &&
	       fstatat(source->dirfd, source->log_name, &named,
		   AT_SYMLINK_NOFOLLOW) == 0 &&
	       open.st_dev == named.st_dev && open.st_ino == named.st_ino;
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
	if (stream_io_open(source->dirfd, name, O_RDONLY, &entries->fd, NULL) !=
	    STREAM_OK)
		return false;
	if (!is_log_there(source) ||
	    stream_io_size(entries->fd, &bytes, NULL) != STREAM_OK)
		bytes = 0;
	entries->count = bytes / size;
	drop_unused(entries);
	return true;
}

static int64_t
entry_key(const struct entries *entries, const uint8_t *entry)
{
	return entries->size == STREAM_TIMEINDEX_ENTRY
		   ? (int64_t)stream_load64(entry)
		   : (int64_t)stream_load32(entry);
}

/* How many entries have a key (relative offset, or timestamp) that is not above
 * most: the last of those is the one to use. */
static uint64_t
count_floor(const struct entries *entries, int64_t most)
{
	uint8_t entry[STREAM_TIMEINDEX_ENTRY];
	uint64_t low = 0, high = entries->count;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (!read_entry(entries, middle, entry))
			return 0;
		if (entry_key(entries, entry) <= most)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
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
	uint8_t entry[STREAM_INDEX_ENTRY];
	struct stream_batch batch;
	int64_t relative = target - source->base_offset;
	uint64_t i;

	*position = 0;
	if (relative <= 0 ||
	    !open_entries(source, "index", STREAM_INDEX_ENTRY, &entries))
		return;
	i = count_floor(&entries, relative);
	if (i > 0 && read_entry(&entries, i - 1, entry) &&
	    find_batch(source, stream_load32(entry + 4), &batch) &&
	    batch.info.base_offset >= source->base_offset &&
	    batch.info.base_offset <=
		source->base_offset + (int64_t)stream_load32(entry))
		*position = stream_load32(entry + 4);
	close(entries.fd);
}

/* A time index entry: the largest timestamp so far, and the last offset of the
 * first batch that had it. */
struct time_entry {
	int64_t timestamp_ms;
	int64_t offset;
};

static bool
read_time(const struct stream_index_source *source,
    const struct entries *entries, uint64_t i, struct time_entry *time)
{
	uint8_t entry[STREAM_TIMEINDEX_ENTRY];

	if (!read_entry(entries, i, entry))
		return false;
	time->timestamp_ms = (int64_t)stream_load64(entry);
	time->offset = source->base_offset + (int64_t)stream_load32(entry + 8);
	return true;
}

/*
 * The byte after the batch that the entry names, if that is there and no batch
 * since the one of the entry before reaches its time: in a log whose times go
 * back, an entry that names a later batch with the same time would hide what
 * lies between.
 */
static bool
find_named(struct stream_scan *scan, const struct stream_index_source *source,
    const struct time_entry *entry, uint64_t *after)
{
	struct stream_batch batch;
	const uint8_t *bytes;

	while (stream_scan_next(scan, &batch, &bytes, NULL) == STREAM_OK &&
	       batch.info.last_offset <= entry->offset &&
	       batch.info.max_timestamp_ms <= entry->timestamp_ms) {
		*after = scan->next;
		if (batch.info.max_timestamp_ms == entry->timestamp_ms)
			return batch.info.last_offset == entry->offset &&
			       find_batch(source, batch.info.position, &batch);
	}
	return false;
}

/* The last offset that had an .index entry before the batch that ends at limit;
 * base_offset - 1 when none has. */
static int64_t
indexed_before(const struct stream_index_source *source, int64_t limit)
{
	struct entries entries;
	uint8_t entry[STREAM_INDEX_ENTRY];
	int64_t offset = source->base_offset - 1;
	uint64_t i;

	if (!open_entries(source, "index", STREAM_INDEX_ENTRY, &entries))
		return offset;
	i = count_floor(&entries, limit - 1 - source->base_offset);
	if (i > 0 && read_entry(&entries, i - 1, entry))
		offset = source->base_offset + (int64_t)stream_load32(entry);
	close(entries.fd);
	return offset;
}

/*
 * Go on to the byte after the last batch that the indexes and the headers both
 * say is too early: each .index entry could have been followed by one in
 * .timeindex, so up to the last of them before the batch that later names, no
 * time was above that of the entry before it.
 */
static void
pass_early(struct stream_scan *scan, const struct stream_index_source *source,
    const struct time_entry *later, int64_t timestamp_ms, uint64_t *after)
{
	int64_t last = indexed_before(source, later->offset);
	struct stream_batch batch;
	const uint8_t *bytes;

	while (stream_scan_next(scan, &batch, &bytes, NULL) == STREAM_OK &&
	       batch.info.last_offset <= last &&
	       batch.info.max_timestamp_ms < timestamp_ms)
		*after = scan->next;
}

/*
 * From the entry before this one (since) to what later, if there is such an
 * entry, allows; *position stays when the entry cannot be confirmed.  Only
 * headers are read on the way, since where many batches share a millisecond
 * there are megabytes between two entries.  One that is damaged hides nothing
 * as long as the indexes are right, and they hide nothing as long as the
 * headers are.
 */
static void
confirm(const struct stream_index_source *source, int64_t since,
    const struct time_entry *entry, const struct time_entry *later,
    int64_t timestamp_ms, uint64_t *position)
{
	struct stream_scan scan;
	uint64_t from, after;

	stream_index_find(source, since, &from);
	stream_scan_init(&scan, source->log, from, STREAM_SCAN_HEADERS,
	    source->cap, STREAM_SCAN_SMALL_BLOCK);
	if (find_named(&scan, source, entry, &after)) {
		if (later != NULL)
			pass_early(&scan, source, later, timestamp_ms, &after);
		*position = after;
	}
	stream_scan_release(&scan);
}

void
stream_index_find_time(const struct stream_index_source *source,
    int64_t timestamp_ms, uint64_t *position)
{
	struct entries entries;
	struct time_entry before, entry, later;
	uint64_t i;

	*position = 0;
	if (timestamp_ms <= 0 || !open_entries(source, "timeindex",
				     STREAM_TIMEINDEX_ENTRY, &entries))
		return;
	before = (struct time_entry){.offset = source->base_offset};
	i = count_floor(&entries, timestamp_ms - 1);
	if (i > 0 && read_time(source, &entries, i - 1, &entry) &&
	    (i == 1 || read_time(source, &entries, i - 2, &before)) &&
	    entry.timestamp_ms < timestamp_ms)
		confirm(source, before.offset, &entry,
		    i < entries.count && read_time(source, &entries, i, &later)
			? &later
			: NULL,
		    timestamp_ms, position);
	close(entries.fd);
}

void
stream_index_find_before(const struct stream_index_source *source,
    uint64_t before, uint64_t bytes, uint64_t *position)
{
	struct entries entries;
	uint8_t entry[STREAM_INDEX_ENTRY];
	struct stream_batch batch;
	uint64_t want = before > bytes ? before - bytes : 0;
	uint64_t low = 0, high;

	*position = 0;
	if (want == 0 ||
	    !open_entries(source, "index", STREAM_INDEX_ENTRY, &entries))
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
