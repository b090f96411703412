/*
 * replica_hold.c - links to what the replica lacks
 *
 * Names of closed segments change while they are looked at, since no lock is
 * taken.  So each log is opened, linked and measured by that descriptor, and in
 * the end the directory is listed again: if it shows other segments, or
 * another file under a name, all is looked at once more.  What was measured is
 * remembered, so the second look is short.
 *
 * The log that is written to gets no link: a writer refuses a file that has
 * two, since it could be planted.  Its new bytes are copied, or, if the
 * replica has nothing of it, it is read where it is.
 */
#include "store/replica_hold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "log/partition.h"
#include "log/view.h"
#include "store/replica_gone.h"

enum {
	/* A compaction swaps once in a while; this is not a race that is lost
	 * again and again. */
	LOOKS = 50,
	/* A tail of this many bytes is copied whatever the log's size. */
	SMALL_TAIL = 16 << 20,
	COPY = 1 << 20
};

struct holding {
	struct stream_replica_look *look;
	int dirfd;
	const struct stream_topic_settings *settings;
	struct stream_manifest_part *part;
	const struct stream_manifest_part *have; /* NULL: nothing */
	bool in_vain; /* the replica cannot read what it has */
	char name[STREAM_PARTITION_NAME_SIZE];
	int into; /* of the links; -1: none yet */
	/* The end of what is replicated. */
	int64_t active_base;
	uint64_t durable_end;
	int active_fd;
	ino_t *inodes; /* owned; of the view's segments */
};

/* ---- the end ------------------------------------------------------------ */

static int
find_end_as_writer(struct holding *h, struct stream_error *err)
{
	struct stream_log_config config;
	struct stream_partition *partition;
	int status;

	stream_replica_log_config(h->look, h->settings, &config);
	config.log_start_offset = h->part->log_start_offset;
	status = stream_partition_open(h->dirfd, &config, &partition, err);
	if (status != STREAM_OK)
		return status;
	status = stream_partition_find_durable(
	    partition, &h->active_base, &h->durable_end, &h->active_fd, err);
	stream_partition_close(partition);
	return status;
}

/* Nobody writes: what is there is synced, and whole batches of it count. */
static int
find_end_plainly(struct holding *h, struct stream_error *err)
{
	struct stream_view view;
	int status = stream_view_load(h->dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	if (view.count == 0)
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "there is no segment");
	if (status == STREAM_OK)
		status = stream_view_open(
		    &view, view.count - 1, h->dirfd, &h->active_fd, err);
	if (status == STREAM_OK) {
		h->active_base = view.segments[view.count - 1].base_offset;
		status = stream_io_size(h->active_fd, &h->durable_end, err);
	}
	if (status == STREAM_OK)
		status = stream_io_sync(h->active_fd, err);
	stream_view_release(&view);
	return status;
}

/* ---- what is made ------------------------------------------------------- */

static int
open_into(struct holding *h, struct stream_error *err)
{
	return h->into >= 0 ? STREAM_OK
			    : stream_dir_open_or_make(
				  h->look->hold, h->name, &h->into, err);
}

/* true also when it is another file by now: that is seen in the end. */
static int
link_file(struct holding *h, const struct stream_name *from, bool *linked,
    struct stream_error *err)
{
	char old[STREAM_NAME_SIZE], new[STREAM_NAME_SIZE];
	int status = open_into(h, err);

	if (status != STREAM_OK)
		return status;
	stream_name_put(from, old);
	stream_name_put_plain(from->base_offset, from->kind, new);
	*linked = linkat(h->dirfd, old, h->into, new, 0) == 0;
	if (*linked || errno == ENOENT)
		return STREAM_OK;
	if (errno != EEXIST)
		return stream_fail_sys(err, "%s: cannot link", old);
	*linked = unlinkat(h->into, new, 0) == 0 &&
		  linkat(h->dirfd, old, h->into, new, 0) == 0;
	return STREAM_OK;
}

/* With what a broker keeps beside it. */
static int
link_segment(struct holding *h, bool swap,
    struct stream_manifest_segment *segment, struct stream_error *err)
{
	struct stream_name name = {
	    .base_offset = segment->base_offset,
	    .kind = STREAM_NAME_LOG,
	    .state = swap ? STREAM_NAME_SWAP : STREAM_NAME_PLAIN,
	};
	bool linked;
	int status = link_file(h, &name, &linked, err);

	segment->with = 0;
	name.kind = STREAM_NAME_TXNINDEX;
	if (status == STREAM_OK)
		status = link_file(h, &name, &linked, err);
	if (status == STREAM_OK && linked)
		segment->with |= STREAM_WITH_TXNINDEX;
	name.kind = STREAM_NAME_SNAPSHOT;
	name.state = STREAM_NAME_PLAIN;
	if (status == STREAM_OK)
		status = link_file(h, &name, &linked, err);
	if (status == STREAM_OK && linked)
		segment->with |= STREAM_WITH_SNAPSHOT;
	return status;
}

static int
copy_bytes(
    int from, int to, uint64_t at, uint64_t end, struct stream_error *err)
{
	uint8_t *bytes = malloc(COPY);
	uint64_t start = at;
	int status = bytes == NULL ? stream_fail_memory(err) : STREAM_OK;

	while (at < end && status == STREAM_OK) {
		size_t n = end - at < COPY ? (size_t)(end - at) : COPY;
		size_t got;

		status = stream_io_read_at(from, bytes, n, at, &got, err);
		if (status == STREAM_OK && got < n)
			status = stream_fail(err, STREAM_ECORRUPT, at,
			    "the log ends before byte %llu",
			    (unsigned long long)end);
		if (status == STREAM_OK)
			status = stream_io_write_at(
			    to, bytes, got, at - start, NULL, err);
		at += n;
	}
	free(bytes);
	return status;
}

static int
copy_tail(struct holding *h, int fd,
    const struct stream_manifest_segment *segment, struct stream_error *err)
{
	char name[STREAM_PIECE_NAME_SIZE];
	int to;
	int status = open_into(h, err);

	if (status != STREAM_OK)
		return status;
	stream_manifest_piece(segment, name);
	status = stream_dir_remove_file(h->into, name, err);
	if (status == STREAM_OK)
		status = stream_io_open(
		    h->into, name, O_WRONLY | O_CREAT | O_EXCL, &to, err);
	if (status != STREAM_OK)
		return status;
	status = copy_bytes(fd, to, segment->from, segment->measure.bytes, err);
	close(to);
	return status;
}

/* ---- a segment ---------------------------------------------------------- */

/* What the replica's log of that name was measured to be at its end: is it how
 * this one begins? */
struct beginning {
	uint64_t bytes;
	struct stream_chain digest;
	bool wanted;
	bool agrees;
};

static int
measure(struct holding *h, int fd, uint64_t limit, bool grows,
    struct beginning *begin, struct stream_manifest_segment *segment,
    struct stream_error *err)
{
	struct stream_replica_look *look = h->look;
	struct stream_measuring how = {
	    .fd = fd,
	    .limit = limit,
	    .mark_at = begin->wanted ? begin->bytes : UINT64_MAX,
	    .go_on = look->options->go_on,
	    .go_on_context = look->options->context,
	};
	struct stream_measure *m = &segment->measure;
	int64_t base = segment->base_offset;
	uint64_t most =
	    begin->wanted && begin->bytes < limit ? begin->bytes : limit;
	bool whole = false;
	int status = STREAM_OK;

	if (!stream_measures_find(
		&look->fresh, h->name, base, fd, most, m, &whole) &&
	    !stream_measures_find(
		&look->known, h->name, base, fd, most, m, &whole))
		stream_measure_init(m, base);
	status = stream_measure_log(&how, m, err);
	if (status == STREAM_OK && (grows || begin->wanted))
		status = stream_measures_keep(
		    &look->fresh, &look->known, h->name, base, fd, err);
	if (status != STREAM_OK)
		return status;
	begin->agrees =
	    how.marked && stream_chain_is_same(&how.mark, &begin->digest);
	return stream_measures_add(
	    &look->fresh, h->name, base, fd, grows, m, err);
}

static struct beginning
beginning_of(const struct holding *h, int64_t base)
{
	const struct stream_manifest_segment *last;
	struct beginning begin = {.wanted = false};

	if (h->have == NULL || h->have->segment_count == 0)
		return begin;
	last = &h->have->segments[h->have->segment_count - 1];
	if (last->base_offset != base)
		return begin;
	begin.wanted = true;
	begin.bytes = last->measure.bytes;
	begin.digest = last->measure.digest;
	return begin;
}

static bool
is_there(const struct holding *h, const struct stream_manifest_segment *segment)
{
	const struct stream_manifest_segment *there =
	    h->have == NULL
		? NULL
		: stream_manifest_find_segment(h->have, segment->base_offset);

	return there != NULL &&
	       stream_measure_is_same(&there->measure, &segment->measure);
}

static void
decide(const struct holding *h, bool active, const struct beginning *begin,
    struct stream_manifest_segment *segment)
{
	uint64_t tail = segment->measure.bytes - begin->bytes;

	segment->from = 0;
	if (h->in_vain || is_there(h, segment) || segment->measure.bytes == 0) {
		segment->how = STREAM_HOW_HAVE;
		return;
	}
	segment->how = active ? STREAM_HOW_LIVE : STREAM_HOW_LINK;
	/* To copy most of a log takes longer than to send all of it. */
	if (begin->wanted && begin->agrees &&
	    (tail <= SMALL_TAIL || tail <= begin->bytes)) {
		segment->how = STREAM_HOW_TAIL;
		segment->from = begin->bytes;
	}
}

static int
hold_segment(struct holding *h, int fd, uint64_t limit, bool active, bool swap,
    struct stream_error *err)
{
	struct stream_manifest_segment *segment =
	    &h->part->segments[h->part->segment_count - 1];
	struct beginning begin = beginning_of(h, segment->base_offset);
	int status = measure(h, fd, limit, active, &begin, segment, err);

	if (status == STREAM_OK && segment->measure.bytes < limit && !active)
		status = stream_fail(err, STREAM_ECORRUPT,
		    segment->measure.bytes, "no batch begins there");
	if (status == STREAM_ECORRUPT)
		stream_fail_in(err, status,
		    "damaged at byte %llu (strm repair says what can be done, "
		    "--exclude leaves it out)",
		    (unsigned long long)segment->measure.bytes);
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%020lld.log",
		    (long long)segment->base_offset);
	decide(h, active, &begin, segment);
	if (h->look->hold < 0)
		return STREAM_OK;
	if (segment->how == STREAM_HOW_LINK)
		return link_segment(h, swap, segment, err);
	return segment->how == STREAM_HOW_TAIL ? copy_tail(h, fd, segment, err)
					       : STREAM_OK;
}

static int
hold_closed(struct holding *h, const struct stream_view *view, size_t i,
    struct stream_error *err)
{
	struct stat st;
	uint64_t size;
	int fd;
	int status = stream_view_open(view, i, h->dirfd, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = fstat(fd, &st) == 0 ? STREAM_OK
				     : stream_fail_sys(err, "cannot stat");
	h->inodes[i] = st.st_ino;
	size = (uint64_t)st.st_size;
	if (status == STREAM_OK)
		status = hold_segment(
		    h, fd, size, false, view->segments[i].swap, err);
	close(fd);
	return status;
}

/* ---- all of them, at one moment ----------------------------------------- */

static int
hold_view(
    struct holding *h, const struct stream_view *view, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < view->count && status == STREAM_OK; i++) {
		struct stream_manifest_segment segment = {
		    .base_offset = view->segments[i].base_offset};

		if (segment.base_offset > h->active_base)
			break;
		status = stream_manifest_add_segment(h->part, &segment, err);
		if (status != STREAM_OK)
			break;
		status = segment.base_offset == h->active_base
			     ? hold_segment(h, h->active_fd, h->durable_end,
				   true, false, err)
			     : hold_closed(h, view, i, err);
	}
	return status;
}

static bool
is_same_file(const struct holding *h, const struct stream_view *view, size_t i)
{
	struct stat st;
	int fd;
	bool same;

	if (stream_view_open(view, i, h->dirfd, &fd, NULL) != STREAM_OK)
		return false;
	same = fstat(fd, &st) == 0;
	if (same && view->segments[i].base_offset == h->active_base) {
		struct stat active;

		same = fstat(h->active_fd, &active) == 0 &&
		       active.st_ino == st.st_ino;
	} else if (same) {
		same = st.st_ino == h->inodes[i];
	}
	close(fd);
	return same;
}

/* Newer segments than the one that is the end here do not matter. */
static int
still_stands(struct holding *h, const struct stream_view *view, bool *stands,
    struct stream_error *err)
{
	struct stream_view now;
	bool met = false;
	int status = stream_view_load(h->dirfd, &now, err);

	if (status != STREAM_OK)
		return status;
	*stands = true;
	for (size_t i = 0; i < view->count && *stands && !met; i++) {
		met = view->segments[i].base_offset == h->active_base;
		*stands = i < now.count &&
			  now.segments[i].base_offset ==
			      view->segments[i].base_offset &&
			  now.segments[i].swap == view->segments[i].swap &&
			  view->segments[i].base_offset <= h->active_base &&
			  is_same_file(h, &now, i);
	}
	*stands = *stands && met;
	stream_view_release(&now);
	return STREAM_OK;
}

static int
look_once(struct holding *h, bool *stands, struct stream_error *err)
{
	struct stream_view view;
	int64_t log_start = h->part->log_start_offset;
	int64_t clean_point = h->part->clean_point;
	int status = stream_view_load(h->dirfd, &view, err);

	*stands = false;
	if (status != STREAM_OK)
		return status;
	stream_manifest_clear_part(h->part);
	h->part->log_start_offset = log_start;
	h->part->clean_point = clean_point;
	free(h->inodes);
	h->inodes = calloc(view.count + 1, sizeof(*h->inodes));
	status = h->inodes == NULL ? stream_fail_memory(err)
				   : hold_view(h, &view, err);
	if (status == STREAM_OK)
		status = still_stands(h, &view, stands, err);
	stream_view_release(&view);
	/* Taken away while it was opened. */
	return status == STREAM_ENOENT ? STREAM_OK : status;
}

static int
find_end(struct holding *h, struct stream_error *err)
{
	if (h->active_fd >= 0)
		close(h->active_fd);
	h->active_fd = -1;
	return h->look->may_write ? find_end_as_writer(h, err)
				  : find_end_plainly(h, err);
}

static int
hold(struct holding *h, struct stream_error *err)
{
	bool stands = false;
	int status = STREAM_OK;

	for (int i = 0; i < LOOKS && !stands && status == STREAM_OK; i++) {
		if (h->look->hold >= 0)
			status =
			    stream_dir_remove_all(h->look->hold, h->name, err);
		if (h->into >= 0)
			close(h->into);
		h->into = -1;
		if (status == STREAM_OK)
			status = find_end(h, err);
		if (status == STREAM_OK)
			status = look_once(h, &stands, err);
	}
	if (status == STREAM_OK && !stands)
		status = stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
		    "the files of the partition keep changing");
	return status;
}

int
stream_replica_hold(struct stream_replica_look *look, int dirfd,
    const struct stream_topic_settings *settings,
    struct stream_manifest_part *part, struct stream_error *err)
{
	struct holding h = {
	    .look = look,
	    .dirfd = dirfd,
	    .settings = settings,
	    .part = part,
	    .into = -1,
	    .active_fd = -1,
	};
	int status = stream_partition_name_put(
	    part->topic, part->partition, h.name, err);

	if (look->have != NULL)
		h.have = stream_manifest_find(
		    look->have, part->topic, part->partition);
	/* What it cannot compare with what it has, it would not put in place:
	 * should it be able to by then, that is sent by another round. */
	h.in_vain = h.have != NULL && h.have->failed != STREAM_OK;
	if (h.in_vain ||
	    (h.have != NULL && stream_replica_is_another(part, h.have)))
		h.have = NULL;
	if (status == STREAM_OK)
		status = hold(&h, err);
	if (h.active_fd >= 0)
		close(h.active_fd);
	if (h.into >= 0)
		close(h.into);
	free(h.inodes);
	return status;
}
