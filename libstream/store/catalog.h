/*
 * catalog.h - the partition directories that lie in a store
 *
 * Layer store/.  What the directory says, whatever is being made or deleted;
 * topic.c decides what of it is visible.
 */
#ifndef STREAM_STORE_CATALOG_H
#define STREAM_STORE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct stream_catalog_item {
	char *topic; /* owned */
	int32_t partition;
};

/* By topic, then by number. */
struct stream_catalog {
	struct stream_catalog_item *items; /* owned */
	size_t count;
	size_t capacity;
};

/*
 * List the directory: those of topic only, or of all topics when it is NULL.
 * *catalog owns memory; free it with stream_catalog_release, also on failure.
 * STREAM_EIO, STREAM_ENOMEM.
 */
int stream_catalog_load(const struct stream_store *store, const char *topic,
    struct stream_catalog *catalog, struct stream_error *err);
void stream_catalog_release(struct stream_catalog *catalog);

/* The first item of topic, and in *count how many it has; they follow one
 * another.  *count is 0 when there is none. */
const struct stream_catalog_item *stream_catalog_find(
    const struct stream_catalog *catalog, const char *topic, size_t *count);

#endif
