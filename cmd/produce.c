/*
 * produce.c - lines, or JSON lines, to records of a topic
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <stream.h>

#include "cli/input.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "commands.h"
#include "opening.h"
#include "produce_ack.h"

/* --too-large, in the order of its words. */
enum { TOO_LARGE_STOP, TOO_LARGE_SKIP };

enum {
	/* Records between two looks at the clock: at the speed of a file that
	 * is some tens of microseconds. */
	CLOCK_EVERY = 1024
};

struct produce_opts {
	struct stream_bytes key_delimiter;
	const char *key;
	struct cli_list headers;
	struct stream_bytes delimiter;
	bool nul;
	bool null_value;
	bool json;
	const char *codec;
	int64_t partition;
	bool create;
	const char *sync;
	int64_t linger_ms;
	int64_t batch_bytes;
	bool ack;
	const char *timestamp;
	int too_large;
	int64_t lock_timeout_ms;
	bool network;
};

static const struct cli_option options[] = {
    {'K', "key-delimiter", "DELIM", CLI_DELIMITER,
	offsetof(struct produce_opts, key_delimiter),
	"what stands between key and value in a line"},
    {'k', "key", "KEY", CLI_TEXT, offsetof(struct produce_opts, key),
	"the key of every record"},
    {'H', "header", "NAME=VALUE", CLI_LIST,
	offsetof(struct produce_opts, headers), "a header of every record"},
    {'D', "delimiter", "DELIM", CLI_DELIMITER,
	offsetof(struct produce_opts, delimiter),
	"what ends a record (default \\n)"},
    {'0', "null", NULL, CLI_FLAG, offsetof(struct produce_opts, nul),
	"records end with a NUL byte"},
    {'Z', "empty-is-null", NULL, CLI_FLAG,
	offsetof(struct produce_opts, null_value), "an empty value is null"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct produce_opts, json),
	"read JSON lines as consume -J prints them"},
    {'z', "compression", "CODEC[:LEVEL]", CLI_TEXT,
	offsetof(struct produce_opts, codec),
	"none, gzip, snappy, lz4 or zstd (default: the topic's)"},
    {'p', "partition", "N", CLI_INT, offsetof(struct produce_opts, partition),
	"write to this partition"},
    {0, "create", NULL, CLI_FLAG, offsetof(struct produce_opts, create),
	"make the topic, and the store, when missing"},
    {0, "sync", "WHEN", CLI_TEXT, offsetof(struct produce_opts, sync),
	"never, exit, batch, always or a duration (default 1s)"},
    {0, "linger", "DURATION", CLI_DURATION,
	offsetof(struct produce_opts, linger_ms),
	"wait this long for more before writing (default 0)"},
    {0, "batch-bytes", "SIZE", CLI_SIZE,
	offsetof(struct produce_opts, batch_bytes),
	"bytes of records in a batch (default 64KiB, with a codec 512KiB)"},
    {0, "ack", NULL, CLI_FLAG, offsetof(struct produce_opts, ack),
	"print partition and offset of each record once durable"},
    {0, "timestamp", "TIME", CLI_TEXT, offsetof(struct produce_opts, timestamp),
	"the timestamp of every record; \"none\" for none (default now)"},
    {0, "too-large", "stop|skip", CLI_CHOICE,
	offsetof(struct produce_opts, too_large),
	"what to do at a record the topic does not allow (default stop)"},
    {0, "lock-timeout", "DURATION", CLI_DURATION,
	offsetof(struct produce_opts, lock_timeout_ms),
	"wait this long for a lock (default 10s)"},
    {0, "allow-network-fs", NULL, CLI_FLAG,
	offsetof(struct produce_opts, network),
	"write to a file system on the network"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

static enum cli_exit run_produce(
    struct cli_context *context, int argc, char *argv[]);

const struct cli_command produce_command = {
    .name = "produce",
    .args = "TOPIC[:PARTITION] [FILE...]",
    .summary = "Write lines as records of a topic.",
    .least = 1,
    .most = CLI_MANY,
    .options = options,
    .text = "Each line of standard input, or of the files, becomes a record.  "
	    "Exit 0 means\nthat all of them are durable, unless --sync never "
	    "was given.\n",
    .run = run_produce,
};

/* --sync, taken apart. */
struct sync_rule {
	bool at_exit;
	bool each_write;
	bool each_record;
	int64_t every_ms; /* 0: not by the clock */
};

struct producing {
	struct cli_context *context;
	struct produce_opts opts;
	struct sync_rule sync;
	int32_t partition; /* or STREAM_PARTITION_BY_KEY */
	struct stream_store *store;
	struct stream_producer *producer;
	struct cli_input input;
	struct stream_jsonl_reader *json;
	struct produce_ack *ack;     /* NULL: not asked for */
	struct stream_bytes key;     /* -k */
	struct stream_record record; /* key and value change, headers stay, the
					timestamp follows the clock */
	uint8_t *headers;            /* owned: encoded */
	uint8_t *joined; /* owned: headers of a JSON line, then those */
	bool stamp_now;
	int64_t unwritten_since_ms; /* steady; -1: nothing unwritten */
	int64_t unsynced_since_ms;
	uint64_t taken; /* records */
	uint64_t skipped;
};

static int64_t
clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the command line --------------------------------------------------- */

/* Options that exclude each other, or would be without effect. */
static int
check_options(const struct produce_opts *opts, struct stream_error *err)
{
	bool delimiter = opts->delimiter.data != NULL;

	if (opts->nul && delimiter)
		return cli_fail(
		    err, STREAM_EUSAGE, "-D and -0 exclude each other");
	if (opts->json &&
	    (opts->nul || delimiter || opts->key_delimiter.data != NULL))
		return cli_fail(err, STREAM_EUSAGE,
		    "-K, -D and -0 are for text; -J says it all");
	if (opts->batch_bytes == 0)
		return cli_fail(
		    err, STREAM_EUSAGE, "--batch-bytes cannot be 0");
	return STREAM_OK;
}

static int
parse_sync(const char *text, bool ack, struct sync_rule *rule,
    struct stream_error *err)
{
	*rule = (struct sync_rule){.at_exit = true, .each_write = ack};
	if (text == NULL) {
		rule->every_ms = ack ? 0 : 1000;
		return STREAM_OK;
	}
	if (strcmp(text, "never") == 0)
		rule->at_exit = ack;
	else if (strcmp(text, "batch") == 0)
		rule->each_write = true;
	else if (strcmp(text, "always") == 0)
		rule->each_write = rule->each_record = true;
	else if (strcmp(text, "exit") != 0 &&
		 stream_parse_duration(text, &rule->every_ms, err) != STREAM_OK)
		return cli_fail(err, STREAM_EUSAGE,
		    "--sync: \"%s\" is not never, exit, batch, always or a "
		    "duration",
		    text);
	if (strcmp(text, "never") == 0 && ack)
		return cli_fail(err, STREAM_EUSAGE,
		    "--ack tells what is durable, so --sync never cannot go "
		    "with it");
	return STREAM_OK;
}

static int
parse_codec(const char *text, struct stream_producer_options *how,
    struct stream_error *err)
{
	char name[16] = "";
	const char *colon;
	int64_t level;

	how->level = STREAM_LEVEL_DEFAULT;
	if (text == NULL)
		return STREAM_OK;
	how->has_codec = true;
	colon = strchr(text, ':');
	if (strcspn(text, ":") < sizeof(name))
		memcpy(name, text, strcspn(text, ":"));
	if (!stream_codec_find(name, &how->codec))
		return cli_fail(err, STREAM_EUSAGE,
		    "no codec \"%s\": none, gzip, snappy, lz4 or zstd", text);
	if (colon == NULL)
		return STREAM_OK;
	if (how->codec == STREAM_CODEC_NONE)
		return cli_fail(
		    err, STREAM_EUSAGE, "codec none takes no level");
	if (stream_parse_int(colon + 1, -1000000, 1000000, &level, err) !=
	    STREAM_OK)
		return STREAM_EUSAGE;
	how->level = (int)level;
	return STREAM_OK;
}

static int
parse_timestamp(struct producing *p, struct stream_error *err)
{
	const char *text = p->opts.timestamp;

	p->stamp_now = text == NULL;
	p->record.timestamp_ms = STREAM_NO_TIMESTAMP;
	if (text == NULL || strcmp(text, "none") == 0)
		return STREAM_OK;
	if (stream_parse_time(text, &p->record.timestamp_ms, err) == STREAM_OK)
		return STREAM_OK;
	return cli_fail(err, STREAM_EUSAGE,
	    "--timestamp: \"%s\" is not a time, @MILLISECONDS or none", text);
}

/* -H NAME=VALUE; without "=" the value is null. */
static int
parse_headers(struct producing *p, struct stream_error *err)
{
	const struct cli_list *list = &p->opts.headers;
	struct stream_header header;
	size_t size = 0;
	uint8_t *at = NULL;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < list->count; i++) {
			const char *text = list->items[i];
			size_t name = strcspn(text, "=");
			bool has_value = text[name] == '=';

			header.name =
			    (struct stream_bytes){(const uint8_t *)text, name};
			header.value = (struct stream_bytes){
			    has_value ? (const uint8_t *)text + name + 1 : NULL,
			    has_value ? strlen(text + name + 1) : 0};
			if (pass == 0)
				size += stream_header_size(&header);
			else
				at = stream_header_put(at, &header);
		}
		if (pass == 0 && (p->headers = at = malloc(size + 1)) == NULL)
			return cli_fail(err, STREAM_ENOMEM, "out of memory");
	}
	p->record.headers = (struct stream_bytes){p->headers, size};
	p->record.header_count = (uint32_t)list->count;
	return STREAM_OK;
}

/* TOPIC or TOPIC:P; -p says the same. */
static int
parse_topic(struct producing *p, char *word, const char **topic,
    struct stream_error *err)
{
	struct stream_address address;
	int status = stream_address_parse(word, 0, &address, err);

	if (status != STREAM_OK)
		return status;
	p->partition = (int32_t)p->opts.partition;
	if (p->opts.partition < STREAM_PARTITION_BY_KEY ||
	    p->opts.partition > INT32_MAX)
		status = cli_fail(err, STREAM_EUSAGE,
		    "%" PRId64 " is not a partition", p->opts.partition);
	else if (address.is_path ||
		 address.range.from.kind != STREAM_POINT_NONE ||
		 address.range.to.kind != STREAM_POINT_NONE)
		status = cli_fail(err, STREAM_EUSAGE,
		    "\"%s\": give TOPIC or TOPIC:PARTITION (the store is -C)",
		    word);
	else if (address.span_count > 1 ||
		 (address.span_count == 1 &&
		     address.spans[0].first != address.spans[0].last))
		status = cli_fail(
		    err, STREAM_EUSAGE, "\"%s\": one partition at most", word);
	else if (address.span_count == 1 && p->partition >= 0 &&
		 p->partition != address.spans[0].first)
		status = cli_fail(err, STREAM_EUSAGE,
		    "\"%s\" and -p %" PRId32 " contradict each other", word,
		    p->partition);
	else if (address.span_count == 1)
		p->partition = address.spans[0].first;
	word[strcspn(word, ":@")] = '\0';
	*topic = word;
	stream_address_release(&address);
	return status;
}

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
	int status = parse_codec(p->opts.codec, &how, err);

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
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC);
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
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC);

	if (p->stamp_now)
		p->record.timestamp_ms = clock_ms(CLOCK_REALTIME);
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
		p->unwritten_since_ms = clock_ms(CLOCK_MONOTONIC);
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
		p->record.timestamp_ms = clock_ms(CLOCK_REALTIME);
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
	stream_store_close(p->store);
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
	int status = check_options(&p->opts, err);

	if (status == STREAM_OK)
		status = parse_sync(p->opts.sync, p->opts.ack, &p->sync, err);
	if (status == STREAM_OK)
		status = parse_timestamp(p, err);
	if (status == STREAM_OK)
		status = parse_headers(p, err);
	if (status == STREAM_OK)
		status = parse_topic(p, args[0], &topic, err);
	if (status == STREAM_OK && p->opts.ack) {
		cli_signals_ignore_pipe();
		status = produce_ack_new(&p->ack, err);
	}
	if (status == STREAM_OK)
		status = open_producer(p, topic, err);
	if (status == STREAM_OK)
		status = open_input(p, args + 1, (size_t)count - 1, err);
	if (p->opts.key != NULL)
		p->key = (struct stream_bytes){
		    (const uint8_t *)p->opts.key, strlen(p->opts.key)};
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
