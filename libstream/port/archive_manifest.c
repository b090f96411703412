#include "port/archive_manifest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/xxh128.h"
#include "port/archive_path.h"

/* ---- written ------------------------------------------------------------ */

enum { LINE_SIZE = STREAM_MANIFEST_LINE }; /* a path has less than 600 bytes */

__attribute__((format(printf, 3, 4))) static int
add(struct stream_buf *text, struct stream_error *err, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return stream_buf_add(text, line, (size_t)n, err);
}

int
stream_archive_manifest_begin(
    struct stream_buf *text, int64_t created_ms, struct stream_error *err)
{
	return add(
	    text, err, "strm-archive 1\ncreated %" PRId64 "\n", created_ms);
}

int
stream_archive_manifest_topic(
    struct stream_buf *text, const char *topic, struct stream_error *err)
{
	return add(text, err, "topic %s\n", topic);
}

int
stream_archive_manifest_partition(struct stream_buf *text,
    const struct stream_list_partition *partition, struct stream_error *err)
{
	return add(text, err,
	    "partition %s %" PRId32 " %" PRId64 " %" PRId64 "\n",
	    partition->topic, partition->partition, partition->log_start_offset,
	    partition->next_offset);
}

int
stream_archive_manifest_file(struct stream_buf *text,
    const struct stream_archive_file *file, struct stream_error *err)
{
	return add(text, err, "file %s %" PRIu64 " %" PRIu64 " %s\n",
	    file->path, file->position, file->bytes, file->digest);
}

int
stream_archive_manifest_segment(struct stream_buf *text,
    const struct stream_archive_segment *segment, struct stream_error *err)
{
	return add(text, err,
	    "segment %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
	    segment->base_offset, segment->next_offset, segment->records,
	    segment->largest_ms);
}

int
stream_archive_manifest_block(struct stream_buf *text,
    const struct stream_archive_block *block, struct stream_error *err)
{
	return add(text, err,
	    "block %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
	    block->bytes, block->base_offset, block->last_offset,
	    block->largest_ms);
}

int
stream_archive_manifest_end(struct stream_buf *text, struct stream_error *err)
{
	char digest[STREAM_XXH128_SIZE];
	int status =
	    add(text, err, "end %020zu ", text->size + STREAM_MANIFEST_LAST);

	if (status != STREAM_OK)
		return status;
	stream_xxh128_of(text->data, text->size, digest);
	return add(text, err, "%s\n", digest);
}

/* ---- read --------------------------------------------------------------- */

/* A line that is taken apart word by word. */
struct line {
	const char *at;
	const char *end;
	bool failed;
};

struct parsing {
	struct stream_archive_list *list;
	char name[STREAM_TOPIC_NAME_SIZE];
	bool has_partition;
	int32_t partition;
	bool expects_segment; /* a log's file line was the last one */
	size_t block_bytes;   /* of the log so far */
	uint64_t position;    /* after the last file */
	uint64_t number;      /* of the line */
};

static bool
take_word(struct line *line, char *word, size_t size)
{
	const char *blank =
	    memchr(line->at, ' ', (size_t)(line->end - line->at));
	size_t n = (size_t)((blank != NULL ? blank : line->end) - line->at);

	if (line->failed || n == 0 || n >= size ||
	    memchr(line->at, '\0', n) != NULL) {
		line->failed = true;
		word[0] = '\0';
		return false;
	}
	memcpy(word, line->at, n);
	word[n] = '\0';
	line->at += n + (blank != NULL);
	return true;
}

/* -1 or what is in the range from 0; sets failed. */
static int64_t
take_number(struct line *line, int64_t least)
{
	char word[24];
	char *end;
	long long value;

	if (!take_word(line, word, sizeof(word)))
		return 0;
	value = strtoll(word, &end, 10);
	if (*end != '\0' || value < least || value == INT64_MAX ||
	    (word[0] != '-' && (word[0] < '0' || word[0] > '9')))
		line->failed = true;
	return value;
}

static bool
take_digest(struct line *line, char *digest)
{
	return take_word(line, digest, 33) &&
	       strspn(digest, "0123456789abcdef") == 32;
}

static int
malformed(struct stream_error *err)
{
	return stream_fail(
	    err, STREAM_ECORRUPT, STREAM_POS_NONE, "is not in its form");
}

static int
take_file(struct parsing *p, struct line *line, struct stream_error *err)
{
	char path[STREAM_PATH_SIZE];
	struct stream_archive_file file = {.path = path};
	struct stream_list_log log = {.segment = {.log = p->list->file_count}};
	struct stream_path parsed;

	take_word(line, path, sizeof(path));
	file.position = (uint64_t)take_number(line, 0);
	file.bytes = (uint64_t)take_number(line, 0);
	if (!take_digest(line, file.digest) || line->failed ||
	    file.position < p->position || !stream_path_parse(path, &parsed) ||
	    parsed.kind == STREAM_PATH_HOSTILE)
		return malformed(err);
	p->position = file.position + file.bytes;
	p->expects_segment = parsed.kind == STREAM_PATH_SEGMENT &&
			     parsed.name.kind == STREAM_NAME_LOG;
	if (p->expects_segment) {
		if (!p->has_partition || parsed.partition != p->partition ||
		    strcmp(parsed.topic, p->name) != 0)
			return malformed(err);
		strcpy(log.topic, parsed.topic);
		log.partition = parsed.partition;
		log.state = parsed.name.state;
		log.segment.base_offset = parsed.name.base_offset;
		log.segment.bytes = log.good_bytes = file.bytes;
		if (stream_list_add_log(p->list, &log, err) != STREAM_OK)
			return STREAM_ENOMEM;
		p->block_bytes = 0;
	}
	return stream_list_add_file(p->list, &file, err);
}

static struct stream_list_log *
last_log(const struct parsing *p)
{
	return p->list->log_count == 0 ? NULL
				       : &p->list->logs[p->list->log_count - 1];
}

static int
take_segment(struct parsing *p, struct line *line, struct stream_error *err)
{
	struct stream_list_log *log = last_log(p);
	int64_t base = take_number(line, 0);
	int64_t next = take_number(line, 0);
	int64_t records = take_number(line, 0);
	int64_t largest = take_number(line, INT64_MIN);

	if (line->failed || log == NULL || !p->expects_segment ||
	    base != log->segment.base_offset || next < base)
		return malformed(err);
	p->expects_segment = false;
	log->segment.next_offset = next;
	log->segment.records = records;
	log->segment.largest_ms = largest;
	return STREAM_OK;
}

static int
take_block(struct parsing *p, struct line *line, struct stream_error *err)
{
	struct stream_list_log *log = last_log(p);
	struct stream_archive_block block;
	int64_t least;

	block.bytes = (uint64_t)take_number(line, 1);
	block.base_offset = take_number(line, 0);
	block.last_offset = take_number(line, 0);
	block.largest_ms = take_number(line, INT64_MIN);
	if (line->failed || log == NULL || p->expects_segment)
		return malformed(err);
	least = log->segment.base_offset;
	if (log->segment.block_count > 0)
		least =
		    p->list->blocks[p->list->block_count - 1].last_offset + 1;
	block.position = p->block_bytes;
	if (block.base_offset < least ||
	    block.last_offset < block.base_offset ||
	    block.last_offset >= log->segment.next_offset ||
	    block.bytes > log->segment.bytes - p->block_bytes)
		return malformed(err);
	p->block_bytes += block.bytes;
	return stream_list_add_block(p->list, &block, err);
}

static int
take_topic(struct parsing *p, struct line *line, struct stream_error *err)
{
	if (!take_word(line, p->name, sizeof(p->name)) ||
	    stream_topic_check_name(p->name, NULL) != STREAM_OK)
		return malformed(err);
	p->has_partition = false;
	return STREAM_OK;
}

static int
take_partition(struct parsing *p, struct line *line, struct stream_error *err)
{
	char topic[STREAM_TOPIC_NAME_SIZE];
	struct stream_list_partition *named;
	int64_t number, start, next;
	int status;

	take_word(line, topic, sizeof(topic));
	number = take_number(line, 0);
	start = take_number(line, 0);
	next = take_number(line, 0);
	if (line->failed || number > INT32_MAX ||
	    stream_topic_check_name(topic, NULL) != STREAM_OK ||
	    strcmp(topic, p->name) != 0)
		return malformed(err);
	p->partition = (int32_t)number;
	p->has_partition = true;
	status = stream_list_name(p->list, topic, p->partition, &named, err);
	if (status != STREAM_OK)
		return status;
	if (named->next_offset >= 0)
		return malformed(err);
	named->log_start_offset = start;
	named->next_offset = next;
	return STREAM_OK;
}

static int
take_created(struct parsing *p, struct line *line, struct stream_error *err)
{
	p->list->created_ms = take_number(line, 0);
	return line->failed ? malformed(err) : STREAM_OK;
}

/* All blocks of a log make up all of it. */
static int
check_log(const struct parsing *p, struct stream_error *err)
{
	const struct stream_list_log *log = last_log(p);

	return log != NULL && (p->expects_segment ||
				  p->block_bytes != log->segment.bytes)
		   ? malformed(err)
		   : STREAM_OK;
}

static int
take_version(struct line *line, struct stream_error *err)
{
	char word[24];

	if (!take_word(line, word, sizeof(word)) ||
	    strcmp(word, "strm-archive") != 0)
		return malformed(err);
	if (!take_word(line, word, sizeof(word)) || line->at != line->end)
		return malformed(err);
	return strcmp(word, "1") == 0
		   ? STREAM_OK
		   : stream_fail(err, STREAM_ENEWER, STREAM_POS_NONE,
			 "version %s is not supported", word);
}

static int
take_line(struct parsing *p, struct line *line, struct stream_error *err)
{
	static const struct {
		const char *word;
		int (*take)(struct parsing *p, struct line *line,
		    struct stream_error *err);
	} kinds[] = {
	    {"block", take_block},
	    {"segment", take_segment},
	    {"file", take_file},
	    {"partition", take_partition},
	    {"topic", take_topic},
	    {"created", take_created},
	};
	char word[24];
	int status = STREAM_OK;

	if (!take_word(line, word, sizeof(word)) || line->end[-1] == ' ')
		return malformed(err);
	if (strcmp(word, "segment") != 0 && strcmp(word, "block") != 0)
		status = check_log(p, err);
	if (status != STREAM_OK)
		return status;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(word, kinds[i].word) != 0)
			continue;
		status = kinds[i].take(p, line, err);
		if (status == STREAM_OK && line->at != line->end)
			status = malformed(err);
		return status;
	}
	return stream_fail(err, STREAM_ENEWER, STREAM_POS_NONE,
	    "\"%.20s\" is not known here", word);
}

uint64_t
stream_archive_manifest_size(const char *last_line)
{
	char *end;
	unsigned long long size;

	if (strncmp(last_line, "end ", 4) != 0 ||
	    strspn(last_line + 4, "0123456789") != 20 || last_line[24] != ' ' ||
	    last_line[STREAM_MANIFEST_LAST - 1] != '\n')
		return 0;
	size = strtoull(last_line + 4, &end, 10);
	return size > STREAM_MANIFEST_MOST ? 0 : size;
}

int
stream_archive_manifest_damaged(struct stream_error *err, int status)
{
	return stream_fail_in(err, status,
	    "%s is damaged, see DIAGNOSTICS in strm-archive(1)",
	    STREAM_MANIFEST_FILE);
}

int
stream_archive_manifest_misfit(
    const struct stream_archive_file *file, struct stream_error *err)
{
	return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
	    "%s: %.120s is not where it says, see DIAGNOSTICS in "
	    "strm-archive(1)",
	    STREAM_MANIFEST_FILE, file->path);
}

/* The last line says what the others are. */
static int
check_end(struct stream_bytes text, struct stream_error *err)
{
	enum { DIGEST = STREAM_XXH128_SIZE }; /* with the line end */
	char line[STREAM_MANIFEST_LAST + 1] = {0};
	char digest[STREAM_XXH128_SIZE];

	if (text.size >= STREAM_MANIFEST_LAST)
		memcpy(line, text.data + text.size - STREAM_MANIFEST_LAST,
		    STREAM_MANIFEST_LAST);
	if (line[0] == '\0' || stream_archive_manifest_size(line) != text.size)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "its last line is not \"end SIZE DIGEST\"");
	stream_xxh128_of(text.data, text.size - DIGEST, digest);
	if (strncmp(digest, line + STREAM_MANIFEST_LAST - DIGEST, DIGEST - 1) !=
	    0)
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "its digest is not that of its last line");
	return STREAM_OK;
}

static int
parse(struct parsing *p, struct stream_bytes text, struct stream_error *err)
{
	const char *at = (const char *)text.data;
	const char *end = at + text.size - STREAM_MANIFEST_LAST;
	int status = STREAM_OK;

	while (at < end && status == STREAM_OK) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct line line = {.at = at, .end = newline};

		p->number++;
		if (newline == NULL)
			return malformed(err);
		status = p->number == 1 ? take_version(&line, err)
					: take_line(p, &line, err);
		at = newline + 1;
	}
	if (status == STREAM_OK && p->number == 0)
		return malformed(err);
	return status == STREAM_OK ? check_log(p, err) : status;
}

int
stream_archive_manifest_parse(struct stream_bytes text,
    struct stream_archive_list *list, struct stream_error *err)
{
	struct parsing p = {.list = list};
	int status = check_end(text, err);

	if (status != STREAM_OK)
		return stream_archive_manifest_damaged(err, status);
	status = parse(&p, text, err);
	if (status == STREAM_OK)
		return STREAM_OK;
	if (status == STREAM_ENOMEM || p.number == 0)
		return stream_fail_in(err, status, "%s", STREAM_MANIFEST_FILE);
	return stream_fail_in(err, status, "%s: line %llu",
	    STREAM_MANIFEST_FILE, (unsigned long long)p.number);
}
