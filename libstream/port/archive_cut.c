#include "port/archive_cut.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "file/scan.h"
#include "log/segment_names.h"
#include "log/view.h"

enum { CHUNK = 1 << 20 };

struct cutting {
	int dirfd;
	int64_t from, to;
	size_t cap;
	bool cut_end;
};

/* Which bytes of a log stay. */
struct span {
	uint64_t begin, end; /* equal: none */
	int64_t first_offset;
	uint64_t size; /* of the file */
};

static int
find_span(const struct cutting *c, int fd, struct span *span,
    struct stream_error *err)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status = stream_io_size(fd, &span->size, err);

	span->begin = span->end = 0;
	if (status != STREAM_OK)
		return status;
	stream_scan_init(
	    &scan, fd, 0, STREAM_SCAN_HEADERS, c->cap, STREAM_SCAN_SMALL_BLOCK);
	for (;;) {
		const struct stream_batch_info *info = &batch.info;

		status = stream_scan_next(&scan, &batch, &bytes, err);
		if (status != STREAM_OK || info->base_offset >= c->to)
			break;
		if (info->last_offset < c->from)
			continue;
		if (span->end == 0) {
			span->begin = info->position;
			span->first_offset = info->base_offset;
		}
		span->end = info->position + info->size;
	}
	stream_scan_release(&scan);
	return status == STREAM_END || status == STREAM_ETORN ? STREAM_OK
							      : status;
}

static int
remove_segment(int dirfd, int64_t base, struct stream_error *err)
{
	int status = STREAM_OK;

	for (int i = 0; i < STREAM_SEGMENT_KINDS && status == STREAM_OK; i++)
		status = stream_segment_remove_file(dirfd, base,
		    stream_segment_kinds[i], STREAM_NAME_PLAIN, err);
	return status;
}

static int
copy(int from, const struct span *span, int to, struct stream_error *err)
{
	uint8_t *chunk = malloc(CHUNK);
	int status = chunk != NULL ? STREAM_OK : stream_fail_memory(err);

	for (uint64_t at = span->begin;
	     at < span->end && status == STREAM_OK;) {
		uint64_t left = span->end - at;
		size_t got;

		status = stream_io_read_at(from, chunk,
		    left < CHUNK ? (size_t)left : CHUNK, at, &got, err);
		if (status == STREAM_OK && got > 0)
			status = stream_io_write_at(
			    to, chunk, got, at - span->begin, NULL, err);
		at += got;
	}
	free(chunk);
	return status;
}

static void
keep_time(int from, int to)
{
	struct stat st;

	if (fstat(from, &st) == 0)
		futimens(to, (struct timespec[2]){st.st_atim, st.st_mtim});
}

/* A new log of what stays, named by its first batch; the old one goes. */
static int
rewrite(const struct cutting *c, int64_t base, int fd, const struct span *span,
    struct stream_error *err)
{
	static const char temporary[] = ".tmp-cut";
	char name[STREAM_NAME_SIZE];
	int to;
	int status = stream_io_open(
	    c->dirfd, temporary, O_RDWR | O_CREAT | O_EXCL, &to, err);

	if (status != STREAM_OK)
		return status;
	status = copy(fd, span, to, err);
	keep_time(fd, to);
	close(to);
	if (status == STREAM_OK)
		status = remove_segment(c->dirfd, base, err);
	if (status != STREAM_OK)
		return status;
	stream_name_put_plain(
	    span->begin > 0 ? span->first_offset : base, STREAM_NAME_LOG, name);
	if (renameat(c->dirfd, temporary, c->dirfd, name) != 0)
		return stream_fail_sys(err, "%s: cannot rename", name);
	return STREAM_OK;
}

static int
cut_segment(struct cutting *c, const struct stream_view *view, size_t i,
    struct stream_error *err)
{
	int64_t base = view->segments[i].base_offset;
	struct span span;
	int fd;
	int status = stream_view_open(view, i, c->dirfd, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = find_span(c, fd, &span, err);
	if (status == STREAM_OK && span.end < span.size &&
	    (span.end > 0 || base >= c->to))
		c->cut_end = true;
	if (status == STREAM_OK && span.begin == span.end)
		status = remove_segment(c->dirfd, base, err);
	else if (status == STREAM_OK &&
		 (span.begin > 0 || span.end < span.size))
		status = rewrite(c, base, fd, &span, err);
	close(fd);
	return status;
}

/* They say what came before, which is partly gone. */
static bool
tells_of_before(const char *name)
{
	struct stream_name parsed;

	return strcmp(name, STREAM_EPOCHS_FILE) == 0 ||
	       (stream_name_parse(name, &parsed) &&
		   parsed.kind == STREAM_NAME_SNAPSHOT);
}

static int
remove_what_tells_of_before(int dirfd, struct stream_error *err)
{
	struct stream_buf names;
	int status;

	stream_buf_init(&names);
	status = stream_dir_list(dirfd, &names, err);
	for (const char *name = stream_dir_next(&names, NULL);
	     name != NULL && status == STREAM_OK;
	     name = stream_dir_next(&names, name))
		if (tells_of_before(name))
			status = stream_dir_remove_file(dirfd, name, err);
	stream_buf_release(&names);
	return status;
}

int
stream_cut_to_range(int dirfd, int64_t from, int64_t to, size_t cap,
    bool *cut_end, struct stream_error *err)
{
	struct cutting c = {dirfd, from, to, cap, false};
	struct stream_view view;
	int status = stream_view_load(dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	for (size_t i = 0; i < view.count && status == STREAM_OK; i++)
		status = cut_segment(&c, &view, i, err);
	stream_view_release(&view);
	if (status == STREAM_OK)
		status = remove_what_tells_of_before(dirfd, err);
	*cut_end = c.cut_end;
	return status;
}
