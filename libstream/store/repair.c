/*
 * repair.c - from a place to its repair
 */
#include <stream/repair.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/checkpoint.h"
#include "file/io.h"
#include "store/metadata_check.h"
#include "store/place_facts.h"
#include "store/repair_place.h"
#include "store/topic.h"

enum { CAP = 64 << 20 };

/*
 * A replica may be repaired.  What that cuts is no whole batch, and so nothing
 * that its source has; what it rebuilds, replication does not copy; and one
 * that cannot be read must not need its source, which may be lost, to be
 * promoted.  What a fenced store holds, its leader of old, is to stay as it is
 * until someone has looked.
 */
enum { WRITES = STREAM_STORE_WRITE | STREAM_STORE_REPLICA };

/* The settings that repairing obeys; Kafka's defaults for a topic that is not
 * ours. */
static int
load_config(struct stream_store *store, const struct stream_place *place,
    struct stream_topic_config *config, struct stream_error *err)
{
	struct stream_topic_settings settings;
	int status;

	stream_topic_config_init(config);
	if (!place->is_ours)
		return STREAM_OK;
	status =
	    stream_topic_load_settings(store, place->topic, &settings, err);
	if (status == STREAM_OK)
		*config = settings.config;
	return status;
}

/* What concerns appending is of no use here. */
static struct stream_repair_source
make_source(const struct stream_place *place,
    const struct stream_repair_options *options,
    const struct stream_topic_config *topic)
{
	return (struct stream_repair_source){
	    .config = {.index_interval_bytes = topic->index_interval_bytes,
		.dense = !place->has_gaps,
		.log_start_offset = place->log_start_offset,
		.lock_timeout_ms = options->lock_timeout_ms},
	    .facts = stream_place_facts(place),
	    .is_ours = place->is_ours,
	    .cap =
		options->max_batch_bytes != 0 ? options->max_batch_bytes : CAP,
	    .index_guess = options->index_interval_bytes,
	};
}

void
stream_place_close(struct stream_opened_place *opened)
{
	if (opened->source.dirfd >= 0)
		close(opened->source.dirfd);
	stream_store_close(opened->store);
}

/* "TOPIC-P: " stands before what the log says is wrong. */
static int
fail_in(const struct stream_place *place, int status, struct stream_error *err)
{
	const char *slash = strrchr(place->path, '/');
	bool has_name = slash != NULL && slash[1] != '\0';

	return stream_fail_in(
	    err, status, "%s", has_name ? slash + 1 : place->path);
}

/* Is the directory that was opened still the topic's? */
static int
check_place(const struct stream_opened_place *opened,
    const struct stream_place *place, struct stream_error *err)
{
	int status;

	if (!place->is_ours)
		return STREAM_OK;
	status = stream_store_check_partition(opened->store, place->topic,
	    place->partition, opened->source.dirfd, err);
	return status == STREAM_OK ? status : fail_in(place, status, err);
}

int
stream_place_open(const struct stream_place *place,
    const struct stream_repair_options *options, unsigned flags,
    struct stream_opened_place *opened, struct stream_error *err)
{
	struct stream_topic_config config;
	int status;

	*opened = (struct stream_opened_place){.source.dirfd = -1};
	if (place->segment != NULL)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "%s/%s: give the partition's directory, not one file",
		    place->path, place->segment);
	if (options->network)
		flags |= STREAM_STORE_NETWORK;
	status = stream_store_open(place->store_path, flags,
	    options->lock_timeout_ms, &opened->store, err);
	if (status == STREAM_OK)
		status = load_config(opened->store, place, &config, err);
	if (status != STREAM_OK)
		return status;
	opened->source = make_source(place, options, &config);
	opened->source.config.ask = stream_store_ask;
	opened->source.config.ask_context = opened->store;
	opened->source.dirfd = -1;
	status = stream_io_open_dir(
	    AT_FDCWD, place->path, &opened->source.dirfd, err);
	return status == STREAM_OK ? check_place(opened, place, err) : status;
}

/* It is derived from nothing that is in the partition. */
static int
add_metadata(const struct stream_place *place, int dirfd,
    struct stream_repair *repair, struct stream_error *err)
{
	struct stream_repair_step step = {
	    .action = STREAM_REPAIR_STAYS,
	    .file = STREAM_METADATA_FILE,
	    .position = STREAM_POS_NONE,
	    .first_offset = -1,
	    .last_offset = -1,
	};
	const char *fault;
	int status = stream_metadata_check(place, dirfd, &fault, err);

	if (status != STREAM_OK || fault == NULL)
		return status;
	snprintf(step.text, sizeof(step.text), "%s", fault);
	return stream_repair_add(repair, &step, err);
}

typedef int work(const struct stream_repair_source *source,
    struct stream_repair *repair, struct stream_error *err);

static int
work_on(const struct stream_place *place,
    const struct stream_repair_options *options, unsigned flags, work *do_it,
    struct stream_repair *repair, struct stream_error *err)
{
	struct stream_opened_place opened;
	int status = stream_place_open(place, options, flags, &opened, err);

	if (status == STREAM_OK) {
		status = do_it(&opened.source, repair, err);
		if (status == STREAM_OK)
			status = add_metadata(
			    place, opened.source.dirfd, repair, err);
		if (status != STREAM_OK)
			fail_in(place, status, err);
	}
	stream_place_close(&opened);
	return status;
}

int
stream_repair_plan(const struct stream_place *place,
    const struct stream_repair_options *options, struct stream_repair **repair,
    struct stream_error *err)
{
	struct stream_repair *new;
	int status = stream_repair_new(&new, err);

	if (status != STREAM_OK)
		return status;
	status = work_on(place, options, 0, stream_log_repair_plan, new, err);
	if (status == STREAM_OK)
		*repair = new;
	else
		stream_repair_free(new);
	return status;
}

/*
 * What was cut and is written again is not clean: compaction must look at it,
 * also if the log grows past the clean point before it does.
 */
static int
lower_clean_point(const struct stream_place *place,
    const struct stream_repair_options *options, int64_t end,
    struct stream_error *err)
{
	struct stream_opened_place opened;
	int64_t clean;
	int status = stream_place_open(place, options, WRITES, &opened, err);

	if (status == STREAM_OK &&
	    stream_checkpoint_find(opened.store->dirfd, STREAM_CLEANER_FILE,
		place->topic, place->partition, &clean, NULL) == STREAM_OK &&
	    clean > end)
		status = stream_store_set_clean_point(
		    opened.store, place->topic, place->partition, end, err);
	stream_place_close(&opened);
	return status;
}

/* Before it happens: this process may not live to say that it did. */
static int
tell_of_cuts(const struct stream_place *place,
    const struct stream_repair_options *options,
    const struct stream_repair *repair, struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0;
	     i < stream_repair_count(repair) && status == STREAM_OK; i++) {
		const struct stream_repair_step *step =
		    stream_repair_step(repair, i);

		if (step->action == STREAM_REPAIR_CUT &&
		    step->first_offset >= 0)
			status = lower_clean_point(
			    place, options, step->first_offset, err);
	}
	return status;
}

int
stream_repair_run(const struct stream_place *place,
    const struct stream_repair_options *options, struct stream_repair **repair,
    struct stream_error *err)
{
	struct stream_repair *new;
	int status = stream_repair_plan(place, options, &new, err);

	if (status != STREAM_OK)
		return status;
	status = tell_of_cuts(place, options, new, err);
	if (status == STREAM_OK && stream_repair_has_work(new))
		status = work_on(
		    place, options, WRITES, stream_log_repair_run, new, err);
	if (status == STREAM_OK)
		*repair = new;
	else
		stream_repair_free(new);
	return status;
}
