#include "printing.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <stream/format.h>

#include "cli/message.h"
#include "cli/signals.h"

const struct cli_option printing_options[] = {
    {'f', "format", "FORMAT", CLI_TEXT, offsetof(struct printing_opts, format),
	"print each record so; see strm(7)"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct printing_opts, json),
	"print JSON lines"},
    {'K', "key-delimiter", "DELIM", CLI_DELIMITER,
	offsetof(struct printing_opts, key_delimiter),
	"print key and DELIM before the value"},
    {'D', "delimiter", "DELIM", CLI_DELIMITER,
	offsetof(struct printing_opts, delimiter),
	"print DELIM after each record (default \\n)"},
    {'0', "null", NULL, CLI_FLAG, offsetof(struct printing_opts, nul),
	"print a NUL byte after each record"},
    {0, "raw", NULL, CLI_FLAG, offsetof(struct printing_opts, raw),
	"do not escape what goes to a terminal"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

struct printing {
	struct stream_format *format; /* NULL: text */
	bool json;
	struct stream_bytes key_delimiter;
	struct stream_bytes delimiter;
	uint64_t number; /* of the record printed last */
};

static int
check(const struct printing_opts *opts, struct stream_error *err)
{
	bool text = opts->key_delimiter.data != NULL ||
		    opts->delimiter.data != NULL || opts->nul;

	if (opts->json && opts->format != NULL)
		return cli_fail(err, STREAM_EUSAGE,
		    "-J and -f exclude each "
		    "other");
	if ((opts->json || opts->format != NULL) && text)
		return cli_fail(err, STREAM_EUSAGE,
		    "-K, -D and -0 are for text; -J and -f say it all");
	if (opts->nul && opts->delimiter.data != NULL)
		return cli_fail(err, STREAM_EUSAGE,
		    "-D and -0 exclude each "
		    "other");
	return STREAM_OK;
}

int
printing_new(const struct printing_opts *opts, struct printing **printing,
    struct stream_error *err)
{
	static const uint8_t newline[] = "\n";
	static const uint8_t nul[] = "";
	struct printing *new;
	int status = check(opts, err);

	if (status != STREAM_OK)
		return status;
	new = calloc(1, sizeof(*new));
	if (new == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	new->json = opts->json;
	new->key_delimiter = opts->key_delimiter;
	new->delimiter = opts->delimiter;
	if (opts->nul)
		new->delimiter = (struct stream_bytes){nul, 1};
	else if (opts->delimiter.data == NULL)
		new->delimiter = (struct stream_bytes){newline, 1};
	if (opts->format != NULL)
		status = stream_format_new(opts->format, &new->format, err);
	if (status != STREAM_OK) {
		free(new);
		return status;
	}
	*printing = new;
	return STREAM_OK;
}

int
printing_open(const struct printing_opts *opts, struct cli_out *out,
    struct printing **printing, struct stream_error *err)
{
	int status = printing_new(opts, printing, err);

	if (status == STREAM_OK)
		status = cli_out_open(out, STDOUT_FILENO, opts->raw, err);
	return status;
}

enum cli_exit
printing_conclude(struct cli_out *out, int status, struct stream_error *err)
{
	enum cli_exit code = CLI_DONE;
	struct stream_error lost;
	int flushed = STREAM_OK;
	bool failed =
	    status != STREAM_END && status != STREAM_OK && !cli_out_failed(out);

	if (out->data != NULL)
		flushed = cli_out_close(out, &lost);
	if ((status == STREAM_EIO && err->sys == EPIPE) ||
	    (flushed == STREAM_EIO && lost.sys == EPIPE))
		cli_signals_die(SIGPIPE);
	if (failed)
		code = cli_report(NULL, err);
	/* Nothing is wrong with the command line: the data are not for us. */
	if (failed && err->status == STREAM_ETOOBIG)
		code = CLI_DAMAGED;
	if (!failed && flushed != STREAM_OK)
		code = cli_report("standard output", &lost);
	return code;
}

void
printing_free(struct printing *printing)
{
	if (printing == NULL)
		return;
	stream_format_free(printing->format);
	free(printing);
}

static inline uint8_t *
put(uint8_t *to, struct stream_bytes bytes)
{
	if (bytes.size > 0)
		memcpy(to, bytes.data, bytes.size);
	return to + bytes.size;
}

/* A delimiter is one byte, but for few: that needs no call. */
static inline uint8_t *
put_delimiter(uint8_t *to, struct stream_bytes delimiter)
{
	if (delimiter.size != 1)
		return put(to, delimiter);
	*to = delimiter.data[0];
	return to + 1;
}

/* Records from this size on go out as they are: a copy of one that is as large
 * as a batch may be would be as large again. */
enum { LARGE = 1 << 20 };

static bool
is_large(const struct stream_record *record)
{
	return record->key.size + record->value.size + record->headers.size >=
	       LARGE;
}

static void
sink_put(void *context, const uint8_t *bytes, size_t size)
{
	cli_out_bytes(context, bytes, size);
}

static void
put_large(const struct printing *printing, struct cli_out *out,
    const struct stream_record *record)
{
	if (printing->key_delimiter.data != NULL) {
		cli_out_bytes(out, record->key.data, record->key.size);
		cli_out_bytes(out, printing->key_delimiter.data,
		    printing->key_delimiter.size);
	}
	cli_out_bytes(out, record->value.data, record->value.size);
	cli_out_bytes(out, printing->delimiter.data, printing->delimiter.size);
}

/* Key, delimiter, value, delimiter: the way that has to be fast. */
static void
put_text(const struct printing *printing, struct cli_out *out,
    const struct stream_record *records, size_t count)
{
	struct stream_bytes between = printing->key_delimiter;
	struct stream_bytes after = printing->delimiter;
	bool keys = between.data != NULL;

	for (size_t i = 0; i < count; i++) {
		const struct stream_record *record = &records[i];
		size_t size = record->value.size + after.size +
			      (keys ? record->key.size + between.size : 0);
		uint8_t *start, *to;

		if (size >= LARGE) {
			put_large(printing, out, record);
			continue;
		}
		start = to = cli_out_reserve(out, size);
		if (to == NULL)
			return;
		if (keys)
			to = put_delimiter(put(to, record->key), between);
		to = put_delimiter(put(to, record->value), after);
		cli_out_commit(out, (size_t)(to - start));
	}
}

static void
put_json(struct cli_out *out, const struct stream_origin *origin,
    const struct stream_record *records, size_t count)
{
	const struct stream_sink sink = {sink_put, out};

	for (size_t i = 0; i < count; i++) {
		uint8_t *start;

		if (is_large(&records[i])) {
			stream_jsonl_put_large(origin, &records[i], &sink);
			continue;
		}
		start = cli_out_reserve(
		    out, stream_jsonl_bound(origin, &records[i]));
		if (start == NULL)
			return;
		cli_out_commit(
		    out, (size_t)(stream_jsonl_put(origin, &records[i], start) -
				  start));
	}
}

/* STREAM_END: the output has failed. */
static int
put_one_format(struct printing *printing, struct cli_out *out,
    const struct stream_origin *origin, const struct stream_record *record,
    struct stream_error *err)
{
	uint8_t *start = cli_out_reserve(
	    out, stream_format_bound(printing->format, origin, record));
	uint8_t *to = start;
	int status;

	if (start == NULL)
		return STREAM_END;
	status = stream_format_put(
	    printing->format, origin, record, printing->number, &to, err);
	if (status == STREAM_OK)
		cli_out_commit(out, (size_t)(to - start));
	return status;
}

static int
put_format(struct printing *printing, struct cli_out *out,
    const struct stream_origin *origin, const struct stream_record *records,
    size_t count, struct stream_error *err)
{
	const struct stream_sink sink = {sink_put, out};
	int status = STREAM_OK;

	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		printing->number++;
		if (is_large(&records[i]))
			status = stream_format_put_large(printing->format,
			    origin, &records[i], printing->number, &sink, err);
		else
			status = put_one_format(
			    printing, out, origin, &records[i], err);
	}
	return status == STREAM_END ? STREAM_OK : status;
}

int
printing_put(struct printing *printing, struct cli_out *out,
    const struct stream_origin *origin, const struct stream_record *records,
    size_t count, struct stream_error *err)
{
	if (printing->format != NULL)
		return put_format(printing, out, origin, records, count, err);
	if (printing->json)
		put_json(out, origin, records, count);
	else
		put_text(printing, out, records, count);
	return STREAM_OK;
}
