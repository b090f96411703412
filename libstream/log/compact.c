/*
 * compact.c - what there is, what is to be done, and doing it
 */
#include "log/compact.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/fail.h"
#include "log/compact_private.h"

enum {
	CAP = 64 << 20,
	PAUSE_MS = 10 /* before a plan begins again */
};

/* ---- beginning ---------------------------------------------------------- */

int
stream_compact_new(enum stream_compact_verdict verdict,
    struct stream_compact **compact, struct stream_error *err)
{
	struct stream_compact *new = calloc(1, sizeof(*new));

	if (new == NULL)
		return stream_fail_memory(err);
	new->sum.verdict = verdict;
	*compact = new;
	return STREAM_OK;
}

void
stream_compact_free(struct stream_compact *compact)
{
	if (compact == NULL)
		return;
	free(compact->segments);
	free(compact);
}

size_t
stream_compact_count(const struct stream_compact *compact)
{
	return compact->count;
}

const struct stream_compact_segment *
stream_compact_segment(const struct stream_compact *compact, size_t i)
{
	return &compact->segments[i];
}

const struct stream_compacted *
stream_compact_sum(const struct stream_compact *compact)
{
	return &compact->sum;
}

static struct stream_compact_limits
make_limits(const struct stream_compact_source *source)
{
	return (struct stream_compact_limits){
	    .now_ms = source->options->now_ms,
	    .log_start_offset = source->config.log_start_offset,
	    .clean_point = -1,
	    .min_ratio = source->min_ratio,
	    .min_lag_ms = source->min_lag_ms,
	    .max_lag_ms = source->max_lag_ms,
	    .force = source->options->force,
	    .segment_bytes = source->config.segment_bytes,
	    .segment_index_bytes = source->config.segment_index_bytes,
	};
}

static int
start(struct stream_compacting *c, const struct stream_compact_source *source,
    struct stream_compact *compact, struct stream_error *err)
{
	size_t cap = source->options->max_batch_bytes;
	int status;

	*c = (struct stream_compacting){
	    .source = source,
	    .compact = compact,
	    .limits = make_limits(source),
	    .cap = cap != 0 ? cap : CAP,
	};
	compact->sum = (struct stream_compacted){0};
	status =
	    source->clean_point(source->store, &c->limits.clean_point, err);
	if (status == STREAM_OK)
		status = stream_compact_look_load(
		    source->dirfd, source->options, c->cap, &c->look, err);
	if (status != STREAM_OK)
		return status;
	stream_compact_decide(c->look.segments, c->look.count,
	    stream_clean_txn_stable(c->look.txn), &c->limits, &compact->sum);
	return STREAM_OK;
}

size_t
stream_compacting_reach(const struct stream_compacting *c, int64_t end)
{
	size_t n = 0;

	while (n + 1 < c->look.count && c->look.segments[n].base_offset < end)
		n++;
	return n;
}

/* ---- the list ----------------------------------------------------------- */

static enum stream_compact_part
part_of(const struct stream_compacting *c, size_t i)
{
	const struct stream_compact_facts *facts = &c->look.segments[i];
	const struct stream_compacted *sum = &c->compact->sum;

	if (i + 1 == c->look.count)
		return STREAM_COMPACT_PART_ACTIVE;
	if (facts[1].base_offset <= sum->from_offset)
		return STREAM_COMPACT_PART_CLEAN;
	return facts->base_offset < sum->uncleanable_offset
		   ? STREAM_COMPACT_PART_DIRTY
		   : STREAM_COMPACT_PART_HELD;
}

int
stream_compacting_list(struct stream_compacting *c, struct stream_error *err)
{
	struct stream_compact *compact = c->compact;

	free(compact->segments);
	compact->count = 0;
	compact->segments = calloc(c->look.count, sizeof(*compact->segments));
	c->replaced = calloc(c->look.count, sizeof(*c->replaced));
	if (compact->segments == NULL || c->replaced == NULL)
		return stream_fail_memory(err);
	compact->count = c->look.count;
	for (size_t i = 0; i < compact->count; i++) {
		const struct stream_compact_facts *facts = &c->look.segments[i];
		struct stream_compact_segment *segment = &compact->segments[i];

		*segment = (struct stream_compact_segment){
		    .base_offset = facts->base_offset,
		    .next_offset = i + 1 < compact->count
				       ? facts[1].base_offset
				       : compact->sum.log_end_offset,
		    .bytes = facts->bytes,
		    .part = part_of(c, i),
		    .group = -1,
		};
		stream_compact_tell(&compact->sum, segment);
	}
	return STREAM_OK;
}

/* ---- beside others ------------------------------------------------------ */

/* A plan that began before files were swapped or taken away can miss some, and
 * find in others what does not belong there. */
static bool
is_outrun(const struct stream_compacting *c, int status)
{
	return status == STREAM_EBUSY ||
	       ((status == STREAM_ENOENT || status == STREAM_ECORRUPT ||
		    status == STREAM_ETORN || status == STREAM_ENEWER) &&
		   !stream_view_is_still(&c->look.view, c->source->dirfd));
}

static int
pause_a_little(
    const struct stream_compact_options *options, struct stream_error *err)
{
	struct timespec pause = {.tv_nsec = (long)PAUSE_MS * 1000000};

	if (options->go_on != NULL && !options->go_on(options->context, 0))
		return stream_fail(
		    err, STREAM_EINTR, STREAM_POS_NONE, "stopped");
	nanosleep(&pause, NULL);
	return STREAM_OK;
}

/* Once.  *again: it failed only since the log changed meanwhile. */
static int
try(const struct stream_compact_source *source, bool writes,
    stream_compacting_act *act, void *context, struct stream_compact *compact,
    bool *again, struct stream_error *err)
{
	const struct stream_compact_options *options = source->options;
	struct stream_compacting c;
	int status = start(&c, source, compact, err);

	if (status == STREAM_OK)
		status = act(&c, context, err);
	*again = !writes && is_outrun(&c, status);
	if (status == STREAM_OK && options->note != NULL &&
	    stream_compact_look_is_unsettled(&c.look))
		options->note(options->context,
		    "a compaction is under way, or was interrupted: what it "
		    "left is put in place first");
	free(c.replaced);
	stream_compact_look_release(&c.look);
	return status;
}

int
stream_compacting_do(const struct stream_compact_source *source, bool writes,
    stream_compacting_act *act, void *context, struct stream_compact *compact,
    struct stream_error *err)
{
	int64_t until =
	    stream_clock_steady_ms() + source->options->lock_timeout_ms;
	bool again;
	int status = try(source, writes, act, context, compact, &again, err);

	while (again && stream_clock_steady_ms() < until) {
		status = pause_a_little(source->options, err);
		if (status != STREAM_OK)
			return status;
		status =
		    try(source, writes, act, context, compact, &again, err);
	}
	if (!again)
		return status;
	return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
	    "the segments keep changing: another run works on them");
}

/* ---- the two calls ------------------------------------------------------ */

static int
work(struct stream_compacting *c, void *context, struct stream_error *err)
{
	const bool *writes = context;
	int status = stream_compacting_list(c, err);

	if (status == STREAM_OK &&
	    stream_compact_verdict_cleans(c->compact->sum.verdict))
		status = stream_compacting_run(c, *writes, err);
	return status;
}

int
stream_log_compact_plan(const struct stream_compact_source *source,
    struct stream_compact *compact, struct stream_error *err)
{
	bool writes = false;

	return stream_compacting_do(
	    source, writes, work, &writes, compact, err);
}

int
stream_log_compact_run(const struct stream_compact_source *source,
    struct stream_compact *compact, struct stream_error *err)
{
	bool writes = true;

	return stream_compacting_do(
	    source, writes, work, &writes, compact, err);
}
