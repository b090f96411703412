#include "port/archive_unpacked.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "file/name.h"

static int
fill_part(struct stream_unpacked *unpacked,
    const struct stream_unpacked_directory *directory, struct stream_part *part,
    struct stream_error *err)
{
	char log[STREAM_NAME_SIZE];
	char path[sizeof(directory->name) + sizeof(log)];
	int fd;
	int status;

	if (part->filled)
		return STREAM_OK;
	stream_name_put_plain(part->base_offset, STREAM_NAME_LOG, log);
	snprintf(path, sizeof(path), "%s/%s", directory->name, log);
	/* It is empty, or was cut short by a failure.  With O_TRUNC file
	 * systems write such a file out when it is closed, which nobody wants
	 * here. */
	status = stream_io_open(unpacked->dirfd, path, O_WRONLY, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = stream_fill_part(&unpacked->fill, part, fd, err);
	close(fd);
	part->filled = status == STREAM_OK;
	return status;
}

/* All that stands before it in the archive is passed on the way, and kept, so
 * that no byte is read twice. */
static int
fill_up_to(struct stream_unpacked *unpacked, const struct stream_part *part,
    struct stream_error *err)
{
	int status = STREAM_OK;

	while (!part->filled && status == STREAM_OK) {
		const struct stream_unpacked_turn *turn =
		    &unpacked->turns[unpacked->next_turn];

		status = fill_part(unpacked, turn->directory, turn->part, err);
		if (status == STREAM_OK)
			unpacked->next_turn++;
	}
	return status;
}

int
stream_unpacked_fill(struct stream_unpacked *unpacked,
    const struct stream_unpacked_directory *directory, struct stream_part *part,
    struct stream_error *err)
{
	return unpacked->turns != NULL
		   ? fill_up_to(unpacked, part, err)
		   : fill_part(unpacked, directory, part, err);
}

int
stream_unpacked_fetch(struct stream_unpacked *unpacked, const char *directory,
    int64_t base_offset, struct stream_error *err)
{
	for (size_t i = 0; i < unpacked->count; i++) {
		const struct stream_unpacked_directory *at =
		    &unpacked->directories[i];
		struct stream_part *part;

		if (strcmp(at->name, directory) != 0)
			continue;
		part = stream_parts_find(&at->parts, base_offset);
		return part != NULL
			   ? stream_unpacked_fill(unpacked, at, part, err)
			   : STREAM_OK;
	}
	return STREAM_OK;
}

static int
by_place(const void *a, const void *b)
{
	const struct stream_part *x =
	    ((const struct stream_unpacked_turn *)a)->part;
	const struct stream_part *y =
	    ((const struct stream_unpacked_turn *)b)->part;

	if (x->segment->log != y->segment->log)
		return x->segment->log < y->segment->log ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

int
stream_unpacked_take_turns(
    struct stream_unpacked *unpacked, struct stream_error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < unpacked->count; i++)
		count += unpacked->directories[i].parts.count;
	unpacked->turns = calloc(count + 1, sizeof(*unpacked->turns));
	if (unpacked->turns == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i < unpacked->count; i++) {
		const struct stream_unpacked_directory *directory =
		    &unpacked->directories[i];

		for (size_t j = 0; j < directory->parts.count; j++)
			unpacked->turns[unpacked->turn_count++] =
			    (struct stream_unpacked_turn){
				directory, &directory->parts.items[j]};
	}
	qsort(unpacked->turns, count, sizeof(*unpacked->turns), by_place);
	return STREAM_OK;
}

void
stream_unpacked_free(struct stream_unpacked *unpacked)
{
	if (unpacked == NULL)
		return;
	for (size_t i = 0; i < unpacked->count; i++)
		stream_parts_release(&unpacked->directories[i].parts);
	stream_buf_release(&unpacked->fill.block);
	close(unpacked->dirfd);
	free(unpacked->directories);
	free(unpacked->turns);
	free(unpacked);
}
