/*
 * replica_apply.c - a run of files becomes the replica
 */
#include "store/replica_apply.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stream/role.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "store/change.h"
#include "store/layout.h"
#include "store/replica_diverge.h"
#include "store/replica_gone.h"
#include "store/replica_lock.h"
#include "store/replica_role.h"

/* What the replica is, was whole by then: after all else is durable. */
static int
save_manifest(struct stream_applying *all, struct stream_error *err)
{
	char *text;
	int own;
	int status;

	all->source->idle_count = 0; /* was of this run */
	all->source->other_count = 0;
	status = stream_manifest_print(all->source, &text, err);

	if (status != STREAM_OK)
		return status;
	status = stream_layout_make(all->store, STREAM_REPLICA_DIR, &own, err);
	if (status == STREAM_OK) {
		/* Whoever was killed here held the lock that is ours now. */
		stream_change_sweep_temporary(own, 0);
		status = stream_io_replace(own, "manifest",
		    (struct stream_bytes){(const uint8_t *)text, strlen(text)},
		    err);
		close(own);
	}
	free(text);
	return status;
}

/* What has come is in place; what has not is sent again. */
static void
drop_incoming(struct stream_applying *all)
{
	int incoming;

	if (stream_layout_open(
		all->store, STREAM_INCOMING_DIR, &incoming, NULL) != STREAM_OK)
		return;
	stream_dir_remove_all(incoming, all->source->id, NULL);
	close(incoming);
}

/* The same of a run that others failed in, which goes on with what came for
 * them. */
static void
drop_done(struct stream_applying *all)
{
	for (size_t i = 0; i < all->source->part_count; i++) {
		const struct stream_manifest_part *part =
		    &all->source->parts[i];
		char name[STREAM_PARTITION_NAME_SIZE];

		if (part->failed == STREAM_OK &&
		    stream_partition_name_put(
			part->topic, part->partition, name, NULL) == STREAM_OK)
			stream_dir_remove_all(all->incoming, name, NULL);
	}
}

static int
open_incoming(struct stream_applying *all, struct stream_error *err)
{
	int incoming;
	int status =
	    stream_layout_make(all->store, STREAM_INCOMING_DIR, &incoming, err);

	if (status != STREAM_OK)
		return status;
	status = stream_dir_open_or_make(
	    incoming, all->source->id, &all->incoming, err);
	close(incoming);
	return status;
}

static int
check_leader(struct stream_applying *all, struct stream_error *err)
{
	struct stream_manifest *mine = calloc(1, sizeof(*mine));
	int status = mine == NULL ? stream_fail_memory(err)
				  : stream_replica_find_role(
					all->store, &mine->role, err);

	if (status == STREAM_OK)
		status = stream_replica_look_all(&all->look, mine, err);
	if (status == STREAM_OK)
		status = stream_replica_check_leader(
		    all->source, mine, all->options->truncate, err);
	all->mine = mine;
	return status;
}

static int
apply(struct stream_applying *all, struct stream_error *err)
{
	struct stream_measures fresh;
	int status = stream_replica_look_begin(&all->look, err);

	if (status != STREAM_OK)
		return status;
	status = check_leader(all, err);
	if (status == STREAM_OK)
		status =
		    stream_role_set_replica(all->store, all->options->of, err);
	if (status == STREAM_OK)
		status = open_incoming(all, err);
	if (status == STREAM_OK) {
		/* What was seen serves as what is known. */
		fresh = all->look.known;
		all->look.known = all->look.fresh;
		all->look.fresh = (struct stream_measures){.items = NULL};
		stream_measures_release(&fresh);
		status = stream_apply_gone(all, all->mine, err);
	}
	if (status == STREAM_OK)
		status = stream_apply_topics(all, err);
	if (status == STREAM_OK)
		status = save_manifest(all, err);
	stream_replica_look_end(&all->look, status == STREAM_OK);
	return status;
}

static int
open_and_apply(const char *path, struct stream_applying *all, bool *whole,
    struct stream_error *err)
{
	unsigned flags =
	    STREAM_STORE_WRITE | STREAM_STORE_REPLICA | STREAM_STORE_FENCED;
	int hold;
	int status;

	if (all->options->network)
		flags |= STREAM_STORE_NETWORK;
	status = all->options->id == NULL
		     ? STREAM_OK
		     : stream_replica_check_locked(path, NULL, err);
	if (status == STREAM_OK)
		status = stream_store_open(path, flags,
		    all->options->lock_timeout_ms, &all->store, err);
	if (status != STREAM_OK)
		return status;
	status = stream_role_hold(all->store, &hold, err);
	if (status == STREAM_OK) {
		all->look.store = all->store;
		/* What it held as a source would keep its writers out. */
		status = stream_replica_sweep(all->store, NULL, err);
		if (status == STREAM_OK)
			status = apply(all, err);
		*whole = status == STREAM_OK;
		for (size_t i = 0; i < all->source->part_count && *whole; i++)
			*whole = all->source->parts[i].failed == STREAM_OK;
		if (*whole)
			drop_incoming(all);
		else if (status == STREAM_OK)
			drop_done(all);
		stream_role_release(hold);
	}
	stream_store_close(all->store);
	return status;
}

int
stream_replica_apply(const char *path, const char *manifest,
    const struct stream_replica_options *options, char **report_text,
    struct stream_error *err)
{
	struct stream_applying all = {
	    .options = options,
	    .look = {.options = options, .hold = -1},
	    .incoming = -1,
	};
	char *text = NULL;
	size_t size;
	bool whole;
	int status = stream_manifest_parse(manifest, &all.source, err);

	if (status != STREAM_OK)
		return status;
	if (options->have != NULL)
		status = stream_manifest_parse(options->have, &all.have, err);
	if (status != STREAM_OK) {
		stream_manifest_free(all.source);
		return status;
	}
	all.report = open_memstream(&text, &size);
	if (all.report == NULL)
		status = stream_fail_memory(err);
	else if (all.source->id[0] == '\0')
		status = stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "the manifest names no run");
	else
		status = open_and_apply(path, &all, &whole, err);
	if (all.incoming >= 0)
		close(all.incoming);
	if (all.report != NULL && fclose(all.report) != 0 &&
	    status == STREAM_OK)
		status = stream_fail_memory(err);
	stream_manifest_free(all.mine);
	stream_manifest_free(all.source);
	stream_manifest_free(all.have);
	if (status == STREAM_OK)
		*report_text = text;
	else
		free(text);
	return status;
}
