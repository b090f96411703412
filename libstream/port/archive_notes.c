#include "port/archive_notes.h"

#include <inttypes.h>
#include <stdio.h>

void
stream_notes_tell(struct stream_notes *notes, const char *text)
{
	if (notes->count++ < STREAM_NOTES_MOST && notes->note != NULL)
		notes->note(notes->context, text);
}

void
stream_notes_end(const struct stream_notes *notes, const char *what)
{
	char text[120];

	if (notes->count <= STREAM_NOTES_MOST || notes->note == NULL)
		return;
	snprintf(text, sizeof(text), "%zu more %s",
	    notes->count - STREAM_NOTES_MOST, what);
	notes->note(notes->context, text);
}

void
stream_notes_torn(struct stream_notes *notes,
    const struct stream_archive_partition *partition,
    const struct stream_archive_file *files, const char *fate)
{
	const struct stream_archive_segment *newest;
	char text[400];

	if (partition->segment_count == 0)
		return;
	newest = &partition->segments[partition->segment_count - 1];
	if (newest->status != STREAM_ETORN)
		return;
	snprintf(text, sizeof(text),
	    "%.300s: byte %" PRIu64 ": an append that did not finish follows "
	    "(torn); %s",
	    files[newest->log].path, newest->good_bytes, fate);
	stream_notes_tell(notes, text);
}
