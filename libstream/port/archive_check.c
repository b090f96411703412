#include "port/archive_check.h"

#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/xxh128.h"
#include "port/archive_manifest.h"
#include "port/archive_notes.h"
#include "store/topic_config.h"

enum { CHUNK = 256 * 1024 };

/* The first file that does not stand where it is expected; SIZE_MAX: none.  The
 * lists have the same files. */
static size_t
find_misplaced(const struct stream_archive_list *found,
    const struct stream_archive_list *expected)
{
	for (size_t i = 0; i < found->file_count; i++)
		if (found->files[i].position != expected->files[i].position)
			return i;
	return SIZE_MAX;
}

static int
take_manifest(struct stream_pass *pass, struct stream_error *err)
{
	struct stream_bytes text = {pass->manifest.data, pass->manifest.size};
	struct stream_archive_list expected;
	int status;

	stream_list_init(&expected);
	status = stream_archive_manifest_parse(text, &expected, err);
	if (status == STREAM_OK)
		status = stream_list_compare(&pass->list, &expected, err);
	if (status != STREAM_OK) {
		stream_list_release(&expected);
		return status;
	}
	pass->misplaced = find_misplaced(&pass->list, &expected);
	/* Settings are read from the member, which the manifest names. */
	expected.topics = pass->list.topics;
	expected.topic_count = pass->list.topic_count;
	expected.topic_room = pass->list.topic_room;
	expected.settings_bytes = pass->list.settings_bytes;
	pass->list.topics = NULL;
	pass->list.topic_count = 0;
	/* What the walk found wrong with a log. */
	for (size_t i = 0; i < expected.log_count; i++) {
		expected.logs[i].status = pass->list.logs[i].status;
		expected.logs[i].good_bytes = pass->list.logs[i].good_bytes;
		expected.logs[i].hole_end = pass->list.logs[i].hole_end;
	}
	stream_list_release(&pass->list);
	pass->list = expected;
	return STREAM_OK;
}

int
stream_pass_settle(struct stream_pass *pass, struct stream_error *err)
{
	int status = STREAM_OK;

	if (pass->is_ours)
		status = take_manifest(pass, err);
	if (status == STREAM_OK)
		status = stream_list_seal(&pass->list, err);
	if (status == STREAM_OK && pass->list.partition_count == 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "holds no partition: no directory TOPIC-PARTITION");
	return status;
}

/* ---- topics ------------------------------------------------------------- */

int
stream_archive_check_count(
    const char *topic, int64_t count, struct stream_error *err)
{
	if (count <= STREAM_TOPIC_PARTITIONS_MAX)
		return STREAM_OK;
	return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
	    "%s: would have %lld partitions; %d are the most", topic,
	    (long long)count, STREAM_TOPIC_PARTITIONS_MAX);
}

static int
say_missing(const struct stream_archive_partition *partition, int64_t next,
    struct stream_error *err)
{
	return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
	    "%s-%d: offsets before %lld are missing, and its settings say that "
	    "none are",
	    partition->topic, (int)partition->partition, (long long)next);
}

/* Between segments, and after the last one.  What is below the log start hurts
 * nobody. */
static int
check_ends(
    const struct stream_archive_partition *partition, struct stream_error *err)
{
	for (size_t i = 0; i < partition->segment_count; i++) {
		const struct stream_archive_segment *segment =
		    &partition->segments[i];
		int64_t end = segment->base_offset;

		if (segment->block_count > 0)
			end = segment->blocks[segment->block_count - 1]
				  .last_offset +
			      1;
		if (end < segment->next_offset &&
		    segment->next_offset > partition->log_start_offset)
			return say_missing(
			    partition, segment->next_offset, err);
	}
	return STREAM_OK;
}

static bool
is_of(const struct stream_list_log *log,
    const struct stream_archive_partition *partition)
{
	return log->partition == partition->partition &&
	       strcmp(log->topic, partition->topic) == 0;
}

/* The first partition of the topic, if it has one; they are sorted. */
static size_t
find_partition(const struct stream_archive_list *list, const char *topic)
{
	size_t low = 0, high = list->partition_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(list->partitions[middle].topic, topic) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The same of logs, those that do not count too. */
static size_t
find_log(const struct stream_archive_list *list, const char *topic)
{
	size_t low = 0, high = list->log_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(list->logs[middle].topic, topic) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A topic whose settings say that no offset is missing.  Logs are in the order
 * of partitions, each of which is in the list. */
static int
check_dense(const struct stream_archive_list *list, const char *topic,
    struct stream_error *err)
{
	size_t at = find_log(list, topic);
	int status = STREAM_OK;

	for (size_t i = find_partition(list, topic);
	     i < list->partition_count && status == STREAM_OK; i++) {
		const struct stream_archive_partition *partition =
		    &list->partitions[i];

		if (strcmp(partition->topic, topic) != 0)
			break;
		for (;
		     at < list->log_count && is_of(&list->logs[at], partition);
		     at++)
			if (list->logs[at].counts &&
			    list->logs[at].hole_end >
				partition->log_start_offset)
				return say_missing(
				    partition, list->logs[at].hole_end, err);
		status = check_ends(partition, err);
	}
	return status;
}

static int
check_settings(const struct stream_archive_list *list,
    const struct stream_list_topic *topic, struct stream_error *err)
{
	struct stream_bytes text = {
	    (const uint8_t *)topic->settings, topic->settings_size};
	struct stream_topic_settings settings;
	int status =
	    stream_topic_settings_parse(text, topic->name, &settings, err);

	if (status != STREAM_OK)
		return stream_fail_in(
		    err, status, "settings of %s", topic->name);
	status =
	    stream_archive_check_count(topic->name, settings.partitions, err);
	if (status == STREAM_OK && !settings.has_gaps)
		status = check_dense(list, topic->name, err);
	return status;
}

static int
check_topics(const struct stream_archive_list *list, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < list->topic_count && status == STREAM_OK; i++)
		status = check_settings(list, &list->topics[i], err);
	for (size_t i = 0; i < list->partition_count && status == STREAM_OK;
	     i++)
		status = stream_archive_check_count(list->partitions[i].topic,
		    (int64_t)list->partitions[i].partition + 1, err);
	return status;
}

/* ---- all of it ---------------------------------------------------------- */

static void
sum_up(const struct stream_pass *pass, struct stream_archive_checked *checked)
{
	const struct stream_archive_list *list = &pass->list;

	*checked = (struct stream_archive_checked){
	    .is_foreign = !pass->is_ours,
	    .partitions = list->partition_count,
	    .segments = list->segment_count,
	};
	for (size_t i = 0; i < list->segment_count; i++) {
		checked->records += list->segments[i].records;
		checked->bytes += list->segments[i].bytes;
	}
}

static void
tell_torn(const struct stream_archive_list *list,
    const struct stream_archive_options *options)
{
	struct stream_notes notes = {options->note, options->context, 0};

	for (size_t i = 0; i < list->partition_count; i++)
		stream_notes_torn(&notes, &list->partitions[i], list->files,
		    "a restore leaves it out");
	stream_notes_end(&notes, "logs end so");
}

static bool
is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* One that claims to be large costs no memory. */
static int
check_file(struct stream_archive *archive, size_t i, const char *name,
    struct stream_xxh128 *digest, struct stream_error *err)
{
	const struct stream_archive_file *file =
	    stream_archive_file(archive, i);
	char found[STREAM_XXH128_SIZE];
	struct stream_buf bytes;
	int status = STREAM_OK;

	stream_buf_init(&bytes);
	stream_xxh128_reset(digest);
	for (uint64_t at = 0; at < file->bytes && status == STREAM_OK;
	     at += bytes.size) {
		uint64_t left = file->bytes - at;

		bytes.size = 0;
		status = stream_archive_read_at(archive, i, at,
		    left < CHUNK ? (size_t)left : CHUNK, &bytes, err);
		if (status == STREAM_OK)
			stream_xxh128_add(digest, bytes.data, bytes.size);
	}
	stream_buf_release(&bytes);
	if (status != STREAM_OK)
		return status;
	stream_xxh128_put(digest, found);
	status = stream_list_check_digest(file, found, err);
	return status == STREAM_OK ? STREAM_OK
				   : stream_fail_in(err, status, "%s", name);
}

/* Is each file where it is looked for?  Not logs: their blocks are, as opening
 * has seen, and are most of the bytes. */
static int
check_files(
    struct stream_archive *archive, const char *name, struct stream_error *err)
{
	struct stream_xxh128 *digest;
	int status = stream_xxh128_new(&digest, err);

	if (status != STREAM_OK)
		return status;
	for (size_t i = 0;
	     i < stream_archive_file_count(archive) && status == STREAM_OK;
	     i++) {
		struct stream_path path;

		if (!stream_path_parse(
			stream_archive_file(archive, i)->path, &path) ||
		    path.kind != STREAM_PATH_SEGMENT ||
		    path.name.kind != STREAM_NAME_LOG)
			status = check_file(archive, i, name, digest, err);
	}
	stream_xxh128_free(digest);
	return status;
}

/* Opening checks the table against the index. */
static int
try_seeking(int fd, const char *name,
    const struct stream_archive_options *options,
    struct stream_archive_checked *checked, struct stream_error *err)
{
	struct stream_archive *archive;
	int status =
	    stream_archive_open_index(fd, name, options, &archive, err);

	if (status == STREAM_ENOENT)
		return STREAM_OK; /* it has none: packed anew */
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", name);
	checked->was_sought = true;
	status = check_files(archive, name, err);
	stream_archive_close(archive);
	/* Who reads by the index must not see other things than who walks. */
	if (status == STREAM_OK && checked->is_foreign)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%s: has an index, but not the members of such an archive",
		    name);
	return status;
}

static int
check_pass(const struct stream_pass *pass, struct stream_error *err)
{
	int status;

	if (pass->misplaced != SIZE_MAX)
		return stream_archive_manifest_misfit(
		    &pass->list.files[pass->misplaced], err);
	status = stream_list_check(&pass->list, !pass->is_ours, err);
	return status == STREAM_OK ? check_topics(&pass->list, err) : status;
}

int
stream_archive_check(int fd, const char *name,
    const struct stream_archive_options *options,
    struct stream_archive_checked *checked, struct stream_error *err)
{
	struct stream_archive_checked sum;
	struct stream_pass pass;
	int status = stream_pass_run(fd, options, NULL, &pass, err);

	if (status == STREAM_OK)
		status = stream_pass_settle(&pass, err);
	if (status == STREAM_OK)
		status = check_pass(&pass, err);
	if (status == STREAM_OK && options != NULL)
		tell_torn(&pass.list, options);
	if (status == STREAM_OK)
		sum_up(&pass, &sum);
	else
		status = stream_fail_in(err, status, "%s", name);
	stream_pass_release(&pass);
	if (status == STREAM_OK && is_regular(fd))
		status = try_seeking(fd, name, options, &sum, err);
	if (status == STREAM_OK)
		*checked = sum;
	return status;
}
