/*
 * opening.h - from the addresses of a command line to partitions to read
 */
#ifndef OPENING_H
#define OPENING_H

#include <stdbool.h>

#include <stream/address.h>

#include "cli/context.h"

/* Milliseconds since 1970, which durations ago are counted back from. */
int64_t opening_now_ms(void);

/* Threads that are worth having: the processors, eight at most. */
unsigned opening_workers(void);

/* Several descriptors a partition can be more than the soft limit. */
void opening_raise_limit(void);

/* Say, with STREAM_EIO, that the limit is too low for more than so many
 * partitions at once, and what to do. */
int opening_say_limit(size_t partitions, struct stream_error *err);

/*
 * Is the path an archive that is read in place: a pipe, or a file that is none
 * of a partition's, and begins as an archive does or is called one?
 */
bool opening_is_archive(const char *path);

/* The same for a word of a command line, an address perhaps. */
bool opening_names_archive(const char *word);

/* Makes what address needs where its name leads to, if that is an archive;
 * *supply brings what is not there yet, and stays zero where it is none. */
typedef int opening_archive(const struct cli_context *context,
    const struct stream_address *address, struct stream_supply *supply,
    struct stream_error *err);

/* From now on opener is called for addresses that name an archive; in strm
 * itself there is none.  The command line was written in the directory from
 * (kept). */
void opening_set_archives(opening_archive *opener, const char *from);

/*
 * Find what address (borrowed) means.  Topics are looked for in the store of
 * context, which is opened into *store when that is NULL; the caller closes it.
 * Whatever it returns, stream_places_release must follow, on a struct that was
 * zero before.
 */
int opening_find(const struct cli_context *context, struct stream_store **store,
    const struct stream_address *address, struct stream_places *places,
    struct stream_error *err);

/* The same for an unparsed word (borrowed).  stream_address_release must follow
 * too, on a struct that was zero before. */
int opening_resolve(const struct cli_context *context,
    struct stream_store **store, const char *word,
    struct stream_address *address, struct stream_places *places,
    struct stream_error *err);

#endif
