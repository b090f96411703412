/*
 * What a replica and its source say of each other: manifests, which come from
 * another machine, and where two logs part.
 */
#include <stream/producer.h>

#include "store/manifest.h"
#include "store/replica_diverge.h"
#include "topic_dir.h"

/* ---- where they part ---------------------------------------------------- */

enum { MOST = 4 };

struct story {
	const char *what;
	struct stream_epoch source[MOST];
	size_t source_count;
	int64_t source_start;
	int64_t source_end;
	struct stream_epoch mine[MOST];
	size_t mine_count;
	int64_t mine_end;
	int64_t diverged;
};

static const struct story stories[] = {
    {"the same", {{0, 0}}, 1, 0, 100, {{0, 0}}, 1, 100, -1},
    {"the source is further", {{0, 0}}, 1, 0, 100, {{0, 0}}, 1, 40, -1},
    {"the source lost its end", {{0, 0}}, 1, 0, 40, {{0, 0}}, 1, 100, 40},
    {"a new leader, and the old one went on", {{0, 0}, {1, 60}}, 2, 0, 90,
	{{0, 0}}, 1, 100, 60},
    {"a new leader, and the old one stopped", {{0, 0}, {1, 60}}, 2, 0, 90,
	{{0, 0}}, 1, 60, -1},
    {"two new leaders, one of which the source does not know",
	{{0, 0}, {2, 50}}, 2, 0, 90, {{0, 0}, {1, 40}}, 2, 70, 40},
    {"the same, but further on", {{0, 0}, {2, 30}}, 2, 0, 90, {{0, 0}, {1, 40}},
	2, 70, 30},
    {"the front of the source was cut", {{1, 80}}, 1, 80, 120,
	{{0, 0}, {1, 50}}, 2, 100, -1},
    {"all that the source knows came later, after the replica's", {{3, 500}}, 1,
	500, 600, {{0, 0}}, 1, 100, 0},
    {"all that the source knows came later, within the replica's", {{3, 50}}, 1,
	50, 600, {{0, 0}}, 1, 100, 0},
    {"all of the replica's was cut, in an epoch that both know", {{0, 500}}, 1,
	500, 600, {{0, 0}}, 1, 100, -1},
    {"no epochs", {{0, 0}}, 0, 0, 100, {{0, 0}}, 0, 40, -1},
    {"nothing at the replica", {{1, 0}}, 1, 0, 100, {{0, 0}}, 0, 0, -1},
};

static void
set(struct stream_manifest_part *part, struct stream_manifest_segment *segment,
    const struct stream_epoch *epochs, size_t count, int64_t start, int64_t end)
{
	*segment = (struct stream_manifest_segment){.base_offset = start};
	stream_measure_init(&segment->measure, start);
	segment->measure.next_offset = end;
	*part = (struct stream_manifest_part){
	    .epochs = (struct stream_epoch *)epochs,
	    .epoch_count = count,
	    .segments = segment,
	    .segment_count = 1,
	};
}

static void
logs_part_where_their_epochs_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(*stories); i++) {
		const struct story *s = &stories[i];
		struct stream_manifest_segment a, b;
		struct stream_manifest_part source, mine;
		int64_t found;

		set(&source, &a, s->source, s->source_count, s->source_start,
		    s->source_end);
		set(&mine, &b, s->mine, s->mine_count, 0, s->mine_end);
		found = stream_replica_divergence(&source, &mine);
		if (found != s->diverged)
			fail_msg("%s: %lld in place of %lld", s->what,
			    (long long)found, (long long)s->diverged);
	}
}

/* ---- manifests ---------------------------------------------------------- */

static const char settings[] =
    "{\"version\": 1, \"topic\": \"orders\", \"topic_id\": "
    "\"TkB0k2C_TpOxQ0dJq1sYyw\", \"partitions\": 1, \"gaps\": false, "
    "\"config\": {}}";

/* One with all that there can be in it. */
static char *
print(void)
{
	struct stream_manifest *m = calloc(1, sizeof(*m));
	struct stream_manifest_segment segment = {.base_offset = 5};
	struct stream_manifest_topic *topic;
	struct stream_manifest_part *part;
	char *text;

	strcpy(m->id, "0123456789abcdef");
	m->time_ms = 1767225600000;
	m->role = STREAM_IS_REPLICA;
	assert_int_equal(
	    stream_manifest_add_other(
		m, &(struct stream_manifest_other){"a", 3, 0, ""}, NULL),
	    0);
	assert_int_equal(stream_manifest_add_other(m,
			     &(struct stream_manifest_other){
				 "z", 0, 7, "TkB0k2C_TpOxQ0dJq1sYyw"},
			     NULL),
	    0);
	assert_int_equal(stream_manifest_add_topic(m, "a", &topic, NULL), 0);
	assert_int_equal(stream_manifest_add_part(m, 3, &part, NULL), 0);
	part->failed = STREAM_ECORRUPT;
	strcpy(part->text, "bad CRC");
	assert_int_equal(
	    stream_manifest_add_topic(m, "orders", &topic, NULL), 0);
	topic->is_ours = true;
	topic->json = strdup(settings);
	assert_int_equal(stream_manifest_add_part(m, 0, &part, NULL), 0);
	part->clean_point = 7;
	part->epochs = calloc(2, sizeof(*part->epochs));
	part->epochs[1] = (struct stream_epoch){2, 6};
	part->epoch_count = 2;
	stream_measure_init(&segment.measure, 5);
	segment.measure.bytes = 200;
	segment.measure.last_position = 100;
	segment.measure.next_offset = 9;
	segment.measure.digest.high = 77;
	segment.how = STREAM_HOW_TAIL;
	segment.from = 100;
	assert_int_equal(stream_manifest_add_segment(part, &segment, NULL), 0);
	segment.base_offset = 9;
	segment.how = STREAM_HOW_LIVE;
	segment.from = 0;
	segment.with = STREAM_WITH_SNAPSHOT;
	assert_int_equal(stream_manifest_add_segment(part, &segment, NULL), 0);
	assert_int_equal(stream_manifest_print(m, &text, NULL), 0);
	stream_manifest_free(m);
	return text;
}

static void
a_manifest_is_read_as_it_was_written(void **state)
{
	struct stream_manifest *m;
	char *text = print(), *again, *names;
	uint64_t bytes;
	size_t size;

	(void)state;
	assert_int_equal(stream_manifest_parse(text, &m, NULL), STREAM_OK);
	assert_int_equal(stream_manifest_print(m, &again, NULL), STREAM_OK);
	assert_string_equal(text, again);
	assert_int_equal(stream_manifest_count(m), 2);
	assert_non_null(stream_manifest_find_other(m, "a", 3));
	assert_int_equal(stream_manifest_find_other(m, "z", 0)->epoch, 7);
	assert_null(stream_manifest_find_other(m, "orders", 0));
	assert_null(stream_manifest_find_other(m, "z", 1));
	assert_string_equal(stream_manifest_id(m), "0123456789abcdef");
	assert_int_equal(
	    stream_manifest_files(m, &names, &size, &bytes, NULL), STREAM_OK);
	assert_string_equal(names, ".strm/replicate/0123456789abcdef/./orders-0"
				   "/00000000000000000005.log.from-100");
	assert_string_equal(
	    names + strlen(names) + 1, "././orders-0/00000000000000000009.log");
	assert_int_equal(bytes, 300);
	free(names);
	free(again);
	free(text);
	stream_manifest_free(m);
}

static void
no_changed_byte_of_a_manifest_is_overlooked(void **state)
{
	char *text = print();
	size_t size = strlen(text);

	(void)state;
	for (size_t i = 0; i < size; i++) {
		struct stream_manifest *m;
		char kept = text[i];

		for (int flip = 1; flip < 256; flip <<= 1) {
			text[i] = (char)(kept ^ flip);
			assert_int_not_equal(
			    stream_manifest_parse(text, &m, NULL), STREAM_OK);
		}
		text[i] = '\0';
		assert_int_not_equal(
		    stream_manifest_parse(text, &m, NULL), STREAM_OK);
		text[i] = kept;
	}
	free(text);
}

/* Sound at its end, and wrong before it: what someone makes who means harm. */
static const char *const lies[] = {
    "topic ../x\npartition 0 0 -1 -\n",
    "topic a/b\n",
    "topic a\npartition 0 0 -1 -\nsegment 0 10 "
    "00000000000000000000000000000000 5 5 -1 -1 10 0 l 0 0\n",
    "topic a\npartition 0 0 -1 -\nsegment 0 10 "
    "00000000000000000000000000000000 5 5 -1 -1 0 0 l 11 0\n",
    "topic a\npartition 0 0 -1 -\nsegment 9 10 "
    "00000000000000000000000000000000 5 5 -1 -1 0 0 l 0 0\n",
    "topic a\npartition 0 0 -1 -\nsegment 0 99999999999 "
    "00000000000000000000000000000000 5 5 -1 -1 0 0 l 0 0\n",
    "topic a\npartition 0 0 -1 -\nsegment 0 10 "
    "00000000000000000000000000000000 5 5 -1 -1 0 0 x 0 0\n",
    "topic a\npartition 0 0 -1 ../../../../../../etc\n",
    "topic a\npartition -1 0 -1 -\n",
    "topic a\npartition 1 0 -1 -\npartition 1 0 -1 -\n",
    "topic b\ntopic a\n",
    "topic a\npartition 0 0 -1 -\nepoch 1 5\nepoch 1 6\n",
    "topic a\nsettings {}\n",
    "partition 0 0 -1 -\n",
    "epoch 0 0\n",
    "id ../../../../etc/x\n",
    "idle -1\n",
    "idle 1 2\n",
    "other ../x 0 0 -\n",
    "other a -1 0 -\n",
    "other a 0 -1 -\n",
    "other a 0 0\n",
    "other a 0 0 ../../../../../../etc\n",
    "other a 1 0 -\nother a 1 0 -\n",
    "other a 1 0 -\nother a 0 0 -\n",
    "other b 0 0 -\nother a 1 0 -\n",
    "nonsense\n",
};

static void
what_a_manifest_may_not_say_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct stream_chain digest = {0, 0};
		struct stream_manifest *m;
		char text[1000];
		int size = snprintf(
		    text, sizeof(text), "strm-manifest 1\n%s", lies[i]);

		stream_chain_add(&digest, text, (size_t)size);
		snprintf(text + size, sizeof(text) - (size_t)size,
		    "end %016llx%016llx\n", (unsigned long long)digest.high,
		    (unsigned long long)digest.low);
		if (stream_manifest_parse(text, &m, NULL) == STREAM_OK)
			fail_msg("taken: %s", lies[i]);
	}
}

/* ---- a topic that goes while it is looked at ---------------------------- */

static void
put_record(const struct temp_dir *dir, const char *name)
{
	struct stream_record record = {
	    .value = {(const uint8_t *)"v", 1}, .timestamp_ms = 1000};
	struct stream_store *store = open_store(dir, STREAM_STORE_WRITE);
	struct stream_topic *topic;
	struct stream_producer *producer;

	assert_int_equal(stream_topic_open(store, name, &topic, NULL), 0);
	assert_int_equal(
	    stream_producer_open(store, topic, NULL, &producer, NULL), 0);
	assert_int_equal(stream_producer_send(producer, 0, &record, NULL), 0);
	assert_int_equal(stream_producer_flush(producer, NULL), 0);
	stream_producer_close(producer);
	stream_topic_free(topic);
	stream_store_close(store);
}

/* Its first partition has just been read. */
static bool
delete_it(void *context, uint64_t bytes)
{
	struct stream_store *store = open_store(context, STREAM_STORE_WRITE);

	(void)bytes;
	assert_int_equal(stream_topic_delete(store, "goes", NULL), 0);
	stream_store_close(store);
	return true;
}

static char *
look_at(
    const struct temp_dir *dir, bool (*go_on)(void *context, uint64_t bytes))
{
	const struct stream_replica_options options = {
	    .dry_run = true,
	    .lock_timeout_ms = 100,
	    .go_on = go_on,
	    .context = (void *)dir,
	};
	struct stream_error err;
	char *have, *text;

	assert_int_equal(
	    stream_replica_have("/nowhere", false, &options, &have, NULL), 0);
	if (stream_replica_prepare(dir->path, have, &options, &text, &err) !=
	    STREAM_OK)
		fail_msg("%s", err.text);
	free(have);
	return text;
}

static void
a_topic_that_is_deleted_meanwhile_is_not_half_there(void **state)
{
	const struct temp_dir *dir = *state;
	char *text;

	assert_int_equal(create(dir, "goes", 2), 0);
	assert_int_equal(create(dir, "stays", 1), 0);
	put_record(dir, "goes");
	text = look_at(dir, NULL);
	assert_non_null(strstr(text, "\ntopic goes\n"));
	free(text);
	text = look_at(dir, delete_it);
	assert_null(strstr(text, "goes"));
	assert_null(strstr(text, "failed"));
	assert_non_null(strstr(text, "\ntopic stays\n"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(logs_part_where_their_epochs_say),
	    cmocka_unit_test(a_manifest_is_read_as_it_was_written),
	    cmocka_unit_test(no_changed_byte_of_a_manifest_is_overlooked),
	    cmocka_unit_test(what_a_manifest_may_not_say_is_refused),
	    IN_DIR(a_topic_that_is_deleted_meanwhile_is_not_half_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
