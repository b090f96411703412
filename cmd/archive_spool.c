/*
 * archive_spool.c - an archive that comes through a pipe is kept in a file
 *
 * What reads a part of an archive must find it, and reads those of other
 * programs twice.  The file has no name, so that it goes with whoever has it
 * open.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "archive_commands.h"

enum { CHUNK = 256 * 1024 };

/* Not every file system makes files without a name. */
static int
make_file(int *fd, struct stream_error *err)
{
	static const char name[] = ".spool";

	*fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd >= 0)
		return STREAM_OK;
	*fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (*fd < 0)
		return cli_fail_sys(err, "cannot make a file");
	unlink(name);
	return STREAM_OK;
}

/* How many bytes came; 0 at the end. */
static int
read_some(struct archive_input *input, uint8_t *chunk, size_t *got,
    struct stream_error *err)
{
	ssize_t n;

	do {
		n = read(input->fd, chunk, CHUNK);
		if (!input->options.go_on(input, n > 0 ? (uint64_t)n : 0))
			return cli_fail(err, STREAM_EINTR, "interrupted");
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return cli_fail_sys(err, "cannot read");
	*got = (size_t)n;
	return STREAM_OK;
}

static int
write_all(int to, const uint8_t *bytes, size_t n, struct stream_error *err)
{
	while (n > 0) {
		ssize_t done = write(to, bytes, n);

		if (done < 0 && errno != EINTR)
			return cli_fail_sys(err, "cannot keep what a pipe has");
		if (done > 0) {
			bytes += done;
			n -= (size_t)done;
		}
	}
	return STREAM_OK;
}

static int
copy(struct archive_input *input, int to, struct stream_error *err)
{
	uint8_t *chunk = malloc(CHUNK);
	size_t got = 1;
	int status = STREAM_OK;

	if (chunk == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	while (status == STREAM_OK && got > 0) {
		status = read_some(input, chunk, &got, err);
		if (status == STREAM_OK)
			status = write_all(to, chunk, got, err);
	}
	free(chunk);
	return status;
}

int
archive_input_spool(struct archive_input *input, struct stream_error *err)
{
	int fd;
	int status = make_file(&fd, err);

	if (status != STREAM_OK)
		return status;
	status = copy(input, fd, err);
	if (status != STREAM_OK) {
		close(fd);
		return status;
	}
	if (input->fd > STDERR_FILENO)
		close(input->fd);
	input->fd = fd;
	return STREAM_OK;
}
