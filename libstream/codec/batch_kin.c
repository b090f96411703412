#include "codec/batch_kin.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "codec/records.h"
#include "codec/records_check.h"

enum { AT_ONCE = 64 /* records that are decoded together */ };

/* The records of one of both, a piece at a time. */
struct walk {
	struct stream_unpacker unpacker;
	struct stream_records records;
	struct stream_record taken[AT_ONCE];
	size_t count;
	size_t at;
	bool ended;
	bool may_lack;
};

struct stream_batch_kin {
	struct walk a;
	struct walk b;
};

int
stream_batch_kin_new(
    size_t cap, struct stream_batch_kin **kin, struct stream_error *err)
{
	struct stream_batch_kin *new = calloc(1, sizeof(*new));

	if (new == NULL)
		return stream_fail_memory(err);
	stream_unpacker_init(&new->a.unpacker, cap);
	stream_unpacker_init(&new->b.unpacker, cap);
	*kin = new;
	return STREAM_OK;
}

void
stream_batch_kin_free(struct stream_batch_kin *kin)
{
	if (kin == NULL)
		return;
	stream_unpacker_release(&kin->a.unpacker);
	stream_unpacker_release(&kin->b.unpacker);
	free(kin);
}

/* ---- headers ------------------------------------------------------------ */

/* What compaction leaves as it is, of any batch. */
static bool
has_same_place(const struct stream_batch *a, const struct stream_batch *b)
{
	const int kind = STREAM_BATCH_APPEND_TIME | STREAM_BATCH_TRANSACTIONAL |
			 STREAM_BATCH_CONTROL;

	return a->info.base_offset == b->info.base_offset &&
	       a->info.last_offset == b->info.last_offset &&
	       a->info.leader_epoch == b->info.leader_epoch &&
	       a->info.producer_id == b->info.producer_id &&
	       a->info.producer_epoch == b->info.producer_epoch &&
	       a->info.base_sequence == b->info.base_sequence &&
	       ((a->info.attributes ^ b->info.attributes) & kind) == 0;
}

bool
stream_batch_is_twin(const struct stream_batch *a, const struct stream_batch *b)
{
	return has_same_place(a, b) && a->crc == b->crc &&
	       a->info.size == b->info.size;
}

/* ---- records ------------------------------------------------------------ */

static int
fill(struct walk *walk, struct stream_error *err)
{
	int status;

	if (walk->ended || walk->at < walk->count)
		return STREAM_OK;
	walk->at = 0;
	status = stream_records_take(
	    &walk->records, walk->taken, AT_ONCE, &walk->count, err);
	walk->ended = status == STREAM_OK && walk->count == 0;
	return status;
}

/* One that is empty has no records, and no codec either. */
static int
begin(struct walk *walk, const struct stream_batch_kin_side *side,
    struct stream_error *err)
{
	struct stream_bytes section;
	int status;

	walk->count = walk->at = 0;
	walk->may_lack = side->may_lack;
	walk->ended = side->batch->info.record_count == 0;
	if (walk->ended)
		return STREAM_OK;
	status = stream_unpacker_open(
	    &walk->unpacker, side->batch, side->bytes, &section, err);
	if (status == STREAM_OK)
		status = stream_records_start(
		    &walk->records, side->batch, section, err);
	return status == STREAM_OK ? fill(walk, err) : status;
}

static bool
is_same_text(struct stream_bytes a, struct stream_bytes b)
{
	return (a.data == NULL) == (b.data == NULL) && a.size == b.size &&
	       (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool
is_same_record(const struct stream_record *a, const struct stream_record *b)
{
	return a->timestamp_ms == b->timestamp_ms &&
	       a->header_count == b->header_count &&
	       is_same_text(a->key, b->key) &&
	       is_same_text(a->value, b->value) &&
	       is_same_text(a->headers, b->headers);
}

/* Step over the lowest record of both.  false: it tells them apart. */
static bool
step(struct walk *a, struct walk *b)
{
	const struct stream_record *x = a->ended ? NULL : &a->taken[a->at];
	const struct stream_record *y = b->ended ? NULL : &b->taken[b->at];

	if (y == NULL || (x != NULL && x->offset < y->offset)) {
		a->at++;
		return b->may_lack;
	}
	if (x == NULL || y->offset < x->offset) {
		b->at++;
		return a->may_lack;
	}
	a->at++;
	b->at++;
	return is_same_record(x, y);
}

static int
compare(struct walk *a, struct walk *b, bool *is, struct stream_error *err)
{
	int status = STREAM_OK;

	*is = true;
	while (status == STREAM_OK && *is && !(a->ended && b->ended)) {
		*is = step(a, b);
		status = fill(a, err);
		if (status == STREAM_OK)
			status = fill(b, err);
	}
	return status;
}

int
stream_batch_kin_check(struct stream_batch_kin *kin,
    const struct stream_batch_kin_side *a,
    const struct stream_batch_kin_side *b, bool *is, struct stream_error *err)
{
	bool found = stream_batch_is_twin(a->batch, b->batch);
	int status = STREAM_OK;

	if (!found && (a->may_lack || b->may_lack) &&
	    has_same_place(a->batch, b->batch)) {
		status = begin(&kin->a, a, err);
		if (status == STREAM_OK)
			status = begin(&kin->b, b, err);
		if (status == STREAM_OK)
			status = compare(&kin->a, &kin->b, &found, err);
	}
	if (status == STREAM_OK)
		*is = found;
	return status;
}
