/*
 * measures.h - remember what logs were measured to hold
 *
 * Layer store/.  SPEC section 15.2.  A hint: it is believed of a file that has
 * not changed since, and of one that has grown, if the last batch that was
 * measured stands where it stood.
 */
#ifndef STREAM_STORE_MEASURES_H
#define STREAM_STORE_MEASURES_H

#include <sys/stat.h>

#include "log/measure.h"
#include "store/store.h"

struct stream_measures {
	struct stream_measures_item *items; /* owned; sorted */
	size_t count;
	size_t capacity;
	bool sorted;
};

/* Load what the store remembers: nothing when the file is missing or damaged.
 * STREAM_ENOMEM. */
int stream_measures_load(const struct stream_store *store,
    struct stream_measures *measures, struct stream_error *err);
void stream_measures_release(struct stream_measures *measures);

/*
 * What is known of the open log fd, which has that base offset and lies in the
 * partition name: all of its bytes (*whole), or the front of them, the most
 * that is not past byte most.  false: nothing.
 */
bool stream_measures_find(struct stream_measures *measures, const char *name,
    int64_t base_offset, int fd, uint64_t most, struct stream_measure *measure,
    bool *whole);

/* Remember; grows: writers may have it open.  STREAM_ENOMEM. */
int stream_measures_add(struct stream_measures *measures, const char *name,
    int64_t base_offset, int fd, bool grows,
    const struct stream_measure *measure, struct stream_error *err);

/*
 * Remember of a log that grows also what known (borrowed) has of the front of
 * it, a few of the last: another replica, or one whose run died, is there yet.
 * STREAM_ENOMEM.
 */
int stream_measures_keep(struct stream_measures *measures,
    struct stream_measures *known, const char *name, int64_t base_offset,
    int fd, struct stream_error *err);

/* Forget what was added of a partition. */
void stream_measures_drop(struct stream_measures *measures, const char *name);

/* Write all that was added; a directory for it is made.  STREAM_EIO. */
int stream_measures_save(const struct stream_store *store,
    struct stream_measures *measures, struct stream_error *err);

#endif
