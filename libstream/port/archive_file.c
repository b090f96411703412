#include "port/archive_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/random.h"

static int
open_directory(const char *path, struct stream_archive_output *output,
    struct stream_error *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	char *directory;
	int status;

	if (*name == '\0' || strlen(name) >= sizeof(output->name))
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: is no name for a file", path);
	strcpy(output->name, name);
	directory = slash == NULL   ? strdup(".")
		    : slash == path ? strdup("/")
				    : strndup(path, (size_t)(slash - path));
	if (directory == NULL)
		return stream_fail_memory(err);
	status = stream_io_open_dir(AT_FDCWD, directory, &output->dirfd, err);
	free(directory);
	return status;
}

static int
exists(const char *name, struct stream_error *err)
{
	return stream_fail(
	    err, STREAM_EEXIST, STREAM_POS_NONE, "%s: exists already", name);
}

static int
make(struct stream_archive_output *output, struct stream_error *err)
{
	uint64_t number;
	int status = stream_random((uint8_t *)&number, sizeof(number), err);

	if (status != STREAM_OK)
		return status;
	snprintf(output->temporary, sizeof(output->temporary), ".tmp-%016llx",
	    (unsigned long long)number);
	output->fd = openat(output->dirfd, output->temporary,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (output->fd < 0) {
		output->temporary[0] = '\0';
		return stream_fail_sys(err, "%s: cannot create", output->name);
	}
	return STREAM_OK;
}

int
stream_archive_output_begin(const char *path,
    struct stream_archive_output *output, struct stream_error *err)
{
	bool has;
	int status;

	*output = (struct stream_archive_output){.dirfd = -1, .fd = -1};
	status = open_directory(path, output, err);
	if (status == STREAM_OK)
		status = stream_dir_has(output->dirfd, output->name, &has, err);
	if (status == STREAM_OK && has)
		status = exists(path, err);
	return status == STREAM_OK ? make(output, err) : status;
}

int
stream_archive_output_sync(
    const struct stream_archive_output *output, struct stream_error *err)
{
	return stream_io_sync_whole(output->fd, err);
}

/* A file system that cannot refuse to replace gets a link, which can. */
int
stream_archive_output_commit(
    struct stream_archive_output *output, struct stream_error *err)
{
	int r = renameat2(output->dirfd, output->temporary, output->dirfd,
	    output->name, RENAME_NOREPLACE);

	if (r != 0 && errno == EINVAL)
		r = linkat(output->dirfd, output->temporary, output->dirfd,
		    output->name, 0);
	else if (r == 0)
		output->temporary[0] = '\0';
	if (r != 0 && errno == EEXIST)
		return exists(output->name, err);
	if (r != 0)
		return stream_fail_sys(err, "%s: cannot rename", output->name);
	return stream_io_sync_dir(output->dirfd, err);
}

void
stream_archive_output_end(struct stream_archive_output *output)
{
	if (output->temporary[0] != '\0')
		unlinkat(output->dirfd, output->temporary, 0);
	if (output->fd >= 0)
		close(output->fd);
	if (output->dirfd >= 0)
		close(output->dirfd);
	output->fd = output->dirfd = -1;
}
