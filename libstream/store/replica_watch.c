/*
 * replica_watch.c - wake replication when the source has something new
 *
 * A watch lies on the store's directory (partitions come and go, checkpoints
 * are replaced), on the directory of the topics' settings, and on that of each
 * partition that is chosen: of what changes there, logs count, by their names
 * and their bytes, and the leader epochs.  Indexes and state change with them;
 * what replication itself makes at the source lies elsewhere.
 *
 * Whoever waits looks at the store after it is watched: so nothing is missed.
 * Where inotify is not to be had, or not for all of it, or does not see what
 * other machines do, waiting means being woken once a second.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/name.h"
#include "store/layout.h"
#include "store/replica_look.h"

enum {
	BLIND_MS = 1000,
	EVENTS = 16384,
	NAMES =
	    IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR,
	ROOT_EVENTS = NAMES | IN_DELETE_SELF | IN_MOVE_SELF,
	PARTITION_EVENTS = NAMES | IN_MODIFY,
};

struct stream_replica_watch {
	struct stream_store *store; /* owned */
	const struct stream_replica_options *options;
	int fd;     /* inotify; -1: none to be had */
	int root;   /* watch of the store; -1: none */
	int topics; /* of .strm/topics; -1: none */
	bool blind; /* something is not watched */
	bool lost;  /* the store is not where it was */
};

/* ---- what is watched ---------------------------------------------------- */

/* By descriptor, so that no path is resolved a second time. */
static int
add_fd(struct stream_replica_watch *watch, int fd, uint32_t events)
{
	char path[32];
	int number;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	number =
	    watch->fd < 0 ? -1 : inotify_add_watch(watch->fd, path, events);
	watch->blind = watch->blind || number < 0;
	return number;
}

static void
add_topics(struct stream_replica_watch *watch)
{
	int fd;
	int status =
	    stream_layout_open(watch->store, STREAM_TOPICS_DIR, &fd, NULL);

	watch->topics = -1;
	if (status == STREAM_OK) {
		watch->topics = add_fd(watch, fd, NAMES);
		close(fd);
		return;
	}
	/* All topics are of others, and .strm was made by replication: settings
	 * come into being with partitions, which wake. */
	if (status != STREAM_ENOENT)
		watch->blind = true;
}

static bool
is_chosen(const struct stream_replica_watch *watch, const char *name)
{
	char topic[STREAM_TOPIC_NAME_SIZE];
	int32_t partition;

	return stream_partition_name_parse(name, topic, &partition) &&
	       stream_replica_is_chosen(watch->options, topic, partition);
}

/* One that is gone by now does not matter. */
static void
add_partition(struct stream_replica_watch *watch, const char *name)
{
	int fd;
	int status = stream_dir_open(watch->store->dirfd, name, &fd, NULL);

	if (status == STREAM_OK) {
		add_fd(watch, fd, PARTITION_EVENTS);
		close(fd);
	} else if (status != STREAM_ENOENT) {
		watch->blind = true;
	}
}

/* What is watched already stays so: there is one watch for an inode. */
static int
add_all(struct stream_replica_watch *watch, struct stream_error *err)
{
	struct stream_buf names;
	int status;

	watch->blind = watch->lost || stream_store_is_network(watch->store);
	watch->root = add_fd(watch, watch->store->dirfd, ROOT_EVENTS);
	add_topics(watch);
	stream_buf_init(&names);
	status = stream_dir_list(watch->store->dirfd, &names, err);
	for (const char *n = stream_dir_next(&names, NULL);
	     n != NULL && status == STREAM_OK; n = stream_dir_next(&names, n))
		if (is_chosen(watch, n))
			add_partition(watch, n);
	stream_buf_release(&names);
	return status;
}

int
stream_replica_watch_open(const char *path,
    const struct stream_replica_options *options,
    struct stream_replica_watch **watch, struct stream_error *err)
{
	struct stream_replica_watch *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	new->options = options;
	new->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	status = stream_store_open(
	    path, 0, options->lock_timeout_ms, &new->store, err);
	if (status == STREAM_OK)
		status = add_all(new, err);
	if (status == STREAM_OK)
		*watch = new;
	else
		stream_replica_watch_close(new);
	return status;
}

void
stream_replica_watch_close(struct stream_replica_watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->fd >= 0)
		close(watch->fd);
	stream_store_close(watch->store);
	free(watch);
}

/* ---- what happened ------------------------------------------------------ */

static bool
is_of_store(const struct stream_replica_watch *watch, const char *name)
{
	return strcmp(name, STREAM_OWN_DIR) == 0 ||
	       strcmp(name, STREAM_LOG_START_FILE) == 0 ||
	       strcmp(name, STREAM_CLEANER_FILE) == 0 || is_chosen(watch, name);
}

static bool
is_of_topics(const char *name)
{
	char topic[STREAM_TOPIC_NAME_SIZE];

	return stream_layout_is_document(name, topic);
}

/* A log under its own name: what is being built of one, by a compaction, is of
 * no use yet. */
static bool
is_of_partition(const char *file)
{
	struct stream_name name;

	return strcmp(file, STREAM_EPOCHS_FILE) == 0 ||
	       (stream_name_parse(file, &name) &&
		   name.kind == STREAM_NAME_LOG &&
		   name.state == STREAM_NAME_PLAIN);
}

static bool
matters(struct stream_replica_watch *watch, const struct inotify_event *event,
    bool *names)
{
	const uint32_t end = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT;
	bool does;

	if (event->mask & IN_Q_OVERFLOW)
		return *names = true;
	if (event->wd == watch->root) {
		watch->lost = watch->lost || (event->mask & end) != 0;
		does = watch->lost ||
		       (event->len > 0 && is_of_store(watch, event->name));
		*names = *names || does;
		return does;
	}
	if (event->len == 0)
		return (event->mask & IN_UNMOUNT) != 0;
	return event->wd == watch->topics ? is_of_topics(event->name)
					  : is_of_partition(event->name);
}

/* Take all events; does one of them matter? */
static int
take_events(
    struct stream_replica_watch *watch, bool *woken, struct stream_error *err)
{
	_Alignas(struct inotify_event) char events[EVENTS];
	bool names = false;
	ssize_t n;

	*woken = false;
	do {
		n = read(watch->fd, events, sizeof(events));
		for (char *p = events; p < events + n;) {
			const struct inotify_event *event = (void *)p;

			if (matters(watch, event, &names))
				*woken = true;
			p += sizeof(*event) + event->len;
		}
	} while (n > EVENTS / 2);
	/* What is new is watched before anyone looks at it. */
	return names ? add_all(watch, err) : STREAM_OK;
}

enum { FD_EVENTS, FD_STOP, FD_OTHER, FDS };

/* STREAM_END: the time is over. */
static int
wait_once(const struct stream_replica_watch *watch, int timeout_ms, int stop_fd,
    int other_fd, struct stream_error *err)
{
	/* As stream_watch_wait. */
	struct pollfd fds[FDS] = {
	    [FD_EVENTS] = {.fd = watch->fd, .events = POLLIN},
	    [FD_STOP] = {.fd = stop_fd, .events = POLLIN},
	    [FD_OTHER] = {.fd = other_fd},
	};
	int n = poll(fds, FDS, timeout_ms);

	if ((n < 0 && errno == EINTR) || (n > 0 && fds[FD_STOP].revents != 0))
		return stream_fail(
		    err, STREAM_EINTR, STREAM_POS_NONE, "stopped on request");
	if (n < 0)
		return stream_fail_sys(err, "cannot wait");
	if (n > 0 && fds[FD_OTHER].revents != 0) {
		errno = EPIPE;
		return stream_fail_sys(err, "nobody reads the output");
	}
	return n > 0 ? STREAM_OK : STREAM_END;
}

int
stream_replica_watch_wait(struct stream_replica_watch *watch, int timeout_ms,
    int stop_fd, int other_fd, struct stream_error *err)
{
	int64_t begin_ms = stream_clock_steady_ms();
	bool woken = false;
	int status = STREAM_OK;

	while (status == STREAM_OK && !woken) {
		int64_t spent = stream_clock_steady_ms() - begin_ms;
		bool blind = watch->blind &&
			     (timeout_ms < 0 || timeout_ms - spent > BLIND_MS);
		int left_ms = timeout_ms < 0       ? -1
			      : spent < timeout_ms ? timeout_ms - (int)spent
						   : 0;

		status = wait_once(
		    watch, blind ? BLIND_MS : left_ms, stop_fd, other_fd, err);
		if (status == STREAM_OK)
			status = take_events(watch, &woken, err);
		else if (status == STREAM_END && blind)
			return add_all(watch, err);
	}
	return status;
}
