/*
 * archive_notes.h - what is left out of an archive, told where it is no failure
 *
 * Layer port/, linked into strm-archive only.  Of each kind so many are named
 * as are read, the others counted: an archive can have as many as it likes.
 */
#ifndef STREAM_PORT_ARCHIVE_NOTES_H
#define STREAM_PORT_ARCHIVE_NOTES_H

#include "port/archive_index.h"

enum { STREAM_NOTES_MOST = 10 };

/* Notes of one kind. */
struct stream_notes {
	void (*note)(
	    void *context, const char *text); /* NULL: nobody listens */
	void *context;
	size_t count;
};

/* Tell text (borrowed), if it is not too many; and at the end, how many more
 * there were, and of what: "logs end so". */
void stream_notes_tell(struct stream_notes *notes, const char *text);
void stream_notes_end(const struct stream_notes *notes, const char *what);

/* Does the newest log of the partition, of a foreign archive with these files
 * (all borrowed), end in an append that did not finish?  Then tell it, and what
 * becomes of it. */
void stream_notes_torn(struct stream_notes *notes,
    const struct stream_archive_partition *partition,
    const struct stream_archive_file *files, const char *fate);

#endif
