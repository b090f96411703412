/*
 * replica.c - have, prepare and release
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/random.h"
#include "store/change.h"
#include "store/layout.h"
#include "store/replica_diverge.h"
#include "store/replica_gone.h"
#include "store/replica_lock.h"
#include "store/replica_look.h"
#include "store/replica_role.h"

/* Temporary files of a run that did not get to rename them. */
enum { A_DAY_S = 24 * 60 * 60 };

#define STORE_ID "id"

/* ---- ids ---------------------------------------------------------------- */

static int
new_id(char *id, struct stream_error *err)
{
	uint8_t bytes[STREAM_REPLICA_ID / 2];
	int status = stream_random(bytes, sizeof(bytes), err);

	for (size_t i = 0; i < sizeof(bytes) && status == STREAM_OK; i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return status;
}

/* The run that did not get to its end goes on; there is one.  id is the one
 * that it has already, or "". */
static int
find_run(int incoming, char *id, struct stream_error *err)
{
	struct stream_buf names;
	int status;

	stream_buf_init(&names);
	status = stream_dir_list(incoming, &names, err);
	for (const char *n = stream_dir_next(&names, NULL);
	     n != NULL && status == STREAM_OK; n = stream_dir_next(&names, n)) {
		if (!stream_replica_id_is(n))
			continue;
		if (id[0] == '\0')
			strcpy(id, n);
		else if (strcmp(id, n) != 0)
			status = stream_dir_remove_all(incoming, n, err);
	}
	stream_buf_release(&names);
	return status;
}

static int
make_run(const struct stream_store *store,
    const struct stream_replica_options *options, char *id,
    struct stream_error *err)
{
	int incoming, run;
	int status;

	if (options->id != NULL && !stream_replica_id_is(options->id))
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "\"%s\" is no id of a run", options->id);
	strcpy(id, options->id == NULL ? "" : options->id);
	status = stream_layout_make(store, STREAM_INCOMING_DIR, &incoming, err);
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", store->path);
	status = find_run(incoming, id, err);
	if (status == STREAM_OK && id[0] == '\0')
		status = new_id(id, err);
	if (status == STREAM_OK)
		status = stream_dir_open_or_make(incoming, id, &run, err);
	if (status == STREAM_OK) {
		stream_replica_note_time(run, options->now_ms);
		close(run);
	}
	close(incoming);
	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "%s/%s/%s", store->path,
			 STREAM_OWN_DIR, STREAM_INCOMING_DIR);
}

/* Which store it is, wherever it is moved to. */
static int
load_store_id(int replicate, char *id, struct stream_error *err)
{
	struct stream_buf text;
	int status;

	stream_buf_init(&text);
	status = stream_io_load(replicate, STORE_ID, 64, &text, NULL);
	if (status == STREAM_OK)
		status = stream_buf_add(&text, "", 1, err);
	if (status == STREAM_OK && text.size > 1 &&
	    text.data[text.size - 2] == '\n')
		text.data[text.size - 2] = '\0';
	if (status == STREAM_OK &&
	    stream_replica_id_is((const char *)text.data)) {
		strcpy(id, (const char *)text.data);
		stream_buf_release(&text);
		return STREAM_OK;
	}
	stream_buf_release(&text);
	status = new_id(id, err);
	if (status == STREAM_OK) {
		char line[STREAM_REPLICA_ID + 2];
		int size = snprintf(line, sizeof(line), "%s\n", id);

		status = stream_io_replace(replicate, STORE_ID,
		    (struct stream_bytes){(uint8_t *)line, (size_t)size}, err);
	}
	return status;
}

/* ---- the store ---------------------------------------------------------- */

static unsigned
flags_of(const struct stream_replica_options *options, unsigned flags)
{
	return flags | (options->network ? STREAM_STORE_NETWORK : 0);
}

static int
look_and_print(struct stream_replica_look *look,
    struct stream_manifest *manifest, bool save, char **text,
    struct stream_error *err)
{
	int status = stream_replica_look_begin(look, err);

	if (status != STREAM_OK)
		return status;
	status = stream_replica_look_all(look, manifest, err);
	stream_replica_look_end(look, save && status == STREAM_OK);
	return status == STREAM_OK ? stream_manifest_print(manifest, text, err)
				   : status;
}

/* ---- have --------------------------------------------------------------- */

int
stream_replica_have(const char *path, bool begin,
    const struct stream_replica_options *options, char **text,
    struct stream_error *err)
{
	struct stream_manifest *manifest = calloc(1, sizeof(*manifest));
	struct stream_replica_look look = {.options = options, .hold = -1};
	struct stream_store *store = NULL;
	int status = manifest == NULL ? stream_fail_memory(err) : STREAM_OK;

	if (status == STREAM_OK && begin && options->id != NULL)
		status = stream_replica_check_locked(path, NULL, err);
	if (status == STREAM_OK)
		status = stream_store_open(path,
		    begin ? flags_of(options, STREAM_STORE_WRITE |
						  STREAM_STORE_REPLICA |
						  STREAM_STORE_FENCED)
			  : 0,
		    options->lock_timeout_ms, &store, err);
	if (status == STREAM_ENOENT && !begin) {
		manifest->role = STREAM_IS_NEW;
		status = STREAM_OK;
		for (size_t i = 0;
		     i < options->exclude_count && status == STREAM_OK; i++)
			status = stream_manifest_add_idle(manifest, i, err);
		if (status == STREAM_OK)
			status = stream_manifest_print(manifest, text, err);
		stream_manifest_free(manifest);
		return status;
	}
	if (status == STREAM_OK)
		status = stream_replica_find_role(store, &manifest->role, err);
	if (status == STREAM_OK && begin)
		status = make_run(store, options, manifest->id, err);
	if (status == STREAM_OK) {
		look.store = store;
		manifest->time_ms = options->now_ms;
		status = look_and_print(&look, manifest, begin, text, err);
	}
	stream_store_close(store);
	stream_manifest_free(manifest);
	return status;
}

/* ---- prepare ------------------------------------------------------------ */

/* The directory of the run, empty but for what a run that died left. */
static int
open_hold(const struct stream_store *store, struct stream_manifest *manifest,
    int *hold, struct stream_error *err)
{
	int replicate;
	int status =
	    stream_layout_make(store, STREAM_REPLICATE_DIR, &replicate, err);

	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", store->path);
	status = load_store_id(replicate, manifest->store, err);
	if (status == STREAM_OK)
		status = stream_replica_sweep(store, manifest->id, err);
	if (status == STREAM_OK)
		status =
		    stream_dir_open_or_make(replicate, manifest->id, hold, err);
	close(replicate);
	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "%s/%s/%s", store->path,
			 STREAM_OWN_DIR, STREAM_REPLICATE_DIR);
}

static int
prepare(struct stream_store *store, const struct stream_manifest *have,
    const struct stream_replica_options *options, char **text,
    struct stream_error *err)
{
	struct stream_manifest *manifest = calloc(1, sizeof(*manifest));
	struct stream_replica_look look = {
	    .store = store,
	    .options = options,
	    .is_source = true,
	    .have = have,
	    .hold = -1,
	};
	int status = manifest == NULL ? stream_fail_memory(err)
				      : stream_replica_find_role(
					    store, &manifest->role, err);

	if (status == STREAM_OK) {
		strcpy(manifest->id, have->id);
		manifest->time_ms = options->now_ms;
		look.may_write =
		    !options->dry_run && manifest->role == STREAM_IS_LEADER;
	}
	if (status == STREAM_OK && !options->dry_run)
		status = open_hold(store, manifest, &look.hold, err);
	if (status == STREAM_OK)
		status = stream_replica_look_begin(&look, err);
	if (status == STREAM_OK) {
		status = stream_replica_look_all(&look, manifest, err);
		if (status == STREAM_OK && !options->status)
			status = stream_replica_check_leader(
			    manifest, have, options->truncate, err);
		if (status == STREAM_OK)
			status = stream_replica_check_any(store, have, err);
		stream_replica_look_end(&look, !options->dry_run);
	}
	if (status == STREAM_OK)
		status = stream_manifest_print(manifest, text, err);
	if (look.hold >= 0)
		close(look.hold);
	stream_manifest_free(manifest);
	return status;
}

int
stream_replica_prepare(const char *path, const char *have,
    const struct stream_replica_options *options, char **manifest,
    struct stream_error *err)
{
	struct stream_manifest *there;
	struct stream_store *store = NULL;
	unsigned flags =
	    options->dry_run
		? 0
		: flags_of(options, STREAM_STORE_WRITE | STREAM_STORE_REPLICA |
					STREAM_STORE_FENCED);
	int status = stream_manifest_parse(have, &there, err);

	if (status != STREAM_OK)
		return status;
	if (!options->dry_run && there->id[0] == '\0')
		status = stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "what the replica says names no run");
	if (status == STREAM_OK)
		status = stream_replica_check_source(path, err);
	if (status == STREAM_OK && options->id != NULL)
		status = stream_replica_check_locked(path, options->id, err);
	if (status == STREAM_OK)
		status = stream_store_open(
		    path, flags, options->lock_timeout_ms, &store, err);
	if (status == STREAM_OK && !options->dry_run)
		status = stream_replica_check_apart(store, there, err);
	if (status == STREAM_OK)
		status = prepare(store, there, options, manifest, err);
	stream_store_close(store);
	stream_manifest_free(there);
	return status;
}

/* ---- release ------------------------------------------------------------ */

static int
release(
    const struct stream_store *store, const char *id, struct stream_error *err)
{
	int fd;
	int status = stream_layout_open(store, STREAM_REPLICATE_DIR, &fd, err);

	if (status != STREAM_OK)
		return status == STREAM_ENOENT ? STREAM_OK : status;
	status = stream_dir_remove_all(fd, id, err);
	stream_change_sweep_temporary(fd, A_DAY_S);
	close(fd);
	return status == STREAM_OK ? stream_replica_sweep(store, id, err)
				   : status;
}

int
stream_replica_release(
    const char *path, const char *id, struct stream_error *err)
{
	struct stream_store *store;
	int status;

	if (!stream_replica_id_is(id))
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "\"%s\" is no id of a run", id);
	status =
	    stream_store_open(path, 0, STREAM_LOCK_TIMEOUT_MS, &store, err);
	if (status != STREAM_OK)
		return status;
	status = release(store, id, err);
	stream_store_close(store);
	return status;
}
