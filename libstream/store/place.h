/*
 * place.h - build the list of places that an address means
 *
 * Layer store/.
 */
#ifndef STREAM_STORE_PLACE_H
#define STREAM_STORE_PLACE_H

#include <stream/address.h>

#include "store/store.h"
#include "store/topic.h"

/* Is the partition one that the address names? */
bool stream_address_has_partition(
    const struct stream_address *address, int32_t partition);

/*
 * Add the partition of topic, which lies in store, to the end of places.
 * STREAM_EIO, STREAM_ENOMEM.
 */
int stream_places_add(struct stream_places *places,
    const struct stream_store *store, const struct stream_topic *topic,
    int32_t partition, struct stream_error *err);

/* Add what lies at the path of address.  As stream_address_resolve. */
int stream_places_add_path(struct stream_places *places,
    const struct stream_address *address, struct stream_error *err);

/*
 * Copy *place (borrowed, with all that it points to) to the end of places.
 * STREAM_ENOMEM.
 */
int stream_places_add_copy(struct stream_places *places,
    const struct stream_place *place, struct stream_error *err);

#endif
