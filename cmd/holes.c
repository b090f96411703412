#include "holes.h"

#include <stdio.h>
#include <string.h>

/* The failure without "file: byte N: ", which the message begins with. */
static const char *
reason(const struct stream_hole *hole)
{
	const char *why = hole->why;
	size_t n = strlen(hole->file);
	const char *after;

	if (strncmp(why, hole->file, n) != 0 || why[n] != ':')
		return why;
	why += n + 2;
	after = strncmp(why, "byte ", 5) == 0 ? strstr(why, ": ") : NULL;
	return after != NULL ? after + 2 : why;
}

static void
put_offsets(const struct stream_hole *hole, char *text, size_t size)
{
	long long first = hole->first_offset, last = hole->last_offset;

	if (hole->last_offset == STREAM_HOLE_UNKNOWN)
		snprintf(text, size,
		    "offsets from %lld on are missing, nobody knows how many",
		    first);
	else if (last < first)
		snprintf(text, size, "no offset is missing");
	else if (hole->producer_id >= 0)
		snprintf(text, size,
		    "records of producer %lld from offset %lld to %lld are "
		    "not shown",
		    (long long)hole->producer_id, first, last);
	else if (last == first)
		snprintf(text, size, "offset %lld is missing", first);
	else
		snprintf(text, size, "offsets %lld to %lld are missing%s",
		    first, last,
		    hole->exact ? "" : ", of those that there were");
}

void
holes_tell(void *context, const struct stream_hole *hole)
{
	struct holes *holes = context;
	char offsets[160];

	put_offsets(hole, offsets, sizeof(offsets));
	cli_complain(CLI_DAMAGED, hole->file,
	    "bytes %llu to %llu skipped: %s: %s",
	    (unsigned long long)hole->from_byte,
	    (unsigned long long)hole->to_byte, offsets, reason(hole));
	holes->count++;
	if (hole->last_offset == STREAM_HOLE_UNKNOWN)
		holes->more = true;
	else if (hole->last_offset >= hole->first_offset)
		holes->offsets +=
		    (uint64_t)(hole->last_offset - hole->first_offset + 1);
}

enum cli_exit
holes_conclude(const struct holes *holes)
{
	if (holes->count == 0)
		return CLI_DONE;
	return cli_complain(CLI_DAMAGED, NULL,
	    "%llu hole%s skipped, %llu offset%s missing%s",
	    (unsigned long long)holes->count, holes->count == 1 ? "" : "s",
	    (unsigned long long)holes->offsets, holes->offsets == 1 ? "" : "s",
	    holes->more ? " or more" : "");
}
