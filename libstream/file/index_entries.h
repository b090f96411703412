/*
 * index_entries.h - the entries of an index file, in order
 *
 * Layer file/.  SPEC section 5.  For whoever looks at all of them: one read
 * for thousands.  What an entry means is the caller's business.
 */
#ifndef STREAM_FILE_INDEX_ENTRIES_H
#define STREAM_FILE_INDEX_ENTRIES_H

#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>

#include "base/buf.h"

struct stream_entries {
	int fd;         /* owned; -1: not open */
	size_t entry;   /* bytes of one */
	uint64_t size;  /* of the file, when it was opened */
	uint64_t count; /* entries in use; zero slots follow them */
	uint64_t next;  /* number of the entry that is taken next */
	uint64_t first; /* number of the first one in memory */
	struct stream_buf block;
};

/* Not open.  stream_entries_close may follow. */
void stream_entries_init(struct stream_entries *walk);

/*
 * Open name in dirfd, which has entries of that many bytes.  Closes what was
 * open before.  STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM.
 */
int stream_entries_open(struct stream_entries *walk, int dirfd,
    const char *name, size_t entry, struct stream_error *err);

void stream_entries_close(struct stream_entries *walk);

/* See how far the open file goes by now; the place in it stays. */
int stream_entries_refresh(
    struct stream_entries *walk, struct stream_error *err);

/*
 * Look at entry number walk->next without taking it (add one to take it).
 * *entry is lent until the next call.  STREAM_END after the last one in use;
 * STREAM_EIO, STREAM_ENOMEM.
 */
int stream_entries_peek(struct stream_entries *walk, const uint8_t **entry,
    struct stream_error *err);

/* Whole slots of the file that are zero, behind those in use. */
static inline uint64_t
stream_entries_zero_slots(const struct stream_entries *walk)
{
	return walk->size / walk->entry - walk->count;
}

/* Bytes of a part of an entry at the end of the file. */
static inline size_t
stream_entries_rest(const struct stream_entries *walk)
{
	return (size_t)(walk->size % walk->entry);
}

#endif
