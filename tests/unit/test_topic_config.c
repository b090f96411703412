/* A topic's settings: values, limits, and the files that keep them. */
#include "store/topic_config.h"

#include "temp_dir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t
number_of(const char *name)
{
	size_t i = 0;

	while (strcmp(stream_topic_config_name(i), name) != 0)
		i++;
	return i;
}

static const struct {
	const char *name;
	const char *preset;
} presets[] = {
    {"cleanup.policy", "delete"},
    {"compression.type", "producer"},
    {"delete.retention.ms", "86400000"},
    {"index.interval.bytes", "4096"},
    {"max.compaction.lag.ms", "9223372036854775807"},
    {"max.message.bytes", "1048588"},
    {"message.timestamp.type", "CreateTime"},
    {"min.cleanable.dirty.ratio", "0.5"},
    {"min.compaction.lag.ms", "0"},
    {"retention.bytes", "-1"},
    {"retention.ms", "604800000"},
    {"segment.bytes", "1073741824"},
    {"segment.index.bytes", "10485760"},
    {"segment.ms", "604800000"},
};

static void
defaults_are_kafkas(void **state)
{
	struct stream_topic_config config;
	char text[STREAM_SETTING_SIZE];

	(void)state;
	stream_topic_config_init(&config);
	assert_int_equal(stream_topic_config_count(), COUNT(presets));
	for (size_t i = 0; i < COUNT(presets); i++) {
		assert_string_equal(
		    stream_topic_config_name(i), presets[i].name);
		stream_topic_config_value(&config, i, text);
		assert_string_equal(text, presets[i].preset);
		assert_false(stream_topic_config_is_set(&config, i));
	}
}

static const struct {
	const char *name;
	const char *value;
	const char *kept; /* as it is shown; NULL: refused */
} values[] = {
    {"segment.bytes", "14", "14"},
    {"segment.bytes", "13", NULL},
    {"segment.bytes", "1MiB", "1048576"},
    {"segment.bytes", "1GiB", "1073741824"},
    {"segment.bytes", "2147483647", "2147483647"},
    {"segment.bytes", "2GiB", NULL},
    {"segment.bytes", "-1", NULL},
    {"segment.bytes", "", NULL},
    {"segment.bytes", "much", NULL},
    {"segment.ms", "1", "1"},
    {"segment.ms", "0", NULL},
    {"segment.ms", "7d", "604800000"},
    {"segment.ms", "1h30m", "5400000"},
    {"retention.ms", "-1", "-1"},
    {"retention.ms", "-2", NULL},
    {"retention.ms", "-1d", NULL},
    {"retention.ms", "0", "0"},
    {"retention.ms", "9223372036854775807", "9223372036854775807"},
    {"retention.ms", "9223372036854775808", NULL},
    {"retention.bytes", "-1", "-1"},
    {"retention.bytes", "10KB", "10000"},
    {"cleanup.policy", "compact", "compact"},
    {"cleanup.policy", "delete,compact", "compact,delete"},
    {"cleanup.policy", "compact, delete", "compact,delete"},
    {"cleanup.policy", "compact,", NULL},
    {"cleanup.policy", "", NULL},
    {"cleanup.policy", "Delete", NULL},
    {"cleanup.policy", "none", NULL},
    {"min.cleanable.dirty.ratio", "0", "0.0"},
    {"min.cleanable.dirty.ratio", "1", "1.0"},
    {"min.cleanable.dirty.ratio", ".25", "0.25"},
    {"min.cleanable.dirty.ratio", "0.010", "0.01"},
    {"min.cleanable.dirty.ratio", "0.000000001", "0.000000001"},
    {"min.cleanable.dirty.ratio", "0.1", "0.1"},
    {"min.cleanable.dirty.ratio", "1.01", NULL},
    {"min.cleanable.dirty.ratio", "-0.1", NULL},
    {"min.cleanable.dirty.ratio", "0,5", NULL},
    {"min.cleanable.dirty.ratio", ".", NULL},
    {"min.cleanable.dirty.ratio", "", NULL},
    {"min.cleanable.dirty.ratio", "nan", NULL},
    {"min.cleanable.dirty.ratio", "0.0000000001", NULL},
    {"min.cleanable.dirty.ratio", "99999999999999999999", NULL},
    {"min.compaction.lag.ms", "0", "0"},
    {"max.compaction.lag.ms", "0", NULL},
    {"max.compaction.lag.ms", "1", "1"},
    {"delete.retention.ms", "0", "0"},
    {"compression.type", "producer", "producer"},
    {"compression.type", "uncompressed", "uncompressed"},
    {"compression.type", "gzip", "gzip"},
    {"compression.type", "snappy", "snappy"},
    {"compression.type", "lz4", "lz4"},
    {"compression.type", "zstd", "zstd"},
    {"compression.type", "none", NULL},
    {"compression.type", "brotli", NULL},
    {"message.timestamp.type", "LogAppendTime", "LogAppendTime"},
    {"message.timestamp.type", "logappendtime", NULL},
    {"max.message.bytes", "0", "0"},
    {"max.message.bytes", "4GiB", NULL},
    {"index.interval.bytes", "0", "0"},
    {"segment.index.bytes", "4", "4"},
    {"segment.index.bytes", "3", NULL},
};

static void
values_are_checked_as_kafka_checks_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct stream_topic_config config, before;
		struct stream_error err = {.text = ""};
		char text[STREAM_SETTING_SIZE];
		size_t number = number_of(values[i].name);
		int status;

		stream_topic_config_init(&config);
		before = config;
		status = stream_topic_config_set(
		    &config, values[i].name, values[i].value, &err);
		if (values[i].kept == NULL) {
			if (status != STREAM_EUSAGE)
				fail_msg("%s=%s is taken", values[i].name,
				    values[i].value);
			assert_memory_equal(&config, &before, sizeof(config));
			continue;
		}
		if (status != STREAM_OK)
			fail_msg("%s", err.text);
		stream_topic_config_value(&config, number, text);
		assert_string_equal(text, values[i].kept);
		assert_true(stream_topic_config_is_set(&config, number));
	}
}

static void
an_unknown_setting_suggests_the_nearest(void **state)
{
	struct stream_topic_config config;
	struct stream_error err;

	(void)state;
	stream_topic_config_init(&config);
	assert_int_equal(
	    stream_topic_config_set(&config, "segment.byte", "1MiB", &err),
	    STREAM_EUSAGE);
	assert_non_null(strstr(err.text, "did you mean segment.bytes?"));
	assert_int_equal(stream_topic_config_unset(&config, "retention", &err),
	    STREAM_EUSAGE);
}

static void
unsetting_brings_the_default_back(void **state)
{
	struct stream_topic_config config, initial;

	(void)state;
	stream_topic_config_init(&initial);
	config = initial;
	assert_int_equal(
	    stream_topic_config_set(&config, "retention.ms", "1d", NULL),
	    STREAM_OK);
	assert_int_equal(
	    stream_topic_config_unset(&config, "retention.ms", NULL),
	    STREAM_OK);
	assert_memory_equal(&config, &initial, sizeof(config));
}

static void
the_compaction_lags_must_fit_each_other(void **state)
{
	struct stream_topic_config config;

	(void)state;
	stream_topic_config_init(&config);
	stream_topic_config_set(&config, "min.compaction.lag.ms", "2d", NULL);
	assert_int_equal(stream_topic_config_check(&config, NULL), STREAM_OK);
	stream_topic_config_set(&config, "max.compaction.lag.ms", "1d", NULL);
	assert_int_equal(
	    stream_topic_config_check(&config, NULL), STREAM_EUSAGE);
}

/* --- the settings file --------------------------------------------------- */

static struct stream_topic_settings
some_settings(void)
{
	struct stream_topic_settings settings = {
	    .topic = "orders",
	    .id = "AAAAAAAAQACAAAAAAAAAAA",
	    .partitions = 3,
	};

	stream_topic_config_init(&settings.config);
	stream_topic_config_set(&settings.config, "retention.ms", "1d", NULL);
	stream_topic_config_set(
	    &settings.config, "min.cleanable.dirty.ratio", "0.1", NULL);
	stream_topic_config_set(
	    &settings.config, "cleanup.policy", "compact", NULL);
	return settings;
}

static void
settings_are_read_as_they_were_saved(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_topic_settings saved = some_settings(), read = saved;

	assert_int_equal(
	    stream_topic_settings_save(dir->fd, &saved, NULL), STREAM_OK);
	memset(&read, 0, sizeof(read));
	assert_int_equal(
	    stream_topic_settings_load(dir->fd, "orders", &read, NULL),
	    STREAM_OK);
	assert_string_equal(read.topic, saved.topic);
	assert_string_equal(read.id, saved.id);
	assert_int_equal(read.partitions, 3);
	assert_false(read.has_gaps);
	assert_false(read.has_transactions);
	assert_memory_equal(&read.config, &saved.config, sizeof(read.config));
}

static void
that_there_are_transactions_is_said_only_then(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_topic_settings saved = some_settings(), read;
	static const char wrong[] =
	    "{\"version\":1,\"topic\":\"orders\",\"topic_id\":"
	    "\"TkB0k2C_TpOxQ0dJq1sYyw\",\"partitions\":1,\"gaps\":false,"
	    "\"transactions\":1,\"config\":{}}";
	struct stream_bytes text = {(const uint8_t *)wrong, sizeof(wrong) - 1};

	saved.has_transactions = true;
	assert_int_equal(
	    stream_topic_settings_save(dir->fd, &saved, NULL), STREAM_OK);
	assert_int_equal(
	    stream_topic_settings_load(dir->fd, "orders", &read, NULL),
	    STREAM_OK);
	assert_true(read.has_transactions);
	assert_int_equal(
	    stream_topic_settings_parse(text, "orders", &read, NULL),
	    STREAM_ECORRUPT);
}

static void
the_settings_file_is_for_people_too(void **state)
{
	const struct temp_dir *dir = *state;
	struct stream_topic_settings settings = some_settings();

	assert_int_equal(
	    stream_topic_settings_save(dir->fd, &settings, NULL), STREAM_OK);
	temp_dir_expect(dir, "orders.json",
	    "{\n"
	    "  \"version\": 1,\n"
	    "  \"topic\": \"orders\",\n"
	    "  \"topic_id\": \"AAAAAAAAQACAAAAAAAAAAA\",\n"
	    "  \"partitions\": 3,\n"
	    "  \"gaps\": false,\n"
	    "  \"config\": {\n"
	    "    \"cleanup.policy\": \"compact\",\n"
	    "    \"min.cleanable.dirty.ratio\": \"0.1\",\n"
	    "    \"retention.ms\": \"86400000\"\n"
	    "  }\n"
	    "}\n");
}

#define HEAD \
	"{\"version\":1,\"topic\":\"t\",\"topic_id\":" \
	"\"AAAAAAAAQACAAAAAAAAAAA\","

static const struct {
	const char *text;
	int status;
} documents[] = {
    {HEAD "\"partitions\":1,\"gaps\":true,\"config\":{}}", STREAM_OK},
    {"", STREAM_ECORRUPT},
    {"{", STREAM_ECORRUPT},
    {"[]", STREAM_ECORRUPT},
    {"null", STREAM_ECORRUPT},
    {"{}", STREAM_ECORRUPT},
    {"{\"version\":\"1\"}", STREAM_ECORRUPT},
    {"{\"version\":2}", STREAM_ENEWER},
    {"{\"version\":2,\"new\":[]}", STREAM_ENEWER},
    {"{\"version\":1}", STREAM_ECORRUPT},
    {HEAD "\"partitions\":1,\"gaps\":true,\"config\":{}} x", STREAM_ECORRUPT},
    {HEAD "\"partitions\":1,\"gaps\":true,\"config\":{},\"new\":1}",
	STREAM_ENEWER},
    {HEAD "\"partitions\":1,\"partitions\":1,\"gaps\":true,"
	  "\"config\":{}}",
	STREAM_ECORRUPT},
    {HEAD "\"partitions\":0,\"gaps\":true,\"config\":{}}", STREAM_ECORRUPT},
    {HEAD "\"partitions\":-1,\"gaps\":true,\"config\":{}}", STREAM_ECORRUPT},
    {HEAD "\"partitions\":2147483648,\"gaps\":true,\"config\":{}}",
	STREAM_ECORRUPT},
    {HEAD "\"partitions\":99999999999999999999,\"gaps\":true,"
	  "\"config\":{}}",
	STREAM_ECORRUPT},
    {HEAD "\"partitions\":1.5,\"gaps\":true,\"config\":{}}", STREAM_ECORRUPT},
    {HEAD "\"gaps\":true,\"config\":{}}", STREAM_ECORRUPT},
    {HEAD "\"partitions\":1,\"config\":{}}", STREAM_ECORRUPT},
    {HEAD "\"partitions\":1,\"gaps\":0,\"config\":{}}", STREAM_ECORRUPT},
    {HEAD "\"partitions\":1,\"gaps\":true}", STREAM_ECORRUPT},
    {HEAD "\"partitions\":1,\"gaps\":true,\"config\":[]}", STREAM_ECORRUPT},
    {HEAD "\"partitions\":1,\"gaps\":true,\"config\":{\"x\":\"1\"}}",
	STREAM_ENEWER},
    {HEAD "\"partitions\":1,\"gaps\":true,\"config\":"
	  "{\"retention.ms\":\"x\"}}",
	STREAM_ECORRUPT},
    {HEAD "\"partitions\":1,\"gaps\":true,\"config\":"
	  "{\"retention.ms\":5}}",
	STREAM_ECORRUPT},
    {"{\"version\":1,\"topic\":\"u\",\"topic_id\":"
     "\"AAAAAAAAQACAAAAAAAAAAA\",\"partitions\":1,\"gaps\":true,"
     "\"config\":{}}",
	STREAM_ECORRUPT},
    {"{\"version\":1,\"topic\":\"t\",\"topic_id\":\"AAAA\","
     "\"partitions\":1,\"gaps\":true,\"config\":{}}",
	STREAM_ECORRUPT},
    {"{\"version\":1,\"topic\":\"t\\u0000\",\"topic_id\":\"AAAA\"}",
	STREAM_ECORRUPT},
};

static struct stream_bytes
bytes(const char *text)
{
	return (struct stream_bytes){(const uint8_t *)text, strlen(text)};
}

static void
damaged_and_newer_settings_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(documents); i++) {
		struct stream_topic_settings settings;
		struct stream_error err = {.text = "", .status = STREAM_OK};
		int status = stream_topic_settings_parse(
		    bytes(documents[i].text), "t", &settings, &err);

		if (status != documents[i].status || err.status != status)
			fail_msg("row %zu gives %d: %s", i, status, err.text);
	}
}

static void
every_cut_of_a_settings_file_is_corrupt(void **state)
{
	struct stream_bytes text = bytes(documents[0].text);
	struct stream_topic_settings settings;

	(void)state;
	for (; text.size > 0; text.size--) {
		int status =
		    stream_topic_settings_parse(text, "t", &settings, NULL);

		assert_int_equal(status, text.size == strlen(documents[0].text)
					     ? STREAM_OK
					     : STREAM_ECORRUPT);
	}
}

/* --- intents ------------------------------------------------------------- */

#define MARK "0123456789abcdef0123456789abcdef"

static const struct {
	const char *text;
	int status;
} intents[] = {
    {"{\"version\":1,\"intent\":\"create\",\"topic\":\"t\","
     "\"topic_id\":\"AAAAAAAAQACAAAAAAAAAAA\",\"partitions\":[0,1]}",
	STREAM_OK},
    {"{\"version\":1,\"intent\":\"delete\",\"topic\":\"t\","
     "\"mark\":\"" MARK "\",\"partitions\":[]}",
	STREAM_OK},
    {"{\"version\":3}", STREAM_ENEWER},
    {"{\"version\":1,\"intent\":\"rename\",\"topic\":\"t\","
     "\"mark\":\"" MARK "\",\"partitions\":[]}",
	STREAM_ECORRUPT},
    {"{\"version\":1,\"intent\":\"delete\",\"topic\":\"t\","
     "\"mark\":\"../../../../../../../../../etc\",\"partitions\":[]}",
	STREAM_ECORRUPT},
    {"{\"version\":1,\"intent\":\"delete\",\"topic\":\"t\","
     "\"mark\":\"" MARK "\",\"partitions\":[1,1]}",
	STREAM_ECORRUPT},
    {"{\"version\":1,\"intent\":\"delete\",\"topic\":\"t\","
     "\"mark\":\"" MARK "\",\"partitions\":[2,1]}",
	STREAM_ECORRUPT},
    {"{\"version\":1,\"intent\":\"delete\",\"topic\":\"t\","
     "\"mark\":\"" MARK "\",\"partitions\":[-1]}",
	STREAM_ECORRUPT},
    {"{\"version\":1,\"intent\":\"delete\",\"topic\":\"t\","
     "\"mark\":\"" MARK "\",\"partitions\":4}",
	STREAM_ECORRUPT},
    {"{\"version\":1,\"intent\":\"delete\",\"topic\":\"t\","
     "\"partitions\":[]}",
	STREAM_ECORRUPT},
};

static void
damaged_intents_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(intents); i++) {
		struct stream_intent intent;
		struct stream_error err = {.text = ""};
		int status = stream_intent_parse(
		    bytes(intents[i].text), "t", &intent, &err);

		if (status != intents[i].status)
			fail_msg("row %zu gives %d: %s", i, status, err.text);
		if (status == STREAM_OK)
			stream_intent_release(&intent);
	}
}

static void
an_intent_is_read_as_it_was_saved(void **state)
{
	const struct temp_dir *dir = *state;
	int32_t partitions[] = {0, 7, 2147483647};
	struct stream_intent saved = {
	    .kind = STREAM_INTENT_DELETE,
	    .topic = "orders",
	    .token = MARK,
	    .partitions = partitions,
	    .count = COUNT(partitions),
	};
	struct stream_intent read;

	assert_int_equal(stream_intent_save(dir->fd, &saved, NULL), STREAM_OK);
	assert_int_equal(
	    stream_intent_load(dir->fd, "orders", &read, NULL), STREAM_OK);
	assert_int_equal(read.kind, STREAM_INTENT_DELETE);
	assert_string_equal(read.token, MARK);
	assert_int_equal(read.count, COUNT(partitions));
	assert_memory_equal(read.partitions, partitions, sizeof(partitions));
	stream_intent_release(&read);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_are_kafkas),
	    cmocka_unit_test(values_are_checked_as_kafka_checks_them),
	    cmocka_unit_test(an_unknown_setting_suggests_the_nearest),
	    cmocka_unit_test(unsetting_brings_the_default_back),
	    cmocka_unit_test(the_compaction_lags_must_fit_each_other),
	    cmocka_unit_test_setup_teardown(
		settings_are_read_as_they_were_saved, temp_dir_set_up,
		temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(
		that_there_are_transactions_is_said_only_then, temp_dir_set_up,
		temp_dir_tear_down),
	    cmocka_unit_test_setup_teardown(the_settings_file_is_for_people_too,
		temp_dir_set_up, temp_dir_tear_down),
	    cmocka_unit_test(damaged_and_newer_settings_are_told_apart),
	    cmocka_unit_test(every_cut_of_a_settings_file_is_corrupt),
	    cmocka_unit_test(damaged_intents_are_refused),
	    cmocka_unit_test_setup_teardown(an_intent_is_read_as_it_was_saved,
		temp_dir_set_up, temp_dir_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
