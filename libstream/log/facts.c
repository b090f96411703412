#include "log/facts.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "file/checkpoint.h"
#include "file/io.h"

/*
 * The store is the directory that holds the partition under its name.  One that
 * was renamed, as a deletion does first, belongs to no topic any more, and
 * another may have its name.
 */
static int
open_store(const struct stream_facts *facts, int dirfd, int *fd,
    struct stream_error *err)
{
	char name[320];
	struct stat here, named;
	int status = stream_io_open_dir(dirfd, "..", fd, err);

	if (status != STREAM_OK)
		return status;
	snprintf(name, sizeof(name), "%s-%d", facts->topic, facts->partition);
	if (fstatat(*fd, name, &named, 0) == 0 && fstat(dirfd, &here) == 0 &&
	    named.st_dev == here.st_dev && named.st_ino == here.st_ino)
		return STREAM_OK;
	close(*fd);
	return STREAM_ENOENT;
}

int
stream_facts_ask_gaps(const struct stream_facts *facts, int dirfd, bool *gaps,
    struct stream_error *err)
{
	bool now = *gaps;
	int fd;
	int status;

	if (facts->topic == NULL || facts->ask_gaps == NULL)
		return STREAM_OK;
	status = open_store(facts, dirfd, &fd, err);
	if (status == STREAM_OK) {
		status = facts->ask_gaps(fd, facts->topic, &now, err);
		close(fd);
	}
	if (status == STREAM_OK)
		*gaps = now;
	return status == STREAM_ENOENT ? STREAM_OK : status;
}

/* Replaced or removed since it was read last? */
static bool
has_changed(struct stream_facts *facts, int dirfd)
{
	struct stat st = {.st_ino = 0};

	if (fstatat(dirfd, "../" STREAM_LOG_START_FILE, &st, 0) != 0)
		st.st_ino = 0;
	if (facts->was_read && facts->inode == st.st_ino &&
	    facts->changed.tv_sec == st.st_ctim.tv_sec &&
	    facts->changed.tv_nsec == st.st_ctim.tv_nsec)
		return false;
	facts->was_read = true;
	facts->inode = st.st_ino;
	facts->changed = st.st_ctim;
	return st.st_ino != 0;
}

int
stream_facts_ask_log_start(struct stream_facts *facts, int dirfd,
    int64_t *offset, struct stream_error *err)
{
	int64_t found = 0;
	int fd;
	int status;

	if (facts->topic == NULL || !has_changed(facts, dirfd))
		return STREAM_OK;
	status = open_store(facts, dirfd, &fd, err);
	if (status == STREAM_OK) {
		status = stream_checkpoint_find(fd, STREAM_LOG_START_FILE,
		    facts->topic, facts->partition, &found, err);
		close(fd);
	}
	/* A malformed file counts as none, as in Kafka's loader. */
	if (status == STREAM_ENOENT || status == STREAM_ECORRUPT)
		return STREAM_OK;
	if (status == STREAM_OK && found > *offset)
		*offset = found;
	if (status != STREAM_OK)
		facts->was_read = false;
	return status;
}
