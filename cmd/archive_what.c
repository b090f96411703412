#include "archive_what.h"

#include <stdlib.h>

#include <stream/topic.h>

#include "cli/message.h"
#include "opening.h"

static int
keep(struct archive_what *what, struct stream_places *found,
    const struct stream_range *range, struct stream_error *err)
{
	size_t count = what->places.count + found->count;
	void *places = reallocarray(
	    what->places.items, count + 1, sizeof(*what->places.items));
	void *ranges;

	if (places != NULL)
		what->places.items = places;
	ranges = reallocarray(what->ranges, count + 1, sizeof(*what->ranges));
	if (ranges != NULL)
		what->ranges = ranges;
	if (places == NULL || ranges == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	for (size_t i = 0; i < found->count; i++) {
		what->ranges[what->places.count] = *range;
		what->places.items[what->places.count++] = found->items[i];
	}
	found->count = 0;
	return STREAM_OK;
}

static int
add_address(
    struct archive_what *what, const char *word, struct stream_error *err)
{
	struct stream_address address = {.name = NULL};
	struct stream_places found = {.items = NULL};
	int status = opening_resolve(
	    what->context, &what->store, word, &address, &found, err);

	if (status == STREAM_OK)
		status = keep(what, &found, &address.range, err);
	stream_places_release(&found);
	stream_address_release(&address);
	return status;
}

static int
add_all(struct archive_what *what, struct stream_error *err)
{
	struct stream_topic_list *list;
	int status = stream_store_open(
	    what->context->store, 0, STREAM_LOCK_TIMEOUT_MS, &what->store, err);

	if (status == STREAM_OK)
		status = stream_topic_list_new(what->store, &list, err);
	if (status != STREAM_OK)
		return status;
	for (size_t i = 0;
	     i < stream_topic_list_count(list) && status == STREAM_OK; i++)
		status =
		    add_address(what, stream_topic_list_name(list, i), err);
	stream_topic_list_free(list);
	return status;
}

/* Places stay where they are from now on. */
static int
look(struct archive_what *what, struct stream_error *err)
{
	int status = STREAM_OK;

	what->parts = calloc(what->places.count + 1, sizeof(*what->parts));
	if (what->parts == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	what->count = what->places.count;
	for (size_t i = 0; i < what->count && status == STREAM_OK; i++) {
		struct stream_archive_part *part = &what->parts[i];

		part->place = &what->places.items[i];
		status = stream_archive_part_range(part, &what->ranges[i], err);
		if (status == STREAM_OK)
			status = stream_archive_part_look(part, err);
	}
	return status;
}

int
archive_what_find(struct archive_what *what, const struct cli_context *context,
    int count, char *words[], struct stream_error *err)
{
	int status = STREAM_OK;

	*what = (struct archive_what){.context = context};
	opening_raise_limit();
	if (count == 0)
		status = add_all(what, err);
	for (int i = 0; i < count && status == STREAM_OK; i++)
		status = add_address(what, words[i], err);
	return status == STREAM_OK ? look(what, err) : status;
}

void
archive_what_release(struct archive_what *what)
{
	for (size_t i = 0; i < what->count; i++)
		stream_archive_part_release(&what->parts[i]);
	free(what->parts);
	free(what->ranges);
	stream_places_release(&what->places);
	stream_store_close(what->store);
}

uint64_t
archive_what_bytes(const struct archive_what *what)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < what->count; i++)
		bytes += what->parts[i].bytes;
	return bytes;
}

size_t
archive_what_segments(const struct archive_what *what)
{
	size_t segments = 0;

	for (size_t i = 0; i < what->count; i++)
		segments += what->parts[i].segments;
	return segments;
}
