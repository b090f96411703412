/*
 * archive_path.h - what the path of a member means
 *
 * Layer port/, linked into strm-archive only.  SPEC sections 14.4 and 14.5.
 * A path is only ever looked at: no file is opened by it.
 */
#ifndef STREAM_PORT_ARCHIVE_PATH_H
#define STREAM_PORT_ARCHIVE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include <stream/topic.h>

#include "file/name.h"

/* Bytes of the longest path that is looked at, with its NUL. */
enum { STREAM_PATH_SIZE = 4096 };

enum stream_path_kind {
	STREAM_PATH_OTHER,    /* nothing of a store: left out */
	STREAM_PATH_HOSTILE,  /* absolute, with ".." or an empty component */
	STREAM_PATH_SEGMENT,  /* TOPIC-P/ and a name of SPEC 4.1 */
	STREAM_PATH_EPOCHS,   /* TOPIC-P/leader-epoch-checkpoint */
	STREAM_PATH_METADATA, /* TOPIC-P/partition.metadata */
	STREAM_PATH_SETTINGS, /* .strm/topics/TOPIC.json */
	STREAM_PATH_STARTS,   /* log-start-offset-checkpoint */
	STREAM_PATH_MANIFEST, /* strm-manifest.txt */
	STREAM_PATH_MARK      /* strm-archive.txt */
};

struct stream_path {
	enum stream_path_kind kind;
	size_t prefix; /* bytes of what stands before the store's part */
	char topic[STREAM_TOPIC_NAME_SIZE];
	int32_t partition;
	struct stream_name name; /* of a segment's file */
	const char *last;        /* lent by the path: its last component */
};

/* Look at path (borrowed).  false, with kind HOSTILE, for one that no honest
 * archive has. */
bool stream_path_parse(const char *path, struct stream_path *parsed);

/* Bytes of the largest file that such a path names. */
uint64_t stream_path_most_bytes(const struct stream_path *path);

#endif
