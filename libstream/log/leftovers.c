#include "log/leftovers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fail.h"
#include "file/dir.h"
#include "file/io.h"
#include "file/lock.h"
#include "file/name.h"
#include "file/state.h"
#include "log/set_aside.h"
#include "log/swap_check.h"
#include "log/view.h"

/*
 * The order in which they are done.  An index of a log that is put away goes
 * before that log: left alone, it would look as if the log were lost.  While a
 * ".cleaned" file is there, swap files at or above it do not count: these go
 * next.  A swap's files count with or without those that they replace: these
 * follow, with their indexes, so that a log never has another's.  An index that
 * still ends in ".swap" can be told to belong to a log that does not; the other
 * way round it could not.
 */
enum stage {
	ORPHAN,
	UNDONE_SWAP,
	CLEANED,
	DELETED,
	TEMPORARY,
	REPLACED,
	FINISH_LOG,
	FINISH_INDEX
};

/* As often as a view is listed: who rolls so fast is no writer of ours. */
enum { LOOKS = 100, OLD_S = 600 };

/* Append, sync and structure: bytes of the state file.  Who removes holds the
 * last one. */
enum { LOCKS = 3, LOCKS_OF_OTHERS = 2 };

struct leftover {
	enum stage stage;
	struct stream_name name; /* but for TEMPORARY */
	char text[STREAM_REPAIR_NAME_SIZE];
};

struct settling {
	int dirfd;
	enum stream_leftovers how;
	struct stream_repair *repair;
	struct stream_view view;
	int64_t cleaned;         /* lowest base offset of a .cleaned file */
	struct stream_buf found; /* of struct leftover */
};

static const char *
why(enum stage stage)
{
	static const char *const texts[] = {
	    [UNDONE_SWAP] = "of a compaction that did not get to its end",
	    [CLEANED] = "of a compaction that did not get to its end",
	    [DELETED] = "was about to be removed",
	    [TEMPORARY] = "was never put in place",
	    [REPLACED] = "was compacted into a swap file",
	    [FINISH_INDEX] = "compacted, takes its plain name",
	    [FINISH_LOG] = "compacted, takes its plain name",
	    [ORPHAN] = "is an index without a log",
	};

	return texts[stage];
}

/* ---- finding ------------------------------------------------------------ */

/* Does the view hold this segment, in that state? */
static bool
has_segment(const struct settling *s, int64_t base, bool swap)
{
	size_t i;

	if (s->view.count == 0)
		return false;
	i = stream_view_find(&s->view, base);
	return s->view.segments[i].base_offset == base &&
	       s->view.segments[i].swap == swap;
}

/* The segment's swap files count, or its log has its plain name already and an
 * index is left to rename. */
static bool
is_finished_by(const struct settling *s, const struct stream_name *name)
{
	return has_segment(s, name->base_offset, true) ||
	       (name->kind != STREAM_NAME_LOG &&
		   has_segment(s, name->base_offset, false));
}

/* A snapshot goes with its segment.  One that stays is as true as before, and a
 * repair keeps it; Kafka removes it. */
static bool
is_of_replaced(const struct settling *s, const struct stream_name *snapshot)
{
	char log[STREAM_NAME_SIZE];
	bool has;

	stream_name_put_plain(snapshot->base_offset, STREAM_NAME_LOG, log);
	return s->how == STREAM_LEFTOVERS_REMOVE &&
	       !has_segment(s, snapshot->base_offset, true) &&
	       stream_dir_has(s->dirfd, log, &has, NULL) == STREAM_OK && has;
}

static bool
is_plain_leftover(
    const struct settling *s, const struct stream_name *name, enum stage *stage)
{
	if (has_segment(s, name->base_offset, false) ||
	    (name->kind == STREAM_NAME_SNAPSHOT && !is_of_replaced(s, name)))
		return false;
	/* What a swap of the same base replaces, or any log in its range. */
	*stage = name->kind == STREAM_NAME_LOG ||
			 name->kind == STREAM_NAME_SNAPSHOT ||
			 has_segment(s, name->base_offset, true)
		     ? REPLACED
		     : ORPHAN;
	return true;
}

static bool
classify(
    const struct settling *s, const struct stream_name *name, enum stage *stage)
{
	switch (name->state) {
	case STREAM_NAME_PLAIN:
		return is_plain_leftover(s, name, stage);
	case STREAM_NAME_CLEANED:
		*stage = CLEANED;
		return true;
	case STREAM_NAME_DELETED:
		*stage = DELETED;
		return true;
	case STREAM_NAME_SWAP:
	default:
		break;
	}
	*stage = name->kind == STREAM_NAME_LOG ? FINISH_LOG : FINISH_INDEX;
	if (name->base_offset >= s->cleaned || !is_finished_by(s, name))
		*stage = UNDONE_SWAP;
	return true;
}

/* stream_io_replace's: ".tmp-" and 16 digits. */
static bool
is_temporary(const char *text)
{
	return strncmp(text, ".tmp-", 5) == 0 && strlen(text) == 21 &&
	       strspn(text + 5, "0123456789abcdef") == 16;
}

static bool
is_writer_at_work(const struct settling *s)
{
	bool held;
	int fd;

	if (stream_io_open(s->dirfd, STREAM_STATE_NAME, O_RDONLY, &fd, NULL) !=
	    STREAM_OK)
		return false;
	held = stream_lock_is_held(fd, STREAM_LOCK_APPEND,
	    s->how == STREAM_LEFTOVERS_REMOVE ? LOCKS_OF_OTHERS : LOCKS);
	close(fd);
	return held;
}

/*
 * Was the file left by a writer that died?  Who writes one holds a lock until
 * it has its name.  So one that was listed before no lock was held, and is
 * there still, nobody will put in place; nor one that is old.
 */
static bool
is_left(const struct settling *s, const char *text)
{
	bool free = s->how == STREAM_LEFTOVERS_KEEP || !is_writer_at_work(s);
	struct stat st;

	if (fstatat(s->dirfd, text, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	return free || stream_clock_now_ms() / 1000 - st.st_mtime > OLD_S;
}

static int
note(struct settling *s, const char *text, struct stream_error *err)
{
	struct leftover found = {.stage = TEMPORARY};

	if (stream_name_parse(text, &found.name)) {
		if (!classify(s, &found.name, &found.stage))
			return STREAM_OK;
	} else if (!is_temporary(text) || !is_left(s, text)) {
		return STREAM_OK;
	}
	strcpy(found.text, text);
	return stream_buf_add(&s->found, &found, sizeof(found), err);
}

static int
by_stage(const void *a, const void *b)
{
	const struct leftover *x = a, *y = b;

	if (x->stage != y->stage)
		return x->stage < y->stage ? -1 : 1;
	if (x->name.base_offset != y->name.base_offset)
		return x->name.base_offset < y->name.base_offset ? -1 : 1;
	return strcmp(x->text, y->text);
}

static int
find(struct settling *s, struct stream_error *err)
{
	struct stream_buf names;
	struct stream_name name;
	int status;

	stream_buf_init(&names);
	s->cleaned = INT64_MAX;
	status = stream_dir_list(s->dirfd, &names, err);
	for (const char *n = stream_dir_next(&names, NULL); n != NULL;
	     n = stream_dir_next(&names, n))
		if (stream_name_parse(n, &name) &&
		    name.state == STREAM_NAME_CLEANED &&
		    name.base_offset < s->cleaned)
			s->cleaned = name.base_offset;
	for (const char *n = stream_dir_next(&names, NULL);
	     n != NULL && status == STREAM_OK; n = stream_dir_next(&names, n))
		status = note(s, n, err);
	stream_buf_release(&names);
	if (s->found.size > 0)
		qsort(s->found.data, s->found.size / sizeof(struct leftover),
		    sizeof(struct leftover), by_stage);
	return status;
}

/* ---- settling ----------------------------------------------------------- */

/* What stands under the plain name is the file that the swap replaces; it may
 * be there still for an index whose log went on alone. */
static int
finish(
    struct settling *s, const struct leftover *left, struct stream_error *err)
{
	char plain[STREAM_NAME_SIZE];
	int status = STREAM_OK;

	stream_name_put_plain(left->name.base_offset, left->name.kind, plain);
	if (s->how == STREAM_LEFTOVERS_KEEP)
		status = stream_set_aside_file(s->dirfd, plain, err);
	return status == STREAM_OK
		   ? stream_dir_rename_file(s->dirfd, left->text, plain, err)
		   : status;
}

/* A log that a swap of its own name replaces has its name until the swap is
 * renamed over it, so that no listing misses both. */
static bool
is_renamed_over(const struct settling *s, const struct leftover *left)
{
	return left->stage == REPLACED && left->name.kind == STREAM_NAME_LOG &&
	       has_segment(s, left->name.base_offset, true);
}

static int
take_away(
    struct settling *s, const struct leftover *left, struct stream_error *err)
{
	if (s->how == STREAM_LEFTOVERS_KEEP)
		return stream_set_aside_file(s->dirfd, left->text, err);
	return is_renamed_over(s, left)
		   ? STREAM_OK
		   : stream_dir_remove_file(s->dirfd, left->text, err);
}

static bool
is_finish(enum stage stage)
{
	return stage == FINISH_INDEX || stage == FINISH_LOG;
}

static int
settle_one(
    struct settling *s, const struct leftover *left, struct stream_error *err)
{
	struct stream_repair_step step = {
	    .action = is_finish(left->stage) ? STREAM_REPAIR_FINISH
					     : STREAM_REPAIR_ASIDE,
	    .position = STREAM_POS_NONE,
	    .first_offset = -1,
	    .last_offset = -1,
	};
	struct stat st;
	int status = STREAM_OK;

	strcpy(step.file, left->text);
	snprintf(step.text, sizeof(step.text), "%s", why(left->stage));
	if (step.action == STREAM_REPAIR_ASIDE &&
	    fstatat(s->dirfd, left->text, &st, AT_SYMLINK_NOFOLLOW) == 0)
		step.bytes = (uint64_t)st.st_size;
	if (s->how != STREAM_LEFTOVERS_LOOK)
		status = is_finish(left->stage) ? finish(s, left, err)
						: take_away(s, left, err);
	return status == STREAM_OK ? stream_repair_add(s->repair, &step, err)
				   : status;
}

/* Must the directory be synced behind this one?  The names of one stage are
 * durable before the next begins; and of several swaps each log has its plain
 * name before the next one takes it, or that one would count as replaced by
 * those below and above it. */
static bool
ends_step(const struct leftover *found, size_t i, size_t count)
{
	return i + 1 == count || found[i + 1].stage != found[i].stage ||
	       found[i].stage == FINISH_LOG;
}

static int
settle_all(struct settling *s, struct stream_error *err)
{
	const struct leftover *found = (const void *)s->found.data;
	size_t count = s->found.size / sizeof(*found);
	int status = STREAM_OK;

	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		status = settle_one(s, &found[i], err);
		if (status == STREAM_OK && s->how != STREAM_LEFTOVERS_LOOK &&
		    ends_step(found, i, count))
			status = stream_io_sync_dir(s->dirfd, err);
	}
	return status;
}

/* The newest log that swaps replace; -1: none. */
static int64_t
newest_replaced(const struct settling *s)
{
	const struct leftover *found = (const void *)s->found.data;
	int64_t newest = -1;

	for (size_t i = 0; i < s->found.size / sizeof(*found); i++)
		if (found[i].stage == REPLACED &&
		    found[i].name.kind == STREAM_NAME_LOG &&
		    found[i].name.base_offset > newest)
			newest = found[i].name.base_offset;
	return newest;
}

/* A swap that is damaged, and what it would replace, stay for someone to look
 * at. */
static int
check_swaps(struct settling *s, bool *stays, struct stream_error *err)
{
	struct stream_repair_step step = {
	    .action = STREAM_REPAIR_STAYS,
	    .first_offset = -1,
	    .last_offset = -1,
	};
	struct stream_name swap = {.state = STREAM_NAME_SWAP};
	struct stream_error why = {.pos = STREAM_POS_NONE};
	int64_t replaced = newest_replaced(s);
	int status;

	*stays = false;
	if (replaced < 0)
		return STREAM_OK;
	status = stream_swap_check(
	    s->dirfd, &s->view, replaced, &swap.base_offset, &why);
	*stays = status == STREAM_ECORRUPT;
	if (!*stays) {
		if (status != STREAM_OK && err != NULL)
			*err = why;
		return status;
	}
	stream_name_put(&swap, step.file);
	step.position = why.pos;
	snprintf(step.text, sizeof(step.text),
	    "%.60s; move it away to keep what it replaces", why.text);
	return stream_repair_add(s->repair, &step, err);
}

/* View and listing must be of one moment, or a segment that a roll makes in
 * between would look like one that a swap covers. */
static int
look(struct settling *s, bool *moved, struct stream_error *err)
{
	struct stream_view after;
	int status;

	s->found.size = 0;
	stream_view_release(&s->view);
	status = stream_view_load(s->dirfd, &s->view, err);
	if (status == STREAM_OK)
		status = find(s, err);
	if (status == STREAM_OK)
		status = stream_view_load(s->dirfd, &after, err);
	if (status != STREAM_OK)
		return status;
	*moved = !stream_view_is_same(&s->view, &after);
	stream_view_release(&after);
	return STREAM_OK;
}

int
stream_leftovers_settle(int dirfd, enum stream_leftovers how,
    struct stream_repair *repair, bool *stays, struct stream_error *err)
{
	struct settling s = {.dirfd = dirfd, .how = how, .repair = repair};
	bool moved = true;
	int status = STREAM_OK;

	stream_buf_init(&s.found);
	for (int i = 0; i < LOOKS && moved && status == STREAM_OK; i++)
		status = look(&s, &moved, err);
	if (status == STREAM_OK && moved)
		status = stream_fail(err, STREAM_EBUSY, STREAM_POS_NONE,
		    "the files of the partition keep changing");
	if (status == STREAM_OK)
		status = check_swaps(&s, stays, err);
	if (status == STREAM_OK && !*stays)
		status = settle_all(&s, err);
	stream_buf_release(&s.found);
	stream_view_release(&s.view);
	return status;
}
