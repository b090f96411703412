#include "log/isolation.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "codec/control.h"
#include "file/io.h"
#include "file/name.h"
#include "file/scan.h"
#include "file/snapshot.h"
#include "file/tail.h"
#include "file/resync.h"
#include "log/supply.h"
#include "log/view.h"

/* A broker may be writing what looks bad: look again as often, and wait as
 * long, as the reader does (reader_end.c). */
enum { PAUSE_MS = 10, TRIES = 3 };

/* One transaction that the walk has met. */
struct transaction {
	int64_t producer_id;
	int64_t first_offset;
	int64_t end_offset; /* of its marker; INT64_MAX while it is open */
	bool aborted;
	bool lost; /* what end_offset is the offset of is damage */
	bool told; /* and that was said */
};

struct stream_isolation {
	struct stream_isolation_log log;
	bool is_before; /* the walk is before what the reader reads */
	/* Those that began, in order of their first offset; those that ended
	 * before the reader's place are dropped. */
	struct transaction *transactions;
	size_t count;
	size_t capacity;
	size_t open; /* of them, how many have no end yet */
	/* The walk ahead. */
	int fd;
	int64_t base;     /* of its segment; -1: not begun */
	int64_t next;     /* offset after the last batch that it passed */
	bool closed_once; /* a newer segment exists; this one is read again */
	uint64_t size;    /* of its segment, as far as is known */
	int looks;        /* how often the bytes at its place were bad */
	struct stream_scan scan;
	struct stream_scan whole; /* for what needs more than a header */
};

static struct transaction *
find_open(struct stream_isolation *isolation, int64_t producer_id)
{
	for (size_t i = isolation->count; i > 0; i--) {
		struct transaction *t = &isolation->transactions[i - 1];

		if (t->producer_id == producer_id)
			return t->end_offset == INT64_MAX ? t : NULL;
	}
	return NULL;
}

static int
begin(struct stream_isolation *isolation, int64_t producer_id,
    int64_t first_offset, struct stream_error *err)
{
	if (isolation->count == isolation->capacity) {
		size_t capacity =
		    isolation->capacity == 0 ? 16 : isolation->capacity * 2;
		void *bigger = realloc(isolation->transactions,
		    capacity * sizeof(*isolation->transactions));

		if (bigger == NULL)
			return stream_fail_memory(err);
		isolation->transactions = bigger;
		isolation->capacity = capacity;
	}
	isolation->transactions[isolation->count++] = (struct transaction){
	    .producer_id = producer_id,
	    .first_offset = first_offset,
	    .end_offset = INT64_MAX,
	};
	isolation->open++;
	return STREAM_OK;
}

/* A marker ends its producer's open transaction; one of a transaction whose
 * records compaction took away ends nothing. */
static int
end(struct stream_isolation *isolation, const struct stream_batch_info *info,
    const uint8_t *bytes, struct stream_error *err)
{
	struct transaction *t = find_open(isolation, info->producer_id);
	enum stream_control_type type;
	int status = stream_control_type(bytes, info->size, &type, err);

	if (status != STREAM_OK || t == NULL)
		return status;
	if (type != STREAM_CONTROL_ABORT && type != STREAM_CONTROL_COMMIT)
		return STREAM_OK;
	t->end_offset = info->last_offset;
	t->aborted = type == STREAM_CONTROL_ABORT;
	isolation->open--;
	return STREAM_OK;
}

/* Whatever is open at damage may have ended in it. */
static void
lose_open(struct stream_isolation *isolation, int64_t end_offset)
{
	for (size_t i = 0; i < isolation->count; i++)
		if (isolation->transactions[i].end_offset == INT64_MAX) {
			isolation->transactions[i].end_offset = end_offset;
			isolation->transactions[i].lost = true;
		}
	isolation->open = 0;
}

/*
 * The header scan gives headers without their CRC.  That does where the batch
 * is one that the reader has checked itself, which it has unless a transaction
 * is open and the walk is ahead: a flipped bit must not begin one or hide the
 * marker that ends it.  A marker's record is needed whole in any case.
 */
static int
read_whole(struct stream_isolation *isolation,
    const struct stream_batch_info *info, const uint8_t **bytes,
    struct stream_error *err)
{
	struct stream_batch batch;

	*bytes = NULL;
	if (isolation->open == 0 && !isolation->log.skips &&
	    !stream_batch_is_control(info) &&
	    !stream_batch_is_transactional(info))
		return STREAM_OK;
	stream_scan_move(&isolation->whole, isolation->fd, info->position);
	return stream_scan_next(&isolation->whole, &batch, bytes, err);
}

static int
pass(struct stream_isolation *isolation, const struct stream_batch_info *info,
    struct stream_error *err)
{
	const uint8_t *bytes;
	int status;

	if (info->last_offset < isolation->next)
		return STREAM_OK;
	status = read_whole(isolation, info, &bytes, err);
	if (status != STREAM_OK)
		return status;
	if (stream_batch_is_control(info))
		status = end(isolation, info, bytes, err);
	else if (stream_batch_is_transactional(info) &&
		 find_open(isolation, info->producer_id) == NULL)
		status =
		    begin(isolation, info->producer_id, info->base_offset, err);
	if (status == STREAM_OK)
		isolation->next = info->last_offset + 1;
	return status;
}

/*
 * The segment that the walk goes on in: the one after that which was walked;
 * but where compaction put another file in the place of that, the one that
 * holds the walk's offset, and *replaced is set.  view->count when there is
 * none.
 */
static size_t
find_next(const struct stream_isolation *isolation,
    const struct stream_view *view, bool *replaced)
{
	size_t i;

	*replaced = false;
	if (view->count == 0)
		return 0;
	i = stream_view_find(view, isolation->next);
	if (isolation->base < 0 ||
	    view->segments[i].base_offset > isolation->base)
		return i;
	*replaced = stream_view_is_replaced(
	    view, isolation->base, isolation->log.dirfd, isolation->fd);
	return *replaced ? i : i + 1;
}

static int
open_segment(struct stream_isolation *isolation, const struct stream_view *view,
    size_t i, struct stream_error *err)
{
	int fd;
	int status = stream_supply_fetch(&isolation->log.supply,
	    isolation->log.name, view->segments[i].base_offset, err);

	if (status == STREAM_OK)
		status =
		    stream_view_open(view, i, isolation->log.dirfd, &fd, err);
	/* Renamed since it was listed: list again with the next step. */
	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	if (isolation->fd >= 0)
		close(isolation->fd);
	isolation->fd = fd;
	isolation->base = view->segments[i].base_offset;
	/* Nothing lies between the end of a segment and the next. */
	if (isolation->next < isolation->base)
		isolation->next = isolation->base;
	isolation->closed_once = false;
	isolation->size = 0;
	stream_scan_move(&isolation->scan, fd, 0);
	return STREAM_OK;
}

/*
 * Bytes of the newest segment that are no batch.  What is torn was never part
 * of the log, so the log ends here.  A broker may be writing there just now, so
 * STREAM_OK without *damaged means to look again.
 */
static int
judge_newest(
    struct stream_isolation *isolation, bool *damaged, struct stream_error *err)
{
	struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	struct stream_tail_known known;
	enum stream_tail tail;
	int status = stream_tail_load_known(
	    isolation->log.dirfd, isolation->base, &known, err);

	if (status == STREAM_OK)
		status = stream_tail_judge_known(isolation->fd,
		    isolation->scan.next, isolation->next, isolation->log.cap,
		    &known, &tail, err);
	if (status != STREAM_OK)
		return status;
	if (tail == STREAM_TAIL_TORN || tail == STREAM_TAIL_LOST ||
	    tail == STREAM_TAIL_NONE)
		return STREAM_END;
	*damaged = isolation->looks == TRIES;
	if (*damaged)
		return STREAM_OK;
	isolation->looks++;
	nanosleep(&pause, NULL);
	return STREAM_OK;
}

/* Go on behind damage: in this segment, or in the one of index next. */
static int
pass_damage(struct stream_isolation *isolation, const struct stream_view *view,
    size_t next, struct stream_error *err)
{
	struct stream_resync where = {
	    .fd = isolation->fd,
	    .from = isolation->scan.next,
	    .expected = isolation->next,
	    .bound = next < view->count ? view->segments[next].base_offset
					: INT64_MAX,
	    .cap = isolation->log.cap,
	};
	uint64_t position;
	int64_t base_offset;
	int status = stream_io_size(isolation->fd, &where.end, err);

	lose_open(isolation, isolation->next);
	if (status == STREAM_OK)
		status = stream_resync(&where, &position, &base_offset, err);
	if (status == STREAM_OK)
		stream_scan_move(&isolation->scan, isolation->fd, position);
	if (status == STREAM_END && next < view->count)
		return open_segment(isolation, view, next, err);
	return status;
}

/* The marker that is looked for may have stood in the damage, and reading must
 * not end as if the transaction were open. */
static int
at_damage(struct stream_isolation *isolation, const struct stream_view *view,
    size_t next, const struct stream_error *why, struct stream_error *err)
{
	if (isolation->log.skips || isolation->is_before)
		return pass_damage(isolation, view, next, err);
	return stream_fail(err, STREAM_ECORRUPT, why->pos,
	    "%020lld.log: byte %llu: which transactions were committed cannot "
	    "be known: %.120s",
	    (long long)isolation->base,
	    (unsigned long long)isolation->scan.next, why->text);
}

/*
 * The walk came to the end of its segment, or to bytes that are no batch (why).
 * STREAM_END when the log ends there.  A closed segment is read once more,
 * since its last bytes may have come after it was read; what is wrong there
 * may have been the marker that is looked for.  A segment that was replaced is
 * in another file from its offset on; what was walked is passed there.
 */
static int
go_on(struct stream_isolation *isolation, int stopped,
    const struct stream_error *why, struct stream_error *err)
{
	struct stream_view view;
	bool damaged = false, replaced;
	size_t next;
	int status = stream_view_load(isolation->log.dirfd, &view, err);

	if (status != STREAM_OK)
		return status;
	next = find_next(isolation, &view, &replaced);
	if (replaced)
		status = open_segment(isolation, &view, next, err);
	else if (next == view.count && stopped != STREAM_END)
		status = judge_newest(isolation, &damaged, err);
	else if (next == view.count)
		status = STREAM_END;
	else if (isolation->fd >= 0 && !isolation->closed_once)
		isolation->closed_once = true;
	else if (stopped == STREAM_END)
		status = open_segment(isolation, &view, next, err);
	else
		damaged = true;
	if (status == STREAM_OK && damaged)
		status = at_damage(isolation, &view, next, why, err);
	stream_view_release(&view);
	return status;
}

/* A scan of headers takes a batch for one whose end is not there yet. */
static int
check_whole(struct stream_isolation *isolation,
    const struct stream_batch_info *info, struct stream_error *err)
{
	uint64_t end = info->position + info->size;
	int status = STREAM_OK;

	if (end > isolation->size)
		status = stream_io_size(isolation->fd, &isolation->size, err);
	if (status == STREAM_OK && end > isolation->size)
		status = stream_fail(err, STREAM_ETORN, isolation->size,
		    "the file ends within a batch");
	return status;
}

/* Pass one more batch.  STREAM_END at the end of the log. */
static int
step(struct stream_isolation *isolation, struct stream_error *err)
{
	struct stream_error why = {.pos = STREAM_POS_NONE};
	struct stream_batch batch;
	const uint8_t *bytes;
	uint64_t position = isolation->scan.next;
	int status = STREAM_END;

	if (isolation->fd >= 0)
		status =
		    stream_scan_next(&isolation->scan, &batch, &bytes, &why);
	if (status == STREAM_OK)
		status = check_whole(isolation, &batch.info, &why);
	if (status == STREAM_OK)
		status = pass(isolation, &batch.info, &why);
	if (status == STREAM_OK) {
		isolation->looks = 0;
		return STREAM_OK;
	}
	if (status == STREAM_EIO || status == STREAM_ENOMEM) {
		if (err != NULL)
			*err = why;
		return status;
	}
	if (isolation->fd >= 0)
		stream_scan_move(&isolation->scan, isolation->fd, position);
	return go_on(isolation, status, &why, err);
}

/* Pass what lies before offset.  The reader does not come there, so damage is
 * passed; what was open at it is not known any more. */
static int
walk_to(struct stream_isolation *isolation, int64_t offset,
    struct stream_error *err)
{
	int status = STREAM_OK;

	isolation->is_before = true;
	while (status == STREAM_OK && isolation->next < offset)
		status = step(isolation, err);
	isolation->is_before = false;
	return status;
}

/*
 * What was open at offset is found by a walk from the newest snapshot at or
 * below it, or from the first offset of what was open there.  The snapshot
 * alone is not believed: compaction takes markers away whose transaction has no
 * batch left, and such a transaction would seem open for ever.
 */
static int
find_start(struct stream_isolation *isolation, int64_t offset,
    struct stream_error *err)
{
	struct stream_snapshot_entry *entries;
	size_t count;
	int64_t at;
	int status = stream_snapshot_find(
	    isolation->log.dirfd, offset, &at, &entries, &count, err);

	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status != STREAM_OK)
		return status;
	for (size_t i = 0; i < count; i++)
		if (entries[i].transaction_first_offset >= 0 &&
		    entries[i].transaction_first_offset < at)
			at = entries[i].transaction_first_offset;
	free(entries);
	isolation->next = at;
	return STREAM_OK;
}

int
stream_isolation_new(const struct stream_isolation_log *log, int64_t offset,
    struct stream_isolation **isolation, struct stream_error *err)
{
	struct stream_isolation *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	new->log = *log;
	new->fd = -1;
	new->base = -1;
	stream_scan_init(&new->scan, -1, 0, STREAM_SCAN_HEADERS, log->cap,
	    STREAM_SCAN_SMALL_BLOCK);
	stream_scan_init(&new->whole, -1, 0, STREAM_SCAN_WHOLE, log->cap,
	    STREAM_SCAN_SMALL_BLOCK);
	status = find_start(new, offset, err);
	if (status == STREAM_OK)
		status = walk_to(new, offset, err);
	if (status != STREAM_OK && status != STREAM_END) {
		stream_isolation_free(new);
		return status;
	}
	*isolation = new;
	return STREAM_OK;
}

void
stream_isolation_free(struct stream_isolation *isolation)
{
	if (isolation == NULL)
		return;
	stream_scan_release(&isolation->scan);
	stream_scan_release(&isolation->whole);
	if (isolation->fd >= 0)
		close(isolation->fd);
	free(isolation->transactions);
	free(isolation);
}

/* Drop what ended before the reader's place. */
static void
forget(struct stream_isolation *isolation, int64_t offset)
{
	size_t kept = 0;

	for (size_t i = 0; i < isolation->count; i++)
		if (isolation->transactions[i].end_offset >= offset)
			isolation->transactions[kept++] =
			    isolation->transactions[i];
	isolation->count = kept;
}

/* Is a transaction that began at or before this offset still open, as far as
 * the walk has come? */
static bool
is_open_before(const struct stream_isolation *isolation, int64_t offset)
{
	for (size_t i = 0; i < isolation->count; i++)
		if (isolation->transactions[i].first_offset <= offset &&
		    isolation->transactions[i].end_offset == INT64_MAX)
			return true;
	return false;
}

static struct transaction *
find_hidden(
    struct stream_isolation *isolation, const struct stream_batch_info *info)
{
	for (size_t i = 0; i < isolation->count; i++) {
		struct transaction *t = &isolation->transactions[i];

		if ((t->aborted || t->lost) &&
		    t->producer_id == info->producer_id &&
		    t->first_offset <= info->base_offset &&
		    info->base_offset < t->end_offset)
			return t;
	}
	return NULL;
}

/* What the walk has found says of a batch. */
static enum stream_verdict
decide(struct stream_isolation *isolation, const struct stream_batch_info *info,
    int64_t *last)
{
	struct transaction *t;

	if (is_open_before(isolation, info->base_offset))
		return STREAM_WAIT;
	if (!stream_batch_is_transactional(info))
		return STREAM_SHOW;
	t = find_hidden(isolation, info);
	if (t == NULL)
		return STREAM_SHOW;
	if (!t->lost || t->told)
		return STREAM_HIDE;
	t->told = true;
	*last = t->end_offset - 1;
	return STREAM_LOST;
}

int
stream_isolation_judge(struct stream_isolation *isolation,
    const struct stream_batch_info *info, enum stream_verdict *verdict,
    int64_t *last, struct stream_error *err)
{
	int status = STREAM_OK;

	forget(isolation, info->base_offset);
	while (status == STREAM_OK &&
	       (isolation->next <= info->last_offset ||
		   is_open_before(isolation, info->base_offset)))
		status = step(isolation, err);
	if (status != STREAM_OK && status != STREAM_END)
		return status;
	*verdict = isolation->next <= info->last_offset
		       ? STREAM_WAIT
		       : decide(isolation, info, last);
	return STREAM_OK;
}
