/*
 * cli/output.h - data to standard output: own buffer, write(2)
 *
 * Appending never fails: the first error of write(2) is kept, what follows
 * is thrown away, and cli_out_flush() tells.  A tool that writes without end
 * looks at cli_out_failed() now and then.  When the file is a terminal and
 * raw was not asked for, what is written is escaped on its way (see
 * cli/escape.h); newline and tab stay.
 *
 * A stop (see cli/signals.h) does not cut a write off, so that lines stay
 * whole; but a reader that then takes nothing for a second is given up on,
 * with STREAM_EINTR.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <stream/error.h>
#include <stream/record.h>

/* A cli_out_reserve() of no more than this never fails.  Half of the smallest
 * buffer, so that there is always room after a flush. */
enum { CLI_OUT_RESERVE = 32 * 1024 };

struct cli_out {
	uint8_t *at;      /* where the next byte goes */
	uint8_t *end;     /* end of the buffer */
	uint8_t *data;    /* owned; start of the buffer */
	uint64_t written; /* bytes that write(2) took, before escaping */
	int fd;
	int error; /* errno of the first failure; 0: none */
	bool escape;
};

/*
 * Write to fd (kept open; not closed by us).  A pipe is made larger where
 * that is allowed.  raw: never escape.  STREAM_ENOMEM.
 */
int cli_out_open(
    struct cli_out *out, int fd, bool raw, struct stream_error *err);

/* Flush, as cli_out_flush(), and free the buffer, also on failure. */
int cli_out_close(struct cli_out *out, struct stream_error *err);

/*
 * Write all that is in the buffer.  After a failure every later flush fails
 * the same way.
 *
 * STREAM_EIO     a write failed; err->sys is EPIPE when the reader has gone
 * STREAM_EINTR   given up after a stop: call cli_signals_raise()
 * STREAM_ENOMEM  a cli_out_reserve() gave NULL
 */
int cli_out_flush(struct cli_out *out, struct stream_error *err);

static inline bool
cli_out_failed(const struct cli_out *out)
{
	return out->error != 0;
}

/* Bytes appended since the start.  A record that ended at p has left the
 * process when out->written >= p. */
static inline uint64_t
cli_out_position(const struct cli_out *out)
{
	return out->written + (size_t)(out->at - out->data);
}

/* Empty the buffer; the functions below call it when the buffer is full. */
void cli_out_drain(struct cli_out *out);

/* What the inline functions do when the buffer is full. */
void cli_out_bytes_slow(struct cli_out *out, const void *bytes, size_t n);
uint8_t *cli_out_reserve_slow(struct cli_out *out, size_t n);

/*
 * Room for n bytes, lent until the next call on out: write there, then
 * cli_out_commit().  The buffer grows when n is larger.  NULL when there is
 * no memory for that, which cli_out_flush() tells; never NULL for n up to
 * CLI_OUT_RESERVE.
 */
static inline uint8_t *
cli_out_reserve(struct cli_out *out, size_t n)
{
	if (__builtin_expect((size_t)(out->end - out->at) < n, 0))
		return cli_out_reserve_slow(out, n);
	return out->at;
}

/* Append the first n bytes of what was reserved. */
static inline void
cli_out_commit(struct cli_out *out, size_t n)
{
	out->at += n;
}

/* Append n borrowed bytes, however many. */
static inline void
cli_out_bytes(struct cli_out *out, const void *bytes, size_t n)
{
	if (__builtin_expect((size_t)(out->end - out->at) < n, 0)) {
		cli_out_bytes_slow(out, bytes, n);
		return;
	}
	if (n != 0)
		memcpy(out->at, bytes, n);
	out->at += n;
}

static inline void
cli_out_byte(struct cli_out *out, uint8_t byte)
{
	*cli_out_reserve(out, 1) = byte;
	out->at++;
}

/* Append a string without its NUL. */
static inline void
cli_out_text(struct cli_out *out, const char *text)
{
	cli_out_bytes(out, text, strlen(text));
}

/* Append value in decimal. */
void cli_out_int(struct cli_out *out, int64_t value);

/* Append printf's result, cut at CLI_OUT_RESERVE bytes.  For listings, not
 * for records: it is slow. */
__attribute__((format(printf, 2, 3))) void cli_out_format(
    struct cli_out *out, const char *format, ...);

#endif
