#include "port/archive_starts.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

/* As much as one may have (SPEC 11). */
enum { BYTES_MOST = 64 << 20 };

static int
make_room(struct stream_starts *starts, struct stream_error *err)
{
	size_t room = starts->room * 2 + 4;
	void *files;

	if (starts->count < starts->room)
		return STREAM_OK;
	files = reallocarray(starts->files, room, sizeof(*starts->files));
	if (files == NULL)
		return stream_fail_memory(err);
	starts->files = files;
	starts->room = room;
	return STREAM_OK;
}

int
stream_starts_add(struct stream_starts *starts, const char *directory,
    uint64_t bytes, struct stream_buf **text, struct stream_error *err)
{
	uint64_t all = starts->bytes + bytes;
	struct stream_starts_file *file;
	int status;

	if (starts->count > 0)
		all += strlen(directory) + sizeof(*file);
	if (all > BYTES_MOST)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "its log starts have more than %d bytes; such an archive "
		    "is refused",
		    BYTES_MOST);
	status = make_room(starts, err);
	if (status != STREAM_OK)
		return status;
	file = &starts->files[starts->count];
	file->directory = strdup(directory);
	if (file->directory == NULL)
		return stream_fail_memory(err);
	stream_buf_init(&file->text);
	starts->count++;
	starts->bytes = all;
	*text = &file->text;
	return STREAM_OK;
}

struct stream_bytes
stream_starts_find(const struct stream_starts *starts, const char *directory)
{
	for (size_t i = 0; i < starts->count; i++)
		if (strcmp(starts->files[i].directory, directory) == 0)
			return (struct stream_bytes){starts->files[i].text.data,
			    starts->files[i].text.size};
	return (struct stream_bytes){NULL, 0};
}

void
stream_starts_release(struct stream_starts *starts)
{
	for (size_t i = 0; i < starts->count; i++) {
		free(starts->files[i].directory);
		stream_buf_release(&starts->files[i].text);
	}
	free(starts->files);
	*starts = (struct stream_starts){.files = NULL};
}
