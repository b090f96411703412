/*
 * produce.h - what the files of strm produce share
 *
 * produce_options.c takes the command line apart; produce.c sends the records;
 * produce_ack.c tells where they went.
 */
#ifndef PRODUCE_H
#define PRODUCE_H

#include <stdbool.h>
#include <stdint.h>

#include <stream/producer.h>

#include "cli/command.h"
#include "cli/input.h"
#include "produce_ack.h"

/* --too-large, in the order of its words. */
enum { TOO_LARGE_STOP, TOO_LARGE_SKIP };

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

/* The table of the options above. */
extern const struct cli_option produce_options[];

/*
 * Fill in what the options and the word TOPIC[:PARTITION] say: the rule of
 * syncs, partition, key, timestamp and headers.  word is cut after the name of
 * the topic, which is lent into *topic.  STREAM_EUSAGE; STREAM_ENOMEM.
 */
int produce_parse(struct producing *p, char *word, const char **topic,
    struct stream_error *err);

/* CODEC[:LEVEL] (borrowed; NULL: the topic's) into how.  STREAM_EUSAGE. */
int produce_parse_codec(const char *text, struct stream_producer_options *how,
    struct stream_error *err);

#endif
