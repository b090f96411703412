#include <stdio.h>
#include <string.h>

#include <stream/parse.h>
#include <stream/topic_config.h>

#include "base/fail.h"

enum kind { BYTES, MILLISECONDS, RATIO, CHOICE, CHOICES };

struct choice {
	const char *name;
	int64_t value;
};

static const struct choice policies[] = {
    {"compact", STREAM_CLEANUP_COMPACT},
    {"delete", STREAM_CLEANUP_DELETE},
    {NULL, 0},
};

static const struct choice compressions[] = {
    {"producer", STREAM_COMPRESSION_PRODUCER},
    {"uncompressed", STREAM_CODEC_NONE},
    {"gzip", STREAM_CODEC_GZIP},
    {"snappy", STREAM_CODEC_SNAPPY},
    {"lz4", STREAM_CODEC_LZ4},
    {"zstd", STREAM_CODEC_ZSTD},
    {NULL, 0},
};

static const struct choice timestamp_types[] = {
    {"CreateTime", STREAM_CREATE_TIME},
    {"LogAppendTime", STREAM_LOG_APPEND_TIME},
    {NULL, 0},
};

struct setting {
	const char *name;
	enum kind kind;
	size_t offset; /* in struct stream_topic_config */
	int64_t preset;
	int64_t least;
	int64_t most;
	const struct choice *choices;
};

#define FIELD(name) offsetof(struct stream_topic_config, name)

/*
 * Defaults and limits are Kafka's (LogConfig).  segment.bytes starts at 14,
 * the size of the smallest thing that ever stood in a log, as in Kafka up to
 * 4.0; later versions ask for 1 MiB, which tests that roll often cannot use.
 * retention.bytes has no lower limit in Kafka, where each negative value
 * means the same as -1.
 */
static const struct setting settings[] = {
    {"cleanup.policy", CHOICES, FIELD(cleanup_policy), STREAM_CLEANUP_DELETE, 0,
	0, policies},
    {"compression.type", CHOICE, FIELD(compression_type),
	STREAM_COMPRESSION_PRODUCER, 0, 0, compressions},
    {"delete.retention.ms", MILLISECONDS, FIELD(delete_retention_ms), 86400000,
	0, INT64_MAX, NULL},
    {"index.interval.bytes", BYTES, FIELD(index_interval_bytes), 4096, 0,
	INT32_MAX, NULL},
    {"max.compaction.lag.ms", MILLISECONDS, FIELD(max_compaction_lag_ms),
	INT64_MAX, 1, INT64_MAX, NULL},
    {"max.message.bytes", BYTES, FIELD(max_message_bytes), 1048588, 0,
	INT32_MAX, NULL},
    {"message.timestamp.type", CHOICE, FIELD(message_timestamp_type),
	STREAM_CREATE_TIME, 0, 0, timestamp_types},
    {"min.cleanable.dirty.ratio", RATIO, FIELD(min_cleanable_dirty_ratio),
	500000000, 0, 1000000000, NULL},
    {"min.compaction.lag.ms", MILLISECONDS, FIELD(min_compaction_lag_ms), 0, 0,
	INT64_MAX, NULL},
    {"retention.bytes", BYTES, FIELD(retention_bytes), -1, -1, INT64_MAX, NULL},
    {"retention.ms", MILLISECONDS, FIELD(retention_ms), 604800000, -1,
	INT64_MAX, NULL},
    {"segment.bytes", BYTES, FIELD(segment_bytes), 1073741824, 14, INT32_MAX,
	NULL},
    {"segment.index.bytes", BYTES, FIELD(segment_index_bytes), 10485760, 4,
	INT32_MAX, NULL},
    {"segment.ms", MILLISECONDS, FIELD(segment_ms), 604800000, 1, INT64_MAX,
	NULL},
};

enum { SETTING_COUNT = sizeof(settings) / sizeof(settings[0]) };

/* A ratio is kept as billionths while it is parsed and compared, so that
 * nothing here depends on the locale's decimal point. */
static const double ratio_unit = 1e9;
enum { RATIO_DIGITS = 9 };

static void
put_value(struct stream_topic_config *config, const struct setting *setting,
    int64_t value)
{
	char *field = (char *)config + setting->offset;
	double ratio = (double)value / ratio_unit;

	if (setting->kind == RATIO)
		memcpy(field, &ratio, sizeof(ratio));
	else
		memcpy(field, &value, sizeof(value));
}

static int64_t
get_value(
    const struct stream_topic_config *config, const struct setting *setting)
{
	const char *field = (const char *)config + setting->offset;
	int64_t value;
	double ratio;

	if (setting->kind != RATIO) {
		memcpy(&value, field, sizeof(value));
		return value;
	}
	memcpy(&ratio, field, sizeof(ratio));
	return (int64_t)(ratio * ratio_unit + 0.5);
}

void
stream_topic_config_init(struct stream_topic_config *config)
{
	*config = (struct stream_topic_config){0};
	for (size_t i = 0; i < SETTING_COUNT; i++)
		put_value(config, &settings[i], settings[i].preset);
}

static int
find_setting(const char *name, size_t *found, struct stream_error *err)
{
	const char *names[SETTING_COUNT];
	const char *near;

	for (size_t i = 0; i < SETTING_COUNT; i++) {
		names[i] = settings[i].name;
		if (strcmp(name, names[i]) == 0) {
			*found = i;
			return STREAM_OK;
		}
	}
	near = stream_parse_nearest(name, names, SETTING_COUNT);
	if (near == NULL)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "no setting is called \"%s\"", name);
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "no setting is called \"%s\"; did you mean %s?", name, near);
}

static int
parse_ratio(const char *text, int64_t *value, struct stream_error *err)
{
	static const char decimal[] = "0123456789";
	size_t whole = strspn(text, decimal), digits = 0;
	const char *fraction = text + whole;
	int64_t sum = 0;

	if (*fraction == '.')
		digits = strspn(++fraction, decimal);
	if (whole + digits == 0 || whole > RATIO_DIGITS ||
	    digits > RATIO_DIGITS || fraction[digits] != '\0')
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "\"%s\" is not a number from 0 to 1", text);
	for (size_t i = 0; i < whole; i++)
		sum = sum * 10 + (text[i] - '0');
	for (size_t i = 0; i < RATIO_DIGITS; i++)
		sum = sum * 10 + (i < digits ? fraction[i] - '0' : 0);
	*value = sum;
	return STREAM_OK;
}

static int
bad_choice(
    const struct choice *choices, const char *text, struct stream_error *err)
{
	char list[STREAM_SETTING_SIZE * 2] = "";
	size_t used = 0;

	for (const struct choice *c = choices; c->name != NULL; c++)
		used += (size_t)snprintf(list + used, sizeof(list) - used,
		    "%s%s", used > 0 ? ", " : "", c->name);
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "\"%s\" is not one of %s", text, list);
}

static const struct choice *
find_choice(const struct choice *choices, const char *text, size_t size)
{
	for (const struct choice *c = choices; c->name != NULL; c++)
		if (strlen(c->name) == size && memcmp(c->name, text, size) == 0)
			return c;
	return NULL;
}

static int
parse_choice(const struct choice *choices, const char *text, int64_t *value,
    struct stream_error *err)
{
	const struct choice *found = find_choice(choices, text, strlen(text));

	if (found == NULL)
		return bad_choice(choices, text, err);
	*value = found->value;
	return STREAM_OK;
}

/* A list with commas, as Kafka takes it: blanks around a word do not count,
 * nor does the order. */
static int
parse_choices(const struct choice *choices, const char *text, int64_t *value,
    struct stream_error *err)
{
	int64_t sum = 0;

	for (const char *word = text; word != NULL;) {
		const char *comma = strchr(word, ',');
		const char *end = comma != NULL ? comma : word + strlen(word);
		const struct choice *found;

		while (*word == ' ')
			word++;
		while (end > word && end[-1] == ' ')
			end--;
		found = find_choice(choices, word, (size_t)(end - word));
		if (found == NULL)
			return bad_choice(choices, text, err);
		sum |= found->value;
		word = comma != NULL ? comma + 1 : NULL;
	}
	*value = sum;
	return STREAM_OK;
}

/* "-1" means no limit for the settings that allow it; no other size or
 * duration has a sign. */
static int
parse_amount(const struct setting *setting, const char *text, int64_t *value,
    struct stream_error *err)
{
	int64_t parsed;
	int status;

	if (*text == '-')
		status =
		    stream_parse_int(text, INT64_MIN, INT64_MAX, &parsed, err);
	else if (setting->kind == BYTES)
		status = stream_parse_size(text, &parsed, err);
	else if (setting->kind == MILLISECONDS)
		status = stream_parse_duration(text, &parsed, err);
	else
		status = parse_ratio(text, &parsed, err);
	if (status != STREAM_OK)
		return status;
	if (parsed >= setting->least && parsed <= setting->most) {
		*value = parsed;
		return STREAM_OK;
	}
	if (setting->kind == RATIO)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "\"%s\" is not from 0 to 1", text);
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "\"%s\" is not from %lld to %lld", text, (long long)setting->least,
	    (long long)setting->most);
}

static int
parse_value(const struct setting *setting, const char *text, int64_t *value,
    struct stream_error *err)
{
	if (setting->kind == CHOICE)
		return parse_choice(setting->choices, text, value, err);
	if (setting->kind == CHOICES)
		return parse_choices(setting->choices, text, value, err);
	return parse_amount(setting, text, value, err);
}

int
stream_topic_config_set(struct stream_topic_config *config, const char *name,
    const char *text, struct stream_error *err)
{
	int64_t value = 0;
	size_t i;
	int status = find_setting(name, &i, err);

	if (status != STREAM_OK)
		return status;
	status = parse_value(&settings[i], text, &value, err);
	if (status != STREAM_OK)
		return stream_fail_in(err, status, "%s", name);
	put_value(config, &settings[i], value);
	config->is_set |= UINT32_C(1) << i;
	return STREAM_OK;
}

int
stream_topic_config_unset(struct stream_topic_config *config, const char *name,
    struct stream_error *err)
{
	size_t i;
	int status = find_setting(name, &i, err);

	if (status != STREAM_OK)
		return status;
	put_value(config, &settings[i], settings[i].preset);
	config->is_set &= ~(UINT32_C(1) << i);
	return STREAM_OK;
}

int
stream_topic_config_check(
    const struct stream_topic_config *config, struct stream_error *err)
{
	if (config->min_compaction_lag_ms <= config->max_compaction_lag_ms)
		return STREAM_OK;
	return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
	    "min.compaction.lag.ms (%lld) is more than max.compaction.lag.ms "
	    "(%lld)",
	    (long long)config->min_compaction_lag_ms,
	    (long long)config->max_compaction_lag_ms);
}

size_t
stream_topic_config_count(void)
{
	return SETTING_COUNT;
}

const char *
stream_topic_config_name(size_t i)
{
	return settings[i].name;
}

bool
stream_topic_config_is_set(const struct stream_topic_config *config, size_t i)
{
	return config->is_set >> i & 1;
}

/* "0.5" and "1.0": what Java prints for these. */
static void
put_ratio(int64_t value, char *text)
{
	int size = snprintf(text, STREAM_SETTING_SIZE, "%lld.%09lld",
	    (long long)(value / 1000000000), (long long)(value % 1000000000));

	while (text[size - 1] == '0' && text[size - 2] != '.')
		size--;
	text[size] = '\0';
}

static void
put_choices(const struct choice *choices, int64_t value, char *text)
{
	text[0] = '\0';
	for (const struct choice *c = choices; c->name != NULL; c++) {
		if ((value & c->value) == 0)
			continue;
		if (text[0] != '\0')
			strcat(text, ",");
		strcat(text, c->name);
	}
}

static void
put_choice(const struct choice *choices, int64_t value, char *text)
{
	text[0] = '\0';
	for (const struct choice *c = choices; c->name != NULL; c++)
		if (c->value == value)
			strcpy(text, c->name);
}

void
stream_topic_config_value(
    const struct stream_topic_config *config, size_t i, char *text)
{
	const struct setting *setting = &settings[i];
	int64_t value = get_value(config, setting);

	if (setting->kind == RATIO)
		put_ratio(value, text);
	else if (setting->kind == CHOICE)
		put_choice(setting->choices, value, text);
	else if (setting->kind == CHOICES)
		put_choices(setting->choices, value, text);
	else
		snprintf(text, STREAM_SETTING_SIZE, "%lld", (long long)value);
}
