/*
 * archive_unpacked.h - the logs of an archive that is a store by now
 *
 * Layer port/, linked into strm-archive only.  SPEC section 14.8.
 * archive_unpack.c makes the store; here its logs get their bytes, each when it
 * is read.
 */
#ifndef STREAM_PORT_ARCHIVE_UNPACKED_H
#define STREAM_PORT_ARCHIVE_UNPACKED_H

#include "port/archive_copy.h"
#include "port/archive_fill.h"
#include "port/archive_unpack.h"
#include "store/place.h"

/* One partition, in a directory of this name. */
struct stream_unpacked_directory {
	char name[STREAM_PARTITION_NAME_SIZE];
	const struct stream_archive_partition *partition; /* lent */
	struct stream_parts parts;
	bool with_files;
	/* With files: of a foreign archive, those that are copied. */
	struct stream_copy_range range;
};

/* A part in the order of the archive. */
struct stream_unpacked_turn {
	const struct stream_unpacked_directory *directory;
	struct stream_part *part;
};

struct stream_unpacked {
	struct stream_archive *archive;
	struct stream_fill fill;
	int dirfd;
	struct stream_unpacked_directory *directories;
	size_t count;
	/* Of a foreign archive, which is read from begin to end. */
	struct stream_unpacked_turn *turns;
	size_t turn_count;
	size_t next_turn;
};

/* See that a part of directory (both of unpacked) has its bytes; else as
 * stream_unpacked_fetch. */
int stream_unpacked_fill(struct stream_unpacked *unpacked,
    const struct stream_unpacked_directory *directory, struct stream_part *part,
    struct stream_error *err);

/* From now on parts are filled in the order in which they are in the archive.
 * STREAM_ENOMEM. */
int stream_unpacked_take_turns(
    struct stream_unpacked *unpacked, struct stream_error *err);

#endif
