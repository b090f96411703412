/*
 * findings_decide.c - what is rebuilt, and with which interval
 */
#include "file/checkpoint.h"
#include "log/findings_private.h"

static unsigned
count_files(const struct stream_findings *f, size_t guess)
{
	unsigned n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += (f->segments[i].offsets.exact >> guess & 1) +
		     (f->segments[i].times.exact >> guess & 1);
	return n;
}

/* What explains most files; of equals the first, which is the topic's own
 * setting. */
static size_t
choose_guess(const struct stream_findings *f)
{
	size_t best = 0;

	for (size_t i = 1; i < STREAM_INDEX_GUESSES; i++)
		if (count_files(f, i) > count_files(f, best))
			best = i;
	return best;
}

/* Does the file have, or will it have, all entries of the guess? */
static bool
is_complete(const struct stream_index_verdict *verdict, size_t guess)
{
	return verdict->wrong || (verdict->exact >> guess & 1) != 0;
}

/* The other index of the segment says how many entries there were. */
static void
check_cut_short(struct stream_finding *segment, size_t guess)
{
	bool offsets = (segment->offsets.cut_short >> guess & 1) != 0 &&
		       is_complete(&segment->times, guess);
	bool times = (segment->times.cut_short >> guess & 1) != 0 &&
		     is_complete(&segment->offsets, guess);

	if (offsets)
		stream_finding_condemn(&segment->offsets.wrong,
		    segment->offsets.why, "is cut short");
	if (times)
		stream_finding_condemn(
		    &segment->times.wrong, segment->times.why, "is cut short");
}

static int
add_rebuild(struct stream_collecting *c, const char *name, const char *why,
    struct stream_error *err)
{
	struct stream_repair_step step =
	    stream_finding_step(STREAM_REPAIR_REBUILD, name, why);

	return stream_repair_add(c->repair, &step, err);
}

static int
decide_file(struct stream_collecting *c, const struct stream_finding *segment,
    enum stream_name_kind kind, bool *wrong, const char *why,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	if (segment->damaged && kind != STREAM_NAME_SNAPSHOT)
		*wrong = false;
	if (!*wrong)
		return STREAM_OK;
	/* A swap is finished by then. */
	stream_name_put_plain(segment->base_offset, kind, name);
	return kind != STREAM_NAME_SNAPSHOT || segment->snapshot_known
		   ? add_rebuild(c, name, why, err)
		   : stream_finding_add_aside(c, name, why, err);
}

static int
decide_segment(struct stream_collecting *c, struct stream_finding *segment,
    struct stream_error *err)
{
	int status = decide_file(c, segment, STREAM_NAME_SNAPSHOT,
	    &segment->snapshot_wrong, segment->snapshot_why, err);

	if (status == STREAM_OK)
		status = decide_file(c, segment, STREAM_NAME_INDEX,
		    &segment->offsets.wrong, segment->offsets.why, err);
	if (status == STREAM_OK)
		status = decide_file(c, segment, STREAM_NAME_TIMEINDEX,
		    &segment->times.wrong, segment->times.why, err);
	if (status == STREAM_OK)
		status = decide_file(c, segment, STREAM_NAME_TXNINDEX,
		    &segment->txnindex_wrong, segment->txnindex_why, err);
	return status;
}

int
stream_finding_decide(struct stream_collecting *c, struct stream_error *err)
{
	struct stream_findings *f = c->findings;
	size_t guess = choose_guess(f);
	char name[STREAM_NAME_SIZE];
	int status = STREAM_OK;

	f->index_interval_bytes =
	    stream_index_guess(guess, c->source->config.index_interval_bytes);
	if (c->source->index_guess > 0)
		f->index_interval_bytes = c->source->index_guess;
	for (size_t i = 0; i < f->count && status == STREAM_OK; i++) {
		check_cut_short(&f->segments[i], guess);
		status = decide_segment(c, &f->segments[i], err);
	}
	stream_name_put_plain(
	    f->end_offset >= 0 ? f->end_offset : 0, STREAM_NAME_SNAPSHOT, name);
	if (status == STREAM_OK && f->end_snapshot_wrong)
		status = add_rebuild(c, name, f->end_snapshot_why, err);
	if (status == STREAM_OK && f->epochs.wrong)
		status = add_rebuild(c, STREAM_EPOCHS_FILE, f->epochs.why, err);
	return status;
}
