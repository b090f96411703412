/*
 * replica_gone.c - a topic that was deleted at the source, or made anew there
 *
 * It is removed as a whole or not at all, in the way that any topic is
 * (delete.c): after a crash it is all there or goes on going.
 */
#include "store/replica_gone.h"

#include <string.h>

#include <stream/topic.h>

#include "base/fail.h"
#include "store/topic.h"

/* ---- what became of it -------------------------------------------------- */

static const struct stream_manifest_topic *
find_topic(const struct stream_manifest *manifest, const char *name)
{
	size_t low = 0, high = manifest->topic_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(manifest->topics[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < manifest->topic_count &&
		       strcmp(manifest->topics[low].name, name) == 0
		   ? &manifest->topics[low]
		   : NULL;
}

bool
stream_replica_is_another_id(const char *a, const char *b)
{
	return a[0] != '\0' && b[0] != '\0' && strcmp(a, b) != 0;
}

bool
stream_replica_is_another(
    const struct stream_manifest_part *a, const struct stream_manifest_part *b)
{
	return stream_replica_is_another_id(a->id, b->id);
}

size_t
stream_manifest_topic_count(const struct stream_manifest *manifest)
{
	return manifest->topic_count;
}

const char *
stream_manifest_topic(const struct stream_manifest *manifest, size_t i)
{
	return manifest->topics[i].name;
}

enum stream_replica_fate
stream_replica_fate(const struct stream_manifest *source,
    const struct stream_manifest *have, const char *name)
{
	const struct stream_manifest_topic *theirs = find_topic(source, name);
	const struct stream_manifest_topic *mine = find_topic(have, name);

	if (mine == NULL)
		return STREAM_FATE_THERE;
	if (theirs == NULL)
		return STREAM_FATE_GONE;
	if (mine->is_ours && theirs->is_ours &&
	    strcmp(mine->settings.id, theirs->settings.id) != 0)
		return STREAM_FATE_ANOTHER;
	for (size_t i = 0; i < have->part_count; i++) {
		const struct stream_manifest_part *a = &have->parts[i];
		const struct stream_manifest_part *b;

		if (&have->topics[a->topic_index] != mine)
			continue;
		b = stream_manifest_find(source, name, a->partition);
		if (b != NULL && stream_replica_is_another(a, b))
			return STREAM_FATE_ANOTHER;
	}
	return STREAM_FATE_THERE;
}

bool
stream_replica_is_part_gone(const struct stream_manifest *source,
    const struct stream_manifest *have, size_t i)
{
	const struct stream_manifest_part *mine = &have->parts[i];
	const struct stream_manifest_topic *theirs =
	    find_topic(source, mine->topic);

	return theirs != NULL && !theirs->is_ours &&
	       stream_manifest_find(source, mine->topic, mine->partition) ==
		   NULL &&
	       stream_replica_fate(source, have, mine->topic) ==
		   STREAM_FATE_THERE;
}

/* Whether addresses that name some partitions come to all of them is not asked:
 * that could change with each run. */
bool
stream_replica_is_whole(
    const struct stream_replica_options *options, const char *topic)
{
	bool whole = options->include_count == 0;

	for (size_t i = 0; i < options->include_count && !whole; i++)
		whole = options->include[i].span_count == 0 &&
			strcmp(options->include[i].name, topic) == 0;
	for (size_t i = 0; i < options->exclude_count && whole; i++)
		whole = strcmp(options->exclude[i].name, topic) != 0;
	return whole;
}

/* ---- at the source ------------------------------------------------------ */

int
stream_replica_check_any(struct stream_store *source,
    const struct stream_manifest *have, struct stream_error *err)
{
	struct stream_topic_list *list;
	size_t count;
	int status;

	if (have->topic_count == 0)
		return STREAM_OK;
	status = stream_topic_list_new(source, &list, err);
	if (status != STREAM_OK)
		return status;
	count = stream_topic_list_count(list);
	stream_topic_list_free(list);
	if (count > 0)
		return STREAM_OK;
	return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
	    "the source holds no topics, but the replica does: is its disk "
	    "mounted?  Nothing was changed (if all topics were deleted, remove "
	    "the replica's directory)");
}

/* ---- at the replica ----------------------------------------------------- */

static bool
is_fatal(int status)
{
	return status == STREAM_ENOMEM || status == STREAM_EINTR;
}

static void
report(struct stream_applying *all, const char *word, const char *topic,
    int status, const char *text)
{
	fprintf(
	    all->report, "%s %s -1 0 0 -1 %d %s\n", word, topic, status, text);
}

/* What cannot be read at the source now does not take the place of what can be
 * read here. */
static bool
is_sound(const struct stream_manifest *source, const char *topic)
{
	for (size_t i = 0; i < source->part_count; i++)
		if (source->parts[i].failed != STREAM_OK &&
		    strcmp(source->parts[i].topic, topic) == 0)
			return false;
	return true;
}

static void
forget(struct stream_applying *all, const struct stream_manifest *mine,
    const char *topic)
{
	char name[STREAM_PARTITION_NAME_SIZE];

	for (size_t i = 0; i < mine->part_count; i++)
		if (strcmp(mine->parts[i].topic, topic) == 0 &&
		    stream_partition_name_put(topic, mine->parts[i].partition,
			name, NULL) == STREAM_OK) {
			stream_measures_drop(&all->look.known, name);
			stream_measures_drop(&all->look.fresh, name);
		}
}

static int
remove_topic(struct stream_applying *all, const struct stream_manifest *mine,
    const char *topic, const char *word, struct stream_error *err)
{
	struct stream_error why = {.sys = 0};
	int status = stream_topic_delete(all->store, topic, &why);

	if (status == STREAM_OK || status == STREAM_ENOENT) {
		forget(all, mine, topic);
		report(all, word, topic, STREAM_OK, "-");
		return STREAM_OK;
	}
	if (is_fatal(status)) {
		if (err != NULL)
			*err = why;
		return status;
	}
	report(all, "failed", topic, status, why.text);
	return STREAM_OK;
}

static int
apply_fate(struct stream_applying *all, const struct stream_manifest *mine,
    const char *topic, struct stream_error *err)
{
	bool remove = all->options->remove &&
		      stream_replica_is_whole(all->options, topic);

	switch (stream_replica_fate(all->source, mine, topic)) {
	case STREAM_FATE_GONE:
		if (remove)
			return remove_topic(all, mine, topic, "deleted", err);
		report(all, "kept", topic, STREAM_OK, "-");
		return STREAM_OK;
	case STREAM_FATE_ANOTHER:
		/* Else each partition of it is refused when its turn comes. */
		return remove && is_sound(all->source, topic)
			   ? remove_topic(all, mine, topic, "recreated", err)
			   : STREAM_OK;
	case STREAM_FATE_THERE:
	default:
		return STREAM_OK;
	}
}

static void
report_parts(struct stream_applying *all, const struct stream_manifest *mine)
{
	for (size_t i = 0; i < mine->part_count; i++) {
		const struct stream_manifest_part *part = &mine->parts[i];
		long long end = stream_manifest_end(part);

		if (stream_replica_is_part_gone(all->source, mine, i))
			fprintf(all->report, "kept %s %d %lld %lld -1 %d -\n",
			    part->topic, (int)part->partition, end, end,
			    STREAM_OK);
	}
}

int
stream_apply_gone(struct stream_applying *all,
    const struct stream_manifest *mine, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < mine->topic_count && status == STREAM_OK; i++)
		status = apply_fate(all, mine, mine->topics[i].name, err);
	if (status == STREAM_OK)
		report_parts(all, mine);
	return status;
}
