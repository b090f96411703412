/*
 * facts.h - what a store knows of a partition, asked again while it is read
 *
 * Layer log/.  SPEC sections 6.3 and 8.3.  A reader is told when it begins
 * whether offsets may be missing and where the log starts.  Compaction and
 * retention change both while it reads: the settings say `gaps` durably before
 * the first segment is replaced, so one who meets a gap asks again, and the log
 * start is raised before segments go.
 */
#ifndef STREAM_LOG_FACTS_H
#define STREAM_LOG_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <stream/error.h>

struct stream_facts {
	/* NULL: there is no store to ask, and nothing changes. */
	const char *topic; /* borrowed */
	int32_t partition;
	/* Do the settings of a topic in the store storefd say that offsets may
	 * be missing?  STREAM_ENOENT: it has none.  NULL: it is not ours. */
	int (*ask_gaps)(int storefd, const char *topic, bool *gaps,
	    struct stream_error *err);
	/* The file of log starts when it was read last. */
	bool was_read;
	struct timespec changed;
	ino_t inode;
};

/*
 * May offsets be missing from the partition dirfd by now?  *gaps stays as it is
 * where nobody knows.  STREAM_EIO, STREAM_ENOMEM, STREAM_ECORRUPT (settings).
 */
int stream_facts_ask_gaps(const struct stream_facts *facts, int dirfd,
    bool *gaps, struct stream_error *err);

/*
 * Raise *offset to the log start of the partition dirfd.  One system call when
 * the file did not change since.  STREAM_EIO, STREAM_ENOMEM.
 */
int stream_facts_ask_log_start(struct stream_facts *facts, int dirfd,
    int64_t *offset, struct stream_error *err);

#endif
