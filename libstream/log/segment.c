#include "log/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "file/io.h"
#include "file/name.h"

enum {
	/* Reserved at once: little enough to matter to no disk, and so much
	 * that the calls cost nothing. */
	RESERVE = 64 << 20
};

void
stream_segment_init(struct stream_segment *segment)
{
	*segment = (struct stream_segment){
	    .base_offset = -1,
	    .log = -1,
	    .index = -1,
	    .timeindex = -1,
	    .may_reserve = true,
	};
	stream_indexer_init(&segment->indexer, 0, 0);
}

static void
close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
stream_segment_close(struct stream_segment *segment)
{
	close_file(&segment->log);
	close_file(&segment->index);
	close_file(&segment->timeindex);
	stream_indexer_release(&segment->indexer);
	stream_segment_init(segment);
}

static int
open_part(int dirfd, int64_t base_offset, enum stream_name_kind kind, int flags,
    int *fd, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	stream_name_put_plain(base_offset, kind, name);
	return stream_io_open(dirfd, name, O_RDWR | flags, fd, err);
}

int
stream_segment_open(struct stream_segment *segment, int dirfd,
    int64_t base_offset, int64_t interval_bytes, struct stream_error *err)
{
	int status;

	stream_segment_close(segment);
	status = open_part(
	    dirfd, base_offset, STREAM_NAME_LOG, 0, &segment->log, err);
	if (status == STREAM_OK)
		status = open_part(dirfd, base_offset, STREAM_NAME_INDEX,
		    O_CREAT, &segment->index, err);
	if (status == STREAM_OK)
		status = open_part(dirfd, base_offset, STREAM_NAME_TIMEINDEX,
		    O_CREAT, &segment->timeindex, err);
	if (status != STREAM_OK) {
		stream_segment_close(segment);
		return status;
	}
	segment->base_offset = base_offset;
	stream_indexer_init(&segment->indexer, base_offset, interval_bytes);
	return STREAM_OK;
}

int
stream_segment_create(int dirfd, int64_t base_offset, struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];
	int fd;

	stream_name_put_plain(base_offset, STREAM_NAME_LOG, name);
	fd = openat(dirfd, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST)
		return stream_fail(err, STREAM_EEXIST, STREAM_POS_NONE,
		    "%s: is there already", name);
	if (fd < 0)
		return stream_fail_sys(err, "%s: cannot create", name);
	close(fd);
	return stream_io_sync_dir(dirfd, err);
}

/* The last entry of an index file with entries of size bytes; *count is how
 * many there are.  A part of an entry at the end is cut off. */
static int
last_entry(int fd, size_t size, uint8_t *entry, uint64_t *count,
    struct stream_error *err)
{
	uint64_t bytes;
	size_t got = 0;
	int status = stream_io_size(fd, &bytes, err);

	if (status == STREAM_OK && bytes % size != 0)
		status = stream_io_truncate(fd, bytes - bytes % size, err);
	*count = bytes / size;
	if (status == STREAM_OK && *count > 0)
		status = stream_io_read_at(
		    fd, entry, size, (*count - 1) * size, &got, err);
	return status;
}

static bool
is_sound(const struct stream_indexer *indexer, const uint8_t *offset_entry,
    const uint8_t *time_entry, uint64_t end, int64_t next_offset)
{
	int64_t span = next_offset - indexer->base_offset;

	if (indexer->entries > 0 &&
	    (indexer->indexed_position >= end ||
		indexer->indexed_position == 0 ||
		(int64_t)stream_load32(offset_entry) >= span))
		return false;
	return indexer->time_entries == 0 ||
	       (indexer->time_last_ms >= 0 &&
		   indexer->time_last_ms <= indexer->max_timestamp_ms &&
		   (int64_t)stream_load32(time_entry + 8) < span);
}

int
stream_segment_load_indexes(struct stream_segment *segment, uint64_t end,
    int64_t next_offset, bool *sound, struct stream_error *err)
{
	struct stream_indexer *indexer = &segment->indexer;
	uint8_t offset_entry[STREAM_INDEX_ENTRY] = {0};
	uint8_t time_entry[STREAM_TIMEINDEX_ENTRY] = {0};
	int status = last_entry(segment->index, STREAM_INDEX_ENTRY,
	    offset_entry, &indexer->entries, err);

	if (status == STREAM_OK)
		status = last_entry(segment->timeindex, STREAM_TIMEINDEX_ENTRY,
		    time_entry, &indexer->time_entries, err);
	if (status != STREAM_OK)
		return status;
	indexer->indexed_position = stream_load32(offset_entry + 4);
	indexer->time_last_ms = indexer->time_entries > 0
				    ? (int64_t)stream_load64(time_entry)
				    : STREAM_NO_TIMESTAMP;
	if (end == 0)
		segment->first_is_known = false; /* cut since then */
	*sound = is_sound(indexer, offset_entry, time_entry, end, next_offset);
	return STREAM_OK;
}

/* A reservation must not be what fills the disk. */
static bool
is_disk_roomy(int fd)
{
	struct statvfs disk;

	return fstatvfs(fd, &disk) == 0 &&
	       disk.f_bavail > 2 * (uint64_t)RESERVE / disk.f_frsize;
}

void
stream_segment_reserve(
    struct stream_segment *segment, uint64_t from, uint64_t end, uint64_t most)
{
	uint64_t to = end + RESERVE < most ? end + RESERVE : most;

	if (!segment->may_reserve || end <= segment->reserved || to < end)
		return;
	segment->may_reserve = is_disk_roomy(segment->log) &&
			       fallocate(segment->log, FALLOC_FL_KEEP_SIZE,
				   (off_t)from, (off_t)(to - from)) == 0;
	if (segment->may_reserve)
		segment->reserved = to;
}

void
stream_segment_give_back(struct stream_segment *segment)
{
	uint64_t size;

	if (stream_io_size(segment->log, &size, NULL) == STREAM_OK)
		stream_io_truncate(segment->log, size, NULL);
	segment->reserved = 0;
}

/* Put new entries at the end of an index; what did not fit is cut off. */
static int
flush_one(int fd, struct stream_buf *new, size_t entry, uint64_t *count,
    struct stream_error *err)
{
	uint64_t old = *count - new->size / entry;
	size_t done = 0;
	int status;

	if (new->size == 0)
		return STREAM_OK;
	status = stream_io_write_at(
	    fd, new->data, new->size, old * entry, &done, err);
	if (status != STREAM_OK) {
		*count = old + done / entry;
		stream_io_truncate(fd, *count * entry, NULL);
	}
	new->size = 0;
	return status;
}

int
stream_segment_flush_indexes(
    struct stream_segment *segment, struct stream_error *err)
{
	struct stream_indexer *indexer = &segment->indexer;
	int offsets = flush_one(segment->index, &indexer->offsets,
	    STREAM_INDEX_ENTRY, &indexer->entries, err);
	int times = flush_one(segment->timeindex, &indexer->times,
	    STREAM_TIMEINDEX_ENTRY, &indexer->time_entries,
	    offsets == STREAM_OK ? err : NULL);

	return offsets == STREAM_OK ? times : offsets;
}

static int
replace_one(struct stream_segment *segment, int dirfd,
    enum stream_name_kind kind, struct stream_buf *new, int *fd,
    struct stream_error *err)
{
	struct stream_bytes bytes = {new->data, new->size};
	char name[STREAM_NAME_SIZE];
	int status;

	stream_name_put_plain(segment->base_offset, kind, name);
	status = stream_io_replace(dirfd, name, bytes, err);
	if (status != STREAM_OK)
		return status;
	new->size = 0;
	close_file(fd);
	return stream_io_open(dirfd, name, O_RDWR, fd, err);
}

int
stream_segment_replace_indexes(
    struct stream_segment *segment, int dirfd, struct stream_error *err)
{
	struct stream_indexer *indexer = &segment->indexer;
	int status = replace_one(segment, dirfd, STREAM_NAME_INDEX,
	    &indexer->offsets, &segment->index, err);

	if (status != STREAM_OK)
		return status;
	return replace_one(segment, dirfd, STREAM_NAME_TIMEINDEX,
	    &indexer->times, &segment->timeindex, err);
}

int
stream_segment_first_timestamp(struct stream_segment *segment,
    int64_t *timestamp_ms, struct stream_error *err)
{
	uint8_t header[STREAM_BATCH_HEADER];
	struct stream_batch batch;
	uint64_t size;
	size_t got;
	int status;

	*timestamp_ms = segment->first_timestamp_ms;
	if (segment->first_is_known)
		return STREAM_OK;
	*timestamp_ms = STREAM_NO_TIMESTAMP;
	status = stream_io_read_at(
	    segment->log, header, sizeof(header), 0, &got, err);
	if (status != STREAM_OK || got < sizeof(header))
		return status;
	status =
	    stream_batch_measure(header, sizeof(header), INT32_MAX, &size, err);
	if (status == STREAM_OK)
		status = stream_batch_parse(header, (size_t)size, &batch, err);
	if (status != STREAM_OK)
		return status;
	*timestamp_ms = batch.info.max_timestamp_ms;
	segment->first_timestamp_ms = *timestamp_ms;
	segment->first_is_known = true;
	return STREAM_OK;
}
