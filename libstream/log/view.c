#include "log/view.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "file/scan.h"

/* A compaction of many small segments renames all the time, where a sync costs
 * nothing without a pause: one moment at rest is enough.  The later listings
 * are a fifth of a millisecond apart, so this is as long as a lock is waited
 * for, 10 s. */
enum { LISTINGS = 50000, LISTINGS_AT_ONCE = 10, PAUSE_NS = 200000 };

void
stream_view_release(struct stream_view *view)
{
	free(view->segments);
	*view = (struct stream_view){0};
}

static int
add(struct stream_view *view, int64_t base_offset, bool swap,
    struct stream_error *err)
{
	/* The array grows at powers of two, which are the counts at which
	 * it is full. */
	if ((view->count & (view->count - 1)) == 0) {
		size_t capacity = view->count == 0 ? 1 : view->count * 2;
		void *bigger =
		    realloc(view->segments, capacity * sizeof(*view->segments));

		if (bigger == NULL)
			return stream_fail_memory(err);
		view->segments = bigger;
	}
	view->segments[view->count++] = (struct stream_view_segment){
	    .base_offset = base_offset, .swap = swap};
	return STREAM_OK;
}

static int
by_base(const void *a, const void *b)
{
	const struct stream_view_segment *x = a, *y = b;

	if (x->base_offset != y->base_offset)
		return x->base_offset < y->base_offset ? -1 : 1;
	return (int)x->swap - (int)y->swap;
}

/* The log files of a listing, swaps that count included, sorted.  A swap at or
 * above the lowest .cleaned had not reached all files: it does not count. */
static int
collect(const struct stream_buf *names, struct stream_view *view,
    struct stream_error *err)
{
	int64_t cleaned = INT64_MAX;
	struct stream_name name;
	int status = STREAM_OK;

	for (const char *n = stream_dir_next(names, NULL); n != NULL;
	     n = stream_dir_next(names, n))
		if (stream_name_parse(n, &name) &&
		    name.state == STREAM_NAME_CLEANED &&
		    name.base_offset < cleaned)
			cleaned = name.base_offset;
	for (const char *n = stream_dir_next(names, NULL);
	     n != NULL && status == STREAM_OK; n = stream_dir_next(names, n)) {
		if (!stream_name_parse(n, &name) ||
		    name.kind != STREAM_NAME_LOG)
			continue;
		if (name.state == STREAM_NAME_PLAIN ||
		    (name.state == STREAM_NAME_SWAP &&
			name.base_offset < cleaned))
			status = add(view, name.base_offset,
			    name.state == STREAM_NAME_SWAP, err);
	}
	if (view->count > 1)
		qsort(view->segments, view->count, sizeof(*view->segments),
		    by_base);
	return status;
}

int
stream_view_raise_end(int fd, int64_t *end, struct stream_error *err)
{
	struct stream_scan scan;
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	stream_scan_init(&scan, fd, 0, STREAM_SCAN_HEADERS,
	    STREAM_BATCH_CAP_MOST, STREAM_SCAN_SMALL_BLOCK);
	while ((status = stream_scan_next(&scan, &batch, &bytes, err)) ==
	       STREAM_OK)
		if (batch.info.last_offset >= *end)
			*end = batch.info.last_offset + 1;
	stream_scan_release(&scan);
	/* Damage inside is found, and told, by whoever reads it. */
	return status == STREAM_EIO || status == STREAM_ENOMEM ? status
							       : STREAM_OK;
}

/* Note which file a swap is, and how far it reaches. */
static int
look_into_swap(struct stream_view *view, size_t index, int dirfd, int64_t *end,
    struct stream_error *err)
{
	struct stream_view_segment *segment = &view->segments[index];
	struct stat st;
	int fd;
	int status = stream_view_open(view, index, dirfd, &fd, err);

	if (status != STREAM_OK)
		return status;
	if (fstat(fd, &st) != 0)
		status = stream_fail_sys(err, "cannot look at a swap file");
	if (status == STREAM_OK)
		status = stream_view_raise_end(fd, end, err);
	close(fd);
	segment->inode = st.st_ino;
	segment->changed = st.st_ctim;
	return status;
}

/* Swaps replace the plain logs in the range that they cover together. */
static int
apply_swaps(struct stream_view *view, int dirfd, struct stream_error *err)
{
	int64_t from = INT64_MAX;
	int64_t end = 0;
	size_t kept = 0;

	for (size_t i = 0; i < view->count; i++) {
		int status = STREAM_OK;

		if (!view->segments[i].swap)
			continue;
		if (view->segments[i].base_offset < from)
			from = view->segments[i].base_offset;
		status = look_into_swap(view, i, dirfd, &end, err);
		if (status != STREAM_OK)
			return status;
	}
	for (size_t i = 0; i < view->count; i++) {
		struct stream_view_segment *segment = &view->segments[i];

		/* A swap of no records still replaces the file of its name. */
		if (!segment->swap && segment->base_offset >= from &&
		    (segment->base_offset < end ||
			(i + 1 < view->count &&
			    segment[1].base_offset == segment->base_offset)))
			continue;
		view->segments[kept++] = *segment;
	}
	view->count = kept;
	return STREAM_OK;
}

static int
list_once(int dirfd, struct stream_view *view, struct stream_error *err)
{
	struct stream_buf names;
	int status;

	*view = (struct stream_view){0};
	stream_buf_init(&names);
	status = stream_dir_list(dirfd, &names, err);
	if (status == STREAM_OK)
		status = collect(&names, view, err);
	stream_buf_release(&names);
	if (status != STREAM_OK)
		stream_view_release(view);
	return status;
}

/* When a name in the directory changed last.  Two listings beside two renames
 * can miss the same file; where the clock of the file system is fine enough
 * this tells. */
static struct timespec
last_change(int dirfd)
{
	struct stat st;

	return fstat(dirfd, &st) == 0 ? st.st_mtim : (struct timespec){0};
}

static bool
is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void
pause_after(int listings)
{
	struct timespec pause = {.tv_nsec = PAUSE_NS};

	if (listings >= LISTINGS_AT_ONCE)
		nanosleep(&pause, NULL);
}

bool
stream_view_is_same(const struct stream_view *a, const struct stream_view *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (by_base(&a->segments[i], &b->segments[i]) != 0)
			return false;
	return true;
}

int
stream_view_load(int dirfd, struct stream_view *view, struct stream_error *err)
{
	struct timespec then = last_change(dirfd), later;
	struct stream_view before, now;
	int status = list_once(dirfd, &before, err);

	for (int i = 0; status == STREAM_OK && i < LISTINGS; i++) {
		bool same;

		pause_after(i);
		status = list_once(dirfd, &now, err);
		if (status != STREAM_OK)
			break;
		later = last_change(dirfd);
		same = stream_view_is_same(&before, &now) &&
		       is_same_time(then, later);
		stream_view_release(&before);
		before = now;
		then = later;
		if (!same)
			continue;
		status = apply_swaps(&now, dirfd, err);
		if (status == STREAM_ENOENT ||
		    (status == STREAM_OK &&
			!is_same_time(then, last_change(dirfd)))) {
			/* Swapped in meanwhile, perhaps another in its place.
			 */
			status = STREAM_OK;
			before = now;
			continue;
		}
		if (status != STREAM_OK)
			break;
		*view = now;
		return STREAM_OK;
	}
	stream_view_release(&before);
	if (status != STREAM_OK)
		return status;
	return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
	    "the files of the partition keep changing");
}

int
stream_view_load_one(
    const char *only, struct stream_view *view, struct stream_error *err)
{
	struct stream_view one = {0};
	struct stream_name name;
	int status;

	if (!stream_name_parse(only, &name) || name.kind != STREAM_NAME_LOG)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: a log file is named by its base offset in 20 digits",
		    only);
	status = add(&one, name.base_offset, false, err);
	if (status == STREAM_OK)
		*view = one;
	return status;
}

size_t
stream_view_find(const struct stream_view *view, int64_t offset)
{
	size_t low = 0, high = view->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (view->segments[middle].base_offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void
put_log_name(const struct stream_view *view, size_t index, char *text)
{
	struct stream_name name = {
	    .base_offset = view->segments[index].base_offset,
	    .kind = STREAM_NAME_LOG,
	    .state = view->segments[index].swap ? STREAM_NAME_SWAP
						: STREAM_NAME_PLAIN,
	};

	stream_name_put(&name, text);
}

int
stream_view_open(const struct stream_view *view, size_t index, int dirfd,
    int *fd, struct stream_error *err)
{
	char text[STREAM_NAME_SIZE];
	int opened;
	int status;

	put_log_name(view, index, text);
	status = stream_io_open(dirfd, text, O_RDONLY, &opened, err);
	if (status != STREAM_OK)
		return status;
	if (!stream_view_is_listed(view, index, opened)) {
		close(opened);
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "%s: is another file by now", text);
	}
	*fd = opened;
	return STREAM_OK;
}

int
stream_view_open_base(
    int dirfd, int64_t base_offset, int *fd, struct stream_error *err)
{
	struct stream_view_segment segment = {.base_offset = base_offset};
	struct stream_view view = {.segments = &segment, .count = 1};
	char text[STREAM_NAME_SIZE];
	size_t index;
	int status;

	segment.swap = true;
	put_log_name(&view, 0, text);
	segment.swap = false;
	if (faccessat(dirfd, text, F_OK, 0) != 0)
		return stream_view_open(&view, 0, dirfd, fd, err);
	status = stream_view_load(dirfd, &view, err);
	if (status != STREAM_OK)
		return status;
	index = stream_view_find(&view, base_offset);
	if (view.count > 0 && view.segments[index].base_offset == base_offset)
		status = stream_view_open(&view, index, dirfd, fd, err);
	else
		status = stream_fail(
		    err, STREAM_ENOENT, STREAM_POS_NONE, "is gone by now");
	stream_view_release(&view);
	return status;
}

/* ---- which files they are ----------------------------------------------- */

int
stream_view_note(struct stream_view *view, int dirfd, struct stream_error *err)
{
	char text[STREAM_NAME_SIZE];
	struct stat st;

	for (size_t i = 0; i < view->count; i++) {
		if (view->segments[i].swap)
			continue;
		put_log_name(view, i, text);
		if (fstatat(dirfd, text, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return stream_fail_sys(err, "%s", text);
		view->segments[i].inode = st.st_ino;
		view->segments[i].changed = st.st_ctim;
	}
	return STREAM_OK;
}

/* The newest segment of a listing is written to. */
static bool
is_same_file(const struct stream_view_segment *a,
    const struct stream_view_segment *b, bool is_newest)
{
	return by_base(a, b) == 0 && a->inode == b->inode &&
	       (is_newest || is_same_time(a->changed, b->changed));
}

bool
stream_view_is_still(const struct stream_view *view, int dirfd)
{
	struct stream_view now;
	bool same;

	if (stream_view_load(dirfd, &now, NULL) != STREAM_OK)
		return false;
	same = stream_view_note(&now, dirfd, NULL) == STREAM_OK &&
	       now.count >= view->count;
	for (size_t i = 0; i < view->count && same; i++)
		same = is_same_file(
		    &view->segments[i], &now.segments[i], i + 1 == view->count);
	stream_view_release(&now);
	return same;
}

bool
stream_view_is_listed(const struct stream_view *view, size_t index, int fd)
{
	const struct stream_view_segment *segment = &view->segments[index];
	struct stat st;

	if (!segment->swap || segment->inode == 0)
		return true;
	return fstat(fd, &st) == 0 && st.st_ino == segment->inode &&
	       is_same_time(st.st_ctim, segment->changed);
}

bool
stream_view_is_replaced(
    const struct stream_view *view, int64_t base_offset, int dirfd, int fd)
{
	size_t index = stream_view_find(view, base_offset);
	struct stat opened, named;
	char text[STREAM_NAME_SIZE];

	put_log_name(view, index, text);
	return view->segments[index].base_offset != base_offset ||
	       fstat(fd, &opened) != 0 ||
	       fstatat(dirfd, text, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
	       opened.st_ino != named.st_ino || opened.st_dev != named.st_dev;
}
