#include "port/archive_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stream/topic.h>

#include "base/fail.h"
#include "file/io.h"
#include "file/name.h"
#include "log/view.h"
#include "store/store.h"

static void
close_file(struct stream_source_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

static void
close_segments(struct stream_source *source)
{
	for (size_t i = 0; i < source->count; i++)
		for (int kind = 0; kind < STREAM_SOURCE_KINDS; kind++)
			close_file(&source->segments[i].files[kind]);
	free(source->segments);
	source->segments = NULL;
	source->count = 0;
	close_file(&source->end_snapshot);
}

void
stream_source_close(struct stream_source *source)
{
	close_segments(source);
	if (source->dirfd >= 0)
		close(source->dirfd);
	source->dirfd = -1;
}

/* ---- one segment -------------------------------------------------------- */

static int
measure(
    struct stream_source_file *file, struct stat *st, struct stream_error *err)
{
	if (fstat(file->fd, st) != 0)
		return stream_fail_sys(err, "cannot look at the file");
	file->bytes = (uint64_t)st->st_size;
	file->time_s = st->st_mtime;
	return STREAM_OK;
}

/* What is derived from a log may be missing. */
static int
open_derived(const struct stream_source *source, const struct stream_name *name,
    struct stream_source_file *file, struct stream_error *err)
{
	char text[STREAM_NAME_SIZE];
	struct stream_error why;
	struct stat st;
	int status;

	file->fd = -1;
	stream_name_put(name, text);
	status = stream_io_open(source->dirfd, text, O_RDONLY, &file->fd, &why);
	if (status == STREAM_OK)
		return measure(file, &st, err);
	file->fd = -1;
	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (err != NULL)
		*err = why;
	return stream_fail_in(err, status, "%s", text);
}

/* Snapshots have no state: they are not swapped. */
static int
open_all_derived(const struct stream_source *source, bool swap,
    struct stream_source_segment *segment, struct stream_error *err)
{
	int status = STREAM_OK;

	for (int kind = STREAM_NAME_INDEX;
	     kind <= STREAM_NAME_SNAPSHOT && status == STREAM_OK; kind++) {
		struct stream_name name = {
		    .base_offset = segment->base_offset,
		    .kind = (enum stream_name_kind)kind,
		    .state = swap && kind != STREAM_NAME_SNAPSHOT
				 ? STREAM_NAME_SWAP
				 : STREAM_NAME_PLAIN,
		};

		status =
		    open_derived(source, &name, &segment->files[kind], err);
	}
	return status;
}

static int
open_segment(struct stream_source *source, const struct stream_view *view,
    size_t i, struct stream_error *err)
{
	struct stream_source_segment *segment =
	    &source->segments[source->count];
	struct stream_source_file *log = &segment->files[STREAM_NAME_LOG];
	struct stat st;
	int status;

	segment->base_offset = view->segments[i].base_offset;
	segment->next_offset = view->segments[i + 1].base_offset;
	for (int kind = 0; kind < STREAM_SOURCE_KINDS; kind++)
		segment->files[kind].fd = -1;
	source->count++;
	status = stream_view_open(view, i, source->dirfd, &log->fd, err);
	if (status != STREAM_OK) {
		log->fd = -1;
		return status;
	}
	status = measure(log, &st, err);
	if (status != STREAM_OK)
		return status;
	segment->identity = (struct stream_source_identity){
	    .base_offset = segment->base_offset,
	    .device = st.st_dev,
	    .inode = st.st_ino,
	    .bytes = log->bytes,
	};
	return open_all_derived(source, view->segments[i].swap, segment, err);
}

/* ---- all of them -------------------------------------------------------- */

static int
open_end(struct stream_source *source, struct stream_error *err)
{
	struct stream_name name = {
	    .base_offset = source->next_offset, .kind = STREAM_NAME_SNAPSHOT};

	return open_derived(source, &name, &source->end_snapshot, err);
}

static int
open_listed(struct stream_source *source, const struct stream_view *view,
    int64_t from, int64_t to, struct stream_error *err)
{
	int status = STREAM_OK;

	source->segments = calloc(view->count + 1, sizeof(*source->segments));
	if (source->segments == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i + 1 < view->count && status == STREAM_OK; i++) {
		if (view->segments[i + 1].base_offset <= from ||
		    view->segments[i].base_offset >= to)
			continue;
		status = open_segment(source, view, i, err);
	}
	if (status != STREAM_OK)
		return status;
	if (source->count > 0)
		source->next_offset =
		    source->segments[source->count - 1].next_offset;
	else if (view->count > 0)
		source->next_offset =
		    view->segments[view->count - 1].base_offset;
	return open_end(source, err);
}

/* Is all that was opened still what a listing shows? */
static bool
is_current(const struct stream_source *source, const struct stream_view *view)
{
	for (size_t i = 0; i < source->count; i++) {
		const struct stream_source_segment *segment =
		    &source->segments[i];

		if (stream_view_is_replaced(view, segment->base_offset,
			source->dirfd, segment->files[STREAM_NAME_LOG].fd))
			return false;
	}
	return true;
}

static int
find_active(struct stream_source *source, const struct stream_view *view,
    struct stream_error *err)
{
	uint64_t bytes;
	int fd;
	int status;

	source->active_is_used = false;
	if (view->count == 0)
		return STREAM_OK;
	status =
	    stream_view_open(view, view->count - 1, source->dirfd, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_io_size(fd, &bytes, err);
	close(fd);
	source->active_is_used = status == STREAM_OK && bytes > 0;
	return status;
}

/* STREAM_ENOENT: what was listed went; another listing is to be made. */
static int
try_to_open(struct stream_source *source, int64_t from, int64_t to,
    struct stream_error *err)
{
	struct stream_view before = {.segments = NULL};
	struct stream_view after = {.segments = NULL};
	int status = stream_view_load(source->dirfd, &before, err);

	if (status == STREAM_OK)
		status = open_listed(source, &before, from, to, err);
	if (status == STREAM_OK)
		status = find_active(source, &before, err);
	if (status == STREAM_OK)
		status = stream_view_load(source->dirfd, &after, err);
	if (status == STREAM_OK && (!stream_view_is_same(&before, &after) ||
				       !is_current(source, &after)))
		status = stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "its segments keep changing");
	stream_view_release(&before);
	stream_view_release(&after);
	if (status != STREAM_OK)
		close_segments(source);
	return status;
}

/* The last component, without slashes that may follow it. */
static bool
is_named(const char *path, const char *name)
{
	size_t end = strlen(path), size = strlen(name);

	while (end > 0 && path[end - 1] == '/')
		end--;
	return end >= size && memcmp(path + end - size, name, size) == 0 &&
	       (end == size || path[end - size - 1] == '/');
}

static int
check_place(const struct stream_place *place, struct stream_error *err)
{
	char name[STREAM_PARTITION_NAME_SIZE];

	if (place->segment != NULL)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s/%s: give the partition's directory, not one file",
		    place->path, place->segment);
	if (stream_partition_name_put(
		place->topic, place->partition, name, NULL) != STREAM_OK ||
	    stream_topic_check_name(place->topic, NULL) != STREAM_OK ||
	    !is_named(place->path, name))
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: only a directory TOPIC-PARTITION can be archived",
		    place->path);
	return STREAM_OK;
}

int
stream_source_open(const struct stream_place *place, int64_t from, int64_t to,
    struct stream_source *source, struct stream_error *err)
{
	int status;

	*source = (struct stream_source){
	    .place = place, .dirfd = -1, .end_snapshot = {.fd = -1}};
	status = check_place(place, err);
	if (status == STREAM_OK)
		status = stream_io_open_dir(
		    AT_FDCWD, place->path, &source->dirfd, err);
	if (status != STREAM_OK)
		return status;
	status = STREAM_ENOENT;
	for (int i = 0; i < STREAM_VIEW_TRIES && status == STREAM_ENOENT; i++)
		status = try_to_open(source, from, to, err);
	if (status == STREAM_ENOENT)
		status = STREAM_EBUSY;
	if (status == STREAM_EIO && err != NULL && err->sys == EMFILE)
		return stream_fail(err, STREAM_EIO, STREAM_POS_NONE,
		    "%s-%d: too many segments to hold open at once; raise "
		    "ulimit -n, or archive a range of it",
		    place->topic, (int)place->partition);
	return status == STREAM_OK ? STREAM_OK
				   : stream_fail_in(err, status, "%s-%d",
					 place->topic, (int)place->partition);
}

uint64_t
stream_source_bytes(const struct stream_source *source)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < source->count; i++)
		bytes += source->segments[i].files[STREAM_NAME_LOG].bytes;
	return bytes;
}
