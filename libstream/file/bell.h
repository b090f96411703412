/*
 * bell.h - wake processes that wait for a change of a state file
 *
 * Layer file/.  SPEC section 7.1, the bell.  A futex on a word of the file
 * that every sync that ends changes.  Only the kernel touches the mapping,
 * inside of the system call, so that a file that someone truncates costs an
 * error and no SIGBUS.
 */
#ifndef STREAM_FILE_BELL_H
#define STREAM_FILE_BELL_H

#include <stdint.h>

/* Where the word stands in the file. */
enum { STREAM_BELL_AT = 252 };

struct stream_bell {
	void *page; /* owned mapping; NULL: none yet, or none to be had */
};

void stream_bell_init(struct stream_bell *bell);

/* Unmap; the next use maps again, for another file. */
void stream_bell_release(struct stream_bell *bell);

/* Wake all who wait at the open state file fd (borrowed). */
void stream_bell_ring(struct stream_bell *bell, int fd);

/*
 * Wait until someone rings, at most timeout_ns.  seen is what the bell said
 * in the state that the caller read: if it says something else by now, or where
 * there is no futex, this only sleeps for a moment.  May return early.
 */
void stream_bell_wait(
    struct stream_bell *bell, int fd, uint32_t seen, long timeout_ns);

#endif
