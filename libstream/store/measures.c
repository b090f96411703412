#include "store/measures.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "store/layout.h"

enum {
	LIMIT = 1 << 30,
	END_SIZE = 37,
	KEPT = 4 /* measures of one log that grows */
};

struct stream_measures_item {
	char name[STREAM_PARTITION_NAME_SIZE];
	int64_t base_offset;
	uint64_t inode;
	int64_t birth_ns; /* 0: the file system does not say */
	uint64_t size;
	int64_t mtime_ns;
	int grows;
	struct stream_measure measure;
};

/* ---- in memory ---------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const struct stream_measures_item *x = a, *y = b;
	int names = strcmp(x->name, y->name);

	if (names != 0)
		return names;
	if (x->base_offset != y->base_offset)
		return x->base_offset < y->base_offset ? -1 : 1;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->measure.bytes != y->measure.bytes)
		return x->measure.bytes < y->measure.bytes ? -1 : 1;
	return x->mtime_ns < y->mtime_ns ? -1 : x->mtime_ns > y->mtime_ns;
}

/* An inode is used again for the log of the next topic of that name. */
static bool
is_same_file(
    const struct stream_measures_item *a, const struct stream_measures_item *b)
{
	return strcmp(a->name, b->name) == 0 &&
	       a->base_offset == b->base_offset && a->inode == b->inode &&
	       a->birth_ns == b->birth_ns;
}

static void
sort(struct stream_measures *measures)
{
	if (!measures->sorted && measures->count > 0)
		qsort(measures->items, measures->count,
		    sizeof(*measures->items), compare);
	measures->sorted = true;
}

/* How many items, in their order, are not above item, whose time counts for
 * nothing. */
static size_t
rank(struct stream_measures *measures, struct stream_measures_item item_at)
{
	const struct stream_measures_item *item = &item_at;
	size_t low = 0, high = measures->count;

	item_at.mtime_ns = INT64_MAX;
	sort(measures);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&measures->items[middle], item) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
stream_measures_release(struct stream_measures *measures)
{
	free(measures->items);
	*measures = (struct stream_measures){.items = NULL};
}

static int
add(struct stream_measures *measures, const struct stream_measures_item *item,
    struct stream_error *err)
{
	if (measures->count == measures->capacity) {
		size_t capacity =
		    measures->capacity == 0 ? 64 : measures->capacity * 2;
		void *bigger =
		    reallocarray(measures->items, capacity, sizeof(*item));

		if (bigger == NULL)
			return stream_fail_memory(err);
		measures->items = bigger;
		measures->capacity = capacity;
	}
	measures->items[measures->count++] = *item;
	measures->sorted = false;
	return STREAM_OK;
}

static int64_t
ns_of(const struct statx_timestamp *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static bool
fill(struct stream_measures_item *item, const char *name, int64_t base_offset,
    int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME,
		&st) != 0)
		return false;
	item->base_offset = base_offset;
	item->inode = (uint64_t)st.stx_ino;
	item->birth_ns =
	    (st.stx_mask & STATX_BTIME) != 0 ? ns_of(&st.stx_btime) : 0;
	item->size = (uint64_t)st.stx_size;
	item->mtime_ns = ns_of(&st.stx_mtime);
	snprintf(item->name, sizeof(item->name), "%s", name);
	return true;
}

bool
stream_measures_find(struct stream_measures *measures, const char *name,
    int64_t base_offset, int fd, uint64_t most, struct stream_measure *measure,
    bool *whole)
{
	struct stream_measures_item now, *item;
	size_t below;

	if (measures->count == 0 || !fill(&now, name, base_offset, fd))
		return false;
	now.measure.bytes = most < now.size ? most : now.size;
	below = rank(measures, now);
	item = below > 0 ? &measures->items[below - 1] : NULL;
	if (item == NULL || !is_same_file(item, &now))
		return false;
	*whole = item->size == now.size && item->mtime_ns == now.mtime_ns &&
		 item->measure.bytes == now.size;
	if (!*whole &&
	    (item->grows == 0 || !stream_measure_stands(fd, &item->measure)))
		return false;
	*measure = item->measure;
	return true;
}

int
stream_measures_keep(struct stream_measures *measures,
    struct stream_measures *known, const char *name, int64_t base_offset,
    int fd, struct stream_error *err)
{
	struct stream_measures_item now;
	size_t below;
	int status = STREAM_OK;

	if (!fill(&now, name, base_offset, fd))
		return STREAM_OK;
	now.measure.bytes = now.size;
	below = rank(known, now);
	for (size_t i = 0; i < KEPT && i < below && status == STREAM_OK; i++) {
		const struct stream_measures_item *item =
		    &known->items[below - 1 - i];

		if (!is_same_file(item, &now))
			break;
		if (item->grows != 0)
			status = add(measures, item, err);
	}
	return status;
}

int
stream_measures_add(struct stream_measures *measures, const char *name,
    int64_t base_offset, int fd, bool grows,
    const struct stream_measure *measure, struct stream_error *err)
{
	struct stream_measures_item item = {
	    .grows = grows, .measure = *measure};

	return fill(&item, name, base_offset, fd) ? add(measures, &item, err)
						  : STREAM_OK;
}

void
stream_measures_drop(struct stream_measures *measures, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < measures->count; i++)
		if (strcmp(measures->items[i].name, name) != 0)
			measures->items[kept++] = measures->items[i];
	measures->count = kept;
}

/* ---- in the file -------------------------------------------------------- */

static void
print_item(FILE *to, const struct stream_measures_item *item)
{
	const struct stream_measure *m = &item->measure;

	fprintf(to,
	    "%s %" PRId64 " %" PRIu64 " %" PRId64 " %" PRIu64 " %" PRId64
	    " %d %" PRIu64 " %" PRIx64 " %" PRIx64 " %" PRId64 " %" PRId64
	    " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId32 "\n",
	    item->name, item->base_offset, item->inode, item->birth_ns,
	    item->size, item->mtime_ns, item->grows, m->bytes, m->digest.high,
	    m->digest.low, m->next_offset, m->records, m->max_timestamp_ms,
	    m->max_timestamp_offset, m->last_position, m->leader_epoch);
}

/* The last ones of each log, and none twice. */
static void
print_all(FILE *to, struct stream_measures *measures)
{
	size_t next = 0; /* after those of the same log */

	sort(measures);
	for (size_t i = 0; i < measures->count; i++) {
		const struct stream_measures_item *item = &measures->items[i];

		while (next < measures->count &&
		       is_same_file(item, &measures->items[next]))
			next++;
		if (next - i <= KEPT &&
		    (i + 1 == next ||
			item[1].measure.bytes != item->measure.bytes))
			print_item(to, item);
	}
}

static bool
scan_item(const char *line, struct stream_measures_item *item)
{
	struct stream_measure *m = &item->measure;

	return sscanf(line,
		   "%255s %" SCNd64 " %" SCNu64 " %" SCNd64 " %" SCNu64
		   " %" SCNd64 " %d %" SCNu64 " %" SCNx64 " %" SCNx64
		   " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
		   " %" SCNd32,
		   item->name, &item->base_offset, &item->inode,
		   &item->birth_ns, &item->size, &item->mtime_ns, &item->grows,
		   &m->bytes, &m->digest.high, &m->digest.low, &m->next_offset,
		   &m->records, &m->max_timestamp_ms, &m->max_timestamp_offset,
		   &m->last_position, &m->leader_epoch) == 16;
}

/* "end " and the digest of all before it. */
static void
put_end(const void *text, size_t size, char end[static END_SIZE + 1])
{
	struct stream_chain digest = {0, 0};

	stream_chain_add(&digest, text, size);
	snprintf(end, END_SIZE + 1, "end %016" PRIx64 "%016" PRIx64 "\n",
	    digest.high, digest.low);
}

static int
take(struct stream_measures *measures, char *text, size_t size,
    struct stream_error *err)
{
	char end[END_SIZE + 1];
	char *stop = text + size;
	int status = STREAM_OK;

	if (size < END_SIZE)
		return STREAM_OK;
	stop -= END_SIZE;
	put_end(text, size - END_SIZE, end);
	if (memcmp(stop, end, END_SIZE) != 0)
		return STREAM_OK;
	while (text < stop && status == STREAM_OK) {
		struct stream_measures_item item;
		char *next = memchr(text, '\n', (size_t)(stop - text));

		if (next == NULL)
			return STREAM_OK;
		*next = '\0';
		if (scan_item(text, &item))
			status = add(measures, &item, err);
		text = next + 1;
	}
	return status;
}

int
stream_measures_load(const struct stream_store *store,
    struct stream_measures *measures, struct stream_error *err)
{
	struct stream_buf text;
	int own;
	int status;

	*measures = (struct stream_measures){.items = NULL};
	if (stream_layout_open(store, STREAM_REPLICATE_DIR, &own, NULL) !=
	    STREAM_OK)
		return STREAM_OK;
	stream_buf_init(&text);
	status = stream_io_load(own, STREAM_MEASURES_FILE, LIMIT, &text, err);
	close(own);
	if (status == STREAM_OK)
		status = take(measures, (char *)text.data, text.size, err);
	else if (status != STREAM_ENOMEM)
		status = STREAM_OK;
	stream_buf_release(&text);
	return status;
}

/* Not durable: what a crash leaves of it is known by its last line. */
static int
put_file(int dirfd, const char *text, size_t size, struct stream_error *err)
{
	static const char new[] = STREAM_MEASURES_FILE ".new";
	int fd;
	int status = stream_dir_remove_file(dirfd, new, err);

	if (status == STREAM_OK)
		status = stream_io_open(
		    dirfd, new, O_WRONLY | O_CREAT | O_EXCL, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_io_write_at(fd, text, size, 0, NULL, err);
	close(fd);
	if (status == STREAM_OK &&
	    renameat(dirfd, new, dirfd, STREAM_MEASURES_FILE) != 0)
		status = stream_fail_sys(err, "%s: cannot rename", new);
	return status;
}

int
stream_measures_save(const struct stream_store *store,
    struct stream_measures *measures, struct stream_error *err)
{
	char end[END_SIZE + 1];
	char *text = NULL;
	size_t size;
	int own;
	FILE *to = open_memstream(&text, &size);
	int status;

	if (to == NULL)
		return stream_fail_memory(err);
	print_all(to, measures);
	if (fflush(to) == 0) {
		put_end(text, size, end);
		fputs(end, to);
	}
	if (fclose(to) != 0) {
		free(text);
		return stream_fail_memory(err);
	}
	status = stream_layout_make(store, STREAM_REPLICATE_DIR, &own, err);
	if (status == STREAM_OK) {
		status = put_file(own, text, size, err);
		close(own);
	}
	free(text);
	return status;
}
