/*
 * produce.c - lines, or JSON lines, to records of a topic
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <stream.h>

#include "cli/clock.h"
#include "cli/signals.h"
#include "commands.h"
#include "opening.h"
#include "produce.h"

enum {
	/* Records between two looks at the clock: at the speed of a file that
	 * is some tens of microseconds. */
	CLOCK_EVERY = 1024
};

static enum cli_exit run_produce(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command produce_command = {
    .name = "produce",
    .args = "TOPIC[:PARTITION] [FILE...]",
    .summary = "Write lines as records of a topic.",
    .least = 1,
    .most = CLI_MANY,
    .options = produce_options,
    .text = "Each line of standard input, or of the files, becomes a record.  "
	    "Exit 0 means\nthat all of them are durable, unless --sync never "
	    "was given.\n",
    .run = run_produce,
};

/* ---- opening ------------------------------------------------------------ */

static void
note(void *context, const char *text)
{
	const struct producing *p = context;

	cli_note(p->context, NULL, "%s", text);
}

static void
appended(void *context, const struct stream_appended *what)
{
	struct producing *p = context;

	if (p->ack != NULL)
		produce_ack_appended(p->ack, what);
}

static int
open_topic(struct producing *p, const char *name, struct stream_topic **topic,
    struct stream_error *err)
{
	unsigned flags = STREAM_STORE_WRITE;
	int status;

	if (p->opts.create)
		flags |= STREAM_STORE_CREATE;
	if (p->opts.network)
		flags |= STREAM_STORE_NETWORK;
	status = stream_store_open(p->context->store, flags,
	    (int)p->opts.lock_timeout_ms, &p->store, err);
	if (status != STREAM_OK)
		return status;
	status = stream_topic_open(p->store, name, topic, err);
	if (status != STREAM_ENOENT || !p->opts.create)
		return status;
	status = stream_topic_create(p->store, name, 1, NULL, err);
	if (status != STREAM_OK && status != STREAM_EEXIST)
		return status;
	return stream_topic_open(p->store, name, topic, err);
}

static int
open_producer(struct producing *p, const char *name, struct stream_error *err)
{
	struct stream_producer_options how = {
	    .batch_bytes =
		p->opts.batch_bytes < 0 ? 0 : (size_t)p->opts.batch_bytes,
	    .sync_each_write = p->sync.each_write,
	    .workers = opening_workers(),
	    .appended = p->ack != NULL ? appended : NULL,
	    .note = note,
	    .context = p,
	};
	struct stream_topic *topic = NULL;
	int status = produce_parse_codec(p->opts.codec, &how, err);

	if (status == STREAM_OK)
		status = open_topic(p, name, &topic, err);
	if (status == STREAM_OK && p->partition >= 0 &&
	    !stream_topic_has_partition(topic, p->partition))
		status = cli_fail(err, STREAM_ENOENT,
		    "%s: has no partition %" PRId32 " (it has %zu)", name,
		    p->partition, stream_topic_partition_count(topic));
	if (status == STREAM_OK)
		status = stream_producer_open(
		    p->store, topic, &how, &p->producer, err);
	stream_topic_free(topic);
	return status;
}

static int
open_input(struct producing *p, char *const *files, size_t count,
    struct stream_error *err)
{
	static const uint8_t newline[] = "\n";
	static const uint8_t nul[] = "";
	struct stream_bytes delimiter = p->opts.delimiter;
	int status = STREAM_OK;

	if (p->opts.nul)
		delimiter = (struct stream_bytes){nul, 1};
	else if (delimiter.data == NULL || p->opts.json)
		delimiter = (struct stream_bytes){newline, 1};
	if (p->opts.json)
		status = stream_jsonl_reader_new(&p->json, err);
	if (status != STREAM_OK)
		return status;
	/* The topic's limit is checked by the producer; this one bounds what
	 * a missing delimiter can make us hold. */
	return cli_input_open(
	    &p->input, files, count, delimiter, (size_t)64 << 20, err);
}

/* ---- records ------------------------------------------------------------ */

static inline int
send(struct producing *p, int32_t partition, struct stream_record *record,
    struct stream_error *err)
{
	int status;

	if (p->opts.null_value && record->value.size == 0)
		record->value.data = NULL;
	if (p->ack != NULL && partition == STREAM_PARTITION_BY_KEY)
		partition = stream_producer_choose(p->producer, record);
	status = stream_producer_send(p->producer, partition, record, err);
	if (status == STREAM_OK && p->ack != NULL)
		status = produce_ack_sent(p->ack, partition, err);
	return status;
}

/* A line without the delimiter is a value without a key of its own. */
static inline void
split_key(struct producing *p, struct stream_bytes line)
{
	struct stream_bytes delimiter = p->opts.key_delimiter;
	struct stream_record *record = &p->record;
	const uint8_t *hit = NULL;

	record->key = p->key;
	record->value = line;
	if (delimiter.data == NULL)
		return;
	if (delimiter.size == 1)
		hit = memchr(line.data, delimiter.data[0], line.size);
	else
		hit = memmem(
		    line.data, line.size, delimiter.data, delimiter.size);
	if (hit == NULL)
		return;
	record->key.data = line.data;
	record->key.size = (size_t)(hit - line.data);
	record->value.data = hit + delimiter.size;
	record->value.size = line.size - record->key.size - delimiter.size;
}

/* The headers of -H after those that the record brings. */
static int
add_headers(
    struct producing *p, struct stream_record *record, struct stream_error *err)
{
	struct stream_bytes own = record->headers, more = p->record.headers;
	uint8_t *joined = realloc(p->joined, own.size + more.size);

	if (joined == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	p->joined = joined;
	if (own.size > 0)
		memcpy(joined, own.data, own.size);
	memcpy(joined + own.size, more.data, more.size);
	record->headers = (struct stream_bytes){joined, own.size + more.size};
	record->header_count += p->record.header_count;
	return STREAM_OK;
}

/* What the line says, where the options say nothing else. */
static int
send_json(
    struct producing *p, struct stream_bytes text, struct stream_error *err)
{
	struct stream_jsonl_line line;
	int32_t partition = p->partition;
	int status = stream_jsonl_take(p->json, text, &line, err);

	if (status != STREAM_OK)
		return status;
	if (!line.has_timestamp || !p->stamp_now)
		line.record.timestamp_ms = p->record.timestamp_ms;
	if (p->record.header_count != 0)
		status = add_headers(p, &line.record, err);
	if (status != STREAM_OK)
		return status;
	if (p->key.data != NULL)
		line.record.key = p->key;
	if (partition == STREAM_PARTITION_BY_KEY && line.partition >= 0)
		partition = line.partition;
	status = send(p, partition, &line.record, err);
	/* A partition that the line names and the topic lacks is wrong
	 * input. */
	if (status == STREAM_ENOENT && partition == line.partition)
		status = err->status = STREAM_EUSAGE;
	return status;
}

/* ---- when to write and sync --------------------------------------------- */

static int
sync_all(struct producing *p, struct stream_error *err)
{
	int status = stream_producer_sync(p->producer, err);

	p->unwritten_since_ms = p->unsynced_since_ms = -1;
	if (status == STREAM_OK && p->ack != NULL)
		status = produce_ack_print(p->ack, err);
	return status;
}

static int
flush(struct producing *p, struct stream_error *err)
{
	int status = stream_producer_flush(p->producer, err);

	p->unwritten_since_ms = -1;
	if (status == STREAM_OK && p->ack != NULL)
		status = produce_ack_print(p->ack, err);
	return status;
}

/* Milliseconds until something is due; -1: nothing will be. */
static int
time_left(const struct producing *p)
{
	int64_t now_ms = cli_clock_ms();
	int64_t due_ms = INT64_MAX;

	if (p->unwritten_since_ms >= 0)
		due_ms = p->unwritten_since_ms + p->opts.linger_ms;
	if (p->sync.every_ms > 0 && p->unsynced_since_ms >= 0 &&
	    p->unsynced_since_ms + p->sync.every_ms < due_ms)
		due_ms = p->unsynced_since_ms + p->sync.every_ms;
	if (due_ms == INT64_MAX)
		return -1;
	return due_ms <= now_ms            ? 0
	       : due_ms - now_ms > 1000000 ? 1000000
					   : (int)(due_ms - now_ms);
}

/* What is due by the clock. */
static int
keep_time(struct producing *p, struct stream_error *err)
{
	int64_t now_ms = cli_clock_ms();

	if (p->stamp_now)
		p->record.timestamp_ms = opening_now_ms();
	if (p->sync.every_ms > 0 && p->unsynced_since_ms >= 0 &&
	    now_ms - p->unsynced_since_ms >= p->sync.every_ms)
		return sync_all(p, err);
	if (p->opts.linger_ms > 0 && p->unwritten_since_ms >= 0 &&
	    now_ms - p->unwritten_since_ms >= p->opts.linger_ms)
		return flush(p, err);
	return STREAM_OK;
}

static void
note_unwritten(struct producing *p)
{
	if (p->unwritten_since_ms >= 0 &&
	    (p->unsynced_since_ms >= 0 || p->sync.every_ms == 0))
		return;
	if (p->unwritten_since_ms < 0)
		p->unwritten_since_ms = cli_clock_ms();
	if (p->unsynced_since_ms < 0)
		p->unsynced_since_ms = p->unwritten_since_ms;
}

/* ---- the loop ----------------------------------------------------------- */

/* Say which record, in front of what is wrong with it. */
static int
fail_at_record(struct producing *p, int status, struct stream_error *err)
{
	char inner[sizeof(err->text)];

	if (status != STREAM_EUSAGE && status != STREAM_ETOOBIG)
		return status;
	memcpy(inner, err->text, sizeof(inner));
	return cli_fail(err, (enum stream_status)status,
	    "%s: line %" PRIu64 ": %s", cli_input_name(&p->input),
	    cli_input_number(&p->input), inner);
}

static int
refused(struct producing *p, int status, struct stream_error *err)
{
	if (status != STREAM_ETOOBIG || p->opts.too_large != TOO_LARGE_SKIP)
		return status;
	cli_report(NULL, err);
	p->skipped++;
	return STREAM_OK;
}

static int
take_record(
    struct producing *p, struct stream_bytes line, struct stream_error *err)
{
	int status;

	if (p->json != NULL) {
		status = send_json(p, line, err);
	} else {
		split_key(p, line);
		status = send(p, p->partition, &p->record, err);
	}
	if (status != STREAM_OK)
		return refused(p, fail_at_record(p, status, err), err);
	p->taken++;
	note_unwritten(p);
	return p->sync.each_record ? sync_all(p, err) : STREAM_OK;
}

/* The input has nothing ready: write what there is, then wait. */
static int
idle(struct producing *p, struct stream_error *err)
{
	int status = STREAM_OK;

	if (p->opts.linger_ms == 0)
		status = flush(p, err);
	while (status == STREAM_OK) {
		enum cli_input_wait woke =
		    cli_input_wait(&p->input, time_left(p));

		if (woke != CLI_INPUT_TIMEOUT)
			break;
		status = keep_time(p, err);
	}
	if (status == STREAM_OK && p->stamp_now)
		p->record.timestamp_ms = opening_now_ms();
	return status;
}

/* All records; STREAM_END at the end, STREAM_EINTR when told to stop. */
static int
pump(struct producing *p, struct stream_error *err)
{
	unsigned since_clock = 0;

	for (;;) {
		struct stream_bytes line;
		int status = STREAM_OK;

		switch (cli_input_next(&p->input, &line, err)) {
		case CLI_INPUT_RECORD:
			status = take_record(p, line, err);
			break;
		case CLI_INPUT_IDLE:
			status = idle(p, err);
			break;
		case CLI_INPUT_TOO_BIG:
			status = refused(p, STREAM_ETOOBIG, err);
			break;
		case CLI_INPUT_END:
			return STREAM_END;
		case CLI_INPUT_INTERRUPTED:
			return cli_fail(err, STREAM_EINTR, "stopped");
		case CLI_INPUT_FAILED:
			return err->status;
		}
		if (status == STREAM_OK && ++since_clock == CLOCK_EVERY) {
			since_clock = 0;
			status = keep_time(p, err);
		}
		if (status != STREAM_OK)
			return status;
	}
}

/* The system or another process failed us: nothing more can be written.  A
 * mistake in the input is different: what came before it is kept. */
static bool
is_input_fault(int status)
{
	return status == STREAM_EUSAGE || status == STREAM_ETOOBIG ||
	       status == STREAM_END || status == STREAM_EINTR;
}

static bool
is_broken(const struct producing *p)
{
	return p->ack != NULL && produce_ack_is_broken(p->ack);
}

/* Write and sync what was taken, whatever ended the input. */
static enum cli_exit
end(struct producing *p, int status, struct stream_error *err)
{
	enum cli_exit code = CLI_DONE;
	bool input_fault = is_input_fault(status);
	int last;

	if (status != STREAM_END && status != STREAM_EINTR && !is_broken(p))
		code = cli_report(NULL, err);
	/* After a write or a sync that failed what was written before is still
	 * made durable, but nothing is acknowledged: it may be gone. */
	if (!input_fault)
		last = stream_producer_sync(p->producer, err);
	else if (p->sync.at_exit)
		last = sync_all(p, err);
	else
		last = flush(p, err);
	/* Durable, but nobody listens to the acknowledgements. */
	if (is_broken(p))
		cli_signals_die(SIGPIPE);
	if (last != STREAM_OK && (code == CLI_DONE || last != status))
		code = cli_first(code, cli_report(NULL, err));
	if (p->skipped > 0)
		code = cli_first(code, CLI_PARTLY);
	if (p->context->verbose)
		cli_note(p->context, NULL,
		    "%" PRIu64 " records taken, %" PRIu64 " skipped", p->taken,
		    p->skipped);
	return code;
}

static void
release(struct producing *p)
{
	produce_ack_free(p->ack);
	stream_producer_close(p->producer);
	/* --create made a topic in it, or was refused. */
	stream_store_discard(p->store);
	stream_jsonl_reader_free(p->json);
	cli_input_close(&p->input);
	free(p->headers);
	free(p->joined);
	cli_release(&produce_command, &p->opts);
}

static int
prepare(struct producing *p, int count, char *args[], struct stream_error *err)
{
	const char *topic;
	int status = produce_parse(p, args[0], &topic, err);

	if (status == STREAM_OK && p->opts.ack) {
		cli_signals_ignore_pipe();
		status = produce_ack_new(&p->ack, err);
	}
	if (status == STREAM_OK)
		status = open_producer(p, topic, err);
	if (status == STREAM_OK)
		status = open_input(p, args + 1, (size_t)count - 1, err);
	return status;
}

static enum cli_exit
run_produce(struct cli_context *context, int argc, char *argv[])
{
	struct producing p = {
	    .context = context,
	    .opts = {.partition = STREAM_PARTITION_BY_KEY,
		.batch_bytes = -1,
		.lock_timeout_ms = STREAM_LOCK_TIMEOUT_MS},
	    .input = {.fd = -1},
	    .unwritten_since_ms = -1,
	    .unsynced_since_ms = -1,
	};
	struct stream_error err;
	enum cli_exit code;
	int first = cli_parse(context, &produce_command, &p.opts, argc, argv);
	int status;

	opening_raise_limit();
	status = prepare(&p, argc - first, argv + first, &err);
	if (status == STREAM_OK) {
		status = keep_time(&p, &err);
		if (status == STREAM_OK)
			status = pump(&p, &err);
		code = end(&p, status, &err);
	} else {
		code = cli_report(NULL, &err);
	}
	release(&p);
	cli_signals_raise();
	return code;
}
