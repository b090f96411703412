/*
 * log_config.h - the settings of a topic that its log obeys
 *
 * Layer log/.  The store fills it from the topic's settings; Kafka's names
 * and defaults stand beside each.
 */
#ifndef STREAM_LOG_LOG_CONFIG_H
#define STREAM_LOG_LOG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <stream/error.h>

struct stream_log_config {
	int64_t segment_bytes;        /* segment.bytes, 1 GiB */
	int64_t segment_ms;           /* segment.ms, 7 days */
	int64_t segment_index_bytes;  /* segment.index.bytes, 10 MiB */
	int64_t index_interval_bytes; /* index.interval.bytes, 4096 */
	int64_t max_message_bytes;    /* max.message.bytes, 1 MiB + 12 */
	bool append_time; /* message.timestamp.type is LogAppendTime */
	bool dense;       /* a topic of ours, never compacted: no offset gaps */
	int64_t log_start_offset; /* from the store's checkpoint, 0: none */
	int lock_timeout_ms;      /* longest wait for a lock, 10 s */
	bool structure_at_once;   /* do not wait for the structure lock */
	/*
	 * May this handle write?  NULL: yes.  A failure (STREAM_EFENCED) is
	 * what the writer fails with; otherwise *closed says whether others may
	 * not, whose mark then stays.  Asked under the append lock, when a
	 * handle is opened or recovers, and when it meets that mark.  Kept.
	 */
	int (*ask)(void *context, bool *closed, struct stream_error *err);
	void *ask_context;
	/* Told what a writer cut or set aside; may be NULL.  Kept. */
	void (*note)(void *context, const char *text);
	void *note_context;
};

#endif
