/*
 * inspect_stats.h - what --stats counts, and what it then shows
 */
#ifndef INSPECT_STATS_H
#define INSPECT_STATS_H

#include "inspect.h"

enum {
	CODEC = 0x07,
	CONTROL = 1 << 5,
	CODECS = 5,
	/* Powers of two: 0, 1, 2-3, 4-7 ... */
	BUCKETS = 34,
	/* 32 MiB of slots, three quarters of which are used. */
	SLOTS = 1 << 21,
	SLOTS_MOST = SLOTS / 4 * 3,
	TOP = 10,
	TOP_BYTES = 64,     /* of a key that are kept */
	REGISTER_BITS = 14, /* an error of 0.8 % */
	REGISTERS = 1 << REGISTER_BITS,
	TIMES = 32, /* steps of the rate over time */
	BAR = 40    /* characters of the longest bar */
};

struct histogram {
	uint64_t count[BUCKETS];
	uint64_t values;
	uint64_t sum;
	uint64_t least;
	uint64_t most;
};

struct codec_stats {
	uint64_t batches;
	uint64_t stored; /* bytes of the records sections */
	uint64_t plain;  /* the same, decompressed */
};

struct key_slot {
	uint64_t hash; /* 0: free */
	uint64_t count;
};

struct top_key {
	uint64_t hash;
	uint64_t count;
	size_t size; /* of the whole key */
	uint8_t bytes[TOP_BYTES];
};

/* Records by time: steps of one width, which doubles when they do not reach;
 * start may be anything that a file claims. */
struct rate {
	__int128 start;
	__int128 width; /* 0: nothing yet */
	uint64_t count[TIMES];
};

struct inspect_stats {
	uint64_t batches;
	uint64_t control_batches;
	uint64_t records;
	uint64_t bytes;
	struct codec_stats codecs[CODECS];
	struct histogram batch_bytes;
	struct histogram batch_records;
	struct histogram key_bytes;
	struct histogram value_bytes;

	uint64_t null_keys;
	uint64_t null_values;
	uint64_t tombstones; /* a key and a null value */
	uint64_t with_headers;
	struct key_slot *slots;
	uint64_t distinct; /* in slots */
	bool is_estimate;
	uint8_t registers[REGISTERS];
	struct top_key top[TOP];
	size_t top_count;

	int64_t first_offset;
	int64_t next_offset; /* -1: none yet */
	uint64_t gaps;
	uint64_t missing;
	uint64_t largest_gap;

	int64_t least_time;
	int64_t most_time;
	int64_t last_time;
	bool has_time;
	uint64_t no_time;
	uint64_t out_of_order;
	struct rate rate;
};

/* Distinct keys: counted, or estimated if is_estimate. */
uint64_t inspect_stats_distinct(const struct inspect_stats *stats);

#endif
