/*
 * manifest_parse.c - the text of a manifest, believed in nothing
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "store/manifest.h"
#include "store/store.h"

enum {
	FIELDS = 16,
	/* A segment's line has about 150 bytes: of some millions of segments.
	 */
	TEXT_LIMIT = 1 << 30
};

struct parsing {
	struct stream_manifest *manifest;
	struct stream_manifest_topic *topic;
	struct stream_manifest_part *part;
	uint64_t line;
	char *fields[FIELDS];
	size_t count;
	bool bad; /* a number that is none */
};

static int
bad(const struct parsing *p, struct stream_error *err)
{
	return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
	    "manifest: line %llu is not of the form that strm writes",
	    (unsigned long long)p->line);
}

static int64_t
number(struct parsing *p, size_t i, int64_t least, int64_t most)
{
	const char *text = i < p->count ? p->fields[i] : "";
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < least ||
	    value > most || text[0] == ' ' || text[0] == '+') {
		p->bad = true;
		return least;
	}
	return value;
}

static bool
take_digest(const char *text, struct stream_chain *digest)
{
	char half[17] = {0};

	if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
		return false;
	memcpy(half, text, 16);
	digest->high = strtoull(half, NULL, 16);
	digest->low = strtoull(text + 16, NULL, 16);
	return true;
}

/* "-" is none. */
static int
take_id(struct parsing *p, char *id, struct stream_error *err)
{
	if (p->count != 2)
		return bad(p, err);
	if (strcmp(p->fields[1], "-") == 0)
		return STREAM_OK;
	if (!stream_replica_id_is(p->fields[1]))
		return bad(p, err);
	strcpy(id, p->fields[1]);
	return STREAM_OK;
}

static int
take_topic(struct parsing *p, struct stream_error *err)
{
	struct stream_manifest *m = p->manifest;
	int status;

	if (p->count != 2)
		return bad(p, err);
	status = stream_topic_check_name(p->fields[1], err);
	if (status != STREAM_OK)
		return bad(p, err);
	/* They rise, so that none comes twice. */
	if (m->topic_count > 0 &&
	    strcmp(m->topics[m->topic_count - 1].name, p->fields[1]) >= 0)
		return bad(p, err);
	p->part = NULL;
	return stream_manifest_add_topic(m, p->fields[1], &p->topic, err);
}

static int
take_settings(struct parsing *p, const char *json, struct stream_error *err)
{
	struct stream_bytes text = {(const uint8_t *)json, strlen(json)};
	int status;

	if (p->topic == NULL || p->part != NULL || p->topic->is_ours)
		return bad(p, err);
	status = stream_topic_settings_parse(
	    text, p->topic->name, &p->topic->settings, err);
	if (status != STREAM_OK)
		return status;
	p->topic->json = strdup(json);
	if (p->topic->json == NULL)
		return stream_fail_memory(err);
	p->topic->is_ours = true;
	return STREAM_OK;
}

static bool
is_topic_id(const char *text)
{
	return strlen(text) == STREAM_TOPIC_ID_SIZE - 1 &&
	       strspn(text,
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		   "0123456789-_") == STREAM_TOPIC_ID_SIZE - 1;
}

static int
add_part(struct parsing *p, struct stream_error *err)
{
	int32_t partition = (int32_t)number(p, 1, 0, INT32_MAX);
	char name[STREAM_PARTITION_NAME_SIZE];

	if (p->bad || p->topic == NULL ||
	    (p->part != NULL && p->part->partition >= partition) ||
	    stream_partition_name_put(p->topic->name, partition, name, NULL) !=
		STREAM_OK)
		return bad(p, err);
	return stream_manifest_add_part(p->manifest, partition, &p->part, err);
}

/* "-" is none. */
static int
take_topic_id(
    struct parsing *p, const char *text, char *id, struct stream_error *err)
{
	if (strcmp(text, "-") == 0)
		return STREAM_OK;
	if (!is_topic_id(text))
		return bad(p, err);
	strcpy(id, text);
	return STREAM_OK;
}

static int
take_part(struct parsing *p, struct stream_error *err)
{
	int status = add_part(p, err);

	if (status != STREAM_OK)
		return status;
	p->part->log_start_offset = number(p, 2, 0, INT64_MAX - 1);
	p->part->clean_point = number(p, 3, -1, INT64_MAX - 1);
	if (p->bad || p->count != 5)
		return bad(p, err);
	return take_topic_id(p, p->fields[4], p->part->id, err);
}

/* They rise, so that none comes twice. */
static int
take_other(struct parsing *p, struct stream_error *err)
{
	struct stream_manifest *m = p->manifest;
	struct stream_manifest_other other = {
	    .partition = (int32_t)number(p, 2, 0, INT32_MAX),
	    .epoch = (int32_t)number(p, 3, 0, INT32_MAX),
	};
	char name[STREAM_PARTITION_NAME_SIZE];
	int status;

	if (p->bad || p->count != 5 ||
	    stream_topic_check_name(p->fields[1], NULL) != STREAM_OK ||
	    stream_partition_name_put(
		p->fields[1], other.partition, name, NULL) != STREAM_OK ||
	    (m->other_count > 0 &&
		stream_manifest_compare(&m->others[m->other_count - 1],
		    p->fields[1], other.partition) >= 0))
		return bad(p, err);
	snprintf(other.topic, sizeof(other.topic), "%s", p->fields[1]);
	status = take_topic_id(p, p->fields[4], other.id, err);
	return status == STREAM_OK ? stream_manifest_add_other(m, &other, err)
				   : status;
}

static int
take_failed(struct parsing *p, const char *text, struct stream_error *err)
{
	int status = add_part(p, err);

	if (status != STREAM_OK)
		return status;
	p->part->failed = (int)number(p, 2, -100, -1);
	snprintf(p->part->text, sizeof(p->part->text), "%s", text);
	return p->bad ? bad(p, err) : STREAM_OK;
}

static int
take_epoch(struct parsing *p, struct stream_error *err)
{
	struct stream_epoch entry = {(int32_t)number(p, 1, 0, INT32_MAX),
	    number(p, 2, 0, INT64_MAX - 1)};
	struct stream_manifest_part *part = p->part;
	void *bigger;

	if (p->bad || p->count != 3 || part == NULL ||
	    part->failed != STREAM_OK || part->segment_count > 0 ||
	    (part->epoch_count > 0 &&
		(part->epochs[part->epoch_count - 1].epoch >= entry.epoch ||
		    part->epochs[part->epoch_count - 1].start_offset >=
			entry.start_offset)))
		return bad(p, err);
	bigger = reallocarray(
	    part->epochs, part->epoch_count + 1, sizeof(*part->epochs));
	if (bigger == NULL)
		return stream_fail_memory(err);
	part->epochs = bigger;
	part->epochs[part->epoch_count++] = entry;
	return STREAM_OK;
}

static bool
take_how(const char *text, enum stream_manifest_how *how)
{
	static const char letters[] = "=lat";
	const char *found = strlen(text) == 1 ? strchr(letters, *text) : NULL;

	if (found == NULL)
		return false;
	*how = (enum stream_manifest_how)(found - letters);
	return true;
}

/* What the other fields make of it. */
static bool
is_sound(const struct parsing *p, const struct stream_manifest_segment *s)
{
	const struct stream_measure *m = &s->measure;
	const struct stream_manifest_part *part = p->part;
	struct stream_measure none;
	int64_t before;

	stream_measure_init(&none, s->base_offset);
	if (m->next_offset < s->base_offset ||
	    m->next_offset - s->base_offset > (int64_t)INT32_MAX + 1 ||
	    m->bytes > INT32_MAX ||
	    (m->bytes == 0 && !stream_measure_bears_out(&none, m)) ||
	    (m->bytes == 0) != (m->last_position < 0) ||
	    m->last_position >= (int64_t)m->bytes || s->from > m->bytes)
		return false;
	if (part->segment_count == 0)
		return true;
	before = part->segments[part->segment_count - 1].measure.next_offset;
	return s->base_offset >= before &&
	       s->base_offset >
		   part->segments[part->segment_count - 1].base_offset;
}

static int
take_segment(struct parsing *p, struct stream_error *err)
{
	struct stream_manifest_segment s = {
	    .base_offset = number(p, 1, 0, INT64_MAX - 1),
	    .measure =
		{
		    .bytes = (uint64_t)number(p, 2, 0, INT32_MAX),
		    .next_offset = number(p, 4, 0, INT64_MAX - 1),
		    .records = number(p, 5, 0, INT64_MAX),
		    .max_timestamp_ms = number(p, 6, INT64_MIN, INT64_MAX),
		    .max_timestamp_offset = number(p, 7, -1, INT64_MAX - 1),
		    .last_position = number(p, 8, -1, INT32_MAX),
		    .leader_epoch = (int32_t)number(p, 9, -1, INT32_MAX),
		},
	    .from = (uint64_t)number(p, 11, 0, INT32_MAX),
	    .with = (unsigned)number(p, 12, 0, 3),
	};

	if (p->bad || p->count != 13 || p->part == NULL ||
	    p->part->failed != STREAM_OK ||
	    !take_digest(p->fields[3], &s.measure.digest) ||
	    !take_how(p->fields[10], &s.how) || !is_sound(p, &s))
		return bad(p, err);
	return stream_manifest_add_segment(p->part, &s, err);
}

static int
take_idle(struct parsing *p, struct stream_error *err)
{
	size_t i = (size_t)number(p, 1, 0, INT32_MAX);

	return p->bad || p->count != 2
		   ? bad(p, err)
		   : stream_manifest_add_idle(p->manifest, i, err);
}

/* Cuts the line into words; one blank between two. */
static void
split(struct parsing *p, char *line)
{
	p->count = 0;
	while (p->count < FIELDS) {
		p->fields[p->count++] = line;
		line = strchr(line, ' ');
		if (line == NULL)
			return;
		*line++ = '\0';
	}
}

/* The text behind the nth blank of the line. */
static const char *
rest(const char *line, int n)
{
	for (; n > 0 && line != NULL; n--) {
		line = strchr(line, ' ');
		if (line != NULL)
			line++;
	}
	return line != NULL ? line : "";
}

static int
take_line(struct parsing *p, char *line, struct stream_error *err)
{
	struct stream_manifest *m = p->manifest;
	char *copy;
	const char *word;
	int status;

	if (strncmp(line, "settings ", 9) == 0)
		return take_settings(p, rest(line, 1), err);
	copy = strdup(line);
	if (copy == NULL)
		return stream_fail_memory(err);
	split(p, line);
	p->bad = false;
	word = p->fields[0];
	if (strcmp(word, "segment") == 0)
		status = take_segment(p, err);
	else if (strcmp(word, "epoch") == 0)
		status = take_epoch(p, err);
	else if (strcmp(word, "partition") == 0)
		status = take_part(p, err);
	else if (strcmp(word, "topic") == 0)
		status = take_topic(p, err);
	else if (strcmp(word, "failed") == 0)
		status = take_failed(p, rest(copy, 3), err);
	else if (strcmp(word, "other") == 0)
		status = take_other(p, err);
	else if (strcmp(word, "idle") == 0)
		status = take_idle(p, err);
	else if (strcmp(word, "id") == 0)
		status = take_id(p, m->id, err);
	else if (strcmp(word, "store") == 0)
		status = take_id(p, m->store, err);
	else if (strcmp(word, "time") == 0) {
		m->time_ms = number(p, 1, 0, INT64_MAX);
		status = p->bad ? bad(p, err) : STREAM_OK;
	} else if (strcmp(word, "role") == 0) {
		m->role = (enum stream_manifest_role)number(
		    p, 1, STREAM_IS_LEADER, STREAM_IS_PROMOTING);
		status = p->bad ? bad(p, err) : STREAM_OK;
	} else {
		status = bad(p, err);
	}
	free(copy);
	return status;
}

/* The last line says what the others are.  *size becomes theirs. */
static int
check_end(const char *text, size_t *size, struct stream_error *err)
{
	struct stream_chain said, found = {0, 0};
	char line[33] = {0};
	const char *end;

	/* "end ", 32 digits and a line end */
	if (*size > TEXT_LIMIT || *size < 37)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "manifest: is not whole");
	end = text + *size - 37;
	memcpy(line, end + 4, 32);
	stream_chain_add(&found, text, *size - 37);
	if (memcmp(end, "end ", 4) != 0 || end[36] != '\n' ||
	    !take_digest(line, &said) || !stream_chain_is_same(&said, &found))
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "manifest: is not whole");
	*size -= 37;
	return STREAM_OK;
}

static int
parse(struct parsing *p, char *text, size_t size, struct stream_error *err)
{
	char *end = text + size;
	int status = STREAM_OK;

	while (text < end && status == STREAM_OK) {
		char *stop = memchr(text, '\n', (size_t)(end - text));

		p->line++;
		if (stop == NULL)
			return bad(p, err);
		*stop = '\0';
		if (p->line == 1)
			status = strcmp(text, "strm-manifest 1") == 0
				     ? STREAM_OK
				     : stream_fail(err, STREAM_ENEWER,
					   STREAM_POS_NONE,
					   "manifest: of another version of "
					   "strm");
		else
			status = take_line(p, text, err);
		text = stop + 1;
	}
	return status;
}

int
stream_manifest_parse(const char *text, struct stream_manifest **manifest,
    struct stream_error *err)
{
	struct parsing p = {.manifest = calloc(1, sizeof(*p.manifest))};
	size_t size = strlen(text);
	char *copy = strdup(text);
	int status = STREAM_OK;

	if (p.manifest == NULL || copy == NULL)
		status = stream_fail_memory(err);
	if (status == STREAM_OK)
		status = check_end(text, &size, err);
	if (status == STREAM_OK)
		status = parse(&p, copy, size, err);
	free(copy);
	if (status == STREAM_OK)
		*manifest = p.manifest;
	else
		stream_manifest_free(p.manifest);
	return status;
}
