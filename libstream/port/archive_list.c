#include "port/archive_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

/* Four of the largest, or ten thousand with all that can be set. */
enum { SETTINGS_MOST = 64 << 20 };

void
stream_list_init(struct stream_archive_list *list)
{
	*list = (struct stream_archive_list){.created_ms = -1};
}

void
stream_list_release(struct stream_archive_list *list)
{
	for (size_t i = 0; i < list->file_count; i++)
		free((char *)list->files[i].path);
	for (size_t i = 0; i < list->topic_count; i++)
		free(list->topics[i].settings);
	free(list->files);
	free(list->blocks);
	free(list->logs);
	free(list->topics);
	free(list->named);
	free(list->slots);
	free(list->segments);
	free(list->partitions);
	stream_list_init(list);
}

/* ---- adding ------------------------------------------------------------- */

/* Room for one more item of size bytes; the list itself is returned, or NULL
 * when there is no memory. */
static void *
grow(void *items, size_t count, size_t *room, size_t size)
{
	void *grown;

	if (count < *room)
		return items;
	grown = reallocarray(items, count * 2 + 16, size);
	if (grown != NULL)
		*room = count * 2 + 16;
	return grown;
}

int
stream_list_add_file(struct stream_archive_list *list,
    const struct stream_archive_file *file, struct stream_error *err)
{
	void *files = grow(list->files, list->file_count, &list->file_room,
	    sizeof(*list->files));
	char *path = strdup(file->path);

	if (files != NULL)
		list->files = files;
	if (files == NULL || path == NULL) {
		free(path);
		return stream_fail_memory(err);
	}
	list->files[list->file_count] = *file;
	list->files[list->file_count++].path = path;
	return STREAM_OK;
}

int
stream_list_add_log(struct stream_archive_list *list,
    const struct stream_list_log *log, struct stream_error *err)
{
	void *logs = grow(
	    list->logs, list->log_count, &list->log_room, sizeof(*list->logs));

	if (logs == NULL)
		return stream_fail_memory(err);
	list->logs = logs;
	list->logs[list->log_count] = *log;
	list->logs[list->log_count].first_block = list->block_count;
	list->logs[list->log_count++].segment.block_count = 0;
	return STREAM_OK;
}

int
stream_list_add_block(struct stream_archive_list *list,
    const struct stream_archive_block *block, struct stream_error *err)
{
	void *blocks = grow(list->blocks, list->block_count, &list->block_room,
	    sizeof(*list->blocks));

	if (blocks == NULL)
		return stream_fail_memory(err);
	list->blocks = blocks;
	list->blocks[list->block_count++] = *block;
	list->logs[list->log_count - 1].segment.block_count++;
	return STREAM_OK;
}

int
stream_list_add_settings(struct stream_archive_list *list, const char *topic,
    struct stream_bytes settings, struct stream_error *err)
{
	struct stream_list_topic new = {.settings_size = settings.size};
	void *topics;

	if (settings.size > SETTINGS_MOST - list->settings_bytes)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "settings of all topics have more than %d bytes; such an "
		    "archive is refused",
		    SETTINGS_MOST);
	topics = grow(list->topics, list->topic_count, &list->topic_room,
	    sizeof(*list->topics));
	if (topics == NULL)
		return stream_fail_memory(err);
	list->topics = topics;
	new.settings = malloc(settings.size + 1);
	if (new.settings == NULL)
		return stream_fail_memory(err);
	if (settings.size > 0)
		memcpy(new.settings, settings.data, settings.size);
	new.settings[settings.size] = '\0';
	strcpy(new.name, topic);
	list->settings_bytes += settings.size;
	list->topics[list->topic_count++] = new;
	return STREAM_OK;
}

/* ---- putting in order --------------------------------------------------- */

static int
compare_place(const char *topic_a, int32_t a, const char *topic_b, int32_t b)
{
	int order = strcmp(topic_a, topic_b);

	return order != 0 ? order : (a > b) - (a < b);
}

static int
compare_named(const void *a, const void *b)
{
	const struct stream_list_partition *one = a, *other = b;

	return compare_place(
	    one->topic, one->partition, other->topic, other->partition);
}

static int
compare_logs(const void *a, const void *b)
{
	const struct stream_list_log *one = a, *other = b;
	int order = compare_place(
	    one->topic, one->partition, other->topic, other->partition);
	int64_t base = one->segment.base_offset,
		other_base = other->segment.base_offset;

	if (order != 0)
		return order;
	if (base != other_base)
		return base < other_base ? -1 : 1;
	return (int)one->state - (int)other->state;
}

/* The last offset of its blocks, or -1. */
static int64_t
last_offset(
    const struct stream_archive_list *list, const struct stream_list_log *log)
{
	size_t count = log->segment.block_count;

	return count == 0
		   ? -1
		   : list->blocks[log->first_block + count - 1].last_offset;
}

/* Of one that was added twice, the first comes first. */
static int
compare_topics(const void *a, const void *b)
{
	const struct stream_list_topic *const *one = a, *const *other = b;
	int order = strcmp((*one)->name, (*other)->name);

	return order != 0 ? order : (*one > *other) - (*one < *other);
}

/* The logs of one partition, and what hides some of them. */
struct sealing {
	struct stream_archive_list *list;
	const struct stream_list_topic **topics; /* owned; by name */
	size_t topics_before; /* of them, come before those named from here */
	const struct stream_list_partition *named;
	struct stream_list_log *logs;
	size_t count;
	int64_t cover_from, cover_to; /* what swap files cover; to -1: none */
};

static bool
swap_counts(const struct sealing *s, const struct stream_list_log *log)
{
	int64_t cleaned = s->named->cleaned_base;

	return log->state == STREAM_NAME_SWAP &&
	       (cleaned < 0 || log->segment.base_offset < cleaned);
}

static void
find_cover(struct sealing *s)
{
	s->cover_from = INT64_MAX;
	s->cover_to = -1;
	for (size_t i = 0; i < s->count; i++) {
		int64_t last = last_offset(s->list, &s->logs[i]);

		if (!swap_counts(s, &s->logs[i]) || last < 0)
			continue;
		if (s->logs[i].segment.base_offset < s->cover_from)
			s->cover_from = s->logs[i].segment.base_offset;
		if (last > s->cover_to)
			s->cover_to = last;
	}
}

static bool
log_counts(const struct sealing *s, size_t i)
{
	const struct stream_list_log *log = &s->logs[i];
	int64_t base = log->segment.base_offset;

	if (log->state != STREAM_NAME_PLAIN)
		return swap_counts(s, log);
	if (base >= s->cover_from && base <= s->cover_to)
		return false;
	for (size_t j = i + 1;
	     j < s->count && s->logs[j].segment.base_offset == base; j++)
		if (swap_counts(s, &s->logs[j]))
			return false;
	return true;
}

/* Where a segment ends is the base of the next one, for all but the last. */
static int
bound(struct stream_archive_segment *segments, size_t count,
    const struct stream_list_partition *named, struct stream_error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct stream_archive_segment *segment = &segments[i];
		int64_t end = segment->base_offset;

		if (segment->block_count > 0)
			end = segment->blocks[segment->block_count - 1]
				  .last_offset +
			      1;
		if (i + 1 < count)
			segment->next_offset = segments[i + 1].base_offset;
		else if (segment->next_offset < 0)
			segment->next_offset = end;
		if (end > segment->next_offset)
			return stream_fail(err, STREAM_ECORRUPT,
			    STREAM_POS_NONE,
			    "%s-%d: segment %lld reaches past the begin of "
			    "the next one",
			    named->topic, (int)named->partition,
			    (long long)segment->base_offset);
	}
	return STREAM_OK;
}

/* The settings of the topic, or NULL.  Partitions come by topic. */
static const struct stream_list_topic *
find_topic(struct sealing *s)
{
	const char *name = s->named->topic;
	size_t *i = &s->topics_before;

	while (
	    *i < s->list->topic_count && strcmp(s->topics[*i]->name, name) < 0)
		++*i;
	return *i < s->list->topic_count &&
		       strcmp(s->topics[*i]->name, name) == 0
		   ? s->topics[*i]
		   : NULL;
}

static int
seal_one(struct sealing *s, struct stream_archive_partition *partition,
    struct stream_error *err)
{
	struct stream_archive_list *list = s->list;
	struct stream_archive_segment *first =
	    &list->segments[list->segment_count];
	const struct stream_list_topic *topic = find_topic(s);
	struct stream_list_log *last = NULL;
	int status;

	find_cover(s);
	for (size_t i = 0; i < s->count; i++) {
		struct stream_archive_segment *segment;

		s->logs[i].counts = log_counts(s, i);
		if (!s->logs[i].counts)
			continue;
		if (last != NULL)
			last->is_last = false;
		last = &s->logs[i];
		last->is_last = true;
		segment = &list->segments[list->segment_count++];
		*segment = s->logs[i].segment;
		segment->good_bytes = s->logs[i].good_bytes;
		segment->status = s->logs[i].status;
		if (segment->block_count > 0)
			segment->blocks = list->blocks + s->logs[i].first_block;
	}
	*partition = (struct stream_archive_partition){
	    .topic = s->named->topic,
	    .partition = s->named->partition,
	    .log_start_offset = s->named->log_start_offset,
	    .next_offset = s->named->next_offset,
	    .segments = first,
	    .segment_count =
		(size_t)(&list->segments[list->segment_count] - first),
	};
	if (topic != NULL) {
		partition->settings = topic->settings;
		partition->settings_size = topic->settings_size;
	}
	status = bound(first, partition->segment_count, s->named, err);
	if (status == STREAM_OK && partition->next_offset >= 0 &&
	    partition->segment_count > 0 &&
	    partition->next_offset !=
		first[partition->segment_count - 1].next_offset)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%s-%d: does not go on where its last segment ends",
		    partition->topic, (int)partition->partition);
	if (partition->next_offset < 0 && partition->segment_count > 0)
		partition->next_offset =
		    first[partition->segment_count - 1].next_offset;
	return status;
}

static int
name_all(struct stream_archive_list *list, struct stream_error *err)
{
	struct stream_list_partition *named;
	int status = STREAM_OK;

	for (size_t i = 0; i < list->log_count && status == STREAM_OK; i++)
		status = stream_list_name(list, list->logs[i].topic,
		    list->logs[i].partition, &named, err);
	return status;
}

/* All that is named, and what it has. */
static int
sort(struct sealing *s, struct stream_error *err)
{
	struct stream_archive_list *list = s->list;

	s->topics = calloc(list->topic_count + 1, sizeof(*s->topics));
	list->segments = calloc(list->log_count + 1, sizeof(*list->segments));
	list->partitions =
	    calloc(list->named_count + 1, sizeof(*list->partitions));
	if (s->topics == NULL || list->segments == NULL ||
	    list->partitions == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i < list->topic_count; i++)
		s->topics[i] = &list->topics[i];
	qsort(s->topics, list->topic_count, sizeof(*s->topics), compare_topics);
	if (list->log_count > 0)
		qsort(list->logs, list->log_count, sizeof(*list->logs),
		    compare_logs);
	if (list->named_count > 0)
		qsort(list->named, list->named_count, sizeof(*list->named),
		    compare_named);
	/* They are not found by the table any more. */
	free(list->slots);
	list->slots = NULL;
	list->slot_room = 0;
	return STREAM_OK;
}

static int
seal_all(struct sealing *s, struct stream_error *err)
{
	struct stream_archive_list *list = s->list;
	size_t at = 0;
	int status = STREAM_OK;

	for (size_t i = 0; i < list->named_count && status == STREAM_OK; i++) {
		s->named = &list->named[i];
		s->logs = list->logs + at;
		s->count = 0;
		while (at < list->log_count &&
		       list->logs[at].partition == s->named->partition &&
		       strcmp(list->logs[at].topic, s->named->topic) == 0) {
			at++;
			s->count++;
		}
		status = seal_one(
		    s, &list->partitions[list->partition_count++], err);
	}
	return status;
}

int
stream_list_seal(struct stream_archive_list *list, struct stream_error *err)
{
	struct sealing s = {.list = list};
	int status = name_all(list, err);

	if (status == STREAM_OK)
		status = sort(&s, err);
	if (status == STREAM_OK)
		status = seal_all(&s, err);
	free(s.topics);
	return status;
}

/* ---- checking ----------------------------------------------------------- */

int
stream_list_check(const struct stream_archive_list *list, bool foreign,
    struct stream_error *err)
{
	for (size_t i = 0; i < list->log_count; i++) {
		const struct stream_list_log *log = &list->logs[i];
		bool may_end = foreign && log->is_last;

		if (!log->counts || log->status == STREAM_OK)
			continue;
		if (log->status == STREAM_ETORN && may_end)
			continue;
		return stream_fail(err,
		    log->status == STREAM_ENEWER ? STREAM_ENEWER
						 : STREAM_ECORRUPT,
		    STREAM_POS_NONE, "%.120s: %s",
		    list->files[log->segment.log].path, log->why);
	}
	return STREAM_OK;
}

int
stream_list_check_digest(const struct stream_archive_file *file,
    const char *digest, struct stream_error *err)
{
	if (strcmp(digest, file->digest) == 0)
		return STREAM_OK;
	return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
	    "%.150s: its digest is not that of the manifest", file->path);
}

static int
compare_file(const struct stream_archive_file *found,
    const struct stream_archive_file *expected, struct stream_error *err)
{
	if (strcmp(found->path, expected->path) != 0)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%.100s stands where %.100s should be", found->path,
		    expected->path);
	return stream_list_check_digest(expected,
	    found->bytes == expected->bytes ? found->digest : "", err);
}

static bool
is_same_block(
    const struct stream_archive_block *a, const struct stream_archive_block *b)
{
	return a->position == b->position && a->bytes == b->bytes &&
	       a->base_offset == b->base_offset &&
	       a->last_offset == b->last_offset &&
	       a->largest_ms == b->largest_ms;
}

bool
stream_list_is_same(const struct stream_archive_segment *one,
    const struct stream_archive_block *blocks,
    const struct stream_archive_segment *other,
    const struct stream_archive_block *other_blocks)
{
	bool same = one->block_count == other->block_count &&
		    one->records == other->records &&
		    one->largest_ms == other->largest_ms;

	for (size_t i = 0; same && i < one->block_count; i++)
		same = is_same_block(&blocks[i], &other_blocks[i]);
	return same;
}

static int
compare_log(const struct stream_archive_list *found,
    const struct stream_archive_list *expected, size_t i,
    struct stream_error *err)
{
	const struct stream_list_log *a = &found->logs[i];
	const struct stream_list_log *b = &expected->logs[i];
	bool same =
	    a->segment.log == b->segment.log &&
	    stream_list_is_same(&a->segment, found->blocks + a->first_block,
		&b->segment, expected->blocks + b->first_block);

	return same ? STREAM_OK
		    : stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
			  "%.150s: its batches are not those of the manifest",
			  found->files[a->segment.log].path);
}

int
stream_list_compare(const struct stream_archive_list *found,
    const struct stream_archive_list *expected, struct stream_error *err)
{
	int status = STREAM_OK;

	if (found->file_count != expected->file_count ||
	    found->log_count != expected->log_count)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "holds %zu files, and its manifest %zu", found->file_count,
		    expected->file_count);
	for (size_t i = 0; i < found->file_count && status == STREAM_OK; i++)
		status =
		    compare_file(&found->files[i], &expected->files[i], err);
	for (size_t i = 0; i < found->log_count && status == STREAM_OK; i++)
		status = compare_log(found, expected, i, err);
	return status;
}
