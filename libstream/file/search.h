/*
 * search.h - look for a good batch behind bytes that are none
 *
 * Layer file/.  SPEC section 10, rule 2.  Whether such a batch is there tells
 * a torn end from damage, and where it is tells where reading can go on.
 */
#ifndef STREAM_FILE_SEARCH_H
#define STREAM_FILE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Bytes that are read at once.  A batch that a crash left half written is one
 * append long, a megabyte or so; but a lying length field may stand in front
 * of a gigabyte of good data, and that has to be found. */
enum { STREAM_SEARCH_WINDOW = 1 << 20 };

struct stream_search {
	int fd;           /* borrowed */
	uint64_t end;     /* do not look at or past this byte */
	int64_t expected; /* the least base offset that will do */
	size_t cap;       /* largest batch */
	/*
	 * Bytes of CRC that may still be computed for candidates.  Hostile
	 * bytes can hold a candidate every few bytes, each as long as cap;
	 * real ones hold few.
	 */
	uint64_t budget;
	bool exhausted;           /* the budget was not enough */
	struct stream_buf window; /* STREAM_SEARCH_WINDOW bytes */
};

/* Begin for the bytes of fd from byte from to byte end.  The budget is four
 * times those bytes and one largest batch.  STREAM_ENOMEM. */
int stream_search_init(struct stream_search *search, int fd, uint64_t from,
    uint64_t end, int64_t expected, size_t cap, struct stream_error *err);

/* The descriptor stays open. */
void stream_search_release(struct stream_search *search);

/*
 * The first byte at or after from at which a whole batch with a good CRC, a
 * base offset of at least expected and a plausible count begins.  STREAM_END
 * when there is none, or when search->exhausted; STREAM_EIO, STREAM_ENOMEM.
 */
int stream_search_next(struct stream_search *search, uint64_t from,
    uint64_t *position, struct stream_error *err);

/* Does a whole batch of this size with a good CRC stand at this byte? */
int stream_search_is_whole(struct stream_search *search, uint64_t at,
    uint64_t size, bool *whole, struct stream_error *err);

/* Read n bytes; those past the end of the file are zeros. */
int stream_search_read(const struct stream_search *search, void *to, size_t n,
    uint64_t at, struct stream_error *err);

#endif
