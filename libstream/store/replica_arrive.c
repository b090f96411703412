/*
 * replica_arrive.c - check logs while rsync still brings them
 *
 * To check 1 GB and to wait for the disk takes a third of the time that rsync
 * needs to bring it; both can be done beside it, by a thread.  rsync writes
 * each file under ".NAME.XXXXXX" from its beginning to its end and renames it
 * then.  All of this saves time only: what was not seen is read later, and what
 * was seen of another file than the one that is found then counts for nothing.
 */
#include "store/replica_arrive.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "store/layout.h"

enum {
	/* A smaller log is read in no time, and synced with others. */
	LEAST = 1 << 20,
	/* Bytes that are worth a look. */
	STEP = 4 << 20,
	PAUSE_NS = 4000000,
	/* A look that finds nothing is followed by a pause so much longer. */
	SHARE = 16
};

struct item {
	size_t part; /* of the manifest */
	int64_t base_offset;
	uint64_t bytes; /* that will come */
	bool done;
	struct stream_arriving seen;
};

struct stream_replica_arrival {
	struct stream_manifest *manifest; /* owned */
	int lock_timeout_ms;
	int incoming;       /* of the run */
	struct item *items; /* owned; in the order of the manifest */
	size_t count;
	pthread_t thread;
	bool started;
	bool found; /* by the last look: something to read */
	atomic_bool stop;
	pthread_mutex_t mutex; /* for the pause */
	pthread_cond_t stopped;
};

/* ---- what will come ----------------------------------------------------- */

static bool
is_worth_it(const struct stream_manifest_segment *segment)
{
	return (segment->how == STREAM_HOW_LINK ||
		   segment->how == STREAM_HOW_LIVE) &&
	       segment->measure.bytes >= LEAST;
}

static void
add_part(struct stream_replica_arrival *arrival, size_t i)
{
	const struct stream_manifest *manifest = arrival->manifest;
	const struct stream_manifest_part *part = &manifest->parts[i];
	const struct stream_manifest_topic *topic =
	    &manifest->topics[part->topic_index];
	int64_t interval =
	    topic->is_ours ? topic->settings.config.index_interval_bytes : 4096;

	for (size_t k = 0; k < part->segment_count; k++) {
		const struct stream_manifest_segment *segment =
		    &part->segments[k];
		struct item *item = &arrival->items[arrival->count];

		if (!is_worth_it(segment))
			continue;
		*item = (struct item){
		    .part = i,
		    .base_offset = segment->base_offset,
		    .bytes = segment->measure.bytes,
		};
		stream_arriving_init(
		    &item->seen, segment->base_offset, interval);
		arrival->count++;
	}
}

static int
add_all(struct stream_replica_arrival *arrival, struct stream_error *err)
{
	const struct stream_manifest *manifest = arrival->manifest;
	size_t most = 0;

	for (size_t i = 0; i < manifest->part_count; i++)
		most += manifest->parts[i].segment_count;
	arrival->items = calloc(most + 1, sizeof(*arrival->items));
	if (arrival->items == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i < manifest->part_count; i++)
		if (manifest->parts[i].failed == STREAM_OK)
			add_part(arrival, i);
	return STREAM_OK;
}

/* ---- looking ------------------------------------------------------------ */

static bool
go_on(void *context, uint64_t bytes)
{
	struct stream_replica_arrival *arrival = context;

	(void)bytes;
	return !atomic_load(&arrival->stop);
}

/* Is it the log, or what rsync calls it before it is whole? */
static bool
is_name_of(const char *name, int64_t base_offset)
{
	char log[STREAM_NAME_SIZE];
	size_t size;

	stream_name_put_plain(base_offset, STREAM_NAME_LOG, log);
	if (strcmp(name, log) == 0)
		return true;
	size = strlen(log);
	return name[0] == '.' && strncmp(name + 1, log, size) == 0 &&
	       name[size + 1] == '.' && strchr(name + size + 2, '.') == NULL;
}

/* A run that was killed may have left one under another such name: the newest
 * is the one that grows, but one that has its own name is whole. */
static bool
find_name(int dirfd, const struct stream_buf *names, int64_t base_offset,
    const char **found)
{
	struct timespec newest = {0, 0};

	*found = NULL;
	for (const char *n = stream_dir_next(names, NULL); n != NULL;
	     n = stream_dir_next(names, n)) {
		struct stat st;

		if (!is_name_of(n, base_offset) ||
		    fstatat(dirfd, n, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (n[0] != '.') {
			*found = n;
			return true;
		}
		if (*found == NULL || st.st_mtim.tv_sec > newest.tv_sec ||
		    (st.st_mtim.tv_sec == newest.tv_sec &&
			st.st_mtim.tv_nsec > newest.tv_nsec)) {
			*found = n;
			newest = st.st_mtim;
		}
	}
	return *found != NULL;
}

/* What fails here is told when the log is put in place. */
static void
look_at_file(struct stream_replica_arrival *arrival, struct item *item, int fd)
{
	struct stream_io_identity id;
	struct stream_measuring how = {
	    .fd = fd,
	    .mark_at = UINT64_MAX,
	    .go_on = go_on,
	    .go_on_context = arrival,
	};
	int status;

	if (!stream_io_identify(fd, &id) ||
	    stream_io_size(fd, &how.limit, NULL) != STREAM_OK)
		return;
	if (how.limit > item->bytes)
		how.limit = item->bytes;
	if (how.limit < item->bytes && stream_arriving_is(&item->seen, fd) &&
	    how.limit < item->seen.begun + STEP)
		return;
	arrival->found = true;
	status = stream_arriving_go_on(&item->seen, &how, NULL);
	item->done = how.limit == item->bytes ||
		     (status != STREAM_OK && status != STREAM_EINTR);
	if (status != STREAM_OK && status != STREAM_EINTR)
		stream_arriving_restart(&item->seen);
}

/* Those of one partition; gives the first that is not of it. */
static size_t
look_at_part(struct stream_replica_arrival *arrival, size_t first)
{
	size_t part = arrival->items[first].part, i;
	char name[STREAM_PARTITION_NAME_SIZE];
	const struct stream_manifest_part *is = &arrival->manifest->parts[part];
	struct stream_buf names;
	int dirfd = -1;
	bool listed = false;

	stream_buf_init(&names);
	for (i = first; i < arrival->count && arrival->items[i].part == part;
	     i++) {
		struct item *item = &arrival->items[i];
		const char *found;
		int fd;

		if (item->done || atomic_load(&arrival->stop))
			continue;
		if (dirfd < 0 && (stream_partition_name_put(is->topic,
				      is->partition, name, NULL) != STREAM_OK ||
				     stream_dir_open(arrival->incoming, name,
					 &dirfd, NULL) != STREAM_OK))
			continue;
		listed =
		    listed || stream_dir_list(dirfd, &names, NULL) == STREAM_OK;
		if (!find_name(dirfd, &names, item->base_offset, &found) ||
		    stream_io_open(dirfd, found, O_RDONLY, &fd, NULL) !=
			STREAM_OK)
			continue;
		look_at_file(arrival, item, fd);
		close(fd);
	}
	stream_buf_release(&names);
	if (dirfd >= 0)
		close(dirfd);
	return i;
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void
pause_for(struct stream_replica_arrival *arrival, uint64_t ns)
{
	uint64_t end = now_ns() + ns;
	struct timespec until = {.tv_sec = (time_t)(end / 1000000000),
	    .tv_nsec = (long)(end % 1000000000)};

	pthread_mutex_lock(&arrival->mutex);
	if (!atomic_load(&arrival->stop))
		pthread_cond_timedwait(
		    &arrival->stopped, &arrival->mutex, &until);
	pthread_mutex_unlock(&arrival->mutex);
}

static bool
is_any_left(const struct stream_replica_arrival *arrival)
{
	for (size_t i = 0; i < arrival->count; i++)
		if (!arrival->items[i].done)
			return true;
	return false;
}

static void *
work(void *context)
{
	struct stream_replica_arrival *arrival = context;

	while (!atomic_load(&arrival->stop) && is_any_left(arrival)) {
		uint64_t before = now_ns(), pause = PAUSE_NS;
		size_t i = 0;

		arrival->found = false;
		while (i < arrival->count)
			i = look_at_part(arrival, i);
		if (!arrival->found && (now_ns() - before) * SHARE > pause)
			pause = (now_ns() - before) * SHARE;
		pause_for(arrival, pause);
	}
	return NULL;
}

/* ---- its beginning and its end ------------------------------------------ */

static int
open_run(struct stream_replica_arrival *arrival, const char *path,
    struct stream_error *err)
{
	struct stream_store *store;
	int incoming = -1;
	int status =
	    stream_store_open(path, 0, arrival->lock_timeout_ms, &store, err);

	if (status != STREAM_OK)
		return status;
	status = stream_layout_open(store, STREAM_INCOMING_DIR, &incoming, err);
	if (status == STREAM_OK) {
		status = stream_dir_open(
		    incoming, arrival->manifest->id, &arrival->incoming, err);
		close(incoming);
	}
	stream_store_close(store);
	return status;
}

/* Without a thread nothing is seen, which is no failure. */
static void
start(struct stream_replica_arrival *arrival)
{
	pthread_condattr_t clock;
	sigset_t all, before;

	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_mutex_init(&arrival->mutex, NULL);
	pthread_cond_init(&arrival->stopped, &clock);
	pthread_condattr_destroy(&clock);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	arrival->started =
	    pthread_create(&arrival->thread, NULL, work, arrival) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int
stream_replica_arrive(const char *path, const char *manifest,
    const struct stream_replica_options *options,
    struct stream_replica_arrival **arrival, struct stream_error *err)
{
	struct stream_replica_arrival *new = calloc(1, sizeof(*new));
	int status = new == NULL ? stream_fail_memory(err) : STREAM_OK;

	if (status != STREAM_OK)
		return status;
	new->lock_timeout_ms = options->lock_timeout_ms;
	new->incoming = -1;
	status = stream_manifest_parse(manifest, &new->manifest, err);
	if (status == STREAM_OK)
		status = add_all(new, err);
	if (status == STREAM_OK && new->count > 0)
		status = open_run(new, path, err);
	if (status != STREAM_OK) {
		stream_replica_arrival_free(new);
		return status;
	}
	if (new->count > 0)
		start(new);
	*arrival = new;
	return STREAM_OK;
}

void
stream_replica_arrival_end(struct stream_replica_arrival *arrival)
{
	if (arrival == NULL || !arrival->started)
		return;
	pthread_mutex_lock(&arrival->mutex);
	atomic_store(&arrival->stop, true);
	pthread_cond_signal(&arrival->stopped);
	pthread_mutex_unlock(&arrival->mutex);
	pthread_join(arrival->thread, NULL);
	pthread_cond_destroy(&arrival->stopped);
	pthread_mutex_destroy(&arrival->mutex);
	arrival->started = false;
}

void
stream_replica_arrival_free(struct stream_replica_arrival *arrival)
{
	if (arrival == NULL)
		return;
	stream_replica_arrival_end(arrival);
	for (size_t i = 0; i < arrival->count; i++)
		stream_arriving_release(&arrival->items[i].seen);
	free(arrival->items);
	if (arrival->incoming >= 0)
		close(arrival->incoming);
	stream_manifest_free(arrival->manifest);
	free(arrival);
}

struct stream_arriving *
stream_replica_arrived(const struct stream_replica_arrival *arrival,
    const char *topic, int32_t partition, int64_t base_offset)
{
	for (size_t i = 0; arrival != NULL && i < arrival->count; i++) {
		struct item *item = &arrival->items[i];
		const struct stream_manifest_part *part =
		    &arrival->manifest->parts[item->part];

		if (item->base_offset == base_offset &&
		    part->partition == partition &&
		    strcmp(part->topic, topic) == 0)
			return &item->seen;
	}
	return NULL;
}
