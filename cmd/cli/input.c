#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/signals.h"

enum {
	BUFFER = 256 * 1024,
	PIPE_SIZE = 1024 * 1024,
	FEW = 1024 /* bytes: less than any program writes that has more */
};

/* Inside this file: the buffer has changed, look again. */
enum { LOOK_AGAIN = -1 };

int
cli_input_open(struct cli_input *in, char *const *paths, size_t path_count,
    struct stream_bytes delimiter, size_t limit, struct stream_error *err)
{
	uint8_t *data = malloc(BUFFER);

	*in = (struct cli_input){
	    .limit = limit,
	    .delimiter = delimiter,
	    .data = data,
	    .capacity = BUFFER,
	    .at = data,
	    .scan = data,
	    .end = data,
	    .last = data,
	    .paths = path_count != 0 ? paths : NULL,
	    .path_count = path_count != 0 ? path_count : 1,
	    .name = "standard input",
	    .fd = -1,
	};
	if (data == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	return STREAM_OK;
}

static void
close_file(struct cli_input *in)
{
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	in->fd = -1;
}

void
cli_input_close(struct cli_input *in)
{
	close_file(in);
	free(in->data);
	*in = (struct cli_input){.fd = -1};
}

/* As large as an unprivileged process may ask for; never smaller. */
static void
grow_pipe(int fd)
{
	int now = fcntl(fd, F_GETPIPE_SZ);

	if (now > 0 && now < PIPE_SIZE)
		fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
}

/* O_NONBLOCK so that opening a FIFO does not wait for its writer before the
 * caller has flushed; a read that would block is CLI_INPUT_IDLE anyway. */
static int
open_next(struct cli_input *in, struct stream_error *err)
{
	const char *path = in->paths != NULL ? *in->paths++ : "-";
	struct stat st;

	in->name = path;
	in->path_count--;
	if (strcmp(path, "-") == 0) {
		in->fd = STDIN_FILENO;
		in->name = "standard input";
	} else {
		in->fd =
		    open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	}
	if (in->fd < 0)
		return cli_fail_sys(err, "%s", path);
	in->at = in->scan = in->end = in->last = in->data;
	in->base = in->number = 0;
	in->ended = in->ready = in->skipping = in->is_drained = false;
	in->is_file = fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode);
	in->may_block =
	    !in->is_file && (fcntl(in->fd, F_GETFL) & O_NONBLOCK) == 0;
	grow_pipe(in->fd);
	posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return STREAM_OK;
}

/* Move what is not used yet to the start of the buffer. */
static void
move_to_start(struct cli_input *in)
{
	size_t done = (size_t)(in->at - in->data);
	size_t left = (size_t)(in->end - in->at);
	size_t scanned = (size_t)(in->scan - in->at);

	memmove(in->data, in->at, left);
	in->base += done;
	in->at = in->last = in->data;
	in->scan = in->data + scanned;
	in->end = in->data + left;
}

/*
 * Room to read into.  A record that fills half of the buffer makes it twice
 * as large, so that reads stay large.  One over the limit never gets here, so
 * that the buffer stays below four times the limit, or as it was.
 */
static int
make_room(struct cli_input *in, struct stream_error *err)
{
	size_t left = (size_t)(in->end - in->at);
	uint8_t *data;

	move_to_start(in);
	if (left <= in->capacity / 2)
		return STREAM_OK;
	data = realloc(in->data, in->capacity * 2);
	if (data == NULL)
		return cli_fail(
		    err, STREAM_ENOMEM, "%s: out of memory", in->name);
	in->scan = data + (in->scan - in->data);
	in->at = in->last = in->data = data;
	in->end = data + left;
	in->capacity *= 2;
	return STREAM_OK;
}

/* A pipe that gave a few bytes is empty, or will say so when it is waited
 * for: no call is needed to learn that.  One that gives much is asked. */
static bool
would_block(const struct cli_input *in)
{
	struct pollfd poll_fd = {.fd = in->fd, .events = POLLIN};

	if (in->ready || in->is_file)
		return false;
	return in->is_drained || poll(&poll_fd, 1, 0) == 0;
}

/* Where the next bytes go, and how many. */
static uint8_t *
room(struct cli_input *in, size_t *size)
{
	size_t used = (size_t)(in->end - in->data);

	*size = in->capacity - used;
	return in->data + used;
}

static void
note_read(struct cli_input *in, ssize_t got)
{
	in->end += got;
	in->ended = got == 0;
	in->is_drained = got < FEW;
}

/* Read once.  LOOK_AGAIN, IDLE, INTERRUPTED or FAILED. */
static int
fill(struct cli_input *in, struct stream_error *err)
{
	uint8_t *to;
	size_t size;
	ssize_t got;

	if (cli_signals_pending() != 0)
		return CLI_INPUT_INTERRUPTED;
	if (would_block(in))
		return CLI_INPUT_IDLE;
	in->ready = false;
	if (make_room(in, err) != STREAM_OK)
		return CLI_INPUT_FAILED;
	to = room(in, &size);
	got = read(in->fd, to, size);
	if (got >= 0) {
		note_read(in, got);
		return LOOK_AGAIN;
	}
	if (errno == EINTR)
		return LOOK_AGAIN;
	if (errno == EAGAIN)
		return CLI_INPUT_IDLE;
	cli_fail_sys(err, "%s", in->name);
	return CLI_INPUT_FAILED;
}

/* The next delimiter, or NULL; then *scan is moved to where one may start
 * that is not whole yet. */
static const uint8_t *
find_delimiter(struct cli_input *in)
{
	size_t size = in->delimiter.size;
	const uint8_t *hit;

	hit = memmem(
	    in->scan, (size_t)(in->end - in->scan), in->delimiter.data, size);
	if (hit == NULL && (size_t)(in->end - in->scan) >= size)
		in->scan = in->end - size + 1;
	return hit;
}

static int
too_big(struct cli_input *in, struct stream_error *err)
{
	bool line = in->delimiter.size == 1 && in->delimiter.data[0] == '\n';

	cli_fail(err, STREAM_ETOOBIG, "%s: %s %llu is larger than %zu bytes",
	    in->name, line ? "line" : "record", (unsigned long long)in->number,
	    in->limit);
	return CLI_INPUT_TOO_BIG;
}

/* Hand out [at, stop), and go on at next. */
static int
hand_out(struct cli_input *in, const uint8_t *stop, const uint8_t *next,
    struct stream_bytes *record, struct stream_error *err)
{
	const uint8_t *at = in->at;

	in->at = in->scan = next;
	if (in->skipping) {
		in->skipping = false;
		return LOOK_AGAIN;
	}
	in->last = at;
	in->number++;
	if ((size_t)(stop - at) > in->limit)
		return too_big(in, err);
	*record = (struct stream_bytes){at, (size_t)(stop - at)};
	return CLI_INPUT_RECORD;
}

/* No delimiter in what is there, and more may come. */
static int
go_on(struct cli_input *in, struct stream_error *err)
{
	if (in->skipping) {
		in->at = in->scan;
	} else if ((size_t)(in->scan - in->at) > in->limit) {
		in->skipping = true;
		in->last = in->at;
		in->number++;
		return too_big(in, err);
	}
	return fill(in, err);
}

/* The end of a file: what is left is its last record. */
static int
end_file(
    struct cli_input *in, struct stream_bytes *record, struct stream_error *err)
{
	if (in->at < in->end)
		return hand_out(in, in->end, in->end, record, err);
	if (in->path_count == 0)
		return CLI_INPUT_END;
	close_file(in);
	return open_next(in, err) == STREAM_OK ? LOOK_AGAIN : CLI_INPUT_FAILED;
}

enum cli_input_result
cli_input_next_slow(
    struct cli_input *in, struct stream_bytes *record, struct stream_error *err)
{
	const uint8_t *hit;
	int result = LOOK_AGAIN;

	in->ended = in->ended || in->fd < 0; /* before the first file */
	while (result == LOOK_AGAIN) {
		hit = find_delimiter(in);
		if (hit != NULL)
			result = hand_out(
			    in, hit, hit + in->delimiter.size, record, err);
		else if (in->ended)
			result = end_file(in, record, err);
		else
			result = go_on(in, err);
	}
	return (enum cli_input_result)result;
}

/* Wait in the read.  Whatever else is wrong, fill() will say. */
static enum cli_input_wait
wait_and_read(struct cli_input *in, int timeout_ms)
{
	size_t size;
	uint8_t *to = room(in, &size);
	ssize_t got = cli_signals_read(in->fd, to, size, timeout_ms);

	if (got >= 0) {
		note_read(in, got);
		return CLI_INPUT_READY;
	}
	if (errno == EINTR)
		return CLI_INPUT_STOP;
	if (errno == ETIME)
		return CLI_INPUT_TIMEOUT;
	in->may_block = errno != ENOSYS && errno != EAGAIN;
	in->ready = in->may_block;
	return CLI_INPUT_READY;
}

enum cli_input_wait
cli_input_wait(struct cli_input *in, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = in->fd, .events = POLLIN};
	int n;

	if (in->may_block && make_room(in, NULL) == STREAM_OK)
		return wait_and_read(in, timeout_ms);
	n = cli_signals_poll(&poll_fd, 1, timeout_ms);
	if (cli_signals_pending() != 0)
		return CLI_INPUT_STOP;
	if (n == 0)
		return CLI_INPUT_TIMEOUT;
	in->ready = true;
	return CLI_INPUT_READY;
}

uint64_t
cli_input_position(const struct cli_input *in)
{
	return in->base + (uint64_t)(in->last - in->data);
}
