/*
 * stream/reader.h - read the records of a partition, from a point on
 *
 * Reading takes no lock and writes nothing.  A reader sees a batch as soon as
 * it is whole in the file and its CRC is good; it never sees half of one.
 * Not thread-safe: one thread per struct stream_reader.
 */
#ifndef STREAM_READER_H
#define STREAM_READER_H

#include <stdbool.h>
#include <stddef.h>

#include <stream/address.h>
#include <stream/range.h>
#include <stream/record.h>

struct stream_reader;

enum stream_reader_flags {
	/* Go on at the end: STREAM_END then means "nothing more yet". */
	STREAM_READER_FOLLOW = 1 << 0,
	/* Only records that are known to be synced. */
	STREAM_READER_DURABLE = 1 << 1,
	/* Also records of transactions that are open or were aborted. */
	STREAM_READER_UNCOMMITTED = 1 << 2,
	/* An offset outside of the log means the nearest that it holds. */
	STREAM_READER_CLAMP = 1 << 3,
	/* Go on after damage, and tell of each hole. */
	STREAM_READER_SKIP_CORRUPT = 1 << 4
};

/* The last offset of a hole at the end of the log. */
#define STREAM_HOLE_UNKNOWN INT64_MAX

/*
 * What a reader that skips damage could not read, as far as it lies in the
 * range.  SPEC section 10.1.  Texts are lent for the call.
 */
struct stream_hole {
	const char *file;     /* "orders-0/00000000000000000000.log" */
	uint64_t from_byte;   /* of that file, included; */
	uint64_t to_byte;     /* excluded: the next good batch, or its end */
	int64_t first_offset; /* of what is missing */
	int64_t last_offset;  /* first_offset - 1: nothing is;
				 STREAM_HOLE_UNKNOWN: nobody can tell */
	bool exact; /* each of these offsets had a record; else at most */
	/* -1; or only this producer's records are not shown, since the marker
	 * that ends their transaction may lie in the damage. */
	int64_t producer_id;
	const char *why; /* the message of the failure that was skipped */
};

struct stream_reader_options {
	struct stream_range range; /* of kind NONE: all there is */
	unsigned flags;            /* of enum stream_reader_flags */
	size_t max_batch_bytes;    /* 0: 64 MiB; larger batches are refused */
	int lock_timeout_ms;       /* longest wait for a writer; 0: 10 s */
	unsigned workers;          /* threads that decompress ahead; 0: none */
	/* Told what is worth a word but no failure, such as a torn tail.  May
	 * be NULL.  Kept; context is passed on. */
	void (*note)(void *context, const char *text);
	void *note_context;
	/* With STREAM_READER_SKIP_CORRUPT: told of each hole, in the order of
	 * the log, before the records behind it.  May be NULL.  Kept. */
	void (*hole)(void *context, const struct stream_hole *hole);
	void *hole_context;
};

/*
 * Open the partition, or the one log file, that place names (borrowed).
 * options is borrowed and copied; NULL is all defaults.  The range is resolved
 * now: without STREAM_READER_FOLLOW the log ends where it ends at this moment.
 * Gives *reader; free it with stream_reader_close.
 *
 * STREAM_ENOENT   no such partition
 * STREAM_EOFFSET  an offset that the log does not hold
 * STREAM_ECORRUPT damage on the way to the range
 * STREAM_ENEWER, STREAM_EIO, STREAM_ENOMEM
 */
int stream_reader_open(const struct stream_place *place,
    const struct stream_reader_options *options, struct stream_reader **reader,
    struct stream_error *err);

/* NULL is allowed. */
void stream_reader_close(struct stream_reader *reader);

/*
 * Read on.  *records (lent until the next call on this reader) are *count
 * records, at least one, in offset order, all of one batch.  Control records
 * never appear.
 *
 * STREAM_END      the end of the range; when following, of what is there now
 * STREAM_ECORRUPT damage; err->pos is its byte
 * STREAM_ENEWER   a batch of a format that is not supported
 * STREAM_ELOST    a failed sync took back records that were read
 * STREAM_EOFFSET  retention overtook the reader
 * STREAM_ETOOBIG  a batch holds more than max_batch_bytes when decompressed
 * STREAM_EIO, STREAM_ENOMEM
 *
 * With STREAM_READER_SKIP_CORRUPT there is no STREAM_ECORRUPT, STREAM_ENEWER
 * and STREAM_ETOOBIG: the hole is told and the records behind it follow.  A
 * read that fails is STREAM_EIO all the same.
 */
int stream_reader_read(struct stream_reader *reader,
    const struct stream_record **records, size_t *count,
    struct stream_error *err);

/* When following: no record can come any more, the range has been read. */
bool stream_reader_is_done(const struct stream_reader *reader);

/* Has it more in memory, so that the next read is cheap?  One who prints as
 * records come writes out what it has when not. */
bool stream_reader_has_buffered(const struct stream_reader *reader);

/* The offset of the next record that could be read. */
int64_t stream_reader_position(const struct stream_reader *reader);

/*
 * Wakes readers that follow.  One watch serves any number of readers.  It
 * uses one inotify instance; where that is not to be had it looks every 10 ms.
 */
struct stream_watch;

/* Gives *watch; free it with stream_watch_free after its readers are closed.
 * STREAM_ENOMEM. */
int stream_watch_new(struct stream_watch **watch, struct stream_error *err);
void stream_watch_free(struct stream_watch *watch);

/*
 * Watch what reader reads.  Keeps reader until it is closed, which takes it
 * off the watch.  Add before reading to the end: what is appended after that
 * wakes.  STREAM_ENOMEM.
 */
int stream_watch_add(struct stream_watch *watch, struct stream_reader *reader,
    struct stream_error *err);

/*
 * Wait until something happened to a watched reader, at most timeout_ms (-1:
 * for ever).  stop_fd, if not -1, ends the wait when it is readable: a pipe
 * that a signal handler writes to.  other_fd, if not -1, ends it when its far
 * end is closed (a pipe whose reader went away).
 *
 * STREAM_OK     something may be there to read
 * STREAM_END    the time passed
 * STREAM_EINTR  a signal came, or stop_fd is readable
 * STREAM_EIO    other_fd was closed at its far end (sys is EPIPE), or the
 *               wait failed
 */
int stream_watch_wait(struct stream_watch *watch, int timeout_ms, int stop_fd,
    int other_fd, struct stream_error *err);

/* Did something happen to this reader since it last returned STREAM_END?
 * True also when that cannot be known. */
bool stream_reader_is_woken(const struct stream_reader *reader);

#endif
