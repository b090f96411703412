/* What a compaction made new at the source takes its place at a replica,
 * several segments at one moment, with one between them that did not change. */
#include "names.h"

#include <fcntl.h>

#include "file/state.h"
#include "log/install.h"
#include "log/structure.h"

/* Logs of ten records each; those at 0 and 20 are compacted to half of it, and
 * 30 is the active one. */
struct replica {
	const struct temp_dir *dir;
	struct temp_dir incoming;
	struct stream_partition *partition;
};

static void
put_log(const struct temp_dir *dir, int64_t base, int n, char letter,
    const char *suffix)
{
	static const char *const kinds[] = {"index", "timeindex"};
	struct stream_buf log;
	char name[64];

	stream_buf_init(&log);
	fx_add_many(&log, base, n, 1, 20, letter);
	snprintf(name, sizeof(name), "%020lld.log%s", (long long)base, suffix);
	fx_put(dir, name, log.data, log.size);
	stream_buf_release(&log);
	for (size_t i = 0; i < COUNT(kinds) && base < 30; i++) {
		snprintf(name, sizeof(name), "%020lld.%s", (long long)base,
		    kinds[i]);
		fx_put(dir, name, "", 0);
	}
}

static struct stream_partition *
open_structure(const struct temp_dir *dir)
{
	struct stream_log_config config = fx_config();
	struct stream_partition *partition = NULL;
	struct stream_error err;

	config.dense = false;
	expect(
	    stream_partition_open_structure(dir->fd, &config, &partition, &err),
	    STREAM_OK, err);
	return partition;
}

static struct replica
begin(const struct temp_dir *dir)
{
	struct replica r = {.dir = dir};

	for (int64_t base = 0; base < 40; base += 10)
		put_log(dir, base, 10, 'o', "");
	r.partition = open_structure(dir);
	assert_int_equal(mkdirat(dir->fd, "incoming", 0700), 0);
	r.incoming.fd = openat(dir->fd, "incoming", O_RDONLY | O_DIRECTORY);
	assert_true(r.incoming.fd >= 0);
	put_log(&r.incoming, 0, 5, 'n', ".cleaned");
	put_log(&r.incoming, 20, 5, 'n', ".cleaned");
	return r;
}

static void
end(struct replica *r)
{
	stream_partition_close(r->partition);
	close(r->incoming.fd);
}

static int
try_swap(const struct replica *r, struct stream_error *err)
{
	static const struct stream_install_segment segments[] = {
	    {.base_offset = 0, .is_brought = true},
	    {.base_offset = 10},
	    {.base_offset = 20, .is_brought = true},
	};
	struct stream_install install = {
	    .partition = r->partition, .dirfd = r->dir->fd};

	err->text[0] = '\0';
	return stream_install_swap(
	    &install, r->incoming.fd, segments, COUNT(segments), 30, err);
}

static ino_t
inode_of(const struct temp_dir *dir, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir->fd, name, &st, 0), 0);
	return st.st_ino;
}

static void
expect_letters(const struct temp_dir *dir, const char *letters)
{
	struct fx_seen seen = fx_read(dir, (struct fx_reading){.gaps = true});

	expect(seen.status, STREAM_END, seen.err);
	assert_string_equal(seen.letters, letters);
}

static void
expect_settled(const struct temp_dir *dir)
{
	char list[4000];

	names_list(dir, list);
	assert_null(strstr(list, ".cleaned"));
	assert_null(strstr(list, ".swap"));
	assert_null(strstr(list, ".deleted"));
}

#define LOG_10 "00000000000000000010.log"
#define INDEX_10 "00000000000000000010.index"

static void
all_take_their_place_and_one_keeps_it(void **state)
{
	struct replica r = begin(*state);
	ino_t log = inode_of(r.dir, LOG_10), index = inode_of(r.dir, INDEX_10);
	struct stream_error err;

	expect(try_swap(&r, &err), STREAM_OK, err);
	expect_settled(r.dir);
	expect_letters(r.dir, "non");
	assert_int_equal(inode_of(r.dir, LOG_10), log);
	assert_int_equal(inode_of(r.dir, INDEX_10), index);
	end(&r);
}

/* Whose lock went with the state file does nothing. */
static void
after_the_state_file_was_replaced_nothing_is_touched(void **state)
{
	struct replica r = begin(*state);
	struct stream_error err;
	char before[4000], after[4000];

	fx_remove(r.dir, STREAM_STATE_NAME);
	fx_put(r.dir, STREAM_STATE_NAME, "", 0);
	names_list(r.dir, before);
	expect(try_swap(&r, &err), STREAM_EBUSY, err);
	names_list(r.dir, after);
	assert_string_equal(before, after);
	expect_letters(r.dir, "o");
	end(&r);
}

static void
what_is_not_there_ends_it_and_is_undone(void **state)
{
	static const struct {
		bool brought;
		const char *name;
	} files[] = {
	    {true, "00000000000000000000.index"},
	    {true, "00000000000000000000.log.cleaned"},
	    {true, "00000000000000000020.timeindex"},
	    {true, "00000000000000000020.log.cleaned"},
	    {false, LOG_10},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		struct temp_dir *dir = fx_dir();
		struct replica r = begin(dir);
		struct stream_error err;
		char before[4000], after[4000];

		fx_remove(files[i].brought ? &r.incoming : dir, files[i].name);
		names_list(dir, before);
		assert_int_not_equal(try_swap(&r, &err), STREAM_OK);
		assert_string_not_equal(err.text, "");
		names_list(dir, after);
		assert_string_equal(before, after);
		end(&r);
		fx_drop(dir);
	}
}

/* An index of what stays may be missing: it is a hint, and made anew. */
static void
what_stays_may_lack_an_index(void **state)
{
	struct replica r = begin(*state);
	struct stream_error err;

	fx_remove(r.dir, INDEX_10);
	expect(try_swap(&r, &err), STREAM_OK, err);
	expect_letters(r.dir, "non");
	end(&r);
}

/* Each rename, removal and sync in turn: the log is the old one or the new one,
 * and the next who opens it finishes or undoes it. */
static void
any_change_may_fail(void **state)
{
	bool failed = true;

	(void)state;
	for (int at = 0; failed; at++) {
		struct temp_dir *dir = fx_dir();
		struct replica r = begin(dir);
		struct stream_error err;
		struct fx_seen seen;
		int status;

		names_fail_at = at;
		names_fail_times = 1;
		names_fail_error = EIO;
		status = try_swap(&r, &err);
		failed = names_fail_at < 0;
		names_fail_at = -1;
		if (!failed)
			expect(status, STREAM_OK, err);
		end(&r);
		seen = fx_read(dir, (struct fx_reading){.gaps = true});
		expect(seen.status, STREAM_END, seen.err);
		if (strcmp(seen.letters, "o") != 0)
			assert_string_equal(seen.letters, "non");
		stream_partition_close(open_structure(dir));
		expect_settled(dir);
		expect_letters(dir, seen.letters);
		fx_drop(dir);
	}
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(all_take_their_place_and_one_keeps_it),
	    TEST(after_the_state_file_was_replaced_nothing_is_touched),
	    TEST(what_is_not_there_ends_it_and_is_undone),
	    TEST(what_stays_may_lack_an_index),
	    TEST(any_change_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
