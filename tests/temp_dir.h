/*
 * temp_dir.h - a directory for one test, and files in it
 *
 * temp_dir_set_up and temp_dir_tear_down are for
 * cmocka_unit_test_setup_teardown; *state is then a struct temp_dir *.
 */
#ifndef TEMP_DIR_H
#define TEMP_DIR_H

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct temp_dir {
	char path[256];
	int fd;
};

static inline int
temp_dir_set_up(void **state)
{
	struct temp_dir *dir = calloc(1, sizeof(*dir));
	const char *base = getenv("TMPDIR");

	snprintf(dir->path, sizeof(dir->path), "%s/strm-test-XXXXXX",
	    base != NULL ? base : "/tmp");
	if (mkdtemp(dir->path) == NULL)
		return -1;
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = dir;
	return dir->fd < 0 ? -1 : 0;
}

static inline int
temp_dir_remove_one(
    const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int
temp_dir_tear_down(void **state)
{
	struct temp_dir *dir = *state;
	int r = nftw(dir->path, temp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);

	close(dir->fd);
	free(dir);
	return r;
}

/* Make or replace the file name, which may hold '/'. */
static inline void
temp_dir_put(const struct temp_dir *dir, const char *name, const char *text)
{
	int fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (fd < 0)
		fail_msg("cannot make %s", name);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline void
temp_dir_make(const struct temp_dir *dir, const char *name)
{
	if (mkdirat(dir->fd, name, 0777) != 0)
		fail_msg("cannot make %s", name);
}

static inline bool
temp_dir_has(const struct temp_dir *dir, const char *name)
{
	return faccessat(dir->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The whole of a file of up to 64 KiB.  The caller frees it. */
static inline char *
temp_dir_get(const struct temp_dir *dir, const char *name)
{
	enum { LIMIT = 64 * 1024 };
	char *text = calloc(1, LIMIT);
	int fd = openat(dir->fd, name, O_RDONLY);

	if (fd < 0)
		fail_msg("cannot open %s", name);
	assert_true(read(fd, text, LIMIT - 1) >= 0);
	close(fd);
	return text;
}

static inline void
temp_dir_expect(const struct temp_dir *dir, const char *name, const char *text)
{
	char *got = temp_dir_get(dir, name);

	assert_string_equal(got, text);
	free(got);
}

#endif
