/* Reading and writing files: what is refused, short counts, replacing. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "fixture.h"

/* The next call of each kind fails so, this often, or writes this much. */
static struct {
	int fsync_error;
	int rename_error;
	int eintr_times;
	size_t write_most;
	int write_error; /* after write_most bytes in all */
} fault;

int
fsync(int fd)
{
	if (fault.fsync_error != 0) {
		errno = fault.fsync_error;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

ssize_t
pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	if (fault.eintr_times > 0) {
		fault.eintr_times--;
		errno = EINTR;
		return -1;
	}
	if (fault.write_error != 0 && fault.write_most == 0) {
		errno = fault.write_error;
		return -1;
	}
	if (fault.write_most > 0 && n > fault.write_most)
		n = fault.write_most;
	if (fault.write_error != 0)
		fault.write_most = 0;
	return (ssize_t)syscall(SYS_pwrite64, fd, bytes, n, at);
}

int
renameat(int olddir, const char *old, int newdir, const char *new)
{
	if (fault.rename_error != 0) {
		errno = fault.rename_error;
		return -1;
	}
	return (int)syscall(SYS_renameat2, olddir, old, newdir, new, 0);
}

static int
set_up(void **state)
{
	memset(&fault, 0, sizeof(fault));
	return temp_dir_set_up(state);
}

static void
make_socket(const struct temp_dir *dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/socket",
	    dir->path);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void
only_regular_files_are_opened_and_none_hangs(void **state)
{
	static const struct {
		const char *name;
		int flags, want;
	} rows[] = {
	    {"file", O_RDONLY, STREAM_OK},
	    {"file", O_RDWR, STREAM_OK},
	    {"none", O_RDONLY, STREAM_ENOENT},
	    {"none/none", O_RDONLY, STREAM_ENOENT},
	    {"file/none", O_RDONLY, STREAM_ENOENT},
	    {"dir", O_RDONLY, STREAM_EIO},
	    {"dir", O_RDWR, STREAM_EIO},
	    {"link", O_RDONLY, STREAM_EIO},
	    {"link", O_RDWR | O_CREAT, STREAM_EIO},
	    {"fifo", O_RDONLY, STREAM_EIO},
	    {"fifo", O_RDWR, STREAM_EIO},
	    {"fifo", O_WRONLY, STREAM_EIO},
	    {"socket", O_RDONLY, STREAM_EIO},
	    {"hard", O_RDONLY, STREAM_OK},
	    {"hard", O_RDWR, STREAM_EIO},
	    {"file", O_RDWR | O_CREAT | O_EXCL, STREAM_EIO},
	    {"new", O_RDWR | O_CREAT | O_EXCL, STREAM_OK},
	};
	const struct temp_dir *dir = *state;

	fx_put(dir, "file", "x", 1);
	fx_put(dir, "one", "x", 1);
	temp_dir_make(dir, "dir");
	make_socket(dir);
	assert_int_equal(symlinkat("file", dir->fd, "link"), 0);
	assert_int_equal(mkfifoat(dir->fd, "fifo", 0600), 0);
	assert_int_equal(linkat(dir->fd, "one", dir->fd, "hard", 0), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_error err;
		int fd = -7;
		int status = stream_io_open(
		    dir->fd, rows[i].name, rows[i].flags, &fd, &err);

		if (status != rows[i].want)
			fail_msg("row %zu: %d %s", i, status, err.text);
		if (status != STREAM_OK) {
			assert_int_equal(fd, -7);
			continue;
		}
		assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		close(fd);
	}
}

static void
a_short_read_is_the_end_of_the_file(void **state)
{
	const struct temp_dir *dir = *state;
	char bytes[8];
	size_t got;
	int fd;

	fx_put(dir, "file", "abcde", 5);
	assert_int_equal(
	    stream_io_open(dir->fd, "file", O_RDONLY, &fd, NULL), STREAM_OK);
	assert_int_equal(
	    stream_io_read_at(fd, bytes, 8, 2, &got, NULL), STREAM_OK);
	assert_int_equal(got, 3);
	assert_memory_equal(bytes, "cde", 3);
	assert_int_equal(
	    stream_io_read_at(fd, bytes, 8, 99, &got, NULL), STREAM_OK);
	assert_int_equal(got, 0);
	close(fd);
	/* A descriptor that cannot be read is no end. */
	assert_int_equal(
	    stream_io_read_at(fd, bytes, 8, 0, &got, NULL), STREAM_EIO);
}

static void
a_write_goes_on_after_short_counts_and_eintr(void **state)
{
	const struct temp_dir *dir = *state;
	size_t done;
	int fd;

	assert_int_equal(
	    stream_io_open(dir->fd, "file", O_RDWR | O_CREAT, &fd, NULL),
	    STREAM_OK);
	fault.write_most = 3;
	fault.eintr_times = 5;
	assert_int_equal(
	    stream_io_write_at(fd, "abcdefgh", 8, 2, &done, NULL), STREAM_OK);
	assert_int_equal(done, 8);
	fault.write_most = 0;
	temp_dir_put(dir, "want", "");
	close(fd);
	assert_int_equal(fx_size(dir, "file"), 10);
}

static void
a_failed_write_says_how_much_is_there(void **state)
{
	const struct temp_dir *dir = *state;
	static const int errors[] = {ENOSPC, EDQUOT, EFBIG, EIO};
	int fd;

	assert_int_equal(
	    stream_io_open(dir->fd, "file", O_RDWR | O_CREAT, &fd, NULL),
	    STREAM_OK);
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct stream_error err;
		size_t done = 77;

		fault.write_most = 3;
		fault.write_error = errors[i];
		assert_int_equal(
		    stream_io_write_at(fd, "abcdefgh", 8, 0, &done, &err),
		    STREAM_EIO);
		assert_int_equal(err.sys, errors[i]);
		assert_int_equal(done, 3);
	}
	close(fd);
}

/* The kernel's own limit: a really short write, then EFBIG. */
static void
a_file_size_limit_is_a_short_write_and_efbig(void **state)
{
	const struct temp_dir *dir = *state;
	struct rlimit old, limit;
	struct stream_error err;
	size_t done;
	int fd;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 100;
	assert_int_equal(
	    stream_io_open(dir->fd, "file", O_RDWR | O_CREAT, &fd, NULL),
	    STREAM_OK);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(
	    stream_io_write_at(fd, "abcdefgh", 8, 95, &done, &err), STREAM_EIO);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(err.sys, EFBIG);
	assert_int_equal(done, 5);
	close(fd);
}

static int
count_files(const struct temp_dir *dir)
{
	DIR *list = opendir(dir->path);
	int count = -2; /* "." and ".." */

	while (readdir(list) != NULL)
		count++;
	closedir(list);
	return count;
}

static void
replacing_gives_the_new_bytes_or_leaves_the_old(void **state)
{
	static const struct {
		int fsync_error, rename_error, write_error;
	} rows[] = {{EIO, 0, 0}, {0, EIO, 0}, {0, ENOSPC, 0}, {0, 0, ENOSPC}};
	const struct temp_dir *dir = *state;
	struct stream_bytes bytes = {(const uint8_t *)"new", 3};
	struct stream_error err;

	temp_dir_put(dir, "file", "older");
	for (size_t i = 0; i < COUNT(rows); i++) {
		fault.fsync_error = rows[i].fsync_error;
		fault.rename_error = rows[i].rename_error;
		fault.write_error = rows[i].write_error;
		assert_int_equal(
		    stream_io_replace(dir->fd, "file", bytes, &err),
		    STREAM_EIO);
		assert_non_null(strstr(err.text, "file"));
		temp_dir_expect(dir, "file", "older");
		assert_int_equal(count_files(dir), 1);
	}
	memset(&fault, 0, sizeof(fault));
	assert_int_equal(
	    stream_io_replace(dir->fd, "file", bytes, NULL), STREAM_OK);
	temp_dir_expect(dir, "file", "new");
	assert_int_equal(
	    stream_io_replace(dir->fd, "other", bytes, NULL), STREAM_OK);
	temp_dir_expect(dir, "other", "new");
	assert_int_equal(count_files(dir), 2);
}

/* A link in the place of the file is replaced, not followed. */
static void
replacing_does_not_follow_links(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_bytes bytes = {(const uint8_t *)"new", 3};

	temp_dir_put(dir, "victim", "victim");
	assert_int_equal(symlinkat("victim", dir->fd, "file"), 0);
	assert_int_equal(
	    stream_io_replace(dir->fd, "file", bytes, NULL), STREAM_OK);
	temp_dir_expect(dir, "victim", "victim");
	temp_dir_expect(dir, "file", "new");
}

static void
loading_knows_a_limit(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_buf buf;

	stream_buf_init(&buf);
	temp_dir_put(dir, "file", "12345");
	temp_dir_put(dir, "empty", "");
	assert_int_equal(
	    stream_io_load(dir->fd, "file", 4, &buf, NULL), STREAM_ECORRUPT);
	assert_int_equal(
	    stream_io_load(dir->fd, "none", 4, &buf, NULL), STREAM_ENOENT);
	assert_int_equal(buf.size, 0);
	assert_int_equal(
	    stream_io_load(dir->fd, "file", 5, &buf, NULL), STREAM_OK);
	assert_int_equal(
	    stream_io_load(dir->fd, "empty", 5, &buf, NULL), STREAM_OK);
	assert_int_equal(
	    stream_io_load(dir->fd, "file", 5, &buf, NULL), STREAM_OK);
	assert_int_equal(buf.size, 10);
	assert_memory_equal(buf.data, "1234512345", 10);
	stream_buf_release(&buf);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define tear_down temp_dir_tear_down
	const struct CMUnitTest tests[] = {
	    TEST(only_regular_files_are_opened_and_none_hangs),
	    TEST(a_short_read_is_the_end_of_the_file),
	    TEST(a_write_goes_on_after_short_counts_and_eintr),
	    TEST(a_failed_write_says_how_much_is_there),
	    TEST(a_file_size_limit_is_a_short_write_and_efbig),
	    TEST(replacing_gives_the_new_bytes_or_leaves_the_old),
	    TEST(replacing_does_not_follow_links),
	    TEST(loading_knows_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
