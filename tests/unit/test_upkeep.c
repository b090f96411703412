/* What retention and compaction decide by is what holds once they have the
 * lock, whatever was said before they waited for it. */
#include "base/fail.h"
#include "store/topic.h"
#include "store/upkeep.h"
#include "topic_dir.h"

static void
ok(int status, const struct stream_error *err)
{
	if (status != STREAM_OK)
		fail_msg("%s", err->text);
}

/* A topic "t" with one partition, as it is resolved. */
struct fixture {
	char store[300];
	char path[300];
	struct stream_place place;
};

static void
make_topic(const struct temp_dir *dir, struct fixture *f)
{
	assert_int_equal(create(dir, "t", 1), STREAM_OK);
	snprintf(f->store, sizeof(f->store), "%s", dir->path);
	snprintf(f->path, sizeof(f->path), "%s/t-0", dir->path);
	f->place = (struct stream_place){
	    .topic = (char *)"t",
	    .store_path = f->store,
	    .path = f->path,
	    .is_ours = true,
	};
}

static void
what_is_altered_meanwhile_holds(void **state)
{
	static const struct stream_setting_change compact = {
	    "cleanup.policy", "compact"};
	const struct temp_dir *dir = *state;
	struct stream_store *store;
	struct stream_upkeep upkeep;
	struct stream_error err;
	struct fixture f;

	make_topic(dir, &f);
	ok(stream_upkeep_open(&f.place, STREAM_STORE_WRITE, 100, &upkeep, &err),
	    &err);
	assert_true(upkeep.log.dense);
	assert_true(upkeep.deletes);
	store = open_store(dir, STREAM_STORE_WRITE);
	ok(stream_topic_alter(store, "t", &compact, 1, &err), &err);
	ok(stream_topic_declare_gaps(store, "t", &err), &err);
	stream_store_close(store);
	ok(stream_upkeep_lock(&upkeep, &err), &err);
	assert_false(upkeep.log.dense);
	assert_false(upkeep.deletes);
	assert_int_equal(upkeep.topic.cleanup_policy, STREAM_CLEANUP_COMPACT);
	stream_upkeep_close(&upkeep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_DIR(what_is_altered_meanwhile_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
