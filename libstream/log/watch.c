/*
 * watch.c - wake readers when their partitions change
 *
 * Each reader has a watch on the file that it reads (appends), on the
 * directory (new segments, swaps), for durable records on the state file (a
 * sync), and on the store, whose file of log starts it would else have to ask
 * for at every line.  inotify gives one number per inode, so readers of the
 * same file share it.  Where inotify is not to be had, or a watch cannot be
 * set, waiting means looking every 10 ms.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "file/checkpoint.h"
#include "log/reader_private.h"

enum {
	LOOK_EVERY_MS = 10,
	/* Room for some hundreds of events; more come with the next read. */
	EVENTS = 16384,
	FILE_EVENTS = IN_MODIFY,
	DIR_EVENTS = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE |
		     IN_DELETE_SELF | IN_MOVE_SELF,
	/* It is replaced by a rename.  Not what is written to files here: they
	 * may be many and none of ours. */
	STORE_EVENTS = IN_MOVED_TO | IN_CLOSE_WRITE
};

struct stream_watch {
	int fd; /* inotify; -1: none to be had */
	struct stream_reader *readers;
};

int
stream_watch_new(struct stream_watch **watch, struct stream_error *err)
{
	struct stream_watch *new = calloc(1, sizeof(*new));

	if (new == NULL)
		return stream_fail_memory(err);
	new->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	*watch = new;
	return STREAM_OK;
}

void
stream_watch_free(struct stream_watch *watch)
{
	if (watch == NULL)
		return;
	while (watch->readers != NULL)
		stream_watch_remove(watch->readers);
	if (watch->fd >= 0)
		close(watch->fd);
	free(watch);
}

/* By descriptor, so that no path is resolved a second time.  One may watch for
 * more of an inode than another. */
static int
add_at(
    const struct stream_watch *watch, int fd, const char *name, uint32_t events)
{
	char path[40];

	if (watch->fd < 0 || fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d%s", fd, name);
	return inotify_add_watch(watch->fd, path, events | IN_MASK_ADD);
}

static int
add_fd(const struct stream_watch *watch, int fd, uint32_t events)
{
	return add_at(watch, fd, "", events);
}

static bool
is_used(const struct stream_watch *watch, int number)
{
	for (const struct stream_reader *r = watch->readers; r != NULL;
	     r = r->watch_next)
		if (r->watch_file == number || r->watch_dir == number ||
		    r->watch_state == number || r->watch_store == number)
			return true;
	return false;
}

/* Give a number back, unless another reader of the same inode needs it. */
static void
drop(struct stream_watch *watch, int *number)
{
	int old = *number;

	*number = -1;
	if (old >= 0 && !is_used(watch, old))
		inotify_rm_watch(watch->fd, old);
}

int
stream_watch_add(struct stream_watch *watch, struct stream_reader *reader,
    struct stream_error *err)
{
	(void)err; /* nothing is allocated yet; the header leaves room */
	reader->watch = watch;
	reader->watch_next = watch->readers;
	watch->readers = reader;
	reader->watch_dir = add_fd(watch, reader->dirfd, DIR_EVENTS);
	if ((reader->options.flags & STREAM_READER_DURABLE) != 0)
		reader->watch_state =
		    add_fd(watch, reader->statefd, FILE_EVENTS);
	if (reader->facts.topic != NULL)
		reader->watch_store =
		    add_at(watch, reader->dirfd, "/..", STORE_EVENTS);
	stream_watch_moved(reader);
	return STREAM_OK;
}

void
stream_watch_moved(struct stream_reader *reader)
{
	struct stream_watch *watch = reader->watch;

	reader->woken = true;
	if (watch == NULL)
		return;
	drop(watch, &reader->watch_file);
	reader->watch_file = add_fd(watch, reader->fd, FILE_EVENTS);
}

/* A reader without a segment waits for the directory alone. */
bool
stream_watch_is_set(const struct stream_reader *reader)
{
	return reader->watch_dir >= 0 &&
	       (reader->fd < 0 || reader->watch_file >= 0);
}

static bool
must_look(const struct stream_watch *watch)
{
	for (const struct stream_reader *r = watch->readers; r != NULL;
	     r = r->watch_next)
		if (!stream_watch_is_set(r))
			return true;
	return false;
}

void
stream_watch_remove(struct stream_reader *reader)
{
	struct stream_watch *watch = reader->watch;
	struct stream_reader **link;

	if (watch == NULL)
		return;
	for (link = &watch->readers; *link != reader;
	     link = &(*link)->watch_next)
		;
	*link = reader->watch_next;
	drop(watch, &reader->watch_file);
	drop(watch, &reader->watch_dir);
	drop(watch, &reader->watch_state);
	drop(watch, &reader->watch_store);
	reader->watch = NULL;
}

/* In a store. */
static bool
is_log_start(const struct inotify_event *event)
{
	return event->len > 0 &&
	       strcmp(event->name, STREAM_LOG_START_FILE) == 0;
}

/* What a reader asks of its store, it asks again.  One whose directory went to
 * another asks from now on at every line. */
static void
wake_store(struct stream_watch *watch, const struct inotify_event *event)
{
	for (struct stream_reader *r = watch->readers; r != NULL;
	     r = r->watch_next) {
		if (r->watch_dir == event->wd &&
		    (event->mask & IN_MOVE_SELF) != 0)
			drop(watch, &r->watch_store);
		if (r->watch_store == event->wd && is_log_start(event))
			r->start_changed = true;
	}
}

/* Number: of a watch, -1 for all. */
static void
wake(struct stream_watch *watch, int number)
{
	for (struct stream_reader *r = watch->readers; r != NULL;
	     r = r->watch_next) {
		bool names = number < 0 || r->watch_dir == number;

		if (names)
			r->names_changed = r->start_changed = true;
		if (names || r->watch_file == number ||
		    r->watch_state == number)
			r->woken = true;
	}
}

/* Take all events; when the queue overflowed anything may have changed. */
static void
take_events(struct stream_watch *watch)
{
	_Alignas(struct inotify_event) char events[EVENTS];
	ssize_t n;

	do {
		n = read(watch->fd, events, sizeof(events));
		for (char *p = events; p < events + n;) {
			struct inotify_event *event = (void *)p;

			wake_store(watch, event);
			wake(watch,
			    event->mask & IN_Q_OVERFLOW ? -1 : event->wd);
			p += sizeof(*event) + event->len;
		}
	} while (n > EVENTS / 2);
}

/* How long this wait may be, and whether its end means a look around. */
static int
wait_ms(const struct stream_watch *watch, int timeout_ms, bool *looks)
{
	*looks =
	    must_look(watch) && (timeout_ms < 0 || timeout_ms > LOOK_EVERY_MS);
	return *looks ? LOOK_EVERY_MS : timeout_ms;
}

enum { FD_EVENTS, FD_STOP, FD_OTHER, FDS };

int
stream_watch_wait(struct stream_watch *watch, int timeout_ms, int stop_fd,
    int other_fd, struct stream_error *err)
{
	/* A negative descriptor is left out by poll(2); no events still
	 * reports POLLERR and POLLHUP. */
	struct pollfd fds[FDS] = {
	    [FD_EVENTS] = {.fd = watch->fd, .events = POLLIN},
	    [FD_STOP] = {.fd = stop_fd, .events = POLLIN},
	    [FD_OTHER] = {.fd = other_fd},
	};
	bool looks;
	int n = poll(fds, FDS, wait_ms(watch, timeout_ms, &looks));

	if ((n < 0 && errno == EINTR) || (n > 0 && fds[FD_STOP].revents != 0))
		return stream_fail(err, STREAM_EINTR, STREAM_POS_NONE,
		    "interrupted while waiting for records");
	if (n < 0)
		return stream_fail_sys(err, "cannot wait");
	if (n > 0 && (fds[FD_OTHER].revents & (POLLERR | POLLNVAL)) != 0) {
		errno = EPIPE;
		return stream_fail_sys(err, "nobody reads the output");
	}
	if (n > 0 && fds[FD_EVENTS].revents != 0)
		take_events(watch);
	if (n == 0 && looks)
		wake(watch, -1);
	return n > 0 || looks ? STREAM_OK : STREAM_END;
}

bool
stream_watch_may_skip_listing(struct stream_reader *reader)
{
	bool may = reader->watch_dir >= 0 && !reader->names_changed;

	reader->names_changed = false;
	return may;
}

bool
stream_watch_may_skip_log_start(struct stream_reader *reader)
{
	bool may = reader->watch_store >= 0 && !reader->start_changed;

	reader->start_changed = false;
	return may;
}
