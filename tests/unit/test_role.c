/* Leader, replica, fenced: who may write, and how a replica becomes leader. */
#include <stream/producer.h>
#include <stream/role.h>

#include "file/state.h"
#include "topic_dir.h"

enum { BOTH = STREAM_STORE_WRITE | STREAM_STORE_REPLICA | STREAM_STORE_FENCED };

#define REPLICA "{\"version\":1,\"of\":\"a:/b\",\"since\":5}\n"
#define FENCED "{\"version\":1,\"reason\":\"moved\",\"since\":6}\n"

static struct stream_role
load(const struct temp_dir *dir)
{
	struct stream_store *store = open_store(dir, 0);
	struct stream_role role;
	struct stream_error err;

	if (stream_role_load(store, &role, &err) != STREAM_OK)
		fail_msg("%s", err.text);
	stream_store_close(store);
	return role;
}

static int
try_open(const struct temp_dir *dir, unsigned flags, struct stream_error *err)
{
	struct stream_store *store = NULL;
	int status = stream_store_open(dir->path, flags, 100, &store, err);

	stream_store_close(store);
	return status;
}

static void
set_replica(const struct temp_dir *dir, const char *of)
{
	struct stream_store *store = open_store(dir, BOTH);
	struct stream_error err;

	if (stream_role_set_replica(store, of, &err) != STREAM_OK)
		fail_msg("%s", err.text);
	stream_store_close(store);
}

static bool
fence(const struct temp_dir *dir, const char *reason)
{
	struct stream_store *store = open_store(dir, BOTH);
	struct stream_error err;
	bool was;
	int status = reason == NULL
			 ? stream_role_lift(store, &was, &err)
			 : stream_role_fence(store, reason, &was, &err);

	if (status != STREAM_OK)
		fail_msg("%s", err.text);
	stream_store_close(store);
	return was;
}

/* --- the files ----------------------------------------------------------- */

static void
a_store_without_files_leads(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_role role = load(dir);

	assert_false(role.is_replica || role.is_fenced);
	assert_int_equal(try_open(dir, STREAM_STORE_WRITE, NULL), STREAM_OK);
}

static void
roles_are_written_as_the_specification_says(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_role role;

	temp_dir_make(dir, ".strm");
	temp_dir_put(dir, ".strm/replica.json", REPLICA);
	temp_dir_put(dir, ".strm/fenced.json", FENCED);
	role = load(dir);
	assert_true(role.is_replica && role.is_fenced);
	assert_string_equal(role.of, "a:/b");
	assert_int_equal(role.replica_since_ms, 5);
	assert_string_equal(role.reason, "moved");
	assert_int_equal(role.fenced_since_ms, 6);
	/* Nothing to change: since stays, and so does the file. */
	set_replica(dir, "a:/b");
	temp_dir_expect(dir, ".strm/replica.json", REPLICA);
	set_replica(dir, "c");
	temp_dir_expect(dir, ".strm/replica.json",
	    "{\n  \"version\": 1,\n  \"of\": \"c\",\n  \"since\": 5\n}\n");
	assert_true(fence(dir, "again"));
	temp_dir_expect(dir, ".strm/fenced.json",
	    "{\n  \"version\": 1,\n  \"reason\": \"again\",\n"
	    "  \"since\": 6\n}\n");
	assert_true(fence(dir, NULL));
	assert_false(temp_dir_has(dir, ".strm/fenced.json"));
	assert_false(fence(dir, NULL));
	assert_false(fence(dir, "first"));
}

static void
names_that_are_no_utf8_become_readable(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_role role;

	set_replica(dir, "/a\xff\xc3\xa9\xc3");
	role = load(dir);
	assert_string_equal(role.of, "/a?\xc3\xa9?");
}

static void
texts_that_do_not_fit_are_refused(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store = open_store(dir, BOTH);
	char text[STREAM_ROLE_TEXT_SIZE + 1];
	bool was;

	memset(text, 'x', sizeof(text));
	text[STREAM_ROLE_TEXT_SIZE] = '\0';
	assert_int_equal(
	    stream_role_set_replica(store, text, NULL), STREAM_EUSAGE);
	assert_int_equal(
	    stream_role_fence(store, text, &was, NULL), STREAM_EUSAGE);
	assert_int_equal(
	    stream_role_set_replica(store, "", NULL), STREAM_EUSAGE);
	assert_int_equal(
	    stream_role_fence(store, "\xff", &was, NULL), STREAM_EUSAGE);
	text[STREAM_ROLE_TEXT_SIZE - 1] = '\0';
	assert_int_equal(stream_role_set_replica(store, text, NULL), STREAM_OK);
	stream_store_close(store);
	assert_string_equal(load(dir).of, text);
}

struct bad {
	const char *text;
	int status;
};

static void
a_role_that_cannot_be_read_refuses_writers(void **state)
{
	static const struct bad bad[] = {
	    {"", STREAM_ECORRUPT},
	    {"{", STREAM_ECORRUPT},
	    {"[]", STREAM_ECORRUPT},
	    {"{\"version\":1,\"of\":\"a\"}", STREAM_ECORRUPT},
	    {"{\"version\":1,\"of\":7,\"since\":1}", STREAM_ECORRUPT},
	    {"{\"version\":1,\"of\":\"a\",\"since\":1.5}", STREAM_ECORRUPT},
	    {"{\"of\":\"a\",\"since\":1}", STREAM_ECORRUPT},
	    {"{\"version\":2}", STREAM_ENEWER},
	    {"{\"version\":1,\"of\":\"a\",\"since\":1,\"x\":1}", STREAM_ENEWER},
	};
	const struct temp_dir *dir = *state;

	temp_dir_make(dir, ".strm");
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct stream_error err;

		temp_dir_put(dir, ".strm/replica.json", bad[i].text);
		assert_int_equal(
		    try_open(dir, STREAM_STORE_WRITE, &err), bad[i].status);
		assert_non_null(strstr(err.text, ".strm/replica.json"));
		assert_int_equal(try_open(dir, BOTH, NULL), bad[i].status);
		/* Reading goes on. */
		assert_int_equal(try_open(dir, 0, NULL), STREAM_OK);
	}
}

/* --- who is refused ------------------------------------------------------ */

static void
writers_are_refused_with_the_reason(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_error err;

	set_replica(dir, "box1:/srv/log");
	assert_int_equal(
	    try_open(dir, STREAM_STORE_WRITE, &err), STREAM_EFENCED);
	assert_non_null(strstr(err.text,
	    "is a replica of box1:/srv/log; strm promote makes it the leader"));
	assert_int_equal(
	    try_open(dir, STREAM_STORE_WRITE | STREAM_STORE_REPLICA, NULL),
	    STREAM_OK);
	fence(dir, "moved to box2");
	assert_int_equal(
	    try_open(dir, STREAM_STORE_WRITE, &err), STREAM_EFENCED);
	assert_non_null(strstr(err.text, "is fenced: moved to box2;"));
	assert_non_null(strstr(err.text, "strm fence --lift"));
	assert_int_equal(
	    try_open(dir, STREAM_STORE_WRITE | STREAM_STORE_REPLICA, NULL),
	    STREAM_EFENCED);
	assert_int_equal(try_open(dir, BOTH, NULL), STREAM_OK);
	assert_int_equal(try_open(dir, 0, NULL), STREAM_OK);
}

/* A store that was opened before cannot change its topics any more. */
static void
an_open_store_is_refused_its_changes(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_setting_change change = {"retention.ms", "1000"};
	struct stream_store *store;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	store = open_store(dir, STREAM_STORE_WRITE);
	fence(dir, "stop");
	assert_int_equal(
	    stream_topic_create(store, "u", 1, NULL, NULL), STREAM_EFENCED);
	assert_int_equal(
	    stream_topic_alter(store, "t", &change, 1, NULL), STREAM_EFENCED);
	assert_int_equal(stream_topic_delete(store, "t", NULL), STREAM_EFENCED);
	expect_list(dir, "t ");
	fence(dir, NULL);
	assert_int_equal(stream_topic_delete(store, "t", NULL), STREAM_OK);
	stream_store_close(store);
}

/* --- a producer that runs ------------------------------------------------ */

struct writer {
	struct stream_store *store;
	struct stream_topic *topic;
	struct stream_producer *producer;
};

static struct writer
open_writer(const struct temp_dir *dir, unsigned flags)
{
	struct writer writer = {.store = open_store(dir, flags)};

	assert_int_equal(
	    stream_topic_open(writer.store, "t", &writer.topic, NULL),
	    STREAM_OK);
	assert_int_equal(stream_producer_open(writer.store, writer.topic, NULL,
			     &writer.producer, NULL),
	    STREAM_OK);
	return writer;
}

static void
close_writer(struct writer *writer)
{
	stream_producer_close(writer->producer);
	stream_topic_free(writer->topic);
	stream_store_close(writer->store);
}

static int
put(struct writer *writer, int32_t partition, struct stream_error *err)
{
	struct stream_record record = {
	    .value = {(const uint8_t *)"v", 1}, .timestamp_ms = 1000};
	int status =
	    stream_producer_send(writer->producer, partition, &record, err);

	return status == STREAM_OK
		   ? stream_producer_flush(writer->producer, err)
		   : status;
}

static int64_t
end_of(const struct temp_dir *dir, int32_t partition)
{
	struct stream_store *store = open_store(dir, 0);
	struct stream_partition_summary summary;

	assert_int_equal(
	    stream_partition_describe(store, "t", partition, &summary, NULL),
	    STREAM_OK);
	stream_store_close(store);
	return summary.log_end_offset;
}

static bool
is_marked(const struct temp_dir *dir, const char *partition)
{
	struct stream_state found;
	int fd = openat(dir->fd, partition, O_RDONLY | O_DIRECTORY);

	assert_int_equal(stream_state_load(fd, &found, NULL), STREAM_OK);
	close(fd);
	return (found.marks & STREAM_MARK_CLOSED) != 0;
}

/* What it appended before can still be made durable. */
static void
a_running_producer_stops_at_its_next_append(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_error err;
	struct writer writer;

	assert_int_equal(create(dir, "t", 2), STREAM_OK);
	writer = open_writer(dir, STREAM_STORE_WRITE);
	assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
	fence(dir, "moved");
	assert_true(is_marked(dir, "t-0"));
	assert_int_equal(put(&writer, 0, &err), STREAM_EFENCED);
	assert_non_null(strstr(err.text, "t-0: is fenced: moved;"));
	assert_int_equal(
	    stream_producer_sync(writer.producer, NULL), STREAM_OK);
	close_writer(&writer);
	assert_int_equal(end_of(dir, 0), 1);
}

static void
a_partition_that_was_not_open_yet_is_refused_too(void **state)
{
	const struct temp_dir *dir = *state;
	struct writer writer;

	assert_int_equal(create(dir, "t", 2), STREAM_OK);
	writer = open_writer(dir, STREAM_STORE_WRITE);
	assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
	set_replica(dir, "x");
	assert_int_equal(put(&writer, 1, NULL), STREAM_EFENCED);
	close_writer(&writer);
	assert_int_equal(end_of(dir, 1), 0);
}

/* The state is a hint: removed or written over, the file still says it. */
static void
a_state_that_is_lost_does_not_open_the_store(void **state)
{
	const struct temp_dir *dir = *state;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	for (int how = 0; how < 3; how++) {
		struct writer writer = open_writer(dir, STREAM_STORE_WRITE);

		assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
		fence(dir, "moved");
		if (how == 0)
			assert_int_equal(
			    unlinkat(dir->fd, "t-0/" STREAM_STATE_NAME, 0), 0);
		else
			temp_dir_put(dir, "t-0/" STREAM_STATE_NAME,
			    how == 1 ? "" : "noise");
		assert_int_equal(put(&writer, 0, NULL), STREAM_EFENCED);
		close_writer(&writer);
		assert_int_equal(end_of(dir, 0), how + 1);
		fence(dir, NULL);
	}
}

/* Whoever copies to a replica rebuilds a lost state with its mark, for the
 * writer that has the partition open as well. */
static void
a_state_that_replication_rebuilds_keeps_the_mark(void **state)
{
	const struct temp_dir *dir = *state;
	struct writer writer, copier;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	writer = open_writer(dir, STREAM_STORE_WRITE);
	assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
	set_replica(dir, "x");
	temp_dir_put(dir, "t-0/" STREAM_STATE_NAME, "noise");
	copier = open_writer(dir, BOTH);
	assert_int_equal(put(&copier, 0, NULL), STREAM_OK);
	close_writer(&copier);
	assert_true(is_marked(dir, "t-0"));
	assert_int_equal(put(&writer, 0, NULL), STREAM_EFENCED);
	close_writer(&writer);
	assert_int_equal(end_of(dir, 0), 2);
}

/* Who lifts a fence may die before the marks are gone. */
static void
a_mark_without_a_file_is_taken_away(void **state)
{
	const struct temp_dir *dir = *state;
	struct writer writer;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	writer = open_writer(dir, STREAM_STORE_WRITE);
	assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
	fence(dir, "moved");
	assert_int_equal(unlinkat(dir->fd, ".strm/fenced.json", 0), 0);
	assert_true(is_marked(dir, "t-0"));
	assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
	assert_false(is_marked(dir, "t-0"));
	close_writer(&writer);
}

static void
lifting_a_fence_takes_the_marks_away(void **state)
{
	const struct temp_dir *dir = *state;
	struct writer writer;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	writer = open_writer(dir, STREAM_STORE_WRITE);
	assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
	fence(dir, "moved");
	fence(dir, NULL);
	assert_false(is_marked(dir, "t-0"));
	assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
	/* But not those of a replica. */
	set_replica(dir, "x");
	fence(dir, "moved");
	fence(dir, NULL);
	assert_true(is_marked(dir, "t-0"));
	assert_int_equal(put(&writer, 0, NULL), STREAM_EFENCED);
	close_writer(&writer);
}

/* --- promotion ----------------------------------------------------------- */

struct heard {
	int count;
	int32_t epochs[8];
	int64_t starts[8];
};

static void
hear(void *context, const char *topic, int32_t partition,
    const struct stream_role_epoch *epoch)
{
	struct heard *heard = context;

	assert_string_equal(topic, "t");
	assert_int_equal(partition, heard->count);
	assert_int_equal(epoch->start_offset, epoch->end_offset);
	heard->epochs[heard->count] = epoch->epoch;
	heard->starts[heard->count++] = epoch->start_offset;
}

static int
promote(const struct temp_dir *dir, bool plan, struct heard *heard,
    struct stream_error *err)
{
	struct stream_store *store = open_store(
	    dir, plan ? 0 : STREAM_STORE_WRITE | STREAM_STORE_REPLICA);
	int status;

	*heard = (struct heard){0};
	status = stream_role_promote(store, plan, hear, heard, err);
	stream_store_close(store);
	return status;
}

/* Partition 0 gets two records, partition 1 none. */
static void
make_replica(const struct temp_dir *dir)
{
	struct writer writer;

	assert_int_equal(create(dir, "t", 2), STREAM_OK);
	writer = open_writer(dir, STREAM_STORE_WRITE);
	assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
	assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
	close_writer(&writer);
	set_replica(dir, "x");
}

static void
promotion_begins_an_epoch_in_each_partition(void **state)
{
	const struct temp_dir *dir = *state;
	struct heard heard;
	struct stream_error err;
	struct writer writer;

	make_replica(dir);
	assert_int_equal(promote(dir, true, &heard, &err), STREAM_OK);
	assert_int_equal(heard.count, 2);
	assert_int_equal(heard.epochs[0], 1);
	temp_dir_expect(dir, "t-0/leader-epoch-checkpoint", "0\n1\n0 0\n");
	assert_true(load(dir).is_replica);

	assert_int_equal(promote(dir, false, &heard, &err), STREAM_OK);
	assert_int_equal(heard.count, 2);
	assert_int_equal(heard.epochs[0], 1);
	assert_int_equal(heard.starts[0], 2);
	assert_int_equal(heard.epochs[1], 1);
	assert_int_equal(heard.starts[1], 0);
	temp_dir_expect(dir, "t-0/leader-epoch-checkpoint", "0\n2\n0 0\n1 2\n");
	/* Its old leader would give its first record epoch 0. */
	temp_dir_expect(dir, "t-1/leader-epoch-checkpoint", "0\n1\n1 0\n");
	assert_false(load(dir).is_replica);

	writer = open_writer(dir, STREAM_STORE_WRITE);
	assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
	assert_int_equal(put(&writer, 1, NULL), STREAM_OK);
	close_writer(&writer);
	/* The batches have it: rebuilt from them, the file is the same. */
	assert_int_equal(
	    unlinkat(dir->fd, "t-0/leader-epoch-checkpoint", 0), 0);
	assert_int_equal(unlinkat(dir->fd, "t-0/" STREAM_STATE_NAME, 0), 0);
	writer = open_writer(dir, STREAM_STORE_WRITE);
	assert_int_equal(put(&writer, 0, NULL), STREAM_OK);
	close_writer(&writer);
	temp_dir_expect(dir, "t-0/leader-epoch-checkpoint", "0\n2\n0 0\n1 2\n");
}

/* The epoch is above that of a leader that wrote nothing in it. */
static void
an_epoch_without_records_gives_way(void **state)
{
	const struct temp_dir *dir = *state;
	struct heard heard;

	make_replica(dir);
	temp_dir_put(
	    dir, "t-0/leader-epoch-checkpoint", "0\n3\n0 0\n4 2\n7 9\n");
	assert_int_equal(promote(dir, false, &heard, NULL), STREAM_OK);
	assert_int_equal(heard.epochs[0], 8);
	temp_dir_expect(dir, "t-0/leader-epoch-checkpoint", "0\n2\n0 0\n8 2\n");
}

/* Retention may have died before it took them. */
static void
epochs_whose_records_are_gone_do_not_outlive_a_promotion(void **state)
{
	const struct temp_dir *dir = *state;
	struct heard heard;

	make_replica(dir);
	temp_dir_put(
	    dir, "t-0/leader-epoch-checkpoint", "0\n3\n0 0\n4 1\n7 2\n");
	temp_dir_put(dir, "log-start-offset-checkpoint", "0\n1\nt 0 1\n");
	assert_int_equal(promote(dir, false, &heard, NULL), STREAM_OK);
	assert_int_equal(heard.epochs[0], 8);
	temp_dir_expect(dir, "t-0/leader-epoch-checkpoint", "0\n2\n4 1\n8 2\n");
}

static void
a_checkpoint_that_is_lost_is_rebuilt(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_role_epoch epoch;
	struct stream_store *store;
	struct heard heard;

	make_replica(dir);
	for (int how = 0; how < 2; how++) {
		if (how == 0)
			unlinkat(dir->fd, "t-0/leader-epoch-checkpoint", 0);
		else
			temp_dir_put(dir, "t-0/leader-epoch-checkpoint", "x");
		store = open_store(dir, 0);
		assert_int_equal(
		    stream_role_newest_epoch(store, "t", 0, &epoch, NULL),
		    STREAM_OK);
		assert_int_equal(epoch.epoch, 0);
		assert_int_equal(epoch.start_offset, 0);
		assert_int_equal(epoch.end_offset, 2);
		stream_store_close(store);
		assert_int_equal(promote(dir, false, &heard, NULL), STREAM_OK);
		assert_int_equal(heard.starts[0], 2);
		/* The state remembers what the file lost. */
		assert_int_equal(heard.epochs[0], how + 1);
		set_replica(dir, "x");
	}
}

static void
the_last_epoch_cannot_be_passed(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_error err;
	struct heard heard;

	make_replica(dir);
	temp_dir_put(
	    dir, "t-1/leader-epoch-checkpoint", "0\n1\n2147483647 0\n");
	assert_int_equal(promote(dir, false, &heard, &err), STREAM_ECORRUPT);
	assert_non_null(strstr(err.text, "t-1: "));
	/* Nothing of it was done: its source is none of old. */
	assert_int_equal(heard.count, 0);
	assert_true(load(dir).is_replica);
	assert_false(load(dir).is_promoting);
	temp_dir_expect(dir, "t-0/leader-epoch-checkpoint", "0\n1\n0 0\n");
	temp_dir_put(dir, "t-1/leader-epoch-checkpoint", "0\n1\n0 0\n");
	unlinkat(dir->fd, "t-1/" STREAM_STATE_NAME, 0);
	assert_int_equal(promote(dir, false, &heard, &err), STREAM_OK);
	assert_int_equal(heard.epochs[0], 1);
	assert_int_equal(heard.epochs[1], 1);
}

static void
a_partition_that_cannot_be_written_keeps_all_from_promotion(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_error err;
	struct heard heard;

	make_replica(dir);
	unlinkat(dir->fd, "t-1/leader-epoch-checkpoint", 0);
	assert_int_equal(
	    mkdirat(dir->fd, "t-1/leader-epoch-checkpoint", 0777), 0);
	assert_int_equal(promote(dir, false, &heard, &err), STREAM_EIO);
	assert_non_null(strstr(err.text, "t-1: "));
	assert_false(load(dir).is_promoting);
	temp_dir_expect(dir, "t-0/leader-epoch-checkpoint", "0\n1\n0 0\n");
}

/* As one leaves it that was killed after the first of its epochs. */
static void
a_promotion_that_was_begun_is_finished_by_another(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_error err;
	struct heard heard;

	make_replica(dir);
	temp_dir_put(dir, ".strm/replica.json",
	    "{\"version\":1,\"of\":\"x\",\"since\":1,\"promoting\":true}");
	temp_dir_put(dir, "t-0/leader-epoch-checkpoint", "0\n2\n0 0\n1 2\n");
	unlinkat(dir->fd, "t-0/" STREAM_STATE_NAME, 0);
	assert_true(load(dir).is_promoting);
	assert_int_equal(
	    try_open(dir, STREAM_STORE_WRITE, &err), STREAM_EFENCED);
	assert_non_null(strstr(err.text, "strm promote finishes it"));
	/* Whoever replicates into it does not make it less of one. */
	set_replica(dir, "y");
	assert_true(load(dir).is_promoting);
	assert_int_equal(promote(dir, false, &heard, &err), STREAM_OK);
	assert_int_equal(heard.epochs[0], 2);
	assert_int_equal(heard.epochs[1], 1);
	temp_dir_expect(dir, "t-0/leader-epoch-checkpoint", "0\n2\n0 0\n2 2\n");
	assert_false(load(dir).is_replica);
	assert_false(load(dir).is_promoting);
}

static void
only_a_replica_is_promoting(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_error err;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	temp_dir_put(dir, ".strm/replica.json",
	    "{\"version\":1,\"of\":\"x\",\"since\":1,\"promoting\":1}");
	assert_int_equal(
	    try_open(dir, STREAM_STORE_WRITE, &err), STREAM_ECORRUPT);
	unlinkat(dir->fd, ".strm/replica.json", 0);
	temp_dir_put(dir, ".strm/fenced.json",
	    "{\"version\":1,\"reason\":\"x\",\"since\":1,"
	    "\"promoting\":true}");
	assert_int_equal(
	    try_open(dir, STREAM_STORE_WRITE, &err), STREAM_ENEWER);
}

static void
only_a_replica_that_is_not_fenced_is_promoted(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	struct stream_error err;
	struct heard heard;
	int hold;

	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	assert_int_equal(promote(dir, false, &heard, &err), STREAM_EUSAGE);
	set_replica(dir, "x");
	fence(dir, "moved");
	assert_int_equal(promote(dir, true, &heard, &err), STREAM_EFENCED);
	fence(dir, NULL);
	/* Nor one that replication is writing. */
	store = open_store(dir, BOTH);
	assert_int_equal(stream_role_hold(store, &hold, &err), STREAM_OK);
	assert_int_equal(promote(dir, false, &heard, &err), STREAM_EBUSY);
	stream_role_release(hold);
	stream_store_close(store);
	assert_int_equal(promote(dir, false, &heard, &err), STREAM_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_DIR(a_store_without_files_leads),
	    IN_DIR(roles_are_written_as_the_specification_says),
	    IN_DIR(names_that_are_no_utf8_become_readable),
	    IN_DIR(texts_that_do_not_fit_are_refused),
	    IN_DIR(a_role_that_cannot_be_read_refuses_writers),
	    IN_DIR(writers_are_refused_with_the_reason),
	    IN_DIR(an_open_store_is_refused_its_changes),
	    IN_DIR(a_running_producer_stops_at_its_next_append),
	    IN_DIR(a_partition_that_was_not_open_yet_is_refused_too),
	    IN_DIR(a_state_that_is_lost_does_not_open_the_store),
	    IN_DIR(a_state_that_replication_rebuilds_keeps_the_mark),
	    IN_DIR(a_mark_without_a_file_is_taken_away),
	    IN_DIR(lifting_a_fence_takes_the_marks_away),
	    IN_DIR(promotion_begins_an_epoch_in_each_partition),
	    IN_DIR(an_epoch_without_records_gives_way),
	    IN_DIR(epochs_whose_records_are_gone_do_not_outlive_a_promotion),
	    IN_DIR(a_checkpoint_that_is_lost_is_rebuilt),
	    IN_DIR(the_last_epoch_cannot_be_passed),
	    IN_DIR(a_partition_that_cannot_be_written_keeps_all_from_promotion),
	    IN_DIR(a_promotion_that_was_begun_is_finished_by_another),
	    IN_DIR(only_a_replica_is_promoting),
	    IN_DIR(only_a_replica_that_is_not_fenced_is_promoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
