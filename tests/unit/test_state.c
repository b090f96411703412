/* .strm-state: two slots, and what is not believed. */
#include "fixture.h"

enum { SLOT = 256, CHECKSUM_AT = 144 };

struct open_state {
	int fd;
	struct stream_state_identity identity;
};

static struct open_state
open_state(const struct temp_dir *dir, const char *name)
{
	struct open_state open = {
	    .fd = openat(dir->fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0666)};

	assert_int_equal(
	    stream_state_identify(open.fd, &open.identity, NULL), STREAM_OK);
	return open;
}

static struct stream_state
read_state(const struct open_state *open)
{
	struct stream_state state = {.marks = 77};

	assert_int_equal(
	    stream_state_read(open->fd, &open->identity, &state, NULL),
	    STREAM_OK);
	return state;
}

static void
write_state(const struct open_state *open, struct stream_state *state)
{
	assert_int_equal(
	    stream_state_write(open->fd, &open->identity, state, NULL),
	    STREAM_OK);
}

/* A state in which every field is different. */
static struct stream_state
some_state(void)
{
	return (struct stream_state){
	    .marks = STREAM_MARK_SYNCING | STREAM_MARK_DELETED,
	    .leader_epoch = 0x01020304,
	    .active_base = INT64_C(0x1112131415161718),
	    .end = 0x2122232425262728,
	    .last_position = 0x3132333435363738,
	    .next_offset = 0x4142434445464748,
	    .durable_end = 0x5152535455565758,
	    .max_timestamp_ms = -1,
	    .max_timestamp_offset = 0x6162636465666768,
	    .takebacks = 0x7172737475767778,
	    .takeback_base = 0x0807060504030201,
	    .takeback_end = 0x8182838485868788,
	    .structure = 0x9192939495969798,
	};
}

static void
expect_equal(const struct stream_state *a, const struct stream_state *b)
{
	assert_memory_equal(a->boot_id, b->boot_id, 16);
	assert_int_equal(a->sequence, b->sequence);
	assert_int_equal(a->device, b->device);
	assert_int_equal(a->inode, b->inode);
	assert_int_equal(a->marks, b->marks);
	assert_int_equal(a->leader_epoch, b->leader_epoch);
	assert_int_equal(a->active_base, b->active_base);
	assert_int_equal(a->end, b->end);
	assert_int_equal(a->last_position, b->last_position);
	assert_int_equal(a->next_offset, b->next_offset);
	assert_int_equal(a->durable_end, b->durable_end);
	assert_int_equal(a->max_timestamp_ms, b->max_timestamp_ms);
	assert_int_equal(a->max_timestamp_offset, b->max_timestamp_offset);
	assert_int_equal(a->takebacks, b->takebacks);
	assert_int_equal(a->takeback_base, b->takeback_base);
	assert_int_equal(a->takeback_end, b->takeback_end);
	assert_int_equal(a->structure, b->structure);
}

static void
every_field_comes_back_from_either_slot(void **state)
{
	const struct temp_dir *dir = *state;
	struct open_state open = open_state(dir, "s");
	struct stream_state one = some_state();

	for (uint64_t i = 1; i <= 5; i++) {
		struct stream_state got;

		one.end = i;
		write_state(&open, &one);
		assert_int_equal(one.sequence, i);
		got = read_state(&open);
		expect_equal(&got, &one);
	}
	assert_true(fx_size(dir, "s") <= 2 * SLOT);
	close(open.fd);
}

static void
an_empty_or_short_file_is_no_state(void **state)
{
	static const size_t sizes[] = {0, 1, 4, 148, 255, 256, 300, 511, 5000};
	const struct temp_dir *dir = *state;

	for (size_t i = 0; i < COUNT(sizes); i++)
		for (int byte = -1; byte <= 0; byte++) {
			struct open_state open;
			struct stream_state zero = {0}, got;

			fx_fill(dir, "s", sizes[i], byte, (uint32_t)i);
			open = open_state(dir, "s");
			got = read_state(&open);
			expect_equal(&got, &zero);
			close(open.fd);
		}
}

/* Whatever byte of the newer slot is wrong, the older one counts. */
static void
a_torn_slot_leaves_the_other(void **state)
{
	const struct temp_dir *dir = *state;
	struct open_state open = open_state(dir, "s");
	struct stream_state one = some_state();
	struct stream_buf file;

	one.end = 1;
	write_state(&open, &one);
	one.end = 2;
	write_state(&open, &one);
	fx_get(dir, "s", &file);
	for (size_t at = 0; at < CHECKSUM_AT + 4; at++) {
		struct stream_state got;
		uint8_t wrong = file.data[at] ^ 0x10;

		fx_put_at(dir, "s", at, &wrong, 1);
		got = read_state(&open);
		if (got.end != 1)
			fail_msg("byte %zu", at);
		fx_put_at(dir, "s", at, &file.data[at], 1);
	}
	stream_buf_release(&file);
	/* The next write replaces the torn one. */
	fx_put_at(dir, "s", 100, "torn", 4);
	one = read_state(&open);
	one.end = 3;
	write_state(&open, &one);
	assert_int_equal(read_state(&open).end, 3);
	close(open.fd);
}

static void
another_version_is_no_state(void **state)
{
	const struct temp_dir *dir = *state;
	struct open_state open = open_state(dir, "s");
	struct stream_state one = some_state();
	struct stream_buf file;

	write_state(&open, &one);
	fx_get(dir, "s", &file);
	stream_store16(file.data + SLOT + 4, 2);
	stream_store32(file.data + SLOT + CHECKSUM_AT,
	    stream_crc32c(file.data + SLOT, CHECKSUM_AT));
	fx_put_at(dir, "s", 0, file.data, file.size);
	assert_int_equal(read_state(&open).sequence, 0);
	stream_buf_release(&file);
	close(open.fd);
}

static void
a_copy_is_no_state(void **state)
{
	const struct temp_dir *dir = *state;
	struct open_state open = open_state(dir, "s");
	struct stream_state one = some_state();
	struct stream_buf file;

	write_state(&open, &one);
	write_state(&open, &one);
	fx_get(dir, "s", &file);
	fx_put(dir, "copy", file.data, file.size);
	close(open.fd);
	open = open_state(dir, "copy");
	assert_int_equal(read_state(&open).sequence, 0);
	stream_buf_release(&file);
	close(open.fd);
}

/* The copy's slots have higher sequences than the first of our own. */
static void
the_first_write_to_a_copy_is_believed(void **state)
{
	const struct temp_dir *dir = *state;

	for (uint64_t sequence = 0; sequence < 5; sequence++) {
		struct open_state open = open_state(dir, "s");
		struct stream_state one = some_state();
		struct stream_buf file;

		one.sequence = sequence;
		write_state(&open, &one);
		write_state(&open, &one);
		close(open.fd);
		fx_get(dir, "s", &file);
		fx_put(dir, "copy", file.data, file.size);
		stream_buf_release(&file);
		open = open_state(dir, "copy");
		one = read_state(&open);
		assert_int_equal(one.sequence, 0);
		one.end = 4242;
		write_state(&open, &one);
		assert_int_equal(read_state(&open).end, 4242);
		close(open.fd);
		fx_remove(dir, "copy");
		fx_remove(dir, "s");
	}
}

static void
a_state_of_another_boot_is_not_current(void **state)
{
	const struct temp_dir *dir = *state;
	struct open_state open = open_state(dir, "s");
	struct stream_state one = some_state(), zero = {0};
	struct stream_state_identity earlier = open.identity;

	write_state(&open, &one);
	assert_true(stream_state_is_current(&one, &open.identity));
	earlier.boot_id[15] ^= 1;
	assert_false(stream_state_is_current(&one, &earlier));
	assert_false(stream_state_is_current(&zero, &open.identity));
	/* It is read all the same: its durable end holds. */
	close(open.fd);
	open = open_state(dir, "s");
	assert_int_equal(read_state(&open).durable_end, one.durable_end);
	close(open.fd);
}

/* Of every value that a reader without a lock can see while slots are written,
 * each is one that was written, and none is older than the last one seen. */
static void
a_reader_never_sees_half_a_slot(void **state)
{
	const struct temp_dir *dir = *state;
	struct open_state open = open_state(dir, "s");
	struct stream_state one = {0};
	pid_t pid;

	write_state(&open, &one);
	pid = fork();
	if (pid == 0) {
		for (uint64_t i = 1; i < 20000; i++) {
			one.end = i;
			one.structure = i * 3;
			write_state(&open, &one);
		}
		_exit(0);
	}
	for (uint64_t last = 0; last < 19999;) {
		struct stream_state got = read_state(&open);

		assert_int_not_equal(got.sequence, 0);
		assert_int_equal(got.structure, got.end * 3);
		assert_true(got.end >= last);
		last = got.end;
	}
	close(open.fd);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(every_field_comes_back_from_either_slot),
	    TEST(an_empty_or_short_file_is_no_state),
	    TEST(a_torn_slot_leaves_the_other),
	    TEST(another_version_is_no_state),
	    TEST(a_copy_is_no_state),
	    TEST(the_first_write_to_a_copy_is_believed),
	    TEST(a_state_of_another_boot_is_not_current),
	    TEST(a_reader_never_sees_half_a_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
