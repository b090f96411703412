#include "log/epochs_check.h"

#include <stdio.h>
#include <stdlib.h>

int
stream_epochs_check_init(struct stream_epochs_check *check, int dirfd,
    int64_t log_start_offset, struct stream_error *err)
{
	struct stream_error why = {.text = ""};

	*check =
	    (struct stream_epochs_check){.log_start_offset = log_start_offset};
	stream_epochs_noter_init(&check->noter);
	stream_buf_init(&check->runs);
	check->loaded =
	    stream_epochs_load(dirfd, &check->there, &check->count, &why);
	if (check->loaded == STREAM_ECORRUPT)
		snprintf(check->why, sizeof(check->why), "%.70s", why.text);
	if (check->loaded != STREAM_EIO && check->loaded != STREAM_ENOMEM)
		return STREAM_OK;
	if (err != NULL)
		*err = why;
	return check->loaded;
}

void
stream_epochs_check_release(struct stream_epochs_check *check)
{
	free(check->there);
	check->there = NULL;
	stream_epochs_noter_release(&check->noter);
	stream_buf_release(&check->runs);
}

/* ---- batches ------------------------------------------------------------ */

static struct stream_epochs_run *
last_run(const struct stream_epochs_check *check)
{
	void *runs = check->runs.data;
	size_t count = check->runs.size / sizeof(struct stream_epochs_run);

	return count == 0 ? NULL : (struct stream_epochs_run *)runs + count - 1;
}

/* Does this batch come to an entry's start? */
static bool
pass_entries(struct stream_epochs_check *check, int64_t offset)
{
	size_t before = check->next;

	while (check->next < check->count &&
	       check->there[check->next].start_offset <= offset)
		check->next++;
	return check->next > before;
}

int
stream_epochs_check_add(struct stream_epochs_check *check,
    const struct stream_batch_info *info, size_t segment,
    struct stream_error *err)
{
	struct stream_epochs_run *last = last_run(check);
	struct stream_epochs_run new = {
	    .epoch = info->leader_epoch,
	    .first_offset = info->base_offset,
	    .last_offset = info->last_offset,
	    .batches = 1,
	    .segment = segment,
	    .position = info->position,
	};
	bool begins;
	int status = stream_epochs_note(&check->noter, info, err);

	/* -1 is not known: it says nothing.  Nor does what is below the log
	 * start, which the entries do not reach. */
	if (status != STREAM_OK || info->leader_epoch < 0 ||
	    info->last_offset < check->log_start_offset)
		return status;
	if (new.first_offset < check->log_start_offset)
		new.first_offset = check->log_start_offset;
	begins = pass_entries(check, new.first_offset);
	if (begins || last == NULL || last->epoch != info->leader_epoch)
		return stream_buf_add(&check->runs, &new, sizeof(new), err);
	last->last_offset = info->last_offset;
	last->batches++;
	return STREAM_OK;
}

/* ---- the end ------------------------------------------------------------ */

struct differing {
	uint64_t batches; /* that have another epoch than the list says */
	uint64_t before;  /* that lie before its first entry */
};

/* Compare each run with a list.  With keep, runs that agree are dropped. */
static struct differing
compare(struct stream_epochs_check *check, const struct stream_epoch *list,
    size_t count, bool keep)
{
	struct differing sum = {0, 0};
	void *data = check->runs.data;
	struct stream_epochs_run *runs = data;
	size_t n = check->runs.size / sizeof(*runs), kept = 0, at = 0;

	for (size_t i = 0; i < n; i++) {
		while (
		    at < count && list[at].start_offset <= runs[i].first_offset)
			at++;
		if (at == 0)
			sum.before += runs[i].batches;
		if (at == 0 || list[at - 1].epoch == runs[i].epoch)
			continue;
		sum.batches += runs[i].batches;
		if (!keep)
			continue;
		runs[i].expected = list[at - 1].epoch;
		runs[kept++] = runs[i];
	}
	if (keep)
		check->runs.size = kept * sizeof(*runs);
	return sum;
}

static void
condemn(struct stream_epochs_check *check, const char *why)
{
	check->wrong = true;
	if (check->why[0] == '\0')
		snprintf(check->why, sizeof(check->why), "%s", why);
}

static void
judge(struct stream_epochs_check *check, bool past_end)
{
	const struct stream_buf *noted = &check->noter.entries;
	struct differing is, would_be;

	if (past_end)
		condemn(check, "begins an epoch past the end of the log");
	is = compare(check, check->there, check->count, false);
	would_be = compare(check, (const void *)noted->data,
	    noted->size / sizeof(struct stream_epoch), false);
	if ((is.batches >= 2 || is.before > 0) &&
	    would_be.batches + would_be.before < is.batches + is.before)
		condemn(check, "does not say what the batches say");
}

/* An epoch that began past the log's end begins there now: its number must not
 * be used for another. */
static int
note_past_end(struct stream_epochs_check *check, int64_t end_offset,
    struct stream_error *err)
{
	struct stream_batch_info info = {
	    .leader_epoch = check->there[check->count - 1].epoch,
	    .base_offset = end_offset,
	};

	return stream_epochs_note(&check->noter, &info, err);
}

int
stream_epochs_check_end(struct stream_epochs_check *check, int64_t end_offset,
    bool doubtful, struct stream_error *err)
{
	bool past_end =
	    check->count > 0 &&
	    check->there[check->count - 1].start_offset > end_offset;
	const struct stream_epoch *list;
	size_t count;
	int status = STREAM_OK;

	if (past_end)
		status = note_past_end(check, end_offset, err);
	if (status == STREAM_OK)
		status = stream_epochs_noted(&check->noter, err);
	if (status != STREAM_OK)
		return status;
	if (check->loaded == STREAM_ECORRUPT)
		condemn(check, "is malformed");
	else if (check->loaded == STREAM_ENOENT &&
		 check->noter.entries.size > 0)
		condemn(check, "is missing");
	else if (check->loaded == STREAM_OK && !doubtful)
		judge(check, past_end);
	list = stream_epochs_check_list(check, &count);
	compare(check, list, count, true);
	return STREAM_OK;
}

const struct stream_epoch *
stream_epochs_check_list(const struct stream_epochs_check *check, size_t *count)
{
	const struct stream_buf *noted = &check->noter.entries;

	*count = check->count;
	if (!check->wrong)
		return check->there;
	*count = noted->size / sizeof(struct stream_epoch);
	return (const void *)noted->data;
}
