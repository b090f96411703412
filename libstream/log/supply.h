/*
 * supply.h - logs whose bytes come when they are read
 *
 * Layer log/.  SPEC section 14.8.  Whoever reads a log of a partition that has
 * a supply calls this before it opens the file.
 */
#ifndef STREAM_LOG_SUPPLY_H
#define STREAM_LOG_SUPPLY_H

#include <stream/address.h>

/* See that the log of a base offset in the directory called so (borrowed) has
 * its bytes.  What the supply fails with; STREAM_OK when there is none. */
static inline int
stream_supply_fetch(const struct stream_supply *supply, const char *directory,
    int64_t base_offset, struct stream_error *err)
{
	if (supply->fetch == NULL)
		return STREAM_OK;
	return supply->fetch(supply->context, directory, base_offset, err);
}

#endif
