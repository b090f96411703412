/*
 * inspect_handover.h - what the files of --hand-over share
 *
 * inspect_handover.c says item by item; inspect_handover_log.c walks the log,
 * inspect_handover_derived.c looks at what a broker would make of it.
 */
#ifndef INSPECT_HANDOVER_H
#define INSPECT_HANDOVER_H

#include "inspect.h"

enum verdict { OK, ADVICE, MISSING };

/* What a walk over all batches found; begin with epoch -1. */
struct handover_log {
	uint64_t logs;
	bool is_damaged;
	bool is_torn;
	bool has_no_epoch;  /* a batch of epoch -1 */
	bool has_old_epoch; /* an epoch below that of a batch before it */
	bool has_producer;  /* a batch of an idempotent producer */
	int32_t epoch;      /* of the last batch; -1: none */
	int64_t end;        /* the log's next offset */
	char where[256];
};

struct handover {
	struct inspect *in;
	enum verdict worst;
	bool is_clean;          /* .kafka_cleanshutdown is there */
	int64_t recovery_point; /* -1: the broker has none for it */
	struct handover_log log;
};

/* ---- inspect_handover.c ---- */

void handover_say(struct handover *over, enum verdict verdict, const char *item,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
bool handover_is_plain(
    const struct stream_file *file, enum stream_file_kind kind);

/* ---- inspect_handover_log.c ---- */

void handover_walk(struct inspect *in, struct handover_log *found);

/* ---- inspect_handover_derived.c ---- */

void handover_derived(struct handover *over);

#endif
