/*
 * place_facts.h - what the store of a place is asked again while it is read
 *
 * Layer store/.
 */
#ifndef STREAM_STORE_PLACE_FACTS_H
#define STREAM_STORE_PLACE_FACTS_H

#include <stream/address.h>

#include "log/facts.h"

/* Keeps the topic's name: place must outlive what is given.  A single file is
 * looked at as it is, so nothing is asked for it. */
struct stream_facts stream_place_facts(const struct stream_place *place);

#endif
