/*
 * stream/inspect.h - a log and its indexes as they stand in the files
 *
 * For tools that show or judge what is there, damage included.  A reader
 * (stream/reader.h) gives out records; this gives out batches and bytes, and
 * goes on behind what is wrong.  Takes no lock and writes nothing; one thread
 * an object.  Memory is bounded by the largest batch.
 */
#ifndef STREAM_INSPECT_H
#define STREAM_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stream/files.h>
#include <stream/record.h>

/* What stands at a place of a log file. */
enum stream_piece_kind {
	STREAM_PIECE_BATCH, /* whole, and its CRC is right */
	STREAM_PIECE_BAD,   /* a batch by its header, but wrong */
	STREAM_PIECE_HOLE,  /* bytes that are no batch */
	STREAM_PIECE_TORN,  /* an append that did not finish: the end */
	STREAM_PIECE_NEWER  /* whole, in a form that is not supported */
};

struct stream_piece {
	enum stream_piece_kind kind;
	/* info.position and info.size are set for each kind (size is 64 bits
	 * below); the rest when there is a header to read. */
	struct stream_batch_info info;
	uint64_t size;
	bool has_header;
	int64_t base_timestamp_ms; /* the delete horizon if that bit is set */
	int32_t last_offset_delta;
	uint32_t crc;
	uint32_t computed_crc; /* of the bytes; known if has_header */
	uint8_t magic;
	bool breaks_chain;       /* a good batch below the offset that is due */
	struct stream_error why; /* BAD, HOLE, NEWER, and a broken chain */
};

struct stream_log_walk;

struct stream_log_walk_options {
	size_t max_batch_bytes; /* 0: 64 MiB */
	uint64_t position;      /* where to begin: the start of a batch */
	int64_t base_offset;    /* no record may lie below it */
	int64_t next_base;      /* nor at or above the next segment's; 0: the
				   last one, where base_offset + 2^31 bounds */
	bool is_closed;         /* a newer segment exists: nothing is torn */
};

/*
 * Open the log file path (borrowed).  options is borrowed and copied.  The
 * walk ends where the file ends at this moment.  Gives *walk; free it with
 * stream_log_walk_close.  STREAM_ENOENT, STREAM_EIO, STREAM_ENOMEM.
 */
int stream_log_walk_open(const char *path,
    const struct stream_log_walk_options *options,
    struct stream_log_walk **walk, struct stream_error *err);

/* NULL is allowed. */
void stream_log_walk_close(struct stream_log_walk *walk);

/* Bytes of the file when it was opened. */
uint64_t stream_log_walk_size(const struct stream_log_walk *walk);

/*
 * The next piece, one after another without a gap.  STREAM_END after the last;
 * damage is a piece and no failure.  STREAM_EIO, STREAM_ENOMEM.
 */
int stream_log_walk_next(struct stream_log_walk *walk,
    struct stream_piece *piece, struct stream_error *err);

/*
 * The next records of the batch that stream_log_walk_next gave, control
 * records included; lent until the next call on walk.  STREAM_END after the
 * last.  Only for STREAM_PIECE_BATCH.
 *
 * STREAM_ECORRUPT, STREAM_ENEWER, STREAM_ETOOBIG  the batch is damaged inside,
 *		though its CRC is right
 */
int stream_log_walk_records(struct stream_log_walk *walk,
    const struct stream_record **records, size_t *count,
    struct stream_error *err);

/* Bytes that the records of that batch take without their codec; known when
 * the first of them were asked for. */
uint64_t stream_log_walk_plain_size(const struct stream_log_walk *walk);

/* The whole of that batch as it is stored; lent until the next call on walk
 * but stream_log_walk_records.  Only before the records were all given out. */
struct stream_bytes stream_log_walk_bytes(const struct stream_log_walk *walk);

/* What a broker knows of producers: their last batches, epochs and open
 * transactions, by the batches that it is fed. */
struct stream_producer_view;

/* Begin with the entries (borrowed) of a snapshot, or with none.  Gives *view;
 * free it with stream_producer_view_free.  STREAM_ENOMEM. */
int stream_producer_view_new(const struct stream_snapshot_entry *entries,
    size_t count, struct stream_producer_view **view, struct stream_error *err);
void stream_producer_view_free(struct stream_producer_view *view);

/* Take the next good batch of the log, whose bytes are borrowed.
 * STREAM_ECORRUPT, STREAM_ENEWER for a control batch that cannot be read. */
int stream_producer_view_add(struct stream_producer_view *view,
    const struct stream_batch_info *info, struct stream_bytes bytes,
    struct stream_error *err);

/* The state by now, as a snapshot would hold it.  Gives *entries; free(). */
int stream_producer_view_entries(const struct stream_producer_view *view,
    struct stream_snapshot_entry **entries, size_t *count,
    struct stream_error *err);

/* One entry of .index, .timeindex or .txnindex; what a kind does not have is
 * 0. */
struct stream_index_entry {
	uint64_t number; /* from 0 */
	int64_t offset;  /* of a .txnindex entry: last_offset */
	int32_t relative_offset;
	int32_t position;
	int64_t timestamp_ms;
	int16_t version;
	int64_t producer_id;
	int64_t first_offset;
	int64_t last_offset;
	int64_t last_stable_offset;
};

/* What there is in such a file. */
struct stream_index_summary {
	uint64_t size;
	uint64_t slots;   /* whole ones */
	uint64_t entries; /* without the zeros at the end of a live file */
	uint32_t odd;     /* bytes after the last whole slot */
	bool is_sane;     /* by what Kafka asks when it opens the file */
};

struct stream_index_walk;

/* Open an index file of one of the three kinds, of the segment base_offset.
 * Gives *walk; free it with stream_index_walk_close. */
int stream_index_walk_open(const char *path, enum stream_file_kind kind,
    int64_t base_offset, struct stream_index_walk **walk,
    struct stream_error *err);
void stream_index_walk_close(struct stream_index_walk *walk);

void stream_index_walk_summary(
    const struct stream_index_walk *walk, struct stream_index_summary *summary);

/* The next entry.  STREAM_END; STREAM_EIO. */
int stream_index_walk_next(struct stream_index_walk *walk,
    struct stream_index_entry *entry, struct stream_error *err);

#endif
