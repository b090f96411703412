/*
 * compact_tell.c - compaction in words
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log/compact_private.h"

const char *
stream_compact_verdict_name(enum stream_compact_verdict verdict)
{
	static const char *const names[] = {
	    [STREAM_COMPACT_RATIO] = "ratio",
	    [STREAM_COMPACT_LAG] = "lag",
	    [STREAM_COMPACT_FORCED] = "forced",
	    [STREAM_COMPACT_BELOW] = "below",
	    [STREAM_COMPACT_CLEAN] = "clean",
	    [STREAM_COMPACT_ACTIVE] = "active",
	    [STREAM_COMPACT_POLICY] = "policy",
	    [STREAM_COMPACT_FOREIGN] = "foreign",
	    [STREAM_COMPACT_LOCKED] = "locked",
	};

	return names[verdict];
}

bool
stream_compact_verdict_cleans(enum stream_compact_verdict verdict)
{
	return verdict <= STREAM_COMPACT_FORCED;
}

const char *
stream_compact_bound_name(enum stream_compact_bound bound)
{
	static const char *const names[] = {
	    [STREAM_COMPACT_BOUND_ACTIVE] = "active",
	    [STREAM_COMPACT_BOUND_TRANSACTION] = "transaction",
	    [STREAM_COMPACT_BOUND_YOUNG] = "young",
	};

	return names[bound];
}

const char *
stream_compact_part_name(enum stream_compact_part part)
{
	static const char *const names[] = {
	    [STREAM_COMPACT_PART_CLEAN] = "clean",
	    [STREAM_COMPACT_PART_DIRTY] = "dirty",
	    [STREAM_COMPACT_PART_HELD] = "held",
	    [STREAM_COMPACT_PART_ACTIVE] = "active",
	};

	return names[part];
}

const char *
stream_compact_reason_name(enum stream_compact_reason reason)
{
	static const char *const names[] = {
	    [STREAM_COMPACT_NEWEST] = "newest",
	    [STREAM_COMPACT_TOMBSTONE] = "tombstone",
	    [STREAM_COMPACT_ABOVE] = "above",
	    [STREAM_COMPACT_SUPERSEDED] = "superseded",
	    [STREAM_COMPACT_EXPIRED] = "expired",
	    [STREAM_COMPACT_ABORTED] = "aborted",
	};

	return names[reason];
}

const char *
stream_compact_tell_bound(enum stream_compact_bound bound)
{
	static const char *const texts[] = {
	    [STREAM_COMPACT_BOUND_ACTIVE] = "in the active segment",
	    [STREAM_COMPACT_BOUND_TRANSACTION] =
		"at or above a transaction that is open",
	    [STREAM_COMPACT_BOUND_YOUNG] =
		"at or above a segment that min.compaction.lag.ms protects",
	};

	return texts[bound];
}

/* ---- a segment ---------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void
add(struct stream_compact_segment *segment, const char *format, ...)
{
	size_t used = strlen(segment->why);
	va_list args;

	va_start(args, format);
	vsnprintf(
	    segment->why + used, sizeof(segment->why) - used, format, args);
	va_end(args);
}

static void
add_count(struct stream_compact_segment *segment, uint64_t count,
    const char *one, const char *many)
{
	if (count == 0)
		return;
	add(segment, "%s%llu %s", segment->why[0] == '\0' ? "" : ", ",
	    (unsigned long long)count, count == 1 ? one : many);
}

static void
tell_judged(struct stream_compact_segment *segment)
{
	const struct stream_compact_counts *counts = &segment->counts;

	add_count(segment, counts->superseded, "superseded", "superseded");
	add_count(segment, counts->expired, "expired tombstone",
	    "expired tombstones");
	add_count(segment, counts->aborted, "aborted", "aborted");
	add_count(segment, counts->keyless, "without a key", "without a key");
	add_count(segment, counts->markers, "transaction marker",
	    "transaction markers");
	if (segment->why[0] == '\0')
		add(segment, "nothing goes");
	if (segment->group < 0)
		add(segment, ": left as it is");
}

void
stream_compact_tell(
    const struct stream_compacted *sum, struct stream_compact_segment *segment)
{
	segment->why[0] = '\0';
	if (segment->is_judged)
		tell_judged(segment);
	else if (segment->part == STREAM_COMPACT_PART_ACTIVE)
		add(segment, "the active segment is never cleaned");
	else if (segment->part == STREAM_COMPACT_PART_HELD)
		add(segment, "%s", stream_compact_tell_bound(sum->bound));
	else if (segment->part == STREAM_COMPACT_PART_CLEAN)
		add(segment, "below the clean point");
	else
		add(segment, "dirty, and may be cleaned");
}
