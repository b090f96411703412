/*
 * open_reader.c - from a place to a reader
 */
#include <stream/reader.h>

#include <fcntl.h>
#include <string.h>

#include "file/io.h"
#include "log/reader.h"
#include "store/place_facts.h"

/* The last component, which names the partition in messages. */
static const char *
last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

int
stream_reader_open(const struct stream_place *place,
    const struct stream_reader_options *options, struct stream_reader **reader,
    struct stream_error *err)
{
	struct stream_reader_source source = {
	    .name = last_component(place->path),
	    .only = place->segment,
	    .log_start_offset = place->log_start_offset,
	    .is_ours = place->is_ours,
	    .has_transactions = !place->is_ours || place->has_transactions,
	    .dense = !place->has_gaps,
	    .facts = stream_place_facts(place),
	    .supply = place->supply,
	};
	int status =
	    stream_io_open_dir(AT_FDCWD, place->path, &source.dirfd, err);

	if (status != STREAM_OK)
		return status;
	return stream_reader_open_source(&source, options, reader, err);
}
