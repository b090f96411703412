/*
 * Every state that a crash can leave in the middle of making or deleting a
 * topic.  A state is built by hand; then a reader says what it sees, the next
 * writer clears up, and what is left is looked at.
 */
#include "file/lock.h"
#include "file/state.h"
#include "topic_dir.h"

/* --- a creation, cut off ------------------------------------------------- */

#define CREATE_INTENT \
	"{\"version\":1,\"intent\":\"create\",\"topic\":\"t\",\"topic_id\":" \
	"\"" ID "\",\"partitions\":[0,1]}"

#define SETTINGS \
	"{\"version\":1,\"topic\":\"t\",\"topic_id\":\"" ID "\"," \
	"\"partitions\":2,\"gaps\":false,\"config\":{}}"

static void
make_partition(const struct temp_dir *dir, const char *path, const char *id)
{
	static const char *const files[] = {"00000000000000000000.log",
	    "00000000000000000000.index", "00000000000000000000.timeindex"};
	char name[256], metadata[64];

	temp_dir_make(dir, path);
	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(name, sizeof(name), "%s/%s", path, files[i]);
		temp_dir_put(dir, name, "");
	}
	snprintf(name, sizeof(name), "%s/partition.metadata", path);
	snprintf(metadata, sizeof(metadata), "version: 0\ntopic_id: %s", id);
	temp_dir_put(dir, name, metadata);
}

static void
make_layout(const struct temp_dir *dir)
{
	temp_dir_make(dir, ".strm");
	temp_dir_make(dir, ".strm/topics");
	temp_dir_make(dir, ".strm/intents");
	temp_dir_make(dir, ".strm/build");
}

/* How far a creation of "t" with two partitions came, step by step. */
enum { CREATE_STEPS = 9, CREATE_COMMITTED = 8 };

static void
make_creation(const struct temp_dir *dir, int step)
{
	make_layout(dir);
	if (step == 0) /* the intent under its temporary name */
		temp_dir_put(dir, ".strm/intents/.tmp-0123456789abcdef", "{");
	if (step >= 1)
		temp_dir_put(dir, ".strm/intents/t.json", CREATE_INTENT);
	if (step == 2)
		temp_dir_make(dir, ".strm/build/t-0");
	if (step == 3) {
		temp_dir_make(dir, ".strm/build/t-0");
		temp_dir_put(dir, ".strm/build/t-0/partition.metadata", "");
	}
	if (step == 4)
		make_partition(dir, ".strm/build/t-0", ID);
	if (step == 4 || step == 5)
		make_partition(dir, ".strm/build/t-1", ID);
	if (step >= 5)
		make_partition(dir, "t-0", ID);
	if (step >= 6)
		make_partition(dir, "t-1", ID);
	if (step == 7)
		temp_dir_put(
		    dir, ".strm/topics/.tmp-0123456789abcdef", SETTINGS);
	if (step >= CREATE_COMMITTED)
		temp_dir_put(dir, ".strm/topics/t.json", SETTINGS);
}

static void
expect_cleared(const struct temp_dir *dir, bool committed)
{
	assert_true(is_empty(dir, ".strm/intents"));
	assert_true(is_empty(dir, ".strm/build"));
	assert_int_equal(is_empty(dir, ".strm/topics"), !committed);
	assert_int_equal(temp_dir_has(dir, "t-0"), committed);
	assert_int_equal(temp_dir_has(dir, "t-1"), committed);
	assert_false(temp_dir_has(dir, ".strm/topics/.tmp-0123456789abcdef"));
}

/* Run check on each step in a fresh directory. */
static void
each_step(int steps, void (*build)(const struct temp_dir *, int),
    void (*check)(const struct temp_dir *, int))
{
	for (int step = 0; step < steps; step++) {
		void *state = NULL;

		assert_int_equal(temp_dir_set_up(&state), 0);
		build(state, step);
		check(state, step);
		assert_int_equal(temp_dir_tear_down(&state), 0);
	}
}

static void
check_readers(const struct temp_dir *dir, int step)
{
	bool committed = step >= CREATE_COMMITTED;

	assert_int_equal(count_partitions(dir, "t", 0), committed ? 2 : -1);
	expect_list(dir, committed ? "t " : "");
	/* Readers leave everything as it was. */
	assert_int_equal(temp_dir_has(dir, ".strm/intents/t.json"), step >= 1);
	assert_false(temp_dir_has(dir, ".lock"));
}

static void
readers_see_a_creation_as_a_whole(void **state)
{
	(void)state;
	each_step(CREATE_STEPS, make_creation, check_readers);
}

static void
check_next_writer(const struct temp_dir *dir, int step)
{
	bool committed = step >= CREATE_COMMITTED;
	struct stream_store *store = open_store(dir, STREAM_STORE_WRITE);

	/* Where there is no intent, opening looks no further. */
	if (step == 0)
		assert_int_equal(stream_store_recover(store, NULL), STREAM_OK);
	stream_store_close(store);
	expect_cleared(dir, committed);
	assert_int_equal(
	    count_partitions(dir, "t", STREAM_STORE_WRITE), committed ? 2 : -1);
}

static void
the_next_writer_finishes_or_undoes_a_creation(void **state)
{
	(void)state;
	each_step(CREATE_STEPS, make_creation, check_next_writer);
}

static void
check_next_creation(const struct temp_dir *dir, int step)
{
	bool committed = step >= CREATE_COMMITTED;

	assert_int_equal(
	    create(dir, "t", 2), committed ? STREAM_EEXIST : STREAM_OK);
	expect_cleared(dir, true);
	assert_int_equal(count_partitions(dir, "t", 0), 2);
}

static void
a_topic_can_be_made_after_each_crash(void **state)
{
	(void)state;
	each_step(CREATE_STEPS, make_creation, check_next_creation);
}

/* A live creator holds the structure lock: its work is not touched. */
static void
check_live_creator(const struct temp_dir *dir, int step)
{
	struct stream_store *store;
	struct stream_topic *topic;
	struct stream_error err;
	int lock = openat(dir->fd, ".strm/lock", O_RDWR | O_CREAT, 0666);

	assert_int_equal(
	    stream_lock_take(lock, STREAM_LOCK_EXCLUSIVE, 0, 0, 0, NULL),
	    STREAM_OK);
	store = open_store(dir, STREAM_STORE_WRITE);
	assert_int_equal(stream_topic_open(store, "t", &topic, &err),
	    step == 0 ? STREAM_ENOENT : STREAM_EBUSY);
	stream_store_close(store);
	assert_int_equal(temp_dir_has(dir, ".strm/intents/t.json"), step >= 1);
	assert_int_equal(temp_dir_has(dir, "t-0"), step >= 5);
	close(lock);
}

static void
writers_wait_for_a_creation_that_is_under_way(void **state)
{
	(void)state;
	each_step(CREATE_STEPS, make_creation, check_live_creator);
}

static void
undoing_spares_what_the_creation_did_not_make(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;

	make_layout(dir);
	temp_dir_put(dir, ".strm/intents/t.json", CREATE_INTENT);
	make_partition(dir, "t-0", ID);
	make_partition(dir, "t-1", OTHER_ID);
	make_partition(dir, "t-2", ID);
	store = open_store(dir, STREAM_STORE_WRITE);
	stream_store_close(store);
	assert_false(temp_dir_has(dir, "t-0"));
	assert_true(temp_dir_has(dir, "t-1/partition.metadata"));
	assert_true(temp_dir_has(dir, "t-2/partition.metadata"));
	assert_int_equal(count_partitions(dir, "t", 0), 2);
}

static void
a_damaged_intent_hides_its_topic_only(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	struct stream_topic *topic;

	assert_int_equal(create(dir, "u", 1), STREAM_OK);
	make_partition(dir, "t-0", ID);
	temp_dir_put(dir, ".strm/intents/t.json", "{");
	expect_list(dir, "u ");
	assert_int_equal(count_partitions(dir, "u", STREAM_STORE_WRITE), 1);
	store = open_store(dir, STREAM_STORE_WRITE);
	assert_int_equal(
	    stream_topic_open(store, "t", &topic, NULL), STREAM_ECORRUPT);
	assert_int_equal(stream_store_recover(store, NULL), STREAM_ECORRUPT);
	assert_int_equal(
	    stream_topic_create(store, "t", 1, NULL, NULL), STREAM_ECORRUPT);
	stream_store_close(store);
	assert_true(temp_dir_has(dir, "t-0/partition.metadata"));
}

/* --- a deletion, cut off ------------------------------------------------- */

#define DELETE_INTENT \
	"{\"version\":1,\"intent\":\"delete\",\"topic\":\"t\",\"mark\":" \
	"\"" MARK "\",\"partitions\":[0,1]}"

enum { DELETE_STEPS = 10, DELETE_COMMITTED = 1 };

static void
make_deletion(const struct temp_dir *dir, int step)
{
	make_layout(dir);
	make_partition(dir, "u-0", OTHER_ID);
	/* A broker's own, which is nobody's business. */
	temp_dir_make(dir, "t-0.fedcba9876543210fedcba9876543210-delete");
	if (step < 8)
		temp_dir_put(dir, "log-start-offset-checkpoint",
		    "0\n3\nt 0 4\nu 0 5\nt 1 6\n");
	if (step < 9)
		temp_dir_put(dir, ".strm/topics/t.json", SETTINGS);
	if (step >= DELETE_COMMITTED)
		temp_dir_put(dir, ".strm/intents/t.json", DELETE_INTENT);
	if (step < 3)
		make_partition(dir, "t-0", ID);
	else if (step < 6)
		make_partition(dir, "t-0." MARK "-delete", ID);
	if (step < 4)
		make_partition(dir, "t-1", ID);
	else if (step < 7)
		make_partition(dir, "t-1." MARK "-delete", ID);
	if (step == 5)
		assert_int_equal(
		    unlinkat(
			dir->fd, "t-0." MARK "-delete/partition.metadata", 0),
		    0);
}

static void
check_deletion_readers(const struct temp_dir *dir, int step)
{
	bool committed = step >= DELETE_COMMITTED;

	assert_int_equal(count_partitions(dir, "t", 0), committed ? -1 : 2);
	expect_list(dir, committed ? "u " : "t u ");
}

static void
readers_see_a_deletion_as_a_whole(void **state)
{
	(void)state;
	each_step(DELETE_STEPS, make_deletion, check_deletion_readers);
}

static void
expect_deleted(const struct temp_dir *dir)
{
	assert_false(temp_dir_has(dir, "t-0"));
	assert_false(temp_dir_has(dir, "t-1"));
	assert_false(temp_dir_has(dir, "t-0." MARK "-delete"));
	assert_false(temp_dir_has(dir, "t-1." MARK "-delete"));
	assert_true(
	    temp_dir_has(dir, "t-0.fedcba9876543210fedcba9876543210-delete"));
	assert_true(temp_dir_has(dir, "u-0/partition.metadata"));
	assert_true(is_empty(dir, ".strm/topics"));
	assert_true(is_empty(dir, ".strm/intents"));
}

static void
check_deletion_writer(const struct temp_dir *dir, int step)
{
	struct stream_store *store = open_store(dir, STREAM_STORE_WRITE);

	stream_store_close(store);
	if (step < DELETE_COMMITTED) {
		assert_int_equal(count_partitions(dir, "t", 0), 2);
		return;
	}
	expect_deleted(dir);
	if (step < 8)
		temp_dir_expect(
		    dir, "log-start-offset-checkpoint", "0\n1\nu 0 5\n");
	assert_int_equal(count_partitions(dir, "t", STREAM_STORE_WRITE), -1);
}

static void
the_next_writer_finishes_a_deletion(void **state)
{
	(void)state;
	each_step(DELETE_STEPS, make_deletion, check_deletion_writer);
}

static void
check_creation_after_deletion(const struct temp_dir *dir, int step)
{
	if (step < DELETE_COMMITTED)
		return;
	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	assert_int_equal(count_partitions(dir, "t", 0), 1);
	assert_false(temp_dir_has(dir, "t-1"));
	expect_list(dir, "t u ");
}

static void
a_deleted_topic_can_be_made_again_after_each_crash(void **state)
{
	(void)state;
	each_step(DELETE_STEPS, make_deletion, check_creation_after_deletion);
}

/* Someone is compacting: the deletion is committed, and finished later. */
static void
a_busy_partition_delays_only_the_removal(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	int fd;

	assert_int_equal(create(dir, "t", 2), STREAM_OK);
	fd = openat(dir->fd, "t-1/" STREAM_STATE_NAME, O_RDWR | O_CREAT, 0666);
	assert_int_equal(stream_lock_take(fd, STREAM_LOCK_EXCLUSIVE,
			     STREAM_LOCK_STRUCTURE, 1, 0, NULL),
	    STREAM_OK);
	store = open_store(dir, STREAM_STORE_WRITE);
	assert_int_equal(stream_topic_delete(store, "t", NULL), STREAM_EBUSY);
	expect_list(dir, "");
	assert_true(temp_dir_has(dir, "t-1"));
	assert_int_equal(
	    stream_topic_create(store, "t", 1, NULL, NULL), STREAM_EBUSY);
	close(fd);
	assert_int_equal(
	    stream_topic_create(store, "t", 1, NULL, NULL), STREAM_OK);
	stream_store_close(store);
	assert_false(temp_dir_has(dir, "t-1"));
	expect_list(dir, "t ");
}

/* Both marks of the deleted topic can be read by who has it open. */
static void
writers_that_have_the_topic_open_are_told(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_state_identity identity;
	struct stream_state found;
	struct stream_store *store;
	int fd;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	fd = openat(dir->fd, "t-0/" STREAM_STATE_NAME, O_RDWR | O_CREAT, 0666);
	store = open_store(dir, STREAM_STORE_WRITE);
	assert_int_equal(stream_topic_delete(store, "t", NULL), STREAM_OK);
	stream_store_close(store);
	assert_int_equal(stream_state_identify(fd, &identity, NULL), STREAM_OK);
	assert_int_equal(
	    stream_state_read(fd, &identity, &found, NULL), STREAM_OK);
	assert_true((found.marks & STREAM_MARK_DELETED) != 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(readers_see_a_creation_as_a_whole),
	    cmocka_unit_test(the_next_writer_finishes_or_undoes_a_creation),
	    cmocka_unit_test(a_topic_can_be_made_after_each_crash),
	    cmocka_unit_test(writers_wait_for_a_creation_that_is_under_way),
	    IN_DIR(undoing_spares_what_the_creation_did_not_make),
	    IN_DIR(a_damaged_intent_hides_its_topic_only),
	    cmocka_unit_test(readers_see_a_deletion_as_a_whole),
	    cmocka_unit_test(the_next_writer_finishes_a_deletion),
	    cmocka_unit_test(
		a_deleted_topic_can_be_made_again_after_each_crash),
	    IN_DIR(a_busy_partition_delays_only_the_removal),
	    IN_DIR(writers_that_have_the_topic_open_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
