/*
 * archive_restore.c - unpack apart, check all, and only then let it be seen
 */
#include "port/archive_restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "port/archive_build.h"
#include "port/archive_check.h"
#include "port/archive_fetch.h"
#include "port/archive_notes.h"
#include "port/archive_settle.h"
#include "store/adopt.h"
#include "store/metadata.h"
#include "store/place.h"

struct restoring {
	struct stream_store *store;
	const struct stream_restore_options *options;
	struct stream_build build;
	/* What is in it: by its index, or else by a walk. */
	struct stream_archive *archive;
	struct stream_pass pass;
	const struct stream_archive_partition *partitions; /* lent by those */
	size_t partition_count;
	bool is_ours;
	bool *cut_ends; /* owned: of each, segments at its end were left out */
	struct stream_adopted *topics; /* owned, with their log starts */
	char (*names)[STREAM_TOPIC_NAME_SIZE]; /* in the archive */
	size_t topic_count;
	struct stream_restored *restored;
	size_t count;
	bool told_own; /* of a topic of Kafka's own */
};

/* ---- what is wanted ----------------------------------------------------- */

static const struct stream_address *
find_wanted(const struct restoring *r, const char *topic, int32_t partition)
{
	const struct stream_restore_options *options = r->options;

	for (size_t i = 0; i < options->wanted_count; i++)
		if (strcmp(options->wanted[i].name, topic) == 0 &&
		    stream_address_has_partition(
			&options->wanted[i], partition))
			return &options->wanted[i];
	return NULL;
}

static void
tell_own(struct restoring *r, const char *topic)
{
	char text[STREAM_TOPIC_NAME_SIZE + 80];

	if (r->told_own || r->options->note == NULL)
		return;
	r->told_own = true;
	snprintf(text, sizeof(text),
	    "%s: left out, a topic of Kafka's own; name it, with --as, to "
	    "restore it",
	    topic);
	r->options->note(r->options->context, text);
}

static bool
is_wanted(struct restoring *r, const char *topic, int32_t partition)
{
	if (r->options->wanted_count > 0)
		return find_wanted(r, topic, partition) != NULL;
	if (strncmp(topic, "__", 2) != 0 || r->options->as != NULL)
		return true;
	tell_own(r, topic);
	return false;
}

/* ---- unpacking ---------------------------------------------------------- */

static int
begin(void *context, const struct stream_archive_entry *entry, bool *wanted,
    struct stream_error *err)
{
	struct restoring *r = context;
	const struct stream_path *path = &entry->parsed;

	*wanted = is_wanted(r, path->topic, path->partition) &&
		  (path->kind != STREAM_PATH_SEGMENT ||
		      path->name.state != STREAM_NAME_DELETED);
	return *wanted ? stream_build_file(&r->build, entry, err) : STREAM_OK;
}

static int
bytes(void *context, const void *from, size_t n, struct stream_error *err)
{
	struct restoring *r = context;

	return stream_build_write(&r->build, from, n, err);
}

static int
end(void *context, struct stream_error *err)
{
	struct restoring *r = context;

	return stream_build_close(&r->build, err);
}

static int
walk(struct restoring *r, int fd, struct stream_error *err)
{
	struct stream_pass_tee tee = {begin, bytes, end, r};
	int status =
	    stream_pass_run(fd, &r->options->archive, &tee, &r->pass, err);

	if (status == STREAM_OK)
		status = stream_pass_settle(&r->pass, err);
	if (status == STREAM_OK)
		status =
		    stream_list_check(&r->pass.list, !r->pass.is_ours, err);
	r->partitions = r->pass.list.partitions;
	r->partition_count = r->pass.list.partition_count;
	r->is_ours = r->pass.is_ours;
	return status;
}

/* A part of it need not read the rest, where there is an index to find it. */
static int
open_index(
    struct restoring *r, int fd, const char *name, struct stream_error *err)
{
	int status;

	if (r->options->wanted_count == 0 || lseek(fd, 0, SEEK_CUR) != 0)
		return STREAM_ENOENT;
	status = stream_archive_open_index(
	    fd, name, &r->options->archive, &r->archive, err);
	if (status == STREAM_ENOENT && lseek(fd, 0, SEEK_SET) != 0)
		return stream_fail_sys(err, "cannot seek");
	if (status != STREAM_OK)
		return status;
	r->partitions = stream_archive_partition(r->archive, 0);
	r->partition_count = stream_archive_partition_count(r->archive);
	r->is_ours = true;
	return STREAM_OK;
}

static const struct stream_range *
find_range(
    const struct restoring *r, const struct stream_archive_partition *partition)
{
	static const struct stream_range all = {.from = {STREAM_POINT_NONE, 0}};
	const struct stream_address *wanted =
	    find_wanted(r, partition->topic, partition->partition);

	return wanted != NULL ? &wanted->range : &all;
}

/* As large as its logs are among all of them. */
static int
tell_how_much(struct restoring *r, int fd, struct stream_error *err)
{
	uint64_t size, wanted = 0, all = 0;
	int status = stream_io_size(fd, &size, err);

	for (size_t i = 0; i < r->partition_count && status == STREAM_OK; i++) {
		const struct stream_archive_partition *partition =
		    &r->partitions[i];

		for (size_t j = 0; j < partition->segment_count; j++)
			all += partition->segments[j].bytes;
		if (is_wanted(r, partition->topic, partition->partition))
			status = stream_fetch_measure(
			    partition, find_range(r, partition), &wanted, err);
	}
	if (status == STREAM_OK && r->options->reads != NULL && all > 0)
		r->options->reads(r->options->context,
		    (uint64_t)((double)size * (double)wanted / (double)all));
	return status;
}

static int
fetch(struct restoring *r, struct stream_error *err)
{
	uint64_t max_bytes = r->options->archive.max_bytes;
	struct stream_fetch fetch = {
	    .archive = r->archive,
	    .build = &r->build,
	    .max_batch_bytes = r->options->archive.max_batch_bytes,
	    .left = max_bytes != 0 ? max_bytes : STREAM_ARCHIVE_BYTES_MOST,
	};
	int status = STREAM_OK;

	for (size_t i = 0; i < r->partition_count && status == STREAM_OK; i++) {
		const struct stream_archive_partition *partition =
		    &r->partitions[i];

		if (is_wanted(r, partition->topic, partition->partition))
			status = stream_fetch_partition(&fetch, partition,
			    find_range(r, partition), &r->cut_ends[i], err);
	}
	return status;
}

/* ---- topics ------------------------------------------------------------- */

static int
add_topic(struct restoring *r, const char *name, struct stream_error *err)
{
	for (size_t i = 0; i < r->topic_count; i++)
		if (strcmp(r->names[i], name) == 0)
			return STREAM_OK;
	if (r->options->as != NULL && r->topic_count > 0)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "--as %s: for one topic, but there are %s and %s",
		    r->options->as, r->names[0], name);
	strcpy(r->names[r->topic_count++], name);
	return STREAM_OK;
}

static int
list_topics(struct restoring *r, struct stream_error *err)
{
	int status = STREAM_OK;

	r->names = calloc(r->partition_count + 1, sizeof(*r->names));
	r->topics = calloc(r->partition_count + 1, sizeof(*r->topics));
	r->cut_ends = calloc(r->partition_count + 1, sizeof(*r->cut_ends));
	if (r->names == NULL || r->topics == NULL || r->cut_ends == NULL)
		return stream_fail_memory(err);
	for (size_t i = 0; i < r->partition_count && status == STREAM_OK; i++)
		if (is_wanted(
			r, r->partitions[i].topic, r->partitions[i].partition))
			status = add_topic(r, r->partitions[i].topic, err);
	return status;
}

static bool
is_found(const struct restoring *r, const struct stream_address *wanted)
{
	for (size_t i = 0; i < r->partition_count; i++)
		if (strcmp(r->partitions[i].topic, wanted->name) == 0 &&
		    stream_address_has_partition(
			wanted, r->partitions[i].partition))
			return true;
	return false;
}

static int
check_wanted(const struct restoring *r, struct stream_error *err)
{
	for (size_t i = 0; i < r->options->wanted_count; i++)
		if (!is_found(r, &r->options->wanted[i]))
			return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
			    "%s: no such %s in it; strm archive ls lists what "
			    "there is",
			    r->options->wanted[i].name,
			    r->options->wanted[i].span_count > 0 ? "partition"
								 : "topic");
	if (r->topic_count == 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "nothing in it to restore");
	return STREAM_OK;
}

/* How many partitions there are at least. */
static int
count_partitions(const struct restoring *r, const char *name, int32_t *count,
    struct stream_error *err)
{
	int64_t most = *count;
	int status;

	for (size_t i = 0; i < r->partition_count; i++) {
		int32_t partition = r->partitions[i].partition;

		if (strcmp(r->partitions[i].topic, name) == 0 &&
		    partition >= most &&
		    is_wanted((struct restoring *)r, name, partition))
			most = (int64_t)partition + 1;
	}
	status = stream_archive_check_count(name, most, err);
	if (status == STREAM_OK)
		*count = (int32_t)most;
	return status;
}

/* The id that its partitions say, else a new one. */
static int
find_id(const struct restoring *r, const char *name,
    struct stream_topic_settings *settings, struct stream_error *err)
{
	char directory[STREAM_PARTITION_NAME_SIZE];

	for (size_t i = 0; i < r->partition_count; i++) {
		int fd;
		int status;

		if (strcmp(r->partitions[i].topic, name) != 0 ||
		    stream_partition_name_put(name, r->partitions[i].partition,
			directory, NULL) != STREAM_OK ||
		    stream_dir_open(r->build.dirfd, directory, &fd, NULL) !=
			STREAM_OK)
			continue;
		status = stream_metadata_load(fd, settings->id, NULL);
		close(fd);
		if (status == STREAM_OK)
			return STREAM_OK;
	}
	return stream_metadata_new_id(settings->id, err);
}

/*
 * What is not known must not be deleted by a guess.  That the log has no gaps
 * is believed of nobody's files but ours.
 */
static int
guess_settings(struct restoring *r, const char *name,
    struct stream_topic_settings *settings, struct stream_error *err)
{
	int status;

	*settings = (struct stream_topic_settings){.has_gaps = true};
	stream_topic_config_init(&settings->config);
	status = stream_topic_config_set(
	    &settings->config, "retention.ms", "-1", err);
	return status == STREAM_OK ? find_id(r, name, settings, err) : status;
}

/* NULL: there are none.  All partitions of a topic have the same. */
static struct stream_bytes
find_settings(const struct restoring *r, const char *name)
{
	size_t i = 0;

	while (strcmp(r->partitions[i].topic, name) != 0)
		i++;
	return (struct stream_bytes){(const uint8_t *)r->partitions[i].settings,
	    r->partitions[i].settings_size};
}

static int
make_settings(struct restoring *r, size_t i, struct stream_error *err)
{
	const char *name = r->names[i];
	const char *as = r->options->as != NULL ? r->options->as : name;
	struct stream_bytes text = find_settings(r, name);
	struct stream_adopted *adopted = &r->topics[i];
	struct stream_topic_settings *settings = &adopted->settings;
	int status;

	if (text.data != NULL)
		status = stream_topic_settings_parse(text, name, settings, err);
	else
		status = guess_settings(r, name, settings, err);
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "settings of %s", name);
	status = stream_topic_check_name(as, err);
	if (status == STREAM_OK && strncmp(as, "__", 2) == 0)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s: names that begin with \"__\" are Kafka's own; give "
		    "--as NAME",
		    as);
	/* Two topics have no id in common. */
	if (status == STREAM_OK && strcmp(as, name) != 0)
		status = stream_metadata_new_id(settings->id, err);
	if (status == STREAM_OK)
		status = count_partitions(r, name, &settings->partitions, err);
	if (status != STREAM_OK)
		return status;
	strcpy(settings->topic, as);
	adopted->log_starts =
	    calloc((size_t)settings->partitions, sizeof(*adopted->log_starts));
	return adopted->log_starts != NULL ? STREAM_OK
					   : stream_fail_memory(err);
}

/* ---- partitions --------------------------------------------------------- */

static const struct stream_archive_partition *
find_partition(const struct restoring *r, const char *name, int32_t partition)
{
	for (size_t i = 0; i < r->partition_count; i++)
		if (r->partitions[i].partition == partition &&
		    strcmp(r->partitions[i].topic, name) == 0)
			return &r->partitions[i];
	return NULL;
}

static void
set_what_is_known(struct restoring *r,
    const struct stream_archive_partition *partition,
    struct stream_settle *settle)
{
	settle->range = find_range(r, partition);
	settle->log_start_offset = partition->log_start_offset;
	if (r->is_ours && !r->cut_ends[partition - r->partitions])
		settle->next_offset = partition->next_offset;
}

static int
rename_build(struct restoring *r, const struct stream_settle *settle,
    struct stream_error *err)
{
	char from[STREAM_PARTITION_NAME_SIZE], to[STREAM_PARTITION_NAME_SIZE];
	int status = stream_partition_name_put(
	    settle->topic, settle->partition, from, err);

	if (status == STREAM_OK)
		status = stream_partition_name_put(
		    settle->settings->topic, settle->partition, to, err);
	if (status == STREAM_OK && strcmp(from, to) != 0 &&
	    renameat(r->build.dirfd, from, r->build.dirfd, to) != 0)
		return stream_fail_sys(err, "%s: cannot rename", to);
	return status;
}

static void
tell_hidden(struct restoring *r, const struct stream_settle *settle)
{
	char text[STREAM_PARTITION_NAME_SIZE + 80];

	if (settle->records == 0 || r->options->note == NULL ||
	    settle->log_start_offset < settle->end_offset)
		return;
	snprintf(text, sizeof(text),
	    "%s-%d: all records lie below its log start, %lld, and are hidden",
	    settle->topic, (int)settle->partition,
	    (long long)settle->log_start_offset);
	r->options->note(r->options->context, text);
}

static int
settle_one(struct restoring *r, size_t i, int32_t p, struct stream_error *err)
{
	static const struct stream_range all = {.from = {STREAM_POINT_NONE, 0}};
	struct stream_adopted *adopted = &r->topics[i];
	const struct stream_archive_partition *partition =
	    find_partition(r, r->names[i], p);
	struct stream_settle settle = {
	    .build = &r->build,
	    .topic = r->names[i],
	    .partition = p,
	    .range = &all,
	    .settings = &adopted->settings,
	    .next_offset = -1,
	    .max_batch_bytes = r->options->archive.max_batch_bytes,
	};
	struct stream_restored *restored = &r->restored[r->count];
	int status;

	if (partition != NULL && !is_wanted(r, r->names[i], p))
		partition = NULL;
	if (partition != NULL)
		set_what_is_known(r, partition, &settle);
	if (r->options->archive.go_on != NULL &&
	    !r->options->archive.go_on(r->options->archive.context, 0))
		return stream_fail(
		    err, STREAM_EINTR, STREAM_POS_NONE, "interrupted");
	status = stream_settle_partition(&settle, err);
	if (status == STREAM_OK)
		status = rename_build(r, &settle, err);
	if (status != STREAM_OK)
		return status;
	if (settle.log_start_offset > settle.first_offset)
		adopted->log_starts[p] =
		    settle.log_start_offset < settle.end_offset
			? settle.log_start_offset
			: settle.end_offset;
	tell_hidden(r, &settle);
	if (settle.has_transactions)
		adopted->settings.has_transactions = true;
	strcpy(restored->topic, adopted->settings.topic);
	restored->partition = p;
	restored->segments = settle.segments;
	restored->first_offset = settle.first_offset;
	restored->end_offset = settle.end_offset;
	restored->records = settle.records;
	restored->bytes = settle.bytes;
	restored->was_in_it = partition != NULL;
	r->count++;
	return STREAM_OK;
}

static int
settle_topic(struct restoring *r, size_t i, struct stream_error *err)
{
	int32_t count;
	void *restored;
	int status = make_settings(r, i, err);

	if (status != STREAM_OK)
		return status;
	count = r->topics[i].settings.partitions;
	restored = reallocarray(
	    r->restored, r->count + (size_t)count, sizeof(*r->restored));
	if (restored == NULL)
		return stream_fail_memory(err);
	r->restored = restored;
	for (int32_t p = 0; p < count && status == STREAM_OK; p++)
		status = settle_one(r, i, p, err);
	return status;
}

static int
check_range(const struct restoring *r, struct stream_error *err)
{
	int64_t records = 0;
	bool asked = false;

	for (size_t i = 0; i < r->options->wanted_count; i++)
		asked = asked || r->options->wanted[i].range.from.kind !=
				     STREAM_POINT_NONE;
	for (size_t i = 0; i < r->count; i++)
		records += r->restored[i].records;
	return asked && records == 0
		   ? stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
			 "holds no record in that range")
		   : STREAM_OK;
}

/* Of what was restored. */
static void
tell_torn(struct restoring *r)
{
	struct stream_notes notes = {
	    r->options->archive.note, r->options->archive.context, 0};

	for (size_t i = 0; i < r->pass.list.partition_count; i++) {
		const struct stream_archive_partition *partition =
		    &r->pass.list.partitions[i];

		if (is_wanted(r, partition->topic, partition->partition))
			stream_notes_torn(
			    &notes, partition, r->pass.list.files, "left out");
	}
	stream_notes_end(&notes, "logs end so");
}

/* ---- all of it ---------------------------------------------------------- */

static int
restore(struct restoring *r, int fd, const char *name, struct stream_error *err)
{
	int status = open_index(r, fd, name, err);

	if (status == STREAM_ENOENT)
		status = walk(r, fd, err);
	if (status == STREAM_OK)
		status = list_topics(r, err);
	if (status == STREAM_OK)
		status = check_wanted(r, err);
	if (status == STREAM_OK && r->archive != NULL)
		status = tell_how_much(r, fd, err);
	if (status == STREAM_OK && r->archive != NULL)
		status = fetch(r, err);
	for (size_t i = 0; i < r->topic_count && status == STREAM_OK; i++)
		status = settle_topic(r, i, err);
	if (status == STREAM_OK)
		status = check_range(r, err);
	if (status == STREAM_OK)
		status = stream_io_sync_dir(r->build.dirfd, err);
	return status;
}

static void
release(struct restoring *r)
{
	stream_build_end(&r->build);
	stream_archive_close(r->archive);
	stream_pass_release(&r->pass);
	for (size_t i = 0; i < r->topic_count; i++)
		free(r->topics[i].log_starts);
	free(r->topics);
	free(r->names);
	free(r->cut_ends);
	free(r->restored);
}

int
stream_archive_restore(struct stream_store *store, int fd, const char *name,
    const struct stream_restore_options *options,
    struct stream_restored **restored, size_t *count, struct stream_error *err)
{
	struct restoring r = {.store = store, .options = options};
	int status;

	stream_list_init(&r.pass.list);
	stream_buf_init(&r.pass.manifest);
	status = stream_build_begin(store, &r.build, err);
	if (status == STREAM_OK) {
		status = restore(&r, fd, name, err);
		if (status != STREAM_OK)
			stream_fail_in(err, status, "%s", name);
	}
	if (status == STREAM_OK)
		status = stream_topics_adopt(
		    store, r.build.dirfd, r.topics, r.topic_count, err);
	if (status == STREAM_OK) {
		tell_torn(&r);
		*restored = r.restored;
		*count = r.count;
		r.restored = NULL;
	}
	release(&r);
	return status;
}
