#include "port/archive_copy.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "port/archive_path.h"

enum { CHUNK = 1 << 20 };

struct stream_copy_range
stream_copy_range(const struct stream_parts *parts,
    const struct stream_archive_choice *choice)
{
	struct stream_copy_range range = {INT64_MAX, -1};

	if (parts->count > 0) {
		range.first = parts->items[0].base_offset;
		range.last = parts->items[parts->count - 1].base_offset;
	}
	if (choice->first == 0)
		range.first = 0;
	if (choice->end == choice->count)
		range.last = INT64_MAX;
	return range;
}

bool
stream_copy_range_has(
    const struct stream_copy_range *range, const struct stream_name *name)
{
	return name->state == STREAM_NAME_CLEANED ||
	       (name->base_offset >= range->first &&
		   name->base_offset <= range->last);
}

static int
copy_bytes(struct stream_archive *archive, size_t i, int to,
    struct stream_buf *chunk, struct stream_error *err)
{
	uint64_t bytes = stream_archive_file(archive, i)->bytes;
	uint64_t at = 0;
	int status = STREAM_OK;

	while (at < bytes && status == STREAM_OK) {
		uint64_t left = bytes - at;

		chunk->size = 0;
		status = stream_archive_read_at(archive, i, at,
		    left < CHUNK ? (size_t)left : CHUNK, chunk, err);
		if (status == STREAM_OK)
			status = stream_io_write_at(
			    to, chunk->data, chunk->size, at, NULL, err);
		at += chunk->size;
	}
	return status;
}

int
stream_copy_file(struct stream_archive *archive, size_t i, int dirfd,
    const char *name, struct stream_buf *chunk, struct stream_error *err)
{
	const struct stream_archive_file *file =
	    stream_archive_file(archive, i);
	struct stream_path path;
	int fd;
	int status;

	if (!stream_path_parse(file->path, &path) ||
	    file->bytes > stream_path_most_bytes(&path))
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%.150s: claims %llu bytes, more than such a file has",
		    file->path, (unsigned long long)file->bytes);
	status =
	    stream_io_open(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = copy_bytes(archive, i, fd, chunk, err);
	close(fd);
	return status;
}
