/*
 * cli/input.h - cut what is read into records at a delimiter
 *
 * Reads standard input or files, one after another, by read(2) into a buffer
 * that grows to hold the largest record allowed.  A last record without a
 * delimiter is a record, at the end of each file; an empty file has none; an
 * empty line is an empty record.
 *
 *	for (;;) {
 *		switch (cli_input_next(&in, &record, &err)) {
 *		case CLI_INPUT_RECORD:	use it; break;
 *		case CLI_INPUT_IDLE:	flush; cli_input_wait(&in, -1); break;
 *		...
 *
 * When a stop was asked for (cli/signals.h) the records that were read are
 * handed out first, then comes CLI_INPUT_INTERRUPTED; half a record is not
 * handed out.
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <stream/error.h>
#include <stream/record.h>

enum cli_input_result {
	CLI_INPUT_RECORD,      /* *record holds the next one */
	CLI_INPUT_IDLE,        /* a read would block, as far as is known: flush,
				  then cli_input_wait() */
	CLI_INPUT_END,         /* all files are read */
	CLI_INPUT_TOO_BIG,     /* a record over the limit; *err names it.  The
				  next call goes on after it */
	CLI_INPUT_INTERRUPTED, /* a signal asked to stop */
	CLI_INPUT_FAILED       /* *err says why; no more calls */
};

enum cli_input_wait {
	CLI_INPUT_READY,   /* more was read, or a read will not block */
	CLI_INPUT_TIMEOUT, /* the time passed first */
	CLI_INPUT_STOP     /* a signal asked to stop */
};

/* Members are for this module and its inline functions. */
struct cli_input {
	const uint8_t *at;   /* first byte of the next record */
	const uint8_t *scan; /* no delimiter starts in [at, scan) */
	const uint8_t *end;  /* after the last byte read */
	size_t limit;        /* bytes of the largest record */
	const uint8_t *last; /* first byte of the record handed out last */
	uint64_t number;     /* of that record in its file, from 1 */
	struct stream_bytes delimiter; /* borrowed until closed */

	uint8_t *data; /* owned */
	size_t capacity;
	uint64_t base; /* position of data in the file */
	char *const *paths;
	size_t path_count;
	const char *name; /* of the file now read, for messages */
	int fd;           /* -1: none open */
	bool ready;       /* cli_input_wait() said that a read will do */
	bool is_file;     /* a regular file: a read never blocks */
	bool may_block;   /* a read waits; see cli_input_wait() */
	bool is_drained; /* the last read took a line or so: no more is there */
	bool skipping;   /* in a record that was too big */
	bool ended;      /* end of this file was read */
};

/*
 * Read path_count files (borrowed until closed), "-" being standard input;
 * none at all is standard input too.  delimiter is borrowed until closed and
 * not empty; limit is the size of the largest record, without delimiter.
 * Opens nothing yet.  STREAM_ENOMEM.
 */
int cli_input_open(struct cli_input *in, char *const *paths, size_t path_count,
    struct stream_bytes delimiter, size_t limit, struct stream_error *err);

/* Free the buffer and close the file. */
void cli_input_close(struct cli_input *in);

/* cli_input_next() when the buffer holds no whole record. */
enum cli_input_result cli_input_next_slow(struct cli_input *in,
    struct stream_bytes *record, struct stream_error *err);

/*
 * The next record, without its delimiter; *record is lent until the next
 * call on in.  Never blocks but to read a file: see CLI_INPUT_IDLE.
 *
 * STREAM_ETOOBIG with CLI_INPUT_TOO_BIG; with CLI_INPUT_FAILED STREAM_ENOENT,
 * STREAM_EIO, STREAM_ENOMEM.
 */
static inline enum cli_input_result
cli_input_next(
    struct cli_input *in, struct stream_bytes *record, struct stream_error *err)
{
	const uint8_t *at = in->at, *hit = NULL;

	if (in->delimiter.size == 1 && in->scan < in->end && !in->skipping)
		hit = memchr(in->scan, in->delimiter.data[0],
		    (size_t)(in->end - in->scan));
	if (__builtin_expect(hit == NULL || (size_t)(hit - at) > in->limit, 0))
		return cli_input_next_slow(in, record, err);
	record->data = at;
	record->size = (size_t)(hit - at);
	in->last = at;
	in->number++;
	in->at = in->scan = hit + 1;
	return CLI_INPUT_RECORD;
}

/* Wait for more, for at most timeout_ms (-1: forever): after CLI_INPUT_IDLE.
 * Where it can it waits in the read. */
enum cli_input_wait cli_input_wait(struct cli_input *in, int timeout_ms);

/* Of the record handed out last (or found too big): its number in its file,
 * from 1, the position of its first byte, and the file's name. */
static inline uint64_t
cli_input_number(const struct cli_input *in)
{
	return in->number;
}

uint64_t cli_input_position(const struct cli_input *in);

static inline const char *
cli_input_name(const struct cli_input *in)
{
	return in->name;
}

#endif
