/*
 * names.h - changes of names in a directory, written down and played again
 *
 * The functions stand here in place of libc's; a test includes this in its one
 * file.  While names_record is on, each rename, removal and sync of a directory
 * is noted.  On a copy of what was there before, they can be played up to any
 * point, as after a kill; or with any of those left out that no sync of the
 * directory made durable, as after a loss of power.
 */
#ifndef NAMES_H
#define NAMES_H

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "fixture.h"

enum names_kind { NAMES_RENAME, NAMES_REMOVE, NAMES_SYNC };

struct names_op {
	enum names_kind kind;
	char from[64];
	char to[64];
};

struct names_trace {
	struct names_op ops[256];
	size_t count;
};

static struct names_trace *names_record;

/* The names_fail_at-th change from now fails with this; -1: none. */
static int names_fail_at = -1;
static int names_fail_times = 1;
static int names_fail_error;

/* Each rename fails with this; 0: none. */
static int names_rename_error;

/* Syncs of the directory are counted and fail as well. */
static inline bool
names_fails(void)
{
	if (names_fail_at < 0)
		return false;
	if (names_fail_at-- > 0)
		return false;
	names_fail_at = --names_fail_times > 0 ? 0 : -1;
	errno = names_fail_error;
	return true;
}

static inline void
names_note(enum names_kind kind, const char *from, const char *to)
{
	struct names_op *op;

	if (names_record == NULL || strncmp(from, ".tmp-", 5) == 0)
		return;
	assert_true(names_record->count < COUNT(names_record->ops));
	op = &names_record->ops[names_record->count++];
	op->kind = kind;
	snprintf(op->from, sizeof(op->from), "%s", from);
	snprintf(op->to, sizeof(op->to), "%s", to);
}

int
renameat(int from, const char *old, int to, const char *new)
{
	int r;

	if (names_rename_error != 0) {
		errno = names_rename_error;
		return -1;
	}
	if (names_fails())
		return -1;
	r = (int)syscall(SYS_renameat2, from, old, to, new, 0);
	if (r == 0)
		names_note(NAMES_RENAME, old, new);
	return r;
}

int
unlinkat(int dirfd, const char *name, int flags)
{
	int r;

	if (names_fails())
		return -1;
	r = (int)syscall(SYS_unlinkat, dirfd, name, flags);
	if (r == 0)
		names_note(NAMES_REMOVE, name, "");
	return r;
}

/* No test loses power, and disks take their time. */
int
fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (names_fails())
		return -1;
	names_note(NAMES_SYNC, "", "");
	return 0;
}

int
fdatasync(int fd)
{
	(void)fd;
	return 0;
}

/* Later changes may need one that was left out. */
static inline void
names_play(const struct temp_dir *dir, const struct names_op *op)
{
	struct names_trace *recording = names_record;

	names_record = NULL;
	if (op->kind == NAMES_RENAME)
		renameat(dir->fd, op->from, dir->fd, op->to);
	else if (op->kind == NAMES_REMOVE)
		unlinkat(dir->fd, op->from, 0);
	names_record = recording;
}

/* A copy of dir without a state file, which is bound to its inode. */
static inline struct temp_dir *
names_copy(const struct temp_dir *dir)
{
	struct temp_dir *copy = fx_dir();

	assert_true(fx_copy_from(dir->path, copy) >= 0);
	syscall(SYS_unlinkat, copy->fd, STREAM_STATE_NAME, 0);
	return copy;
}

typedef void names_check(const struct temp_dir *dir, void *context);

/* As after a kill before each change, and after the last. */
static inline void
names_each_moment(const struct temp_dir *before,
    const struct names_trace *trace, names_check *check, void *context)
{
	for (size_t n = 0; n <= trace->count; n++) {
		struct temp_dir *copy = names_copy(before);

		for (size_t i = 0; i < n; i++)
			names_play(copy, &trace->ops[i]);
		check(copy, context);
		fx_drop(copy);
	}
}

/* As after a loss of power before each sync, and after the last change: of
 * those since the sync before it, any may be on the disk. */
static inline void
names_each_loss(const struct temp_dir *before, const struct names_trace *trace,
    names_check *check, void *context)
{
	uint32_t seed = 1;
	size_t from = 0;

	for (size_t n = 0; n <= trace->count; n++) {
		size_t width = n - from;

		if (n < trace->count && trace->ops[n].kind != NAMES_SYNC)
			continue;
		for (unsigned k = 0; k < 64 && k < 1u << width; k++) {
			struct temp_dir *copy = names_copy(before);
			unsigned some = width <= 6 ? k : fx_random(&seed);

			for (size_t i = 0; i < n; i++)
				if (i < from || (some >> (i - from)) & 1)
					names_play(copy, &trace->ops[i]);
			check(copy, context);
			fx_drop(copy);
		}
		from = n + 1;
	}
}

/* The names of segments' files and snapshots, sorted, a blank between them. */
static inline void
names_list(const struct temp_dir *dir, char list[static 4000])
{
	struct dirent **names;
	int n = scandir(dir->path, &names, NULL, alphasort);
	size_t size = 0;

	list[0] = '\0';
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] >= '0' && names[i]->d_name[0] <= '9')
			size += (size_t)snprintf(list + size, 4000 - size,
			    "%s%s", size > 0 ? " " : "", names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

#endif
