/*
 * name.h - names of the files in a partition directory
 *
 * Layer file/.  SPEC section 4.1.  A name is the base offset in 20 decimal
 * digits, what the file holds, and a state that Kafka's loader knows:
 * "00000000000000000042.log.swap".  For a snapshot the number is the log end
 * offset that it describes.
 */
#ifndef STREAM_FILE_NAME_H
#define STREAM_FILE_NAME_H

#include <stdbool.h>
#include <stdint.h>

enum stream_name_kind {
	STREAM_NAME_LOG,
	STREAM_NAME_INDEX,
	STREAM_NAME_TIMEINDEX,
	STREAM_NAME_TXNINDEX,
	STREAM_NAME_SNAPSHOT
};

enum stream_name_state {
	STREAM_NAME_PLAIN,
	STREAM_NAME_CLEANED, /* a compaction was writing it */
	STREAM_NAME_SWAP,    /* complete, about to replace its range */
	STREAM_NAME_DELETED  /* about to be unlinked */
};

/* Bytes of the longest name, with its NUL. */
enum { STREAM_NAME_SIZE = 20 + sizeof(".timeindex.cleaned") };

struct stream_name {
	int64_t base_offset; /* never negative */
	enum stream_name_kind kind;
	enum stream_name_state state;
};

/*
 * false for a name that is not of this form, or whose number is more than
 * INT64_MAX: then *parsed is not touched.
 */
bool stream_name_parse(const char *name, struct stream_name *parsed);

/* Does the name end as one of a segment's files, in any state?  One of another
 * form may have been meant to be such a file. */
bool stream_name_has_ending(const char *name);

/* Write the name and a NUL to text, which has STREAM_NAME_SIZE bytes. */
void stream_name_put(const struct stream_name *name, char *text);

/* The same for a file in state STREAM_NAME_PLAIN. */
void stream_name_put_plain(
    int64_t base_offset, enum stream_name_kind kind, char *text);

#endif
