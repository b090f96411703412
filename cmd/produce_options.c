/*
 * produce_options.c - the command line of strm produce
 */
#include "produce.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <stream.h>

#include "cli/message.h"

const struct cli_option produce_options[] = {
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

int
produce_parse_codec(const char *text, struct stream_producer_options *how,
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

int
produce_parse(struct producing *p, char *word, const char **topic,
    struct stream_error *err)
{
	int status = check_options(&p->opts, err);

	if (status == STREAM_OK)
		status = parse_sync(p->opts.sync, p->opts.ack, &p->sync, err);
	if (status == STREAM_OK)
		status = parse_timestamp(p, err);
	if (status == STREAM_OK)
		status = parse_headers(p, err);
	if (status == STREAM_OK)
		status = parse_topic(p, word, topic, err);
	if (p->opts.key != NULL)
		p->key = (struct stream_bytes){
		    (const uint8_t *)p->opts.key, strlen(p->opts.key)};
	return status;
}
