/*
 * holes.h - what --skip-corrupt says of the damage that it passed
 */
#ifndef HOLES_H
#define HOLES_H

#include <stdbool.h>

#include <stream/reader.h>

#include "cli/message.h"

struct holes {
	uint64_t count;
	uint64_t offsets; /* that are missing, as far as is known */
	bool more;        /* and some that nobody can count */
};

/* Say it on standard error, and count: a stream_reader_options.hole, with a
 * struct holes as its context. */
void holes_tell(void *context, const struct stream_hole *hole);

/* Say how much was passed.  CLI_DAMAGED if anything was, else CLI_DONE. */
enum cli_exit holes_conclude(const struct holes *holes);

#endif
