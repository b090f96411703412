/*
 * opening.h - from the addresses of a command line to partitions to read
 */
#ifndef OPENING_H
#define OPENING_H

#include <stream/address.h>

#include "cli/context.h"

/* Milliseconds since 1970, which durations ago are counted back from. */
int64_t opening_now_ms(void);

/* Threads that are worth having: the processors, eight at most. */
unsigned opening_workers(void);

/* Several descriptors a partition can be more than the soft limit. */
void opening_raise_limit(void);

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
