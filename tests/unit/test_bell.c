/* Waiting for the end of another's sync. */
#include <sys/wait.h>

#include "base/clock.h"
#include "file/bell.h"
#include "file/state.h"
#include "fixture.h"

static int
make_file(const struct temp_dir *dir, struct stream_state *written)
{
	struct stream_state_identity identity;
	int fd = openat(dir->fd, STREAM_STATE_NAME, O_RDWR | O_CREAT, 0666);

	assert_true(fd >= 0);
	assert_int_equal(stream_state_identify(fd, &identity, NULL), STREAM_OK);
	*written = (struct stream_state){.durable_end = 1000, .end = 2000};
	assert_int_equal(
	    stream_state_write(fd, &identity, written, NULL), STREAM_OK);
	return fd;
}

static void
the_bell_changes_with_a_sync_and_not_with_an_append(void **state)
{
	struct stream_state was = {
	    .active_base = 5, .durable_end = 100, .end = 200, .sequence = 7};
	struct stream_state now = was;

	(void)state;
	now.end = 300;
	now.sequence = 8;
	now.marks = STREAM_MARK_SYNCING;
	assert_int_equal(stream_state_bell(&now), stream_state_bell(&was));
	now.durable_end = 200;
	assert_int_not_equal(stream_state_bell(&now), stream_state_bell(&was));
	now = was;
	now.takebacks++;
	assert_int_not_equal(stream_state_bell(&now), stream_state_bell(&was));
}

static void
it_stands_in_the_file_whichever_slot_was_written(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_state_identity identity;
	struct stream_state written;
	int fd = make_file(dir, &written);

	assert_int_equal(stream_state_identify(fd, &identity, NULL), STREAM_OK);
	for (int i = 0; i < 4; i++) {
		uint8_t word[4];

		written.durable_end += 10;
		assert_int_equal(
		    stream_state_write(fd, &identity, &written, NULL),
		    STREAM_OK);
		assert_int_equal(pread(fd, word, 4, STREAM_BELL_AT), 4);
		assert_int_equal(
		    stream_load32(word), stream_state_bell(&written));
	}
	close(fd);
}

/* A child waits for ten seconds at most; woken, it ends at once. */
static void
ringing_wakes_another_process(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_state written;
	struct stream_bell bell;
	int fd = make_file(dir, &written);
	int64_t since_ms = stream_clock_steady_ms();
	pid_t child = fork();
	int status;

	stream_bell_init(&bell);
	if (child == 0) {
		for (int i = 0; i < 10; i++)
			stream_bell_wait(
			    &bell, fd, stream_state_bell(&written), 999999999);
		_exit(stream_clock_steady_ms() - since_ms < 9000 ? 0 : 1);
	}
	while (waitpid(child, &status, WNOHANG) == 0) {
		stream_bell_ring(&bell, fd);
		usleep(1000);
	}
	assert_int_equal(status, 0);
	stream_bell_release(&bell);
	close(fd);
}

/* Nobody rings: the wait has an end.  A bell that says something else, or a
 * file that was cut, does not hold up anyone, nor end the process. */
static void
a_wait_ends_without_a_bell(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_state written;
	struct stream_bell bell;
	int fd = make_file(dir, &written);

	stream_bell_init(&bell);
	stream_bell_wait(&bell, fd, stream_state_bell(&written), 1000000);
	stream_bell_wait(&bell, fd, stream_state_bell(&written) + 1, 999999999);
	assert_int_equal(ftruncate(fd, 0), 0);
	stream_bell_wait(&bell, fd, stream_state_bell(&written), 999999999);
	stream_bell_ring(&bell, fd);
	stream_bell_release(&bell);
	close(fd);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(the_bell_changes_with_a_sync_and_not_with_an_append),
	    TEST(it_stands_in_the_file_whichever_slot_was_written),
	    TEST(ringing_wakes_another_process),
	    TEST(a_wait_ends_without_a_bell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
