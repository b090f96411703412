#include "store/replica_part.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "log/epochs_rebuild.h"
#include "log/retire.h"
#include "log/truncate.h"
#include "store/replica_diverge.h"

enum { COPY = 1 << 20 };

struct plan {
	enum stream_apply_kind *kinds; /* owned */
	size_t first;                  /* that changed; the count when none */
	size_t last;
};

/* ---- what changed, in one step ------------------------------------------ */

static int
copy(int from, int to, uint64_t at, uint64_t bytes, uint64_t into,
    struct stream_error *err)
{
	uint8_t *buffer = malloc(COPY);
	int status = buffer == NULL ? stream_fail_memory(err) : STREAM_OK;

	while (bytes > 0 && status == STREAM_OK) {
		size_t n = bytes < COPY ? (size_t)bytes : COPY;
		size_t got;

		status = stream_io_read_at(from, buffer, n, at, &got, err);
		if (status == STREAM_OK && got < n)
			status = stream_fail(err, STREAM_ECORRUPT, at,
			    "ends before byte %llu",
			    (unsigned long long)(at + n));
		if (status == STREAM_OK)
			status =
			    stream_io_write_at(to, buffer, n, into, NULL, err);
		at += n;
		into += n;
		bytes -= n;
	}
	free(buffer);
	return status;
}

static int
open_mine(const struct stream_apply_part *part, int64_t base, int *fd,
    struct stream_error *err)
{
	char name[STREAM_NAME_SIZE];

	stream_name_put_plain(base, STREAM_NAME_LOG, name);
	return stream_io_open(part->dirfd, name, O_RDONLY, fd, err);
}

static int
join(struct stream_apply_part *part,
    const struct stream_manifest_segment *segment, int whole,
    struct stream_error *err)
{
	uint64_t shift;
	int mine, tail;
	int status = open_mine(part, segment->base_offset, &mine, err);

	if (status != STREAM_OK)
		return status;
	status = copy(mine, whole, 0, segment->from, 0, err);
	close(mine);
	if (status == STREAM_OK)
		status = stream_apply_open(part, segment, &tail, &shift, err);
	if (status != STREAM_OK)
		return status;
	status =
	    copy(tail, whole, 0, segment->measure.bytes - shift, shift, err);
	close(tail);
	return status;
}

/* A log of which only the end came, as a whole one. */
static int
make_whole(struct stream_apply_part *part,
    const struct stream_manifest_segment *segment, bool closed,
    struct stream_error *err)
{
	struct stream_install_check check = {
	    .base_offset = segment->base_offset,
	    .measure = &segment->measure,
	    .closed = closed,
	    .interval_bytes = part->settings != NULL
				  ? part->settings->config.index_interval_bytes
				  : 4096,
	    .mark_at = UINT64_MAX,
	};
	char name[STREAM_NAME_SIZE];
	int fd;
	int status;

	if (segment->how != STREAM_HOW_TAIL)
		return STREAM_OK;
	stream_name_put_plain(segment->base_offset, STREAM_NAME_LOG, name);
	status = stream_dir_remove_file(part->incoming, name, err);
	if (status == STREAM_OK)
		status = stream_io_open(part->incoming, name,
		    O_WRONLY | O_CREAT | O_EXCL, &fd, err);
	if (status != STREAM_OK)
		return status;
	status = join(part, segment, fd, err);
	close(fd);
	return status == STREAM_OK
		   ? stream_install_ready(part->incoming, &check, err)
		   : status;
}

/* The active segment goes on by itself, if all between it and the last one that
 * changed is there; or if nothing was compacted, so that what changed is all
 * below the replica's first segment. */
static bool
is_tail_apart(const struct stream_apply_part *part, const struct plan *plan)
{
	size_t last = part->source->segment_count - 1;

	if (part->mine.segment_count == 0 ||
	    stream_manifest_end(&part->mine) <=
		part->mine.segments[0].base_offset)
		return false;
	if (plan->last < last && part->settings != NULL &&
	    !part->settings->has_gaps)
		return true;
	if (plan->last == last || (plan->kinds[last] != STREAM_APPLY_SAME &&
				      plan->kinds[last] != STREAM_APPLY_GROW))
		return false;
	for (size_t i = plan->last + 1; i < last; i++)
		if (plan->kinds[i] != STREAM_APPLY_SAME)
			return false;
	return true;
}

static int
swap(struct stream_apply_part *part, const struct plan *plan, bool to_end,
    struct stream_error *err)
{
	const struct stream_manifest_part *source = part->source;
	size_t end = to_end ? source->segment_count : plan->last + 1;
	int64_t until = to_end ? INT64_MAX : source->segments[end].base_offset;
	size_t count = end - plan->first;
	struct stream_install_segment *list = calloc(count, sizeof(*list));
	int status = list == NULL ? stream_fail_memory(err) : STREAM_OK;

	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		const struct stream_manifest_segment *segment =
		    &source->segments[plan->first + i];

		list[i] = (struct stream_install_segment){
		    .base_offset = segment->base_offset,
		    .measure = &segment->measure,
		    .is_brought =
			plan->kinds[plan->first + i] != STREAM_APPLY_SAME,
		};
		if (list[i].is_brought)
			status = make_whole(part, segment,
			    plan->first + i + 1 < source->segment_count, err);
	}
	if (status == STREAM_OK)
		status = stream_io_sync_dir(part->incoming, err);
	/* Epochs begin no later than the first record, also of what is put in
	 * front. */
	if (status == STREAM_OK && !to_end)
		status = stream_install_epochs(&part->install,
		    stream_manifest_end(&part->mine) - 1, false, err);
	if (status == STREAM_OK)
		status = stream_install_swap(
		    &part->install, part->incoming, list, count, until, err);
	free(list);
	return status;
}

/* ---- what is new -------------------------------------------------------- */

static int
grow(struct stream_apply_part *part,
    const struct stream_manifest_segment *segment, struct stream_error *err)
{
	uint64_t shift;
	int fd;
	int status = stream_apply_open(part, segment, &fd, &shift, err);

	if (status != STREAM_OK)
		return status;
	status = stream_install_tail(
	    &part->install, fd, shift, segment->measure.bytes, err);
	close(fd);
	return status;
}

static int
extend(struct stream_apply_part *part, const struct plan *plan,
    struct stream_error *err)
{
	const struct stream_manifest_part *source = part->source;
	int status = STREAM_OK;

	for (size_t i = 0; i < source->segment_count && status == STREAM_OK;
	     i++) {
		const struct stream_manifest_segment *segment =
		    &source->segments[i];

		if (plan->kinds[i] == STREAM_APPLY_GROW)
			status = grow(part, segment, err);
		else if (plan->kinds[i] == STREAM_APPLY_NEW &&
			 segment->measure.bytes == 0)
			status = stream_install_roll(
			    &part->install, segment->base_offset, err);
		else if (plan->kinds[i] == STREAM_APPLY_NEW)
			status =
			    stream_install_new(&part->install, part->incoming,
				segment->base_offset, &segment->measure, err);
	}
	return status;
}

/* A swap hides what it covers by the offsets in it; a segment past them whose
 * records were compacted into one before it is left, as by a broker, when all
 * is cut off right there.  The newest one, which is the source's by then, is
 * never of these: who writes has it open. */
static int
drop_extra(struct stream_apply_part *part, struct stream_error *err)
{
	const struct stream_manifest_part *source = part->source;
	int64_t newest =
	    source->segments[source->segment_count - 1].base_offset;
	int status = STREAM_OK;

	for (size_t i = 0; i < part->mine.segment_count && status == STREAM_OK;
	     i++) {
		int64_t base = part->mine.segments[i].base_offset;

		if (base > source->segments[0].base_offset && base < newest &&
		    stream_manifest_find_segment(source, base) == NULL)
			status =
			    stream_partition_drop(part->partition, base, err);
	}
	return status;
}

/* ---- where it starts ---------------------------------------------------- */

static int64_t
effective_start(const struct stream_manifest_part *log)
{
	return log->segment_count > 0 &&
		       log->segments[0].base_offset > log->log_start_offset
		   ? log->segments[0].base_offset
		   : log->log_start_offset;
}

/* Batches that are seen again must have their epochs by then. */
static int
lower(const struct stream_apply_part *part, int64_t offset,
    struct stream_error *err)
{
	int status = stream_epochs_add_front(part->dirfd, err);

	return status == STREAM_OK ? stream_store_set_log_start(
					 part->all->store, part->source->topic,
					 part->source->partition, offset, err)
				   : status;
}

/* What an old leader deleted after the last run, the new one still has.  Before
 * the records are there, so that the log never ends below its start. */
static int
lower_log_start(struct stream_apply_part *part, struct stream_error *err)
{
	int64_t start = effective_start(part->source);
	int status;

	if (part->mine.log_start_offset <= start)
		return STREAM_OK;
	status = lower(part, start, err);
	if (status == STREAM_OK)
		part->mine.log_start_offset = start;
	return status;
}

/* ---- what is gone ------------------------------------------------------- */

static int
raise_log_start(struct stream_apply_part *part, struct stream_error *err)
{
	const struct stream_manifest_part *source = part->source;
	int64_t start = source->log_start_offset;

	if (part->mine.segment_count > 0 &&
	    part->mine.segments[0].base_offset <
		source->segments[0].base_offset &&
	    start < source->segments[0].base_offset)
		start = source->segments[0].base_offset;
	if (start <= part->mine.log_start_offset ||
	    start <= source->segments[0].base_offset - 1)
		return STREAM_OK;
	if (start == source->segments[0].base_offset &&
	    part->mine.segment_count > 0 &&
	    part->mine.segments[0].base_offset == start)
		return STREAM_OK;
	return stream_store_set_log_start(
	    part->all->store, source->topic, source->partition, start, err);
}

static int
retire(struct stream_apply_part *part, struct stream_error *err)
{
	const struct stream_manifest_part *source = part->source;
	size_t segments;
	uint64_t bytes;
	int status = drop_extra(part, err);

	if (status == STREAM_OK)
		status = raise_log_start(part, err);
	if (status == STREAM_OK && part->mine.segment_count > 0 &&
	    part->mine.segments[0].base_offset <
		source->segments[0].base_offset)
		status = stream_partition_retire(part->partition,
		    source->segments[0].base_offset, false, &segments, &bytes,
		    err);
	if (status == STREAM_OK)
		status =
		    stream_install_epochs(&part->install, INT64_MAX, true, err);
	if (status == STREAM_OK && source->clean_point >= 0 &&
	    source->clean_point != part->mine.clean_point)
		status = stream_store_set_clean_point(part->all->store,
		    source->topic, source->partition, source->clean_point, err);
	return status;
}

/* ---- all of it ---------------------------------------------------------- */

/* Has the source no longer what follows the replica's end? */
static bool
is_overtaken(const struct stream_apply_part *part)
{
	return part->mine.segment_count > 0 &&
	       stream_manifest_end(&part->mine) <
		   part->source->segments[0].base_offset;
}

static bool
goes_on(const struct stream_apply_part *part, const struct plan *plan)
{
	for (size_t i = 0; i < part->source->segment_count; i++)
		if (plan->kinds[i] == STREAM_APPLY_GROW ||
		    plan->kinds[i] == STREAM_APPLY_NEW)
			return true;
	return false;
}

static int
change(struct stream_apply_part *part, const struct plan *plan,
    struct stream_error *err)
{
	bool to_end;
	int status = lower_log_start(part, err);

	if (status == STREAM_OK && plan->first < part->source->segment_count) {
		to_end = !is_tail_apart(part, plan);
		status = swap(part, plan, to_end, err);
		if (status != STREAM_OK || to_end)
			return status == STREAM_OK ? retire(part, err) : status;
	}
	if (status == STREAM_OK && goes_on(part, plan))
		status = stream_install_begin(
		    &part->install, is_overtaken(part), err);
	if (status == STREAM_OK && is_overtaken(part))
		status = raise_log_start(part, err);
	if (status == STREAM_OK)
		status = extend(part, plan, err);
	return status == STREAM_OK ? retire(part, err) : status;
}

static int
carry_out(struct stream_apply_part *part, const struct plan *plan,
    struct stream_error *err)
{
	int status = change(part, plan, err);

	return status == STREAM_OK ? stream_install_end(&part->install, err)
				   : status;
}

static int
plan_and_do(struct stream_apply_part *part, struct stream_error *err)
{
	struct plan plan = {.kinds = calloc(part->source->segment_count + 1,
				sizeof(*plan.kinds))};
	int status = plan.kinds == NULL ? stream_fail_memory(err) : STREAM_OK;

	if (status == STREAM_OK)
		status = stream_apply_plan(
		    part, plan.kinds, &plan.first, &plan.last, err);
	if (status == STREAM_OK && part->diverged < 0)
		status = carry_out(part, &plan, err);
	free(plan.kinds);
	return status;
}

static int
open_structure(struct stream_apply_part *part, struct stream_error *err)
{
	struct stream_log_config config;
	int status;

	stream_replica_log_config(&part->all->look, part->settings, &config);
	status = stream_partition_open_structure(
	    part->dirfd, &config, &part->partition, err);
	if (status == STREAM_OK)
		part->install = (struct stream_install){
		    .partition = part->partition,
		    .dirfd = part->dirfd,
		    .epochs = part->source->epochs,
		    .epoch_count = part->source->epoch_count,
		    .go_on = part->all->options->go_on,
		    .context = part->all->options->context,
		};
	return status;
}

static int
look(struct stream_apply_part *part, struct stream_error *err)
{
	return stream_replica_look_part(
	    &part->all->look, part->dirfd, part->settings, &part->mine, err);
}

static bool
is_same_log(
    const struct stream_manifest_part *a, const struct stream_manifest_part *b)
{
	if (a->failed != STREAM_OK || b->failed != STREAM_OK ||
	    a->log_start_offset != b->log_start_offset ||
	    a->clean_point != b->clean_point ||
	    a->segment_count != b->segment_count ||
	    a->epoch_count != b->epoch_count)
		return false;
	for (size_t i = 0; i < a->segment_count; i++)
		if (a->segments[i].base_offset != b->segments[i].base_offset ||
		    !stream_measure_is_same(
			&a->segments[i].measure, &b->segments[i].measure))
			return false;
	for (size_t i = 0; i < a->epoch_count; i++)
		if (a->epochs[i].epoch != b->epochs[i].epoch ||
		    a->epochs[i].start_offset != b->epochs[i].start_offset)
			return false;
	return true;
}

/* Nothing can be put in place then, nor was it sent: what an earlier run has
 * left would only take room. */
static int
look_first(struct stream_apply_part *part, struct stream_error *err)
{
	int status = look(part, err);

	part->damaged = status == STREAM_ECORRUPT;
	if (part->damaged)
		stream_dir_remove_all(part->all->incoming, part->name, NULL);
	return status;
}

/* What came was chosen for what the replica was.  If another run brought it on
 * meanwhile, what this one knows of the source may be older than that, and
 * would have it go back. */
static int
check_unchanged(struct stream_apply_part *part, struct stream_error *err)
{
	const struct stream_manifest *have = part->all->have;
	const struct stream_manifest_part *said =
	    have == NULL ? NULL
			 : stream_manifest_find(have, part->source->topic,
			       part->source->partition);

	if (have == NULL || (said != NULL && is_same_log(said, &part->mine)))
		return STREAM_OK;
	part->resend = true;
	return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
	    "the replica is not what it was when the run began");
}

/* How many of the replica's segments are left without the empty ones at its end
 * in whose place the source's log went on in the segment before. */
static size_t
count_wanted(const struct stream_apply_part *part)
{
	const struct stream_manifest_segment *mine = part->mine.segments;
	int64_t first = part->source->segments[0].base_offset;
	size_t count = part->mine.segment_count;

	while (count > 1 && mine[count - 1].measure.bytes == 0 &&
	       mine[count - 1].base_offset > first &&
	       stream_manifest_find_segment(
		   part->source, mine[count - 1].base_offset) == NULL)
		count--;
	return count;
}

/* A roll after the last run, of a leader that is one no more, holds no record
 * and must not stand in the way: the log goes on in the segment before. */
static int
end_as_source(struct stream_apply_part *part, struct stream_error *err)
{
	struct stream_log_config config;
	size_t count = count_wanted(part);
	int status;

	if (count == part->mine.segment_count)
		return STREAM_OK;
	stream_partition_close(part->partition);
	part->partition = NULL;
	stream_replica_log_config(&part->all->look, part->settings, &config);
	status = stream_log_end_with(part->dirfd, &config,
	    part->mine.segments[count - 1].base_offset, err);
	if (status == STREAM_OK)
		status = open_structure(part, err);
	return status == STREAM_OK ? look(part, err) : status;
}

int
stream_apply_part(struct stream_apply_part *part, struct stream_error *err)
{
	int status = open_structure(part, err);

	if (status == STREAM_OK)
		status = look_first(part, err);
	if (status == STREAM_OK)
		status = check_unchanged(part, err);
	if (status == STREAM_OK)
		status = end_as_source(part, err);
	if (status == STREAM_OK)
		part->diverged =
		    stream_replica_divergence(part->source, &part->mine);
	if (status == STREAM_OK)
		status = plan_and_do(part, err);
	stream_partition_close(part->partition);
	part->partition = NULL;
	return status;
}

int
stream_apply_truncate(
    struct stream_apply_part *part, int64_t offset, struct stream_error *err)
{
	struct stream_log_config config;
	int64_t end;
	int status;

	stream_replica_log_config(&part->all->look, part->settings, &config);
	/* A clean point past the end would keep tombstones from their time. */
	if (part->mine.clean_point > offset)
		status = stream_store_set_clean_point(part->all->store,
		    part->source->topic, part->source->partition, offset, err);
	else
		status = STREAM_OK;
	/* Nor may the log end below its start. */
	if (status == STREAM_OK && part->mine.log_start_offset > offset)
		status = lower(part, offset, err);
	if (status == STREAM_OK)
		status = stream_log_truncate(
		    part->dirfd, &config, offset, &end, err);
	return status;
}
