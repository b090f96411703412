/*
 * manifest.c - a manifest in memory, and as it is written
 */
#include "store/manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "file/name.h"
#include "store/store.h"

/* ---- growing ------------------------------------------------------------ */

/* The array grows at powers of two, at which it is full. */
static int
grow(void **items, size_t count, size_t size, struct stream_error *err)
{
	void *bigger;

	if ((count & (count - 1)) != 0)
		return STREAM_OK;
	bigger = reallocarray(*items, count == 0 ? 1 : count * 2, size);
	if (bigger == NULL)
		return stream_fail_memory(err);
	*items = bigger;
	return STREAM_OK;
}

static void
lend_names(struct stream_manifest *manifest)
{
	for (size_t i = 0; i < manifest->part_count; i++)
		manifest->parts[i].topic =
		    manifest->topics[manifest->parts[i].topic_index].name;
}

int
stream_manifest_add_topic(struct stream_manifest *manifest, const char *name,
    struct stream_manifest_topic **topic, struct stream_error *err)
{
	void *items = manifest->topics;
	int status =
	    grow(&items, manifest->topic_count, sizeof(*manifest->topics), err);

	if (status != STREAM_OK)
		return status;
	manifest->topics = items;
	lend_names(manifest);
	*topic = &manifest->topics[manifest->topic_count++];
	**topic = (struct stream_manifest_topic){.is_ours = false};
	snprintf((*topic)->name, sizeof((*topic)->name), "%s", name);
	return STREAM_OK;
}

int
stream_manifest_add_part(struct stream_manifest *manifest, int32_t partition,
    struct stream_manifest_part **part, struct stream_error *err)
{
	void *items = manifest->parts;
	int status =
	    grow(&items, manifest->part_count, sizeof(*manifest->parts), err);

	if (status != STREAM_OK)
		return status;
	manifest->parts = items;
	*part = &manifest->parts[manifest->part_count++];
	**part = (struct stream_manifest_part){
	    .topic_index = manifest->topic_count - 1,
	    .topic = manifest->topics[manifest->topic_count - 1].name,
	    .partition = partition,
	    .clean_point = -1,
	};
	return STREAM_OK;
}

int
stream_manifest_add_segment(struct stream_manifest_part *part,
    const struct stream_manifest_segment *segment, struct stream_error *err)
{
	void *items = part->segments;
	int status =
	    grow(&items, part->segment_count, sizeof(*part->segments), err);

	if (status != STREAM_OK)
		return status;
	part->segments = items;
	part->segments[part->segment_count++] = *segment;
	return STREAM_OK;
}

int
stream_manifest_add_other(struct stream_manifest *manifest,
    const struct stream_manifest_other *other, struct stream_error *err)
{
	void *items = manifest->others;
	int status =
	    grow(&items, manifest->other_count, sizeof(*manifest->others), err);

	if (status != STREAM_OK)
		return status;
	manifest->others = items;
	manifest->others[manifest->other_count++] = *other;
	return STREAM_OK;
}

int
stream_manifest_add_idle(
    struct stream_manifest *manifest, size_t i, struct stream_error *err)
{
	void *items = manifest->idle;
	int status =
	    grow(&items, manifest->idle_count, sizeof(*manifest->idle), err);

	if (status != STREAM_OK)
		return status;
	manifest->idle = items;
	manifest->idle[manifest->idle_count++] = i;
	return STREAM_OK;
}

void
stream_manifest_clear_part(struct stream_manifest_part *part)
{
	free(part->epochs);
	free(part->segments);
	part->epochs = NULL;
	part->epoch_count = 0;
	part->segments = NULL;
	part->segment_count = 0;
	part->clean_point = -1;
	part->log_start_offset = 0;
}

void
stream_manifest_drop_topic(struct stream_manifest *manifest)
{
	size_t i = --manifest->topic_count;

	while (manifest->part_count > 0 &&
	       manifest->parts[manifest->part_count - 1].topic_index == i)
		stream_manifest_clear_part(
		    &manifest->parts[--manifest->part_count]);
	free(manifest->topics[i].json);
}

void
stream_manifest_free(struct stream_manifest *manifest)
{
	if (manifest == NULL)
		return;
	for (size_t i = 0; i < manifest->part_count; i++)
		stream_manifest_clear_part(&manifest->parts[i]);
	for (size_t i = 0; i < manifest->topic_count; i++)
		free(manifest->topics[i].json);
	free(manifest->parts);
	free(manifest->topics);
	free(manifest->others);
	free(manifest->idle);
	free(manifest);
}

/* ---- looking ------------------------------------------------------------ */

const struct stream_manifest_part *
stream_manifest_find(const struct stream_manifest *manifest, const char *topic,
    int32_t partition)
{
	for (size_t i = 0; i < manifest->part_count; i++)
		if (manifest->parts[i].partition == partition &&
		    strcmp(manifest->parts[i].topic, topic) == 0)
			return &manifest->parts[i];
	return NULL;
}

int
stream_manifest_compare(const struct stream_manifest_other *other,
    const char *topic, int32_t partition)
{
	int order = strcmp(other->topic, topic);

	if (order != 0)
		return order;
	return (other->partition > partition) - (other->partition < partition);
}

const struct stream_manifest_other *
stream_manifest_find_other(const struct stream_manifest *manifest,
    const char *topic, int32_t partition)
{
	size_t low = 0, high = manifest->other_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct stream_manifest_other *other =
		    &manifest->others[middle];
		int order = stream_manifest_compare(other, topic, partition);

		if (order == 0)
			return other;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct stream_manifest_segment *
stream_manifest_find_segment(
    const struct stream_manifest_part *part, int64_t base_offset)
{
	size_t low = 0, high = part->segment_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (part->segments[middle].base_offset < base_offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < part->segment_count &&
		       part->segments[low].base_offset == base_offset
		   ? &part->segments[low]
		   : NULL;
}

int64_t
stream_manifest_end(const struct stream_manifest_part *part)
{
	return part->segment_count == 0
		   ? 0
		   : part->segments[part->segment_count - 1]
			 .measure.next_offset;
}

int32_t
stream_manifest_epoch(const struct stream_manifest_part *part)
{
	return part->epoch_count == 0
		   ? -1
		   : part->epochs[part->epoch_count - 1].epoch;
}

bool
stream_replica_id_is(const char *text)
{
	return strlen(text) == STREAM_REPLICA_ID &&
	       strspn(text, "0123456789abcdef") == STREAM_REPLICA_ID;
}

const char *
stream_manifest_id(const struct stream_manifest *manifest)
{
	return manifest->id;
}

int64_t
stream_manifest_time(const struct stream_manifest *manifest)
{
	return manifest->time_ms;
}

enum stream_manifest_role
stream_manifest_role(const struct stream_manifest *manifest)
{
	return manifest->role;
}

bool
stream_manifest_is_idle(const struct stream_manifest *manifest, size_t i)
{
	for (size_t k = 0; k < manifest->idle_count; k++)
		if (manifest->idle[k] == i)
			return true;
	return false;
}

size_t
stream_manifest_count(const struct stream_manifest *manifest)
{
	return manifest->part_count;
}

/* Bytes of the segment that are to be moved. */
static uint64_t
new_bytes(const struct stream_manifest_segment *segment)
{
	switch (segment->how) {
	case STREAM_HOW_HAVE:
		return 0;
	case STREAM_HOW_TAIL:
		return segment->measure.bytes - segment->from;
	case STREAM_HOW_LINK:
	case STREAM_HOW_LIVE:
	default:
		return segment->measure.bytes;
	}
}

void
stream_manifest_get(const struct stream_manifest *manifest, size_t i,
    struct stream_manifest_partition *partition)
{
	const struct stream_manifest_part *part = &manifest->parts[i];

	*partition = (struct stream_manifest_partition){
	    .topic = part->topic,
	    .partition = part->partition,
	    .leader_epoch = stream_manifest_epoch(part),
	    .log_start_offset = part->log_start_offset,
	    .log_end_offset = stream_manifest_end(part),
	    .last_timestamp_ms = -1,
	    .failed = part->failed,
	    .why = part->text,
	};
	if (part->segment_count > 0 &&
	    part->segments[0].base_offset > partition->log_start_offset)
		partition->log_start_offset = part->segments[0].base_offset;
	for (size_t k = 0; k < part->segment_count; k++) {
		const struct stream_manifest_segment *segment =
		    &part->segments[k];

		partition->bytes += segment->measure.bytes;
		partition->new_bytes += new_bytes(segment);
		if (segment->measure.max_timestamp_ms >
		    partition->last_timestamp_ms)
			partition->last_timestamp_ms =
			    segment->measure.max_timestamp_ms;
	}
}

/* ---- files -------------------------------------------------------------- */

void
stream_manifest_piece(const struct stream_manifest_segment *segment, char *text)
{
	char name[STREAM_NAME_SIZE];

	stream_name_put_plain(segment->base_offset, STREAM_NAME_LOG, name);
	if (segment->how == STREAM_HOW_TAIL)
		snprintf(text, STREAM_PIECE_NAME_SIZE, "%s.from-%" PRIu64, name,
		    segment->from);
	else
		snprintf(text, STREAM_PIECE_NAME_SIZE, "%s", name);
}

static void
print_name(FILE *to, const struct stream_manifest *manifest,
    const struct stream_manifest_part *part, const char *file, bool live)
{
	if (!live)
		fprintf(to, ".strm/replicate/%s", manifest->id);
	else
		fputc('.', to);
	/* What stands behind "/./" is the name at the replica. */
	fprintf(to, "/./%s-%" PRId32 "/%s", part->topic, part->partition, file);
	fputc('\0', to);
}

static void
print_files(FILE *to, const struct stream_manifest *manifest,
    const struct stream_manifest_part *part,
    const struct stream_manifest_segment *segment)
{
	char name[STREAM_PIECE_NAME_SIZE];

	if (segment->how == STREAM_HOW_HAVE)
		return;
	stream_manifest_piece(segment, name);
	print_name(to, manifest, part, name, segment->how == STREAM_HOW_LIVE);
	if (segment->with & STREAM_WITH_SNAPSHOT) {
		stream_name_put_plain(
		    segment->base_offset, STREAM_NAME_SNAPSHOT, name);
		print_name(to, manifest, part, name, false);
	}
	if (segment->with & STREAM_WITH_TXNINDEX) {
		stream_name_put_plain(
		    segment->base_offset, STREAM_NAME_TXNINDEX, name);
		print_name(to, manifest, part, name, false);
	}
}

int
stream_manifest_files(const struct stream_manifest *manifest, char **names,
    size_t *size, uint64_t *bytes, struct stream_error *err)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, size);

	if (to == NULL)
		return stream_fail_memory(err);
	*bytes = 0;
	for (size_t i = 0; i < manifest->part_count; i++)
		for (size_t k = 0; k < manifest->parts[i].segment_count; k++) {
			const struct stream_manifest_segment *segment =
			    &manifest->parts[i].segments[k];

			print_files(to, manifest, &manifest->parts[i], segment);
			*bytes += new_bytes(segment);
		}
	if (fclose(to) != 0) {
		free(text);
		return stream_fail_memory(err);
	}
	*names = text;
	return STREAM_OK;
}

/* ---- text --------------------------------------------------------------- */

static const char *
or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

static void
print_segment(FILE *to, const struct stream_manifest_segment *segment)
{
	static const char how[] = {'=', 'l', 'a', 't'};
	const struct stream_measure *m = &segment->measure;

	fprintf(to,
	    "segment %" PRId64 " %" PRIu64 " %016" PRIx64 "%016" PRIx64
	    " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
	    " %" PRId32 " %c %" PRIu64 " %u\n",
	    segment->base_offset, m->bytes, m->digest.high, m->digest.low,
	    m->next_offset, m->records, m->max_timestamp_ms,
	    m->max_timestamp_offset, m->last_position, m->leader_epoch,
	    how[segment->how], segment->from, segment->with);
}

static void
print_part(FILE *to, const struct stream_manifest_part *part)
{
	if (part->failed != STREAM_OK) {
		fprintf(to, "failed %" PRId32 " %d %s\n", part->partition,
		    part->failed, part->text);
		return;
	}
	fprintf(to, "partition %" PRId32 " %" PRId64 " %" PRId64 " %s\n",
	    part->partition, part->log_start_offset, part->clean_point,
	    or_dash(part->id));
	for (size_t i = 0; i < part->epoch_count; i++)
		fprintf(to, "epoch %" PRId32 " %" PRId64 "\n",
		    part->epochs[i].epoch, part->epochs[i].start_offset);
	for (size_t i = 0; i < part->segment_count; i++)
		print_segment(to, &part->segments[i]);
}

static void
print_other(FILE *to, const struct stream_manifest_other *other)
{
	fprintf(to, "other %s %" PRId32 " %" PRId32 " %s\n", other->topic,
	    other->partition, other->epoch, or_dash(other->id));
}

static void
print_all(FILE *to, const struct stream_manifest *manifest)
{
	size_t k = 0;

	fprintf(to,
	    "strm-manifest 1\nid %s\nstore %s\ntime %" PRId64 "\nrole %d\n",
	    or_dash(manifest->id), or_dash(manifest->store), manifest->time_ms,
	    (int)manifest->role);
	for (size_t i = 0; i < manifest->idle_count; i++)
		fprintf(to, "idle %zu\n", manifest->idle[i]);
	for (size_t i = 0; i < manifest->other_count; i++)
		print_other(to, &manifest->others[i]);
	for (size_t i = 0; i < manifest->topic_count; i++) {
		const struct stream_manifest_topic *topic =
		    &manifest->topics[i];

		fprintf(to, "topic %s\n", topic->name);
		if (topic->is_ours)
			fprintf(to, "settings %s\n", topic->json);
		for (; k < manifest->part_count &&
		       manifest->parts[k].topic_index == i;
		     k++)
			print_part(to, &manifest->parts[k]);
	}
}

int
stream_manifest_print(const struct stream_manifest *manifest, char **text,
    struct stream_error *err)
{
	struct stream_chain digest = {0, 0};
	char *printed = NULL;
	size_t size;
	FILE *to = open_memstream(&printed, &size);

	if (to == NULL)
		return stream_fail_memory(err);
	print_all(to, manifest);
	if (fflush(to) == 0) {
		stream_chain_add(&digest, printed, size);
		fprintf(to, "end %016" PRIx64 "%016" PRIx64 "\n", digest.high,
		    digest.low);
	}
	if (fclose(to) != 0) {
		free(printed);
		return stream_fail_memory(err);
	}
	*text = printed;
	return STREAM_OK;
}
