/*
 * stream/address.h - TOPIC[:PARTITIONS][@RANGE], or a path with a '/'
 *
 * Parsing looks at the text only.  Resolving looks at the disk and gives the
 * partitions that the address means.  Ranges are in stream/range.h.
 */
#ifndef STREAM_ADDRESS_H
#define STREAM_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/error.h>
#include <stream/range.h>
#include <stream/store.h>

/* Partitions first to last, both included. */
struct stream_span {
	int32_t first;
	int32_t last;
};

struct stream_address {
	bool is_path;              /* name is a path, not a topic */
	char *name;                /* owned */
	struct stream_span *spans; /* owned, rising, apart; NULL: all */
	size_t span_count;
	struct stream_range range; /* .from of kind NONE: nothing was said */
};

/*
 * Parse text (borrowed).  Durations ago count back from now_ms.  *address
 * owns memory; free it with stream_address_release.
 *
 * STREAM_EUSAGE quotes the part that is wrong; STREAM_ENOMEM.
 */
int stream_address_parse(const char *text, int64_t now_ms,
    struct stream_address *address, struct stream_error *err);
void stream_address_release(struct stream_address *address);

/* Parse what stands after the '@': POINT, POINT.., POINT..POINT, ..POINT.
 * STREAM_EUSAGE. */
int stream_range_parse(const char *text, int64_t now_ms,
    struct stream_range *range, struct stream_error *err);

/*
 * Brings the bytes of logs that lie elsewhere, such as in an archive.  fetch is
 * called before the log of a base offset is read, from the thread that reads:
 * its file has its name by then, and all of its bytes after the call.
 * directory (borrowed) is the last component of the partition's path.
 */
struct stream_supply {
	int (*fetch)(void *context, const char *directory, int64_t base_offset,
	    struct stream_error *err); /* NULL: all is there */
	void *context;
};

/* One partition, or one file of it, and where it lies. */
struct stream_place {
	char *topic; /* by the directory's name, for a path */
	int32_t partition;
	char *store_path; /* the directory that holds the partition */
	char *path;       /* the partition's directory */
	char *segment;    /* name of the one .log file in path; NULL: all */
	bool is_ours;     /* its topic has a settings file */
	bool has_gaps;    /* offsets may be missing between records */
	bool has_transactions;    /* of a broker, though it is ours: restored */
	int64_t log_start_offset; /* from the store's checkpoint file, or 0 */
	struct stream_supply supply; /* kept by readers; none after resolving */
};

struct stream_places {
	struct stream_place *items; /* owned, with all that they point to */
	size_t count;
};

/*
 * Find the partitions of address (borrowed), in order.  store is where
 * topics are looked up; NULL will do when the address is a path.  A path to
 * a store means all its topics.  *places owns memory; free it with
 * stream_places_release.
 *
 * STREAM_ENOENT  no such topic, partition or path; the message says what
 *                there is
 * STREAM_EUSAGE  the path is not something that holds records
 * STREAM_EIO, STREAM_ENOMEM, STREAM_ECORRUPT (settings)
 */
int stream_address_resolve(const struct stream_address *address,
    struct stream_store *store, struct stream_places *places,
    struct stream_error *err);
void stream_places_release(struct stream_places *places);

#endif
