/*
 * verify.c - one segment after another
 */
#include "log/verify.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/io.h"
#include "log/quiet.h"
#include "log/verify_private.h"

enum {
	LOCK_TIMEOUT_MS = 10000,
	/* A directory whose segments are replaced faster than they can be
	 * opened is being worked on by something else. */
	LISTINGS = 100
};

/* ---- begin and end ------------------------------------------------------ */

static void
init(struct stream_verify *verify, const struct stream_verify_source *source,
    const struct stream_verify_options *options,
    struct stream_verify_summary *sum)
{
	*verify = (struct stream_verify){
	    .source = source,
	    .facts = source->facts,
	    .log_start = source->log_start_offset,
	    .sum = sum,
	    .dense = source->dense,
	    .statefd = -1,
	    .fd = -1,
	    .lost_base = -1,
	    .chain = {.expected = -1, .end = -1, .other = -1, .gapless = true},
	    .epochs = {.last = -1, .told = -1},
	};
	if (options != NULL)
		verify->options = *options;
	if (verify->options.max_batch_bytes == 0)
		verify->options.max_batch_bytes = STREAM_BATCH_CAP_DEFAULT;
	if (verify->options.lock_timeout_ms == 0)
		verify->options.lock_timeout_ms = LOCK_TIMEOUT_MS;
	stream_unpacker_init(
	    &verify->unpacker, verify->options.max_batch_bytes);
	stream_entries_init(&verify->index.walk);
	stream_entries_init(&verify->timeindex.walk);
	stream_entries_init(&verify->txns.walk);
	stream_scan_init(&verify->scan, -1, 0, STREAM_SCAN_WHOLE,
	    verify->options.max_batch_bytes, STREAM_SCAN_BLOCK);
}

static void
close_segment(struct stream_verify *verify)
{
	if (verify->fd >= 0)
		close(verify->fd);
	verify->fd = -1;
}

static void
release(struct stream_verify *verify)
{
	close_segment(verify);
	if (verify->statefd >= 0)
		close(verify->statefd);
	stream_view_release(&verify->view);
	stream_entries_close(&verify->index.walk);
	stream_entries_close(&verify->timeindex.walk);
	stream_verify_txns_release(verify);
	free(verify->epochs.entries);
	free(verify->kept);
	stream_scan_release(&verify->scan);
	stream_unpacker_release(&verify->unpacker);
}

/* What writers say of themselves, if they do. */
static int
read_state(struct stream_verify *verify, struct stream_error *err)
{
	int status = stream_io_open(verify->source->dirfd, STREAM_STATE_NAME,
	    O_RDONLY, &verify->statefd, NULL);

	if (status != STREAM_OK) {
		verify->statefd = -1;
		return STREAM_OK;
	}
	status = stream_state_identify(verify->statefd, &verify->identity, err);
	if (status == STREAM_OK && verify->source->only == NULL)
		status = stream_state_read(
		    verify->statefd, &verify->identity, &verify->state, err);
	if (status == STREAM_OK &&
	    (verify->state.marks & STREAM_MARK_DELETED) != 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "the topic was deleted");
	return status;
}

bool
stream_verify_has_mark(const struct stream_verify *verify,
    enum stream_state_mark mark, struct stream_state *now)
{
	*now = (struct stream_state){0};
	if (verify->statefd < 0 || verify->source->only != NULL)
		return false;
	stream_state_read(verify->statefd, &verify->identity, now, NULL);
	return ((verify->state.marks | now->marks) & mark) != 0;
}

static int
load_view(struct stream_verify *verify, struct stream_error *err)
{
	stream_view_release(&verify->view);
	if (verify->source->only != NULL)
		return stream_view_load_one(
		    verify->source->only, &verify->view, err);
	return stream_view_load(verify->source->dirfd, &verify->view, err);
}

/* The state was read before the directory was, so what it names was there. */
static void
check_newest(struct stream_verify *verify)
{
	const struct stream_view *view = &verify->view;
	const struct stream_state *state = &verify->state;
	struct stream_verify_where where = {NULL, STREAM_POS_NONE, -1, -1};

	if (state->sequence == 0 || state->next_offset == 0)
		return;
	where.first_offset = state->active_base;
	where.last_offset = state->next_offset - 1;
	if (where.last_offset < where.first_offset)
		where.last_offset = -1;
	if (view->count == 0)
		stream_verify_damage(verify, STREAM_FINDING_MISSING_SEGMENT,
		    where, "no segment is left, though offset %lld was reached",
		    (long long)state->next_offset);
	else if (view->segments[view->count - 1].base_offset <
		 state->active_base)
		stream_verify_damage(verify, STREAM_FINDING_MISSING_SEGMENT,
		    where, "the newest segment, of offset %lld, is not there",
		    (long long)state->active_base);
}

/* ---- segments ----------------------------------------------------------- */

static void
put_log_name(struct stream_verify *verify, size_t i)
{
	struct stream_name name = {
	    .base_offset = verify->view.segments[i].base_offset,
	    .kind = STREAM_NAME_LOG,
	    .state = verify->view.segments[i].swap ? STREAM_NAME_SWAP
						   : STREAM_NAME_PLAIN,
	};

	if (verify->source->only != NULL)
		stream_name_parse(verify->source->only, &name);
	stream_name_put(&name, verify->log_name);
}

static int
open_log(struct stream_verify *verify, struct stream_error *err)
{
	struct stat st;
	int status = stream_io_open(verify->source->dirfd, verify->log_name,
	    O_RDONLY, &verify->fd, err);

	if (status != STREAM_OK) {
		verify->fd = -1;
		if (status == STREAM_ENOENT && verify->source->only == NULL) {
			verify->gone = true;
			status = STREAM_OK;
		}
		return status;
	}
	if (fstat(verify->fd, &st) != 0)
		return stream_fail_sys(err, "%s", verify->log_name);
	verify->device = st.st_dev;
	verify->inode = st.st_ino;
	return STREAM_OK;
}

/* A topic has gaps before the first segment is replaced: an answer that it has
 * none, once a log is open, is true of that. */
static int
ask_gaps(struct stream_verify *verify, struct stream_error *err)
{
	bool gaps = false;
	int status = STREAM_OK;

	if (verify->dense)
		status = stream_facts_ask_gaps(
		    &verify->source->facts, verify->source->dirfd, &gaps, err);
	verify->dense = verify->dense && !gaps;
	return status;
}

/*
 * Open the log, then its indexes, then see that the log still has its name:
 * whoever replaces a segment renames the log first, so they belong together.
 * The log is measured last, so that entries name what is in it.
 */
static int
open_segment(struct stream_verify *verify, size_t i, struct stream_error *err)
{
	const struct stream_view *view = &verify->view;
	int status;

	close_segment(verify);
	verify->gone = false;
	verify->base = view->segments[i].base_offset;
	verify->newest = i + 1 == view->count;
	verify->bound =
	    verify->newest ? INT64_MAX : view->segments[i + 1].base_offset;
	put_log_name(verify, i);
	status = open_log(verify, err);
	if (status != STREAM_OK || verify->gone)
		return status;
	status = ask_gaps(verify, err);
	if (status == STREAM_OK)
		status = stream_verify_indexes_open(verify, err);
	if (status == STREAM_OK && verify->mode != STREAM_VERIFY_CONFIRM)
		status = stream_verify_txns_open(verify, err);
	if (status == STREAM_OK && stream_verify_is_there(verify))
		status = stream_io_size(verify->fd, &verify->size, err);
	return status;
}

/* The chain goes on from the segment before. */
static void
enter(struct stream_verify *verify)
{
	struct stream_verify_chain *chain = &verify->chain;
	int64_t expected = chain->expected, base = verify->base;
	bool gap = verify->dense && base > expected;

	chain->broken = false;
	if (expected >= 0 && base != expected)
		chain->gapless = false;
	if (expected >= 0 && base != expected && base != chain->other &&
	    (gap || base < expected))
		stream_verify_damage(verify,
		    gap ? STREAM_FINDING_OFFSET_GAP
			: STREAM_FINDING_OFFSET_ORDER,
		    stream_verify_in_log(verify, 0, gap ? expected : base,
			gap ? base - 1 : expected - 1),
		    "the segment starts at offset %lld, but the one before it "
		    "ends before %lld",
		    (long long)base, (long long)expected);
	chain->expected = base;
	chain->other = -1;
}

/* What a walk over a segment changes, to begin it again. */
struct before {
	dev_t device;
	ino_t inode;
	struct stream_verify_chain chain;
	struct stream_verify_epochs epochs;
	struct stream_verify_summary sum;
};

static void
go_back(struct stream_verify *verify, const struct before *before)
{
	struct stream_epoch *entries = verify->epochs.entries;
	uint64_t damage = verify->sum->damage;
	uint64_t notes = verify->sum->notes;

	verify->chain = before->chain;
	verify->epochs = before->epochs;
	verify->epochs.entries = entries;
	*verify->sum = before->sum;
	verify->sum->damage = damage;
	verify->sum->notes = notes;
}

static int
check_opened(struct stream_verify *verify, struct stream_error *err)
{
	int status;

	enter(verify);
	status = stream_verify_txns_snapshot(verify, verify->base, err);
	if (status == STREAM_OK)
		status = stream_verify_segment(verify, err);
	if (status == STREAM_OK && verify->newest && !verify->gone)
		stream_verify_epochs_finish(verify);
	return status;
}

/* Something was found in the segment: is it there a moment later? */
static int
check_again(struct stream_verify *verify, size_t i, const struct before *before,
    struct stream_error *err)
{
	int status;

	stream_quiet_pause();
	go_back(verify, before);
	stream_verify_confirm(verify);
	status = stream_verify_epochs_load(verify, err);
	if (status == STREAM_OK)
		status = open_segment(verify, i, err);
	/* Another file confirms nothing: it is begun with afresh. */
	if (status == STREAM_OK && (verify->device != before->device ||
				       verify->inode != before->inode))
		verify->gone = true;
	if (status == STREAM_OK && !verify->gone)
		status = check_opened(verify, err);
	return status;
}

/* The newest segment is written to, the others may be replaced, log first. */
static int
check_twice(struct stream_verify *verify, size_t i, struct stream_error *err)
{
	struct before before = {verify->device, verify->inode, verify->chain,
	    verify->epochs, *verify->sum};
	int status = stream_verify_collect(verify, err);

	if (status == STREAM_OK)
		status = check_opened(verify, err);
	if (status == STREAM_OK && !verify->gone && verify->kept_count > 0)
		status = check_again(verify, i, &before, err);
	stream_verify_settle(verify);
	return status;
}

static int
check_segment(struct stream_verify *verify, size_t i, struct stream_error *err)
{
	int status = open_segment(verify, i, err);

	if (status == STREAM_OK && !verify->gone)
		status = check_twice(verify, i, err);
	if (status != STREAM_OK || verify->gone)
		return status;
	if (verify->newest && verify->chain.expected >= 0)
		status = stream_verify_txns_snapshot(
		    verify, verify->chain.expected, err);
	verify->sum->segments++;
	verify->sum->bytes += verify->size;
	return status;
}

/* Compaction replaced the segment, or retention removed it: go on with what
 * holds its offsets now. */
static int
list_again(struct stream_verify *verify, size_t *i, struct stream_error *err)
{
	int64_t base = verify->base;
	int status = load_view(verify, err);

	if (status != STREAM_OK)
		return status;
	*i =
	    verify->view.count == 0 ? 0 : stream_view_find(&verify->view, base);
	verify->chain.expected = -1;
	verify->chain.end = -1;
	verify->chain.other = -1;
	verify->chain.gapless = false;
	verify->txns.exact = false;
	return STREAM_OK;
}

static int
check_segments(struct stream_verify *verify, struct stream_error *err)
{
	int listings = 0;
	int status = STREAM_OK;

	for (size_t i = 0; status == STREAM_OK && i < verify->view.count;) {
		struct stream_verify_summary before = *verify->sum;

		status = check_segment(verify, i, err);
		if (status != STREAM_OK)
			break;
		i++;
		if (!verify->gone) {
			listings = 0;
			continue;
		}
		verify->sum->batches = before.batches;
		verify->sum->records = before.records;
		if (++listings > LISTINGS)
			return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
			    "the files of the partition keep changing");
		status = list_again(verify, &i, err);
	}
	return status;
}

/* ---- all ---------------------------------------------------------------- */

static int
check_all(struct stream_verify *verify, struct stream_buf *names,
    struct stream_error *err)
{
	bool whole = verify->source->only == NULL;
	int status = read_state(verify, err);

	if (status == STREAM_OK && whole)
		status = stream_dir_list(verify->source->dirfd, names, err);
	if (status == STREAM_OK)
		status = load_view(verify, err);
	if (status != STREAM_OK)
		return status;
	check_newest(verify);
	status = stream_verify_epochs_load(verify, err);
	if (status == STREAM_OK && verify->view.count > 0) {
		verify->sum->log_start_offset =
		    verify->view.segments[0].base_offset;
		verify->sum->log_end_offset =
		    verify->view.segments[verify->view.count - 1].base_offset;
		status = stream_verify_txns_start(verify, err);
	}
	if (status == STREAM_OK)
		status = check_segments(verify, err);
	close_segment(verify);
	if (status == STREAM_OK && whole)
		status = stream_verify_files(verify, names, err);
	return status;
}

int
stream_verify_source_check(const struct stream_verify_source *source,
    const struct stream_verify_options *options,
    struct stream_verify_summary *sum, struct stream_error *err)
{
	struct stream_verify verify;
	struct stream_buf names;
	int status;

	init(&verify, source, options, sum);
	stream_buf_init(&names);
	status = check_all(&verify, &names, err);
	if (sum->log_start_offset < source->log_start_offset)
		sum->log_start_offset = source->log_start_offset;
	stream_buf_release(&names);
	release(&verify);
	return status;
}
