/*
 * files.c - what is in a directory, by the names
 */
#include <stream/files.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "file/state.h"

static const struct known {
	const char *name;
	enum stream_file_kind kind;
} known[] = {
    {STREAM_EPOCHS_FILE, STREAM_FILE_EPOCHS},
    {"partition.metadata", STREAM_FILE_METADATA},
    {STREAM_STATE_NAME, STREAM_FILE_STATE},
    {STREAM_LOG_START_FILE, STREAM_FILE_CHECKPOINT},
    {"recovery-point-offset-checkpoint", STREAM_FILE_CHECKPOINT},
    {"replication-offset-checkpoint", STREAM_FILE_CHECKPOINT},
    {"cleaner-offset-checkpoint", STREAM_FILE_CHECKPOINT},
    {"meta.properties", STREAM_FILE_PROPERTIES},
    {".kafka_cleanshutdown", STREAM_FILE_SHUTDOWN},
    {".lock", STREAM_FILE_LOCK},
};

#define CUT_PREFIX ".strm-cut-"

static enum stream_file_kind
kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(name, known[i].name) == 0)
			return known[i].kind;
	if (strncmp(name, CUT_PREFIX, sizeof(CUT_PREFIX) - 1) == 0)
		return STREAM_FILE_CUT;
	return STREAM_FILE_OTHER;
}

void
stream_file_name(const char *name, struct stream_file *file)
{
	struct stream_name parsed;

	*file = (struct stream_file){.name = name, .base_offset = -1};
	if (!stream_name_parse(name, &parsed)) {
		file->kind = kind_of(name);
		return;
	}
	/* Both enums are in the order in which name.h has them. */
	_Static_assert((int)STREAM_FILE_SNAPSHOT == (int)STREAM_NAME_SNAPSHOT &&
			   (int)STREAM_FILE_DELETED == (int)STREAM_NAME_DELETED,
	    "one order");
	file->kind = (enum stream_file_kind)parsed.kind;
	file->state = (enum stream_file_state)parsed.state;
	file->base_offset = parsed.base_offset;
}

/* A file that went meanwhile is left out. */
static int
look_at(int dirfd, const char *name, struct stream_file *file,
    struct stream_error *err)
{
	struct stat st;

	stream_file_name(name, file);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return stream_fail_sys(err, "%s: cannot stat", name);
	if (S_ISDIR(st.st_mode))
		file->kind = STREAM_FILE_DIRECTORY;
	else if (!S_ISREG(st.st_mode))
		file->kind = STREAM_FILE_OTHER;
	file->size = (uint64_t)st.st_size;
	file->modified_ms =
	    (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	return STREAM_OK;
}

static int
compare(const void *a, const void *b)
{
	const struct stream_file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
look_at_all(int dirfd, const struct stream_buf *names,
    struct stream_files *files, struct stream_error *err)
{
	size_t most = 0;

	for (const char *name = stream_dir_next(names, NULL); name != NULL;
	     name = stream_dir_next(names, name))
		most++;
	files->items = calloc(most + 1, sizeof(*files->items));
	if (files->items == NULL)
		return stream_fail_memory(err);
	for (const char *name = stream_dir_next(names, NULL); name != NULL;
	     name = stream_dir_next(names, name)) {
		int status =
		    look_at(dirfd, name, &files->items[files->count], err);

		if (status == STREAM_OK)
			files->count++;
		else if (status != STREAM_ENOENT)
			return status;
	}
	qsort(files->items, files->count, sizeof(*files->items), compare);
	return STREAM_OK;
}

int
stream_files_list(
    const char *path, struct stream_files *files, struct stream_error *err)
{
	struct stream_files found = {.count = 0};
	struct stream_buf names;
	int fd;
	int status = stream_io_open_dir(AT_FDCWD, path, &fd, err);

	if (status != STREAM_OK)
		return status;
	stream_buf_init(&names);
	status = stream_dir_list(fd, &names, err);
	if (status == STREAM_OK)
		status = look_at_all(fd, &names, &found, err);
	close(fd);
	found.names = (char *)names.data;
	if (status == STREAM_OK) {
		*files = found;
		return STREAM_OK;
	}
	stream_files_release(&found);
	return stream_fail_in(err, status, "%s", path);
}

void
stream_files_release(struct stream_files *files)
{
	free(files->items);
	free(files->names);
	*files = (struct stream_files){.items = NULL};
}
