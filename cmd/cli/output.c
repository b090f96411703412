#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/escape.h"
#include "cli/message.h"
#include "cli/signals.h"

enum {
	PIPE_SIZE = 1024 * 1024, /* what an unprivileged process may ask for */
	BUFFER = 256 * 1024,
	BUFFER_SMALL_PIPE = 64 * 1024, /* what fits a pipe of Linux's default;
					  more was slower */
	GRACE_MS = 1000,     /* for a reader that stands still at a stop */
	ESCAPE_PIECE = 1024, /* escaped at a time, on the stack */
	DIGITS = 20          /* of the largest uint64_t */
};

/* The buffer that suits fd, after making a pipe as large as it may be. */
static size_t
suitable_size(int fd)
{
	int now = fcntl(fd, F_GETPIPE_SZ);

	if (now < 0 || now >= PIPE_SIZE)
		return BUFFER; /* not a pipe, or large already */
	if (fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE) < PIPE_SIZE)
		return BUFFER_SMALL_PIPE;
	return BUFFER;
}

int
cli_out_open(struct cli_out *out, int fd, bool raw, struct stream_error *err)
{
	size_t size = suitable_size(fd);
	uint8_t *data = malloc(size);

	*out = (struct cli_out){.fd = fd};
	if (data == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	out->data = out->at = data;
	out->end = data + size;
	out->escape = !raw && isatty(fd) == 1;
	return STREAM_OK;
}

/* After a stop: whether fd takes something before the grace has passed. */
static bool
still_takes(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	int n;

	do
		n = poll(&poll_fd, 1, GRACE_MS);
	while (n < 0 && errno == EINTR);
	return n != 0;
}

/* The file was made O_NONBLOCK, by someone who shares it with us. */
static void
wait_writable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

	cli_signals_poll(&poll_fd, 1, -1);
}

/*
 * One write(2), at most.  After a stop only PIPE_BUF bytes at a time, which
 * never block when poll() has said that there is room.
 */
static size_t
write_some(struct cli_out *out, const uint8_t *bytes, size_t n)
{
	ssize_t took;

	if (cli_signals_pending() != 0) {
		if (!still_takes(out->fd)) {
			out->error = EINTR;
			return 0;
		}
		n = n < PIPE_BUF ? n : PIPE_BUF;
	}
	took = write(out->fd, bytes, n);
	if (took >= 0)
		return (size_t)took;
	if (errno == EAGAIN)
		wait_writable(out->fd);
	else if (errno != EINTR)
		out->error = errno;
	return 0;
}

/* count: these are the data themselves, not their escaped form. */
static void
write_all(struct cli_out *out, const uint8_t *bytes, size_t n, bool count)
{
	while (n > 0 && out->error == 0) {
		size_t took = write_some(out, bytes, n);

		bytes += took;
		n -= took;
		if (count)
			out->written += took;
	}
}

static void
write_escaped(struct cli_out *out, const uint8_t *bytes, size_t n)
{
	uint8_t safe[ESCAPE_PIECE * CLI_ESCAPE_GROWTH];

	while (n > 0 && out->error == 0) {
		size_t piece = n;

		if (piece > ESCAPE_PIECE) {
			piece = ESCAPE_PIECE;
			piece -= cli_escape_unfinished(bytes, piece);
		}
		write_all(
		    out, safe, cli_escape(safe, bytes, piece, true), false);
		if (out->error == 0)
			out->written += piece;
		bytes += piece;
		n -= piece;
	}
}

/* Empty the buffer but for the last keep bytes. */
static void
empty(struct cli_out *out, size_t keep)
{
	size_t n = (size_t)(out->at - out->data) - keep;

	if (out->escape)
		write_escaped(out, out->data, n);
	else
		write_all(out, out->data, n, true);
	memmove(out->data, out->data + n, keep);
	out->at = out->data + keep;
}

/* A character that goes on in what is appended next waits for it. */
void
cli_out_drain(struct cli_out *out)
{
	size_t used = (size_t)(out->at - out->data);

	empty(out, out->escape ? cli_escape_unfinished(out->data, used) : 0);
}

uint8_t *
cli_out_reserve_slow(struct cli_out *out, size_t n)
{
	uint8_t *data;
	size_t kept;

	cli_out_drain(out);
	kept = (size_t)(out->at - out->data);
	if (n <= (size_t)(out->end - out->at))
		return out->at;
	data = n <= SIZE_MAX - kept ? realloc(out->data, kept + n) : NULL;
	if (data == NULL) {
		out->error = ENOMEM;
		return NULL;
	}
	out->data = data;
	out->at = data + kept;
	out->end = data + kept + n;
	return out->at;
}

void
cli_out_bytes_slow(struct cli_out *out, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;
	size_t room;

	if (!out->escape && n >= (size_t)(out->end - out->data)) {
		cli_out_drain(out);
		write_all(out, from, n, true);
		return;
	}
	while (n > (room = (size_t)(out->end - out->at))) {
		memcpy(out->at, from, room);
		out->at += room;
		from += room;
		n -= room;
		cli_out_drain(out);
	}
	memcpy(out->at, from, n);
	out->at += n;
}

int
cli_out_flush(struct cli_out *out, struct stream_error *err)
{
	empty(out, 0);
	if (out->error == 0)
		return STREAM_OK;
	errno = out->error;
	return cli_fail_sys(err, "write");
}

int
cli_out_close(struct cli_out *out, struct stream_error *err)
{
	int status = out->data != NULL ? cli_out_flush(out, err) : STREAM_OK;

	free(out->data);
	out->data = out->at = out->end = NULL;
	return status;
}

void
cli_out_int(struct cli_out *out, int64_t value)
{
	char text[DIGITS + 1], *at = text + sizeof(text);
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
	} while (left != 0);
	if (value < 0)
		*--at = '-';
	cli_out_bytes(out, at, (size_t)(text + sizeof(text) - at));
}

void
cli_out_format(struct cli_out *out, const char *format, ...)
{
	char *to = (char *)cli_out_reserve(out, CLI_OUT_RESERVE);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(to, CLI_OUT_RESERVE, format, args);
	va_end(args);
	if (n > 0)
		cli_out_commit(
		    out, n < CLI_OUT_RESERVE ? (size_t)n : CLI_OUT_RESERVE - 1);
}
