#include "log/compact_look.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/name.h"
#include "file/snapshot.h"
#include "log/clean_source.h"
#include "log/view.h"

/* producer.id.expiration.ms, a broker's setting, by its default. */
static const int64_t PRODUCER_EXPIRES_MS = INT64_C(86400000);

/* What is being looked at. */
struct looking {
	int dirfd;
	size_t cap;
	struct stream_compact_look *look;
	const struct stream_compact_options *options;
	int64_t known;         /* producers are known as of this offset */
	bool has_transactions; /* or markers of some */
};

/* ---- the segments ------------------------------------------------------- */

static void
forget_segments(struct stream_compact_look *look)
{
	free(look->segments);
	free(look->bases);
	look->segments = NULL;
	look->bases = NULL;
	look->count = 0;
	stream_view_release(&look->view);
}

/* A plan takes no lock, so what it meets may be half of a swap. */
static int
list(int dirfd, struct stream_compact_look *look, struct stream_error *err)
{
	const struct stream_view *view = &look->view;
	int status;

	forget_segments(look);
	status = stream_view_load(dirfd, &look->view, err);
	if (status == STREAM_OK)
		status = stream_view_note(&look->view, dirfd, err);
	if (status != STREAM_OK)
		return status;
	if (view->count == 0)
		return stream_fail(
		    err, STREAM_ENOENT, STREAM_POS_NONE, "has no segment");
	look->segments = calloc(view->count, sizeof(*look->segments));
	look->bases = calloc(view->count, sizeof(*look->bases));
	if (look->segments == NULL || look->bases == NULL)
		return stream_fail_memory(err);
	look->count = view->count;
	for (size_t i = 0; i < view->count; i++) {
		look->segments[i].base_offset = view->segments[i].base_offset;
		look->bases[i] = view->segments[i].base_offset;
	}
	return STREAM_OK;
}

bool
stream_compact_look_is_unsettled(const struct stream_compact_look *look)
{
	for (size_t i = 0; i < look->view.count; i++)
		if (look->view.segments[i].swap)
			return true;
	return false;
}

static uint64_t
size_of(const struct looking *l, size_t i, enum stream_name_kind kind)
{
	const struct stream_view_segment *segment = &l->look->view.segments[i];
	struct stream_name of = {
	    .base_offset = segment->base_offset,
	    .kind = kind,
	    .state = segment->swap ? STREAM_NAME_SWAP : STREAM_NAME_PLAIN,
	};
	char name[STREAM_NAME_SIZE];
	struct stat st;

	stream_name_put(&of, name);
	if (fstatat(l->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	return (uint64_t)st.st_size;
}

/* ---- their batches ------------------------------------------------------ */

/* The record of a marker says what it ends, so all of it is read then. */
static int
feed_producers(struct looking *l, struct stream_clean_source *source,
    const struct stream_batch *batch, struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;
	struct stream_producers_abort abort;
	const uint8_t *bytes = NULL;
	int status = STREAM_OK;

	if (info->producer_id < 0 || info->last_offset < l->known)
		return STREAM_OK;
	if (stream_batch_is_control(info))
		status = stream_clean_source_read(source, batch, &bytes, err);
	if (status != STREAM_OK)
		return status;
	status =
	    stream_producers_add(l->look->producers, info, bytes, &abort, err);
	return status == STREAM_OK
		   ? status
		   : stream_clean_source_fail(source, batch, status, err);
}

static int
take_batch(struct looking *l, struct stream_clean_source *source,
    struct stream_compact_facts *facts, const struct stream_batch *batch,
    struct stream_error *err)
{
	const struct stream_batch_info *info = &batch->info;

	if (info->position == 0)
		facts->first_ms = info->max_timestamp_ms;
	if (info->max_timestamp_ms > facts->largest_ms)
		facts->largest_ms = info->max_timestamp_ms;
	if (stream_batch_is_control(info))
		l->has_transactions = true;
	else
		facts->records += (uint64_t)info->record_count;
	l->has_transactions |= stream_batch_is_transactional(info);
	facts->bytes = info->position + info->size;
	facts->end_offset = info->last_offset + 1;
	return feed_producers(l, source, batch, err);
}

static int
walk(struct looking *l, struct stream_clean_source *source, bool active,
    struct stream_compact_facts *facts, struct stream_error *err)
{
	struct stream_error why = {.text = ""};
	struct stream_batch batch;
	const uint8_t *bytes;
	int status;

	while ((status = stream_clean_source_next(
		    source, &batch, &bytes, &why)) == STREAM_OK) {
		status = take_batch(l, source, facts, &batch, &why);
		if (status != STREAM_OK)
			break;
	}
	/* Behind the active segment's last batch anything may stand. */
	if (status == STREAM_END ||
	    (active && status != STREAM_EIO && status != STREAM_ENOMEM))
		return STREAM_OK;
	if (err != NULL)
		*err = why;
	return status;
}

/* What is appended to the active segment from now on does not count. */
static int
look_inside(struct looking *l, struct stream_clean_source *source, bool active,
    struct stream_compact_facts *facts, struct stream_error *err)
{
	struct stat st;
	int status;

	if (fstat(source->scan.fd, &st) != 0)
		return stream_fail_in(err,
		    stream_fail_sys(err, "cannot look at it"), "%s",
		    source->name);
	source->scan.limit = (uint64_t)st.st_size;
	facts->end_offset = facts->base_offset;
	facts->first_ms = STREAM_NO_TIMESTAMP;
	facts->largest_ms = STREAM_NO_TIMESTAMP;
	status = walk(l, source, active, facts, err);
	if (facts->largest_ms < 0)
		facts->largest_ms = (int64_t)st.st_mtim.tv_sec * 1000 +
				    st.st_mtim.tv_nsec / 1000000;
	return status;
}

static int
look_at(struct looking *l, size_t i, struct stream_error *err)
{
	struct stream_compact_facts *facts = &l->look->segments[i];
	bool active = i + 1 == l->look->count;
	struct stream_clean_source source;
	int status = stream_clean_source_open(&source, l->dirfd,
	    facts->base_offset, active ? -1 : facts[1].base_offset,
	    STREAM_SCAN_HEADERS, l->cap, err);

	if (status != STREAM_OK)
		return status;
	status = look_inside(l, &source, active, facts, err);
	stream_clean_source_close(&source);
	facts->index_bytes = size_of(l, i, STREAM_NAME_INDEX);
	facts->timeindex_bytes = size_of(l, i, STREAM_NAME_TIMEINDEX);
	return status;
}

static int
look_at_all(struct looking *l, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < l->look->count && status == STREAM_OK; i++)
		status = look_at(l, i, err);
	return status;
}

/* ---- transactions ------------------------------------------------------- */

/* What headers say is enough as long as there is none. */
static int
learn(struct looking *l, struct stream_error *err)
{
	struct stream_compact_look *look = l->look;
	int status = stream_clean_txn_new(&look->txn, err);

	if (status != STREAM_OK)
		return status;
	stream_clean_txn_watch(
	    look->txn, l->options->go_on, l->options->context);
	if (l->has_transactions)
		return stream_clean_txn_learn(
		    look->txn, l->dirfd, look->bases, look->count, l->cap, err);
	stream_clean_txn_learn_none(
	    look->txn, look->segments[look->count - 1].end_offset);
	return STREAM_OK;
}

/* ---- producers ---------------------------------------------------------- */

/* As a broker that starts: the newest sound snapshot, and what follows it.  One
 * of the active segment's offsets saves nothing, and may lie past the end. */
static int
start_producers(struct looking *l, struct stream_error *err)
{
	int64_t active = l->look->bases[l->look->count - 1];
	struct stream_snapshot_entry *entries;
	struct stream_error why;
	size_t count;
	int status = stream_producers_new(&l->look->producers, err);

	if (status != STREAM_OK)
		return status;
	status = stream_snapshot_find(
	    l->dirfd, active, &l->known, &entries, &count, &why);
	if (status == STREAM_OK) {
		status = stream_producers_load(
		    l->look->producers, entries, count, err);
		free(entries);
		return status;
	}
	l->known = 0;
	if (status != STREAM_ENOENT && err != NULL)
		*err = why;
	return status == STREAM_ENOENT ? STREAM_OK : status;
}

bool
stream_compact_look_is_last(void *context, const struct stream_batch_info *info)
{
	const struct stream_compact_look *look = context;
	const struct stream_snapshot_entry *entry;

	if (info->producer_id < 0)
		return false;
	entry = stream_producers_find(look->producers, info->producer_id);
	if (entry == NULL || (entry->transaction_first_offset < 0 &&
				 entry->timestamp_ms <= look->expired_ms))
		return false;
	if (entry->last_offset >= 0)
		return info->last_offset == entry->last_offset;
	return stream_batch_is_control(info) &&
	       info->producer_epoch == entry->producer_epoch;
}

/* ---- all of it ---------------------------------------------------------- */

static int
load(struct looking *l, struct stream_error *err)
{
	struct stream_compact_look *look = l->look;
	int status = list(l->dirfd, look, err);

	if (status == STREAM_OK)
		status = start_producers(l, err);
	if (status == STREAM_OK)
		status = look_at_all(l, err);
	return status == STREAM_OK ? learn(l, err) : status;
}

int
stream_compact_look_load(int dirfd,
    const struct stream_compact_options *options, size_t cap,
    struct stream_compact_look *look, struct stream_error *err)
{
	struct looking l = {
	    .dirfd = dirfd, .cap = cap, .look = look, .options = options};

	*look = (struct stream_compact_look){
	    .expired_ms = options->now_ms - PRODUCER_EXPIRES_MS};
	return load(&l, err);
}

int
stream_compact_look_again(int dirfd, size_t cap,
    struct stream_compact_look *look, struct stream_error *err)
{
	struct looking l = {
	    .dirfd = dirfd, .cap = cap, .look = look, .known = INT64_MAX};
	int status = list(dirfd, look, err);

	return status == STREAM_OK ? look_at_all(&l, err) : status;
}

void
stream_compact_look_release(struct stream_compact_look *look)
{
	forget_segments(look);
	stream_clean_txn_free(look->txn);
	stream_producers_free(look->producers);
	*look = (struct stream_compact_look){0};
}
