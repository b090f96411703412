/*
 * replica_topics.c - all topics of a manifest, one partition after another
 *
 * One that fails keeps no other from its turn; the report has a line for each.
 */
#include "store/replica_apply.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/name.h"
#include "store/metadata.h"
#include "store/recover.h"
#include "store/replica_gone.h"
#include "store/replica_missing.h"
#include "store/replica_part.h"
#include "store/topic.h"

/* ---- the report --------------------------------------------------------- */

static void
report(struct stream_applying *all, struct stream_manifest_part *source,
    const struct stream_manifest_part *mine, const char *word, int64_t value,
    int status, const char *text)
{
	fprintf(all->report,
	    "%s %s %" PRId32 " %" PRId64 " %" PRId64 " %" PRId64 " %d %s\n",
	    word, source->topic, source->partition, stream_manifest_end(mine),
	    stream_manifest_end(source), value, status, text);
	if (strcmp(word, "done") == 0)
		return;
	/* The manifest that is kept says what the replica holds. */
	source->failed = status == STREAM_OK ? STREAM_ECORRUPT : status;
	snprintf(source->text, sizeof(source->text), "%s", word);
}

/* Which side it is that failed must be plain: the source has files of the same
 * names. */
static void
report_replica(struct stream_applying *all, struct stream_manifest_part *source,
    const struct stream_manifest_part *mine, const char *word, int status,
    const struct stream_error *why)
{
	char text[sizeof(why->text) + 12];

	snprintf(text, sizeof(text), "replica: %s", why->text);
	report(all, source, mine, word, -1, status, text);
}

/* A damaged log may hold what the source does not: that it goes is for someone
 * to decide, and what is not there is brought. */
static void
report_damaged(struct stream_apply_part *part,
    struct stream_manifest_part *source, const struct stream_error *why)
{
	char text[sizeof(why->text) + sizeof(part->name) + 128];

	snprintf(text, sizeof(text),
	    "replica: %s; nothing is sent for it: move the directory %s out of "
	    "the replica, and the next run brings all of it",
	    why->text, part->name);
	report(part->all, source, &part->mine, "failed", -1, STREAM_ECORRUPT,
	    text);
}

static void
close_part(struct stream_apply_part *part)
{
	stream_manifest_clear_part(&part->mine);
	if (part->incoming >= 0)
		close(part->incoming);
	if (part->dirfd >= 0)
		close(part->dirfd);
}

static int
open_part(struct stream_applying *all, struct stream_manifest_part *source,
    const struct stream_topic_settings *settings,
    struct stream_apply_part *part, struct stream_error *err)
{
	int status;

	*part = (struct stream_apply_part){
	    .all = all,
	    .source = source,
	    .settings = settings,
	    .mine = {.topic = source->topic,
		.partition = source->partition,
		.clean_point = -1},
	    .dirfd = -1,
	    .incoming = -1,
	    .diverged = -1,
	};
	status = stream_partition_name_put(
	    source->topic, source->partition, part->name, err);
	if (status == STREAM_OK)
		status = stream_dir_open(
		    all->incoming, part->name, &part->incoming, err);
	if (status == STREAM_ENOENT) {
		part->incoming = -1;
		status = STREAM_OK;
	}
	return status;
}

/* What the replica's logs are now, the next run need not read. */
static int
remember(struct stream_apply_part *part, struct stream_error *err)
{
	const struct stream_manifest_part *source = part->source;
	struct stream_measures *fresh = &part->all->look.fresh;
	int status = STREAM_OK;

	stream_measures_drop(fresh, part->name);
	for (size_t i = 0; i < source->segment_count && status == STREAM_OK;
	     i++) {
		char name[STREAM_NAME_SIZE];
		int fd;

		stream_name_put_plain(
		    source->segments[i].base_offset, STREAM_NAME_LOG, name);
		status = stream_io_open(part->dirfd, name, O_RDONLY, &fd, err);
		if (status != STREAM_OK)
			break;
		status = stream_measures_add(fresh, part->name,
		    source->segments[i].base_offset, fd,
		    i + 1 == source->segment_count,
		    &source->segments[i].measure, err);
		close(fd);
	}
	return status;
}

/* Read all again, and see that it is what the source has. */
static int
verify(struct stream_apply_part *part, struct stream_error *err)
{
	struct stream_manifest_part now = {
	    .topic = part->source->topic, .partition = part->source->partition};
	struct stream_replica_look look = part->all->look;
	int status;

	look.known = (struct stream_measures){.items = NULL};
	look.fresh = look.known;
	status = stream_replica_look_part(
	    &look, part->dirfd, part->settings, &now, err);
	if (status == STREAM_OK &&
	    now.segment_count != part->source->segment_count)
		status = stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "has %zu segments, the source has %zu", now.segment_count,
		    part->source->segment_count);
	for (size_t i = 0; i < now.segment_count && status == STREAM_OK; i++)
		if (now.segments[i].base_offset !=
			part->source->segments[i].base_offset ||
		    !stream_measure_is_same(&now.segments[i].measure,
			&part->source->segments[i].measure))
			status =
			    stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
				"%020lld.log: is not what the source has",
				(long long)now.segments[i].base_offset);
	stream_measures_release(&look.fresh);
	stream_manifest_clear_part(&now);
	return status;
}

/* ---- a partition that is there ------------------------------------------ */

static bool
is_fatal(int status)
{
	return status == STREAM_ENOMEM || status == STREAM_EINTR;
}

static void
tell(struct stream_apply_part *part, struct stream_manifest_part *source,
    int status, struct stream_error *why)
{
	struct stream_applying *all = part->all;

	if (status == STREAM_OK && part->diverged >= 0 &&
	    all->options->truncate) {
		status = stream_apply_truncate(part, part->diverged, why);
		if (status == STREAM_OK) {
			report(all, source, &part->mine, "truncated",
			    part->diverged, STREAM_OK, "-");
			return;
		}
	}
	if (status != STREAM_OK && part->damaged)
		report_damaged(part, source, why);
	else if (status != STREAM_OK)
		report_replica(all, source, &part->mine,
		    part->resend ? "resend" : "failed", status, why);
	else if (part->diverged >= 0)
		report(all, source, &part->mine, "diverged", part->diverged,
		    STREAM_OK, "-");
	else
		report(all, source, &part->mine, "done", -1, STREAM_OK, "-");
}

static const char another[] =
    "the source's is of another topic of this name (--delete removes the "
    "replica's, if the topic is chosen as a whole)";

/* Of a topic that is not ours, the partitions alone say which it is. */
static int
check_id(const struct stream_apply_part *part, struct stream_error *err)
{
	char id[STREAM_TOPIC_ID_SIZE];
	int status = stream_metadata_load(part->dirfd, id, NULL);

	if (status != STREAM_OK || part->source->id[0] == '\0' ||
	    strcmp(id, part->source->id) == 0)
		return STREAM_OK;
	return stream_fail(err, STREAM_EEXIST, STREAM_POS_NONE, "%s", another);
}

static int
apply_old(struct stream_apply_part *part, struct stream_manifest_part *source,
    struct stream_error *err)
{
	struct stream_error why = {.sys = 0};
	int status = check_id(part, &why);

	if (status == STREAM_OK)
		status = stream_apply_part(part, &why);
	if (status == STREAM_OK && part->diverged < 0 &&
	    part->all->options->verify)
		status = verify(part, &why);
	if (status == STREAM_OK && part->diverged < 0)
		status = remember(part, &why);
	if (is_fatal(status)) {
		if (err != NULL)
			*err = why;
		return status;
	}
	tell(part, source, status, &why);
	return STREAM_OK;
}

/* ---- one that is not ---------------------------------------------------- */

static int
ready_new(struct stream_apply_part *part, struct stream_error *err)
{
	enum stream_apply_kind *kinds =
	    calloc(part->source->segment_count + 1, sizeof(*kinds));
	size_t first, last;
	int status = kinds == NULL
			 ? stream_fail_memory(err)
			 : stream_apply_plan(part, kinds, &first, &last, err);

	free(kinds);
	part->diverged = -1;
	return status;
}

static int
build_new(const struct stream_change *change, struct stream_apply_part *part,
    bool show, struct stream_error *err)
{
	int status = ready_new(part, err);

	if (status == STREAM_OK)
		status = stream_apply_build(change, part, err);
	if (status == STREAM_OK && show)
		status = stream_apply_show_part(change, part->name, err);
	return status;
}

/* A link, or a file, that is in the place of one is not passed over. */
static int
find_part(struct stream_apply_part *part, bool *there, struct stream_error *err)
{
	const struct stream_manifest_part *source = part->source;
	struct stream_store *store = part->all->store;
	int status = stream_store_open_partition(
	    store, source->topic, source->partition, &part->dirfd, err);

	*there = status == STREAM_OK;
	if (status != STREAM_ENOENT)
		return status;
	part->dirfd = -1;
	status = stream_replica_check_place(
	    store, source->topic, source->partition, err);
	return status == STREAM_ENOENT ? STREAM_OK : status;
}

/* ---- a topic ------------------------------------------------------------ */

struct topic_parts {
	struct stream_applying *all;
	struct stream_manifest_topic *topic;
	const struct stream_topic_settings *settings;
	size_t from; /* parts of the manifest */
	size_t to;
	bool is_new; /* nothing of it is there */
};

static int
is_there(struct topic_parts *t, bool *there, struct stream_error *err)
{
	struct stream_topic *topic;
	int status =
	    stream_topic_open(t->all->store, t->topic->name, &topic, err);

	*there = status == STREAM_OK;
	if (*there)
		stream_topic_free(topic);
	return status == STREAM_ENOENT ? STREAM_OK : status;
}

static void
report_source(struct topic_parts *t, const struct stream_manifest_part *source)
{
	fprintf(t->all->report, "failed %s %d 0 0 -1 %d source: %s\n",
	    source->topic, source->partition, source->failed, source->text);
}

/* Another topic of the same name has nothing to do with what is there, neither
 * its records nor its settings. */
static void
refuse_another(struct topic_parts *t)
{
	for (size_t i = t->from; i < t->to; i++) {
		struct stream_manifest_part *source = &t->all->source->parts[i];

		if (source->failed != STREAM_OK)
			report_source(t, source);
		else
			report(t->all, source,
			    &(struct stream_manifest_part){0}, "failed", -1,
			    STREAM_EEXIST, another);
	}
}

static int
apply_one(struct topic_parts *t, const struct stream_change *change,
    struct stream_manifest_part *source, bool *built, struct stream_error *err)
{
	struct stream_error why = {.sys = 0};
	struct stream_apply_part part;
	bool there = false;
	int status;

	*built = true;
	if (source->failed != STREAM_OK) {
		*built = false;
		if (change != NULL && !t->is_new) /* it was told */
			return STREAM_OK;
		report_source(t, source);
		return STREAM_OK;
	}
	if (source->segment_count == 0)
		return STREAM_OK;
	status = open_part(t->all, source, t->settings, &part, &why);
	if (status == STREAM_OK)
		status = find_part(&part, &there, &why);
	if (status == STREAM_OK && there && change == NULL) {
		status = apply_old(&part, source, &why);
	} else if (status == STREAM_OK && !there && change != NULL) {
		status = build_new(change, &part, !t->is_new, &why);
		*built = status == STREAM_OK;
		if (*built && !t->is_new)
			find_part(&part, &there, NULL);
		if (*built && there)
			remember(&part, NULL);
		/* Of a new topic only when it has appeared. */
		if (!is_fatal(status) && !(*built && t->is_new))
			tell(&part, source, status, &why);
		if (!is_fatal(status))
			status = STREAM_OK;
	} else if (status == STREAM_OK) {
		*built = true;
	}
	if (status != STREAM_OK && !is_fatal(status)) {
		report_replica(
		    t->all, source, &part.mine, "failed", status, &why);
		status = STREAM_OK;
		*built = false;
	}
	close_part(&part);
	if (status != STREAM_OK && err != NULL)
		*err = why;
	return status;
}

/* change NULL: those that are there; else those that are not. */
static int
apply_parts(struct topic_parts *t, const struct stream_change *change,
    bool *all_built, struct stream_error *err)
{
	int status = STREAM_OK;

	*all_built = true;
	for (size_t i = t->from; i < t->to && status == STREAM_OK; i++) {
		bool built;

		status = apply_one(
		    t, change, &t->all->source->parts[i], &built, err);
		*all_built = *all_built && built;
	}
	return status;
}

/* What is not remembered is read again. */
static void
remember_all(struct topic_parts *t)
{
	for (size_t i = t->from; i < t->to; i++) {
		struct stream_apply_part part;
		bool there;

		if (open_part(t->all, &t->all->source->parts[i], t->settings,
			&part, NULL) == STREAM_OK &&
		    find_part(&part, &there, NULL) == STREAM_OK && there)
			remember(&part, NULL);
		close_part(&part);
	}
}

/* The partitions of a new topic, all of which appeared, or none. */
static void
tell_all(struct topic_parts *t, bool appeared)
{
	const struct stream_manifest_part none = {.segment_count = 0};
	struct stream_manifest *m = t->all->source;
	int status = STREAM_OK;

	for (size_t i = t->from; i < t->to && status == STREAM_OK; i++)
		status = m->parts[i].failed;
	for (size_t i = t->from; i < t->to; i++) {
		if (m->parts[i].failed != STREAM_OK ||
		    m->parts[i].segment_count == 0)
			continue;
		if (appeared)
			report(t->all, &m->parts[i], &none, "done", -1,
			    STREAM_OK, "-");
		else
			report(t->all, &m->parts[i], &none, "failed", -1,
			    status,
			    "the topic appears when all of it has come");
	}
}

static int
apply_new(struct topic_parts *t, struct stream_error *err)
{
	struct stream_change change;
	bool all_built;
	int status = stream_change_begin(
	    t->all->store, t->all->store->lock_timeout_ms, &change, err);

	if (status != STREAM_OK)
		return status;
	/* One of this name may not be wholly removed yet. */
	if (t->is_new)
		status = stream_recover_in(&change, t->topic->name, err);
	if (status == STREAM_OK)
		status = apply_parts(t, &change, &all_built, err);
	if (status == STREAM_OK && t->is_new && all_built) {
		status =
		    stream_apply_show_topic(&change, t->all, t->topic, err);
		if (status == STREAM_OK)
			remember_all(t);
		if (status == STREAM_OK)
			tell_all(t, true);
	} else if (status == STREAM_OK && t->is_new) {
		tell_all(t, false);
	}
	stream_change_end(&change);
	return status;
}

static bool
is_any_missing(const struct topic_parts *t)
{
	for (size_t i = t->from; i < t->to; i++) {
		char name[STREAM_PARTITION_NAME_SIZE];
		bool has;

		if (stream_partition_name_put(t->topic->name,
			t->all->source->parts[i].partition, name,
			NULL) == STREAM_OK &&
		    stream_dir_has(t->all->store->dirfd, name, &has, NULL) ==
			STREAM_OK &&
		    !has)
			return true;
	}
	return false;
}

static int
apply_topic(struct topic_parts *t, struct stream_error *err)
{
	bool there, all_built;
	int status = is_there(t, &there, err);

	if (status != STREAM_OK)
		return status;
	if (there && stream_replica_fate(t->all->source, t->all->mine,
			 t->topic->name) == STREAM_FATE_ANOTHER) {
		refuse_another(t);
		return STREAM_OK;
	}
	t->is_new = !there;
	/* That offsets may be missing must be known before they are. */
	if (there)
		status = stream_apply_settings(t->all, t->topic, err);
	if (status == STREAM_OK && there)
		status = apply_parts(t, NULL, &all_built, err);
	if (status == STREAM_OK && is_any_missing(t))
		status = apply_new(t, err);
	return status;
}

int
stream_apply_topics(struct stream_applying *all, struct stream_error *err)
{
	struct stream_manifest *m = all->source;
	struct topic_parts t = {.all = all};
	int status = STREAM_OK;

	for (size_t i = 0; i < m->topic_count && status == STREAM_OK; i++) {
		struct stream_error why;

		t.topic = &m->topics[i];
		t.settings = t.topic->is_ours ? &t.topic->settings : NULL;
		t.from = t.to;
		while (t.to < m->part_count && m->parts[t.to].topic_index == i)
			t.to++;
		status = apply_topic(&t, &why);
		if (status == STREAM_OK)
			continue;
		if (is_fatal(status) || t.from == t.to) {
			if (err != NULL)
				*err = why;
			return status;
		}
		for (size_t k = t.from; k < t.to; k++)
			if (m->parts[k].failed == STREAM_OK)
				report(all, &m->parts[k],
				    &(struct stream_manifest_part){0}, "failed",
				    -1, status, why.text);
		status = STREAM_OK;
	}
	return status;
}
