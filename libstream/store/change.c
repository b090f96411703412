#include "store/change.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "store/layout.h"

static void
close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

/*
 * Both directories are synced even when all was there: whoever made it may
 * have died before he synced it.
 */
static int
make_in(struct stream_change *change, int own, struct stream_error *err)
{
	int status = stream_dir_open_or_make(
	    own, STREAM_TOPICS_DIR, &change->topics, err);

	if (status == STREAM_OK)
		status = stream_dir_open_or_make(
		    own, STREAM_INTENTS_DIR, &change->intents, err);
	if (status == STREAM_OK)
		status = stream_dir_open_or_make(
		    own, STREAM_BUILD_DIR, &change->build, err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(own, err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(change->store->dirfd, err);
	return status;
}

static int
make_parts(struct stream_change *change, struct stream_error *err)
{
	int own;
	int status =
	    stream_dir_open(change->store->dirfd, STREAM_OWN_DIR, &own, err);

	if (status != STREAM_OK)
		return status;
	status = make_in(change, own, err);
	close(own);
	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "%s", STREAM_OWN_DIR);
}

int
stream_change_begin(struct stream_store *store, int timeout_ms,
    struct stream_change *change, struct stream_error *err)
{
	struct stream_change begun = {store, -1, -1, -1, -1};
	int status = stream_store_lock(store, timeout_ms, &begun.lock, err);

	if (status != STREAM_OK)
		return status;
	status = make_parts(&begun, err);
	if (status != STREAM_OK) {
		stream_change_end(&begun);
		return status;
	}
	*change = begun;
	return STREAM_OK;
}

void
stream_change_end(struct stream_change *change)
{
	close_if_open(change->build);
	close_if_open(change->intents);
	close_if_open(change->topics);
	stream_store_unlock(change->lock);
}

static int
drop(int dirfd, const char *topic, struct stream_error *err)
{
	char name[STREAM_DOCUMENT_NAME_SIZE];
	int status;

	stream_layout_document(topic, name);
	status = stream_dir_remove_file(dirfd, name, err);
	return status == STREAM_OK ? stream_io_sync_dir(dirfd, err) : status;
}

int
stream_change_drop_settings(const struct stream_change *change,
    const char *topic, struct stream_error *err)
{
	return drop(change->topics, topic, err);
}

int
stream_change_drop_intent(const struct stream_change *change, const char *topic,
    struct stream_error *err)
{
	return drop(change->intents, topic, err);
}

/* A name that stream_io_replace gives to a file before its time. */
static bool
is_temporary(const char *name)
{
	static const char prefix[] = ".tmp-";
	size_t size = sizeof(prefix) - 1;

	return strncmp(name, prefix, size) == 0 &&
	       strspn(name + size, "0123456789abcdef") == 16 &&
	       name[size + 16] == '\0';
}

static bool
is_older(int dirfd, const char *name, int64_t age_s)
{
	struct stat st;

	return age_s == 0 ||
	       (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		   stream_clock_now_ms() / 1000 - st.st_mtim.tv_sec > age_s);
}

void
stream_change_sweep_temporary(int dirfd, int64_t age_s)
{
	struct stream_buf names;

	stream_buf_init(&names);
	if (stream_dir_list(dirfd, &names, NULL) == STREAM_OK)
		for (const char *name = stream_dir_next(&names, NULL);
		     name != NULL; name = stream_dir_next(&names, name))
			if (is_temporary(name) && is_older(dirfd, name, age_s))
				unlinkat(dirfd, name, 0);
	stream_buf_release(&names);
}

/* No lock is needed to look.  What is there may still be written. */
static bool
has_temporary(int dirfd)
{
	struct stream_buf names;
	bool has = false;

	stream_buf_init(&names);
	if (stream_dir_list(dirfd, &names, NULL) == STREAM_OK)
		for (const char *name = stream_dir_next(&names, NULL);
		     name != NULL && !has; name = stream_dir_next(&names, name))
			has = is_temporary(name);
	stream_buf_release(&names);
	return has;
}

static void
sweep_build(int dirfd)
{
	struct stream_buf names;

	stream_buf_init(&names);
	if (stream_dir_list(dirfd, &names, NULL) == STREAM_OK)
		for (const char *name = stream_dir_next(&names, NULL);
		     name != NULL; name = stream_dir_next(&names, name))
			stream_dir_remove_all(dirfd, name, NULL);
	stream_buf_release(&names);
}

/* The directories in which files are replaced under the structure lock. */
static const char *const directories[] = {".", STREAM_OWN_DIR,
    STREAM_OWN_DIR "/" STREAM_TOPICS_DIR,
    STREAM_OWN_DIR "/" STREAM_INTENTS_DIR};

enum { DIRECTORIES = sizeof(directories) / sizeof(*directories) };

void
stream_change_sweep(const struct stream_change *change)
{
	int fd;

	for (size_t i = 0; i < DIRECTORIES; i++) {
		if (stream_dir_open(change->store->dirfd, directories[i], &fd,
			NULL) != STREAM_OK)
			continue;
		stream_change_sweep_temporary(fd, 0);
		close(fd);
	}
	sweep_build(change->build);
}

static bool
is_untidy(const char *path)
{
	bool has = false;
	int store, fd;

	if (stream_io_open_dir(AT_FDCWD, path, &store, NULL) != STREAM_OK)
		return false;
	for (size_t i = 0; i < DIRECTORIES && !has; i++) {
		if (stream_dir_open(store, directories[i], &fd, NULL) !=
		    STREAM_OK)
			continue;
		has = has_temporary(fd);
		close(fd);
	}
	close(store);
	return has;
}

void
stream_store_tidy(const char *path, unsigned flags)
{
	struct stream_change change;
	struct stream_store *store;

	if (!is_untidy(path) ||
	    stream_store_open(
		path, flags | STREAM_STORE_WRITE, 0, &store, NULL) != STREAM_OK)
		return;
	if (stream_change_begin(store, 0, &change, NULL) == STREAM_OK) {
		stream_change_sweep(&change);
		stream_change_end(&change);
	}
	stream_store_close(store);
}
