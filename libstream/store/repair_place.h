/*
 * repair_place.h - a place, open to be repaired or salvaged
 *
 * Layer store/.
 */
#ifndef STREAM_STORE_REPAIR_PLACE_H
#define STREAM_STORE_REPAIR_PLACE_H

#include "log/repair.h"
#include "store/store.h"

struct stream_opened_place {
	struct stream_store *store; /* the partition's */
	struct stream_repair_source source;
};

/*
 * Open the store of place (borrowed) with flags of enum stream_store_flags,
 * load the topic's settings and open the partition's directory.  Close
 * *opened in any case.  Errors as stream_repair_plan.
 */
int stream_place_open(const struct stream_place *place,
    const struct stream_repair_options *options, unsigned flags,
    struct stream_opened_place *opened, struct stream_error *err);

void stream_place_close(struct stream_opened_place *opened);

#endif
