#include "log/partition.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "file/io.h"
#include "file/lock.h"
#include "log/partition_private.h"

/* How often a state file may be replaced under us before we give up: someone
 * is at work in the directory. */
enum { REOPEN_TRIES = 5 };

int
stream_partition_open_state(
    struct stream_partition *partition, struct stream_error *err)
{
	int fd;
	int status = stream_io_open(
	    partition->dirfd, STREAM_STATE_NAME, O_RDWR | O_CREAT, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_state_identify(fd, &partition->identity, err);
	if (status != STREAM_OK) {
		close(fd);
		return status;
	}
	stream_bell_release(&partition->bell);
	if (partition->statefd >= 0)
		close(partition->statefd);
	partition->statefd = fd;
	partition->known.sequence = 0;
	return STREAM_OK;
}

/*
 * Is the file that is locked still the one that others would open and lock?
 * Removed, or replaced by a rename over it, it has no name left.  (Looking the
 * name up costs twice as much, before every append, and would notice only one
 * thing more: someone moving the file away by hand.)
 */
static int
is_still_there(const struct stream_partition *partition, bool *there,
    struct stream_error *err)
{
	int status = stream_io_has_name(partition->statefd, there, err);

	if (status != STREAM_OK)
		*there = false;
	return status == STREAM_OK
		   ? status
		   : stream_fail_in(err, status, STREAM_STATE_NAME);
}

/* The directory may have been removed, or the state file as the first of its
 * files: then that still has its mark.  A new state file must not be made in
 * what is left. */
static int
check_directory(
    const struct stream_partition *partition, struct stream_error *err)
{
	struct stream_state state;
	struct stat st;
	int status = stream_state_read(
	    partition->statefd, &partition->identity, &state, err);

	if (status != STREAM_OK)
		return status;
	if (fstat(partition->dirfd, &st) != 0)
		return stream_fail_sys(err, "cannot stat the directory");
	if (st.st_nlink == 0 || (state.marks & STREAM_MARK_DELETED) != 0)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "the partition was deleted");
	return STREAM_OK;
}

/*
 * A signal that asks to stop does not end the wait for a lock: what was read
 * has still to be written, and a second signal kills.
 */
static int
take(struct stream_partition *partition, enum stream_state_lock byte,
    int timeout_ms, struct stream_error *err)
{
	int status;

	do
		status = stream_lock_take(partition->statefd,
		    STREAM_LOCK_EXCLUSIVE, byte, 1, timeout_ms, err);
	while (status == STREAM_EINTR);
	return status;
}

/* Lock one byte of the state file, and be sure that it is the right file. */
int
stream_partition_lock_byte(struct stream_partition *partition,
    enum stream_state_lock byte, int timeout_ms, struct stream_error *err)
{
	for (int tries = 0; tries < REOPEN_TRIES; tries++) {
		bool there;
		int status = take(partition, byte, timeout_ms, err);

		partition->refused = status == STREAM_EBUSY;
		if (status != STREAM_OK)
			return status;
		status = is_still_there(partition, &there, err);
		if (status == STREAM_OK && there)
			return STREAM_OK;
		if (status == STREAM_OK)
			status = check_directory(partition, err);
		stream_lock_drop(partition->statefd, byte, 1);
		if (status == STREAM_OK && partition->holds_structure)
			return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
			    "%s was replaced while its lock was held",
			    STREAM_STATE_NAME);
		if (status == STREAM_OK)
			status = stream_partition_open_state(partition, err);
		/* The lock that comes before this one went with the file. */
		if (status == STREAM_OK && partition->holds_sync)
			status =
			    take(partition, STREAM_LOCK_SYNC, timeout_ms, err);
		if (status != STREAM_OK)
			return status;
	}
	return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
	    "%s is replaced again and again", STREAM_STATE_NAME);
}

/* Open the segment that the state names and learn where its indexes end. */
static int
adopt_segment(
    struct stream_partition *partition, bool *sound, struct stream_error *err)
{
	const struct stream_state *state = &partition->state;
	struct stream_segment *segment = &partition->segment;
	int status = STREAM_OK;

	/* Another structure, or another state file: the index files may have
	 * been replaced. */
	if (segment->base_offset != state->active_base ||
	    partition->known.sequence == 0 ||
	    partition->known.structure != state->structure)
		status = stream_segment_open(segment, partition->dirfd,
		    state->active_base, partition->config.index_interval_bytes,
		    err);
	if (status != STREAM_OK)
		return status;
	segment->indexer.max_timestamp_ms = state->max_timestamp_ms;
	segment->indexer.max_timestamp_offset = state->max_timestamp_offset;
	return stream_segment_load_indexes(
	    segment, state->end, state->next_offset, sound, err);
}

/*
 * Another process wrote the state that is there now.  On the first look of
 * this handle it is compared with the directory and the last batch; later,
 * what changed under the lock is believed.
 */
static int
adopt(struct stream_partition *partition, bool *yes, struct stream_error *err)
{
	bool first_look = partition->known.sequence == 0;
	int64_t newest = partition->state.active_base;
	bool sound = false;
	int status = STREAM_OK;

	*yes = false;
	if (first_look)
		status = stream_partition_find_newest(partition, &newest, err);
	if (status == STREAM_OK && newest == partition->state.active_base)
		status = adopt_segment(partition, &sound, err);
	if (status == STREAM_ENOENT)
		return STREAM_OK;
	if (status == STREAM_OK && sound && first_look)
		status =
		    stream_partition_last_batch_agrees(partition, &sound, err);
	*yes = status == STREAM_OK && sound;
	if (*yes)
		partition->known = partition->state;
	return status;
}

/* Do both say the same of the log?  Syncs come and go without changing it. */
static bool
is_same_log(const struct stream_state *a, const struct stream_state *b)
{
	return a->active_base == b->active_base && a->end == b->end &&
	       a->last_position == b->last_position &&
	       a->next_offset == b->next_offset &&
	       a->leader_epoch == b->leader_epoch &&
	       a->max_timestamp_ms == b->max_timestamp_ms &&
	       a->max_timestamp_offset == b->max_timestamp_offset &&
	       a->takebacks == b->takebacks && a->structure == b->structure;
}

/*
 * Does the log end where the state says?  A foreign process may have appended
 * or cut; a writer that died leaves more than it published.  The mark of a
 * roll that did not end and another boot say no as well.
 */
static int
is_true(struct stream_partition *partition, bool *yes, struct stream_error *err)
{
	const struct stream_state *state = &partition->state;
	uint64_t size;
	int status = STREAM_OK;

	*yes = false;
	if (!stream_state_is_current(state, &partition->identity) ||
	    (state->marks & STREAM_MARK_ROLLING) != 0)
		return STREAM_OK;
	*yes = partition->known.sequence != 0 &&
	       is_same_log(state, &partition->known);
	if (!*yes)
		status = adopt(partition, yes, err);
	if (status != STREAM_OK || !*yes)
		return status;
	status = stream_io_size(partition->segment.log, &size, err);
	*yes = status == STREAM_OK && size == state->end;
	return status;
}

/* Someone wrote over the state: the durable end that this handle saw holds, and
 * counting goes on from there, or records would look as if taken back.  The
 * rest is another boot's: to be looked at. */
static void
remember_state(struct stream_partition *partition)
{
	if (partition->state.sequence != 0)
		return;
	partition->state = partition->known;
	memset(partition->state.boot_id, 0, sizeof(partition->state.boot_id));
}

/* Others write as well, and may wait for a sync. */
static void
note_company(struct stream_partition *partition)
{
	if (partition->state.sequence != partition->written)
		partition->company = true;
}

/*
 * May this handle write?  Only the store knows, and asking costs more than an
 * append: so it is asked by who does not know the state yet, and by who finds
 * the mark that it set.  Who only makes durable what was appended before, or
 * takes it back, goes on anyway.
 */
static int
ask(struct stream_partition *partition, bool appends, struct stream_error *err)
{
	const struct stream_log_config *config = &partition->config;
	uint16_t *marks = &partition->state.marks;
	bool closed;
	int status;

	if (config->ask == NULL)
		return STREAM_OK;
	status = config->ask(config->ask_context, &closed, err);
	if (status != STREAM_OK && appends)
		return status;
	if (status != STREAM_OK || closed)
		*marks |= STREAM_MARK_CLOSED;
	else
		*marks &= (uint16_t)~STREAM_MARK_CLOSED;
	return STREAM_OK;
}

static int
refresh(
    struct stream_partition *partition, bool appends, struct stream_error *err)
{
	bool is_new = partition->known.sequence == 0;
	bool yes;
	int status = stream_state_read(
	    partition->statefd, &partition->identity, &partition->state, err);

	if (status != STREAM_OK)
		return status;
	remember_state(partition);
	note_company(partition);
	if (partition->state.marks & STREAM_MARK_DELETED)
		return stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "the topic was deleted");
	if (is_new || (partition->state.marks & STREAM_MARK_CLOSED) != 0)
		status = ask(partition, appends, err);
	if (status == STREAM_OK)
		status = is_true(partition, &yes, err);
	if (status != STREAM_OK || yes)
		return status;
	/* The mark may have gone with the state. */
	status = ask(partition, appends, err);
	return status == STREAM_OK ? stream_partition_recover(partition, err)
				   : status;
}

static int
lock(struct stream_partition *partition, bool appends, struct stream_error *err)
{
	int status = stream_partition_lock_byte(partition, STREAM_LOCK_APPEND,
	    partition->config.lock_timeout_ms, err);

	if (status != STREAM_OK)
		return status;
	status = refresh(partition, appends, err);
	if (status != STREAM_OK)
		stream_partition_unlock(partition);
	return status;
}

int
stream_partition_lock(
    struct stream_partition *partition, struct stream_error *err)
{
	return lock(partition, true, err);
}

int
stream_partition_lock_to_settle(
    struct stream_partition *partition, struct stream_error *err)
{
	return lock(partition, false, err);
}

int
stream_partition_lock_quickly(
    struct stream_partition *partition, struct stream_error *err)
{
	int status = stream_partition_lock_byte(partition, STREAM_LOCK_APPEND,
	    partition->config.lock_timeout_ms, err);

	if (status != STREAM_OK)
		return status;
	status = stream_state_read(
	    partition->statefd, &partition->identity, &partition->state, err);
	if (status == STREAM_OK &&
	    stream_state_is_current(&partition->state, &partition->identity)) {
		note_company(partition);
		return STREAM_OK;
	}
	stream_partition_unlock(partition);
	return status == STREAM_OK
		   ? stream_partition_lock_to_settle(partition, err)
		   : status;
}

void
stream_partition_unlock(struct stream_partition *partition)
{
	stream_lock_drop(partition->statefd, STREAM_LOCK_APPEND, 1);
}

static int
lock_sync(struct stream_partition *partition, int timeout_ms,
    struct stream_error *err)
{
	int status = stream_partition_lock_byte(
	    partition, STREAM_LOCK_SYNC, timeout_ms, err);

	partition->holds_sync = status == STREAM_OK;
	return status;
}

int
stream_partition_lock_sync(
    struct stream_partition *partition, struct stream_error *err)
{
	return lock_sync(partition, partition->config.lock_timeout_ms, err);
}

int
stream_partition_try_lock_sync(
    struct stream_partition *partition, struct stream_error *err)
{
	return lock_sync(partition, 0, err);
}

void
stream_partition_unlock_sync(struct stream_partition *partition)
{
	stream_lock_drop(partition->statefd, STREAM_LOCK_SYNC, 1);
	partition->holds_sync = false;
}

int
stream_partition_lock_structure(
    struct stream_partition *partition, struct stream_error *err)
{
	const struct stream_log_config *config = &partition->config;
	int status =
	    stream_partition_lock_byte(partition, STREAM_LOCK_STRUCTURE,
		config->structure_at_once ? 0 : config->lock_timeout_ms, err);

	partition->holds_structure = status == STREAM_OK;
	return status;
}

int
stream_partition_publish(
    struct stream_partition *partition, struct stream_error *err)
{
	int status = stream_state_write(
	    partition->statefd, &partition->identity, &partition->state, err);

	if (status == STREAM_OK) {
		partition->known = partition->state;
		partition->written = partition->state.sequence;
	}
	return status;
}

void
stream_partition_note(const struct stream_partition *partition,
    const char *what, uint64_t bytes, uint64_t position)
{
	char text[160];

	if (partition->config.note == NULL)
		return;
	snprintf(text, sizeof(text), "%020lld.log: %s %llu bytes at byte %llu",
	    (long long)partition->segment.base_offset, what,
	    (unsigned long long)bytes, (unsigned long long)position);
	partition->config.note(partition->config.note_context, text);
}

int
stream_partition_new(int dirfd, const struct stream_log_config *config,
    struct stream_partition **partition, struct stream_error *err)
{
	struct stream_partition *new = calloc(1, sizeof(*new));
	int status;

	if (new == NULL)
		return stream_fail_memory(err);
	new->dirfd = dirfd;
	new->statefd = -1;
	new->config = *config;
	stream_bell_init(&new->bell);
	stream_segment_init(&new->segment);
	status = stream_partition_open_state(new, err);
	if (status == STREAM_OK)
		*partition = new;
	else
		stream_partition_close(new);
	return status;
}

int
stream_partition_open(int dirfd, const struct stream_log_config *config,
    struct stream_partition **partition, struct stream_error *err)
{
	struct stream_partition *new;
	int status = stream_partition_new(dirfd, config, &new, err);

	if (status != STREAM_OK)
		return status;
	status = stream_partition_lock(new, err);
	if (status != STREAM_OK) {
		stream_partition_close(new);
		return status;
	}
	stream_partition_unlock(new);
	*partition = new;
	return STREAM_OK;
}

/* Space that was reserved is given back under the append lock only, since that
 * cuts the file to the size that it has.  Where the lock is not to be had, the
 * roll does it. */
static void
give_back(struct stream_partition *partition)
{
	if (stream_partition_lock_to_settle(partition, NULL) != STREAM_OK)
		return;
	stream_segment_give_back(&partition->segment);
	stream_partition_unlock(partition);
}

void
stream_partition_close(struct stream_partition *partition)
{
	if (partition == NULL)
		return;
	if (partition->segment.reserved > 0)
		give_back(partition);
	stream_segment_close(&partition->segment);
	stream_bell_release(&partition->bell);
	if (partition->statefd >= 0)
		close(partition->statefd);
	free(partition);
}

bool
stream_partition_is_dirty(const struct stream_partition *partition)
{
	return partition->dirty;
}

int64_t
stream_partition_next_offset(const struct stream_partition *partition)
{
	return partition->state.next_offset;
}

/* The structure lock is the first: if the state file is replaced while the
 * others are waited for, it is lost with the old one. */
static int
take_all(struct stream_partition *partition, struct stream_error *err)
{
	int timeout_ms = partition->config.lock_timeout_ms;

	for (int tries = 0; tries < REOPEN_TRIES; tries++) {
		uint64_t inode;
		int status = stream_partition_lock_byte(
		    partition, STREAM_LOCK_STRUCTURE, timeout_ms, err);

		inode = partition->identity.inode;
		if (status == STREAM_OK)
			status = stream_partition_lock_sync(partition, err);
		if (status == STREAM_OK)
			status = stream_partition_lock_byte(
			    partition, STREAM_LOCK_APPEND, timeout_ms, err);
		if (status != STREAM_OK || inode == partition->identity.inode)
			return status;
		stream_partition_unlock(partition);
		stream_partition_unlock_sync(partition);
	}
	return stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
	    "%s is replaced again and again", STREAM_STATE_NAME);
}

int
stream_partition_open_locked(int dirfd, const struct stream_log_config *config,
    struct stream_partition **partition, struct stream_error *err)
{
	struct stream_partition *new;
	int status = stream_partition_new(dirfd, config, &new, err);

	if (status != STREAM_OK)
		return status;
	status = take_all(new, err);
	if (status == STREAM_OK)
		status = stream_state_read(
		    new->statefd, &new->identity, &new->state, err);
	if (status == STREAM_OK && (new->state.marks &STREAM_MARK_DELETED) != 0)
		status = stream_fail(err, STREAM_ENOENT, STREAM_POS_NONE,
		    "the topic was deleted");
	if (status == STREAM_OK)
		status = ask(new, true, err);
	if (status == STREAM_OK)
		*partition = new;
	else
		stream_partition_close(new);
	return status;
}

int
stream_partition_settle(struct stream_partition *partition,
    int64_t index_interval_bytes, struct stream_error *err)
{
	partition->config.index_interval_bytes = index_interval_bytes;
	return stream_partition_recover(partition, err);
}

/* The mark of a roll that did not end does that.  A state of another boot is of
 * use to no writer that has the partition open, and must not look like one of
 * this. */
int
stream_partition_tell_replaced(
    struct stream_partition *partition, struct stream_error *err)
{
	struct stream_state *state = &partition->state;

	if (state->sequence == 0 ||
	    !stream_state_is_current(state, &partition->identity))
		return STREAM_OK;
	state->marks |= STREAM_MARK_ROLLING;
	return stream_partition_publish(partition, err);
}
